"""Discovery, prefetch templates and requests over HTTP: every sentence of R1 to R27, every part."""

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from uuid import uuid4

import httpx
import pytest

from cds_service.settings import Settings
from tests.support.builders import bundle, condition, operation_outcome
from tests.support.cards_check import check_no_empty
from tests.support.jwts import add_client
from tests.support.service import Service, TestClock, new_context, running
from tests.support.site import TOKEN, Site, granted
from tests.support.site import running_site as site_running

Json = dict[str, Any]

HOOKS = {
    "disease-severity": "patient-view",
    "record-problem": "problem-list-item-create",
    "record-discharge": "encounter-discharge",
}
TOKENS = {
    "patient-view": {"userId", "patientId", "encounterId"},
    "problem-list-item-create": {"userId", "patientId", "encounterId"},
    "encounter-discharge": {"userId", "patientId", "encounterId"},
}
"""Context fields with "Prefetch Token: Yes" in the hook library."""
USERS = {"userPractitionerId", "userPractitionerRoleId", "userPatientId", "userRelatedPersonId"}
REFERENCE, TOKEN_TYPE, DATE = {"patient", "subject"}, {"category", "code"}, {"date"}
"""Search parameters of Observation and Condition by their type."""


@pytest.fixture(scope="module")
def running_site(
    tmp_path_factory: pytest.TempPathFactory, small_model: tuple[Path, str]
) -> Iterator[Site]:
    with site_running(tmp_path_factory.mktemp("requests"), small_model) as site:
        add_client(site.service.context, "development", extra_inputs=["abo_group", "exercise_days"])
        yield site


@pytest.fixture
def site(running_site: Site) -> Site:
    running_site.reset()
    return running_site


@pytest.fixture
def service(site: Site) -> Service:
    return site.service


def body(service: str, **changes: Any) -> Json:
    """A whole request to any of the services; a change to `...` leaves a member out."""
    context: Json = {"userId": "Practitioner/1", "patientId": "p1", "encounterId": "e1"}
    if service == "record-problem":
        context["conditions"] = {"resourceType": "Bundle", "type": "collection"}
    request: Json = {
        "hook": HOOKS[service],
        "hookInstance": str(uuid4()),
        "context": context,
        "prefetch": {"patient": {"resourceType": "Patient", "id": "p1"}, "vitals": None},
    }
    return {name: value for name, value in (request | changes).items() if value is not ...}


def post(running: Service, service: str, content: object) -> httpx.Response:
    return running.http.post(f"/cds-services/{service}", json=content)


def refused(response: httpx.Response, status: int, element: str | None) -> None:
    """The status, and an OperationOutcome that names the element."""
    assert response.status_code == status, response.text
    (issue,) = response.json()["issue"]
    assert issue.get("expression") == (None if element is None else [element])


def answers(service: Service) -> dict[str, httpx.Response]:
    """One answer of every kind."""
    http, url = service.http, "/cds-services/disease-severity"
    full = service.request(service.vitals())
    strange = service.observation("8867-4", 80, "furlong", id=None, issued=None)
    feedback = {"card": "x", "outcome": "overridden", "outcomeTimestamp": "2026-03-01T12:00:00Z"}
    return {
        "discovery": http.get("/cds-services"),
        "a card": service.assess(full),
        "the same again": service.assess(full),
        "a card without readings": service.assess(service.request([strange])),
        "problems": post(service, "record-problem", body("record-problem")),
        "discharge": post(service, "record-discharge", body("record-discharge")),
        "feedback": http.post(f"{url}/feedback", json={"feedback": [feedback]}),
        "not JSON": http.post(url, content=b"{"),
        "no such service": post(service, "nothing", {}),
        "no such path": http.get("/nothing"),
        "another method": http.get(url),
        "another body": service.assess(full | {"prefetch": {}}),
        "no data": service.assess(service.request([]) | {"prefetch": {}}),
    }


@pytest.mark.requirement("R1")
def test_everything_is_json(service: Service) -> None:
    for name, response in answers(service).items():
        assert response.headers["content-type"] == "application/json", name
        assert isinstance(response.json(), dict), name


@pytest.mark.requirement("R1")
def test_nobody_else_can_connect_without_tls_unless_it_is_asked_for() -> None:
    assert Settings.model_fields["host"].default == "127.0.0.1"
    with pytest.raises(ValueError, match="CDS_DEVELOPMENT answers without authentication"):
        Settings(development=True, host="0.0.0.0")  # noqa: S104  # what must be refused


@pytest.mark.requirement("R2")
def test_no_answer_has_an_empty_member(service: Service) -> None:
    empty = set()
    for name, response in answers(service).items():
        for member, value in response.json().items():
            if (member, value) == ("cards", []):
                empty.add(name)
            else:
                check_no_empty(value, f"{name}: {member}")
    assert empty == {"problems", "discharge"}
    told = answers(service)["a card without readings"].json()["extension"]
    assert {"missing", "skipped"} <= set(told["org.cds-service.assessment"])


@pytest.mark.requirement("R5")
@pytest.mark.parametrize("name", HOOKS)
def test_what_a_client_adds_anywhere_changes_nothing(service: Service, name: str) -> None:
    more = {"extension": {"com.epic.x": {"a": [1, None]}}, "unheardOf": [None, {"b": ""}]}
    request = body(name) | more
    request["context"] |= more
    request["prefetch"] |= {"alsoSent": {"resourceType": "Bundle"}, "andThis": 7}
    request |= {"fhirServer": "https://other.invalid", "fhirAuthorization": granted() | more}
    answer, plain = post(service, name, request), post(service, name, body(name))
    assert (answer.status_code, plain.status_code) == (200, 200), answer.text

    def summaries(response: httpx.Response) -> list[str]:
        return [card["summary"] for card in response.json()["cards"]]

    assert summaries(answer) == summaries(plain)


@pytest.mark.requirement("R6")
def test_discovery_is_there_without_a_model_too(tmp_path: Path) -> None:
    context = new_context(tmp_path)
    with running(context, TestClock()) as bare:
        assert bare.http.get("/health/ready").status_code == 503
        response = bare.http.get("/cds-services")
        assert response.status_code == 200
        assert isinstance(response.json()["services"], list)
        assert {entry["id"] for entry in response.json()["services"]} == set(HOOKS)


@pytest.mark.requirement("R7")
def test_the_id_of_a_service_is_its_path(service: Service) -> None:
    services = service.http.get("/cds-services").json()["services"]
    assert len({entry["id"] for entry in services}) == len(services)
    for entry in services:
        for member in ("hook", "description", "id"):
            assert isinstance(entry[member], str)
            assert entry[member]
        assert re.fullmatch(r"[A-Za-z0-9\-._~]+", entry["id"])
        answer = post(service, entry["id"], body(entry["id"], hook=entry["hook"]))
        assert answer.status_code == 200, answer.text


def offered(service: Service) -> list[tuple[str, str]]:
    """Hook and template, of everything that can be offered."""
    services = service.http.get("/cds-services").json()["services"]
    found = [
        (entry["hook"], template)
        for entry in services
        for template in entry.get("prefetch", {}).values()
    ]
    assert len(found) == 8
    assert all(isinstance(template, str) for _, template in found)
    return found


@pytest.mark.requirement("R13")
def test_a_token_is_a_context_field_or_a_user_id(service: Service) -> None:
    for _, template in offered(service):
        tokens = re.findall(r"{{(.*?)}}", template)
        assert tokens
        assert template.count("{") == template.count("}") == 4 * len(tokens) / 2
        for token in tokens:
            assert token in USERS or re.fullmatch(r"context\.[A-Za-z]+", token), template


@pytest.mark.requirement("R14")
def test_no_token_is_a_field_that_is_none(service: Service) -> None:
    for hook, template in offered(service):
        fields = set(re.findall(r"{{context\.([A-Za-z]+)", template))
        assert fields <= TOKENS[hook], template


@pytest.mark.requirement("R15")
def test_a_template_is_a_read_or_a_safe_search(service: Service) -> None:
    for _, template in offered(service):
        if re.fullmatch(r"[A-Z][A-Za-z]+/{{[A-Za-z.]+}}", template):
            continue
        found = re.fullmatch(r"(Observation|Condition)\?(.+)", template)
        assert found, template
        parameters = [part.split("=", 1) for part in found[2].split("&")]
        names = [name for name, _ in parameters]
        assert len(names) == len(set(names)), "the sandbox folds a repeated parameter"
        for name, value in parameters:
            if name in REFERENCE:
                assert value == "{{context.patientId}}"
            elif name in DATE:
                assert value[:2] in ("eq", "lt", "gt", "ge", "le")
            else:
                assert name.removesuffix(":in") in TOKEN_TYPE | {"_count", "_sort"}, template


@pytest.mark.requirement("R16")
def test_no_template_needs_fhirpath(service: Service) -> None:
    for _, template in offered(service):
        inside = "".join(re.findall(r"{{(.*?)}}", template))
        assert not re.search(r"[()%|+ ]|today|ofType|resolve", inside), template
        assert "{{%" not in template


NOTHING = {"resourceType": "Bundle", "type": "searchset", "total": 0}


@pytest.mark.requirement("R17")
@pytest.mark.parametrize(
    ("value", "words"),
    [
        (..., "was not sent"),
        (operation_outcome("error"), "is an OperationOutcome"),
        (bundle(operation_outcome("error"), total=None), "is an OperationOutcome"),
        (None, None),
        (NOTHING, None),
    ],
    ids=["absent", "outcome", "outcome in a bundle", "null", "empty"],
)
def test_what_came_in_place_of_required_data_is_told(
    service: Service, value: Any, words: str | None
) -> None:
    request = service.request([])
    del request["prefetch"]["vitals"]
    if value is not ...:
        request["prefetch"]["vitals"] = value
    response = service.assess(request)
    if words is None:
        assert response.status_code == 200
    else:
        refused(response, 412, "prefetch.vitals")
        assert f"`prefetch.vitals` {words}" in response.json()["issue"][0]["diagnostics"]


@pytest.mark.requirement("R17")
@pytest.mark.parametrize(
    ("value", "asked"),
    [(..., 1), (None, 0), (NOTHING, 0), (operation_outcome("error"), 0)],
    ids=["absent", "null", "empty", "outcome"],
)
def test_of_optional_data_only_what_is_absent_is_read(site: Site, value: Any, asked: int) -> None:
    request = site.request("patient", "vitals")
    request["prefetch"]["encounter"] = None
    if value is not ...:
        request["prefetch"]["conditions"] = value
    site.answer(request)
    assert len(site.fhir.asked("Condition")) == asked


@pytest.mark.requirement("R17")
def test_an_error_beside_results_leaves_the_search_incomplete(service: Service) -> None:
    request = service.request([*service.vitals(), operation_outcome("error")])
    missing = service.assess(request).json()["extension"]["org.cds-service.assessment"]["missing"]
    assert {"feature": "respiratory_rate", "reason": "maybe_not_latest"} in missing


@pytest.mark.requirement("R19")
@pytest.mark.requirement("R28")
def test_a_discharge_reads_what_did_not_come(site: Site) -> None:
    ended = condition("J00", id="c9", recorded="2026-03-01")
    site.fhir.resources += [ended | {"category": [{"coding": [{"code": "encounter-diagnosis"}]}]}]
    request = body("record-discharge", fhirServer=site.fhir.url, fhirAuthorization=granted())
    request["prefetch"] = {}
    assert post(site.service, "record-discharge", request).status_code == 200
    assert {(asked.type, asked.token) for asked in site.fhir.log} == {
        ("Encounter", TOKEN),
        ("Condition", TOKEN),
    }
    site.fhir.log.clear()
    request["prefetch"] = {"encounter": {"resourceType": "Encounter", "id": "e1"}}
    post(site.service, "record-discharge", request)
    assert {asked.type for asked in site.fhir.log} == {"Condition"}


@pytest.mark.requirement("R20")
def test_a_412_names_everything_that_is_required_and_nothing_else(service: Service) -> None:
    response = service.assess(service.request([]) | {"prefetch": {}})
    refused(response, 412, "prefetch.patient")
    (issue,) = response.json()["issue"]
    assert re.findall(r"`prefetch\.(\w+)`", issue["diagnostics"]) == ["patient", "vitals"]


@pytest.mark.requirement("R21")
def test_every_page_is_read_with_the_token(site: Site) -> None:
    request = site.request("patient")
    request["prefetch"] |= {"encounter": None, "conditions": None}
    site.fhir.page_size = 1
    site.answer(request)
    vitals = [dict(asked.query) for asked in site.fhir.log if "vital-signs" in str(asked.query)]
    pages = ["_page" in query for query in vitals]
    assert pages == [False, True, True, True]
    assert {asked.token for asked in site.fhir.log} == {TOKEN}


@pytest.mark.requirement("R22")
def test_a_server_that_sends_more_or_less_than_it_was_asked_for(site: Site) -> None:
    """Its pages are of its own size, in its own order, and it refuses what it does not know."""
    site.fhir.page_size = 3
    site.fhir.unknown_parameters = frozenset({"_count", "_sort", "date"})
    old = site.service.observation("8867-4", 151, "/min", id="older")
    old |= {"effectiveDateTime": "2026-03-01T06:00:00+05:45", "category": [{"text": "vital-signs"}]}
    for position in (0, len(site.fhir.resources)):
        site.fhir.resources.insert(position, old)
        (card,) = site.answer(site.request("patient"))["cards"]
        assert "72" in card["detail"]
        assert "151" not in card["detail"]


@pytest.mark.requirement("R23")
@pytest.mark.parametrize("name", HOOKS)
def test_a_service_takes_a_json_body_by_post(service: Service, name: str) -> None:
    url = f"/cds-services/{name}"
    response = service.http.post(url, json=body(name))
    assert response.status_code == 200, response.text
    assert isinstance(response.json()["cards"], list)
    for method in ("GET", "PUT", "DELETE"):
        assert service.http.request(method, url, json=body(name)).status_code == 405
    for wrong in (b"", b"hook=patient-view", b"<hook/>", b'"x"', json.dumps([body(name)]).encode()):
        refused(service.http.post(url, content=wrong), 400, None)


@pytest.mark.requirement("R24")
@pytest.mark.parametrize("name", HOOKS)
@pytest.mark.parametrize(
    ("change", "element"),
    [
        ({"hook": ...}, "hook"),
        ({"hook": ""}, "hook"),
        ({"hook": ["patient-view"]}, "hook"),
        ({"hook": "order-sign"}, "hook"),
        ({"hookInstance": ...}, "hookInstance"),
        ({"hookInstance": 7}, "hookInstance"),
        ({"hookInstance": "7"}, "hookInstance"),
        ({"context": ...}, "context"),
        ({"context": None}, "context"),
        ({"context": "p1"}, "context"),
        ({"context": []}, "context"),
    ],
)
def test_every_service_checks_hook_instance_and_context(
    service: Service, name: str, change: Json, element: str
) -> None:
    refused(post(service, name, body(name, **change)), 400, element)


@pytest.mark.requirement("R24")
def test_a_service_answers_its_own_hook_only(service: Service) -> None:
    for name, hook in HOOKS.items():
        for other in set(HOOKS.values()) - {hook}:
            refused(post(service, name, body(name, hook=other)), 400, "hook")


@pytest.mark.requirement("R25")
@pytest.mark.parametrize("name", HOOKS)
def test_access_to_no_server_is_refused_and_a_server_without_access_is_not(
    service: Service, name: str
) -> None:
    refused(post(service, name, body(name, fhirAuthorization=granted())), 400, "fhirServer")
    for wrong in ("", "ehr.example/fhir", "ftp://ehr.example"):
        refused(post(service, name, body(name, fhirServer=wrong)), 400, "fhirServer")
    alone = body(name, fhirServer="https://ehr.invalid/fhir")
    assert post(service, name, alone).status_code == 200


SCOPES = [
    "patient/Patient.read patient/Observation.read",
    "patient/Patient.rs user/*.cruds launch openid",
    "system/Observation.rs?category=vital-signs",
    "EPIC.CDSHOOKS R4:2;Observation:Vitals",
    "",
    ...,
]


@pytest.mark.requirement("R26")
@pytest.mark.parametrize("scope", SCOPES)
def test_any_scope_will_do(site: Site, scope: Any) -> None:
    site.answer(site.request(fhirAuthorization=granted(scope=scope)))
    assert {asked.token for asked in site.fhir.log} == {TOKEN}


@pytest.mark.requirement("R26")
@pytest.mark.parametrize(
    "change",
    [
        {"token_type": "Bearer"},
        {"token_type": "bearer"},
        {"subject": ...},
        {"subject": "0oa1", "patient": ...},
        {"patient": "Patient/p1"},
        {"expires_in": ...},
        {"expires_in": 10**300},
        {"expires_in": 10**400},
        {"refresh_token": "x", "tenant": None},
    ],
    ids=str,
)
def test_access_is_read_as_generously_as_oauth_is_written(site: Site, change: Json) -> None:
    site.answer(site.request(fhirAuthorization=granted(**change)))
    assert {asked.token for asked in site.fhir.log} == {TOKEN}


@pytest.mark.requirement("R26")
@pytest.mark.parametrize("name", HOOKS)
@pytest.mark.parametrize(
    ("change", "member"),
    [
        ({"access_token": ...}, ".access_token"),
        ({"access_token": ""}, ".access_token"),
        ({"access_token": 5}, ".access_token"),
        ({"token_type": "mac"}, ".token_type"),
        ({"token_type": 1}, ".token_type"),
        ({"expires_in": "300"}, ".expires_in"),
        ({"expires_in": 2.5}, ".expires_in"),
        ({"expires_in": True}, ".expires_in"),
        ({"scope": ["a"]}, ".scope"),
        ({"subject": {}}, ".subject"),
        ({"patient": 1}, ".patient"),
        (None, ""),
    ],
)
def test_access_that_cannot_be_read_is_400_and_names_the_member(
    site: Site, name: str, change: Json | None, member: str
) -> None:
    access: Any = "Bearer x" if change is None else granted(**change)
    request = body(name, fhirServer=site.fhir.url, fhirAuthorization=access)
    response = post(site.service, name, request)
    refused(response, 400, f"fhirAuthorization{member}")
    assert TOKEN not in response.text
    assert site.fhir.log == []


@pytest.mark.requirement("R27")
@pytest.mark.parametrize("name", HOOKS)
@pytest.mark.parametrize(
    ("change", "element"),
    [
        ({"userId": ...}, "context.userId"),
        ({"userId": "1"}, "context.userId"),
        ({"userId": "Device/1"}, "context.userId"),
        ({"userId": "Practitioner/"}, "context.userId"),
        ({"patientId": ...}, "context.patientId"),
        ({"patientId": "Patient/p1"}, "context.patientId"),
        ({"patientId": "p1?x=y"}, "context.patientId"),
        ({"patientId": 1}, "context.patientId"),
        ({"encounterId": "e/1"}, "context.encounterId"),
        ({"encounterId": []}, "context.encounterId"),
    ],
)
def test_the_context_of_every_hook(service: Service, name: str, change: Json, element: str) -> None:
    request = body(name)
    context = request["context"] | change
    request["context"] = {key: value for key, value in context.items() if value is not ...}
    refused(post(service, name, request), 400, element)


@pytest.mark.requirement("R27")
@pytest.mark.parametrize("user", ["Practitioner", "PractitionerRole", "Patient", "RelatedPerson"])
def test_everybody_the_hook_knows_may_be_the_user(service: Service, user: str) -> None:
    for name in HOOKS:
        request = body(name)
        request["context"]["userId"] = f"{user}/a-1.b"
        if name != "record-discharge":
            del request["context"]["encounterId"]
        assert post(service, name, request).status_code == 200


@pytest.mark.requirement("R27")
@pytest.mark.parametrize(
    "conditions", [..., None, [], "x", {}, {"resourceType": "Condition"}], ids=str
)
def test_problems_come_in_a_bundle(service: Service, conditions: Any) -> None:
    request = body("record-problem")
    del request["context"]["conditions"]
    if conditions is not ...:
        request["context"]["conditions"] = conditions
    refused(post(service, "record-problem", request), 400, "context.conditions")


@pytest.mark.requirement("R27")
def test_a_discharge_is_of_an_encounter(service: Service) -> None:
    for change in ({}, {"encounterId": None}, {"encounterId": ""}):
        request = body("record-discharge")
        del request["context"]["encounterId"]
        request["context"] |= change
        refused(post(service, "record-discharge", request), 400, "context.encounterId")
