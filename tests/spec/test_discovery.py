"""JSON, discovery and prefetch templates over HTTP, in every part (R1 to R16)."""

import re
from pathlib import Path

import httpx
import pytest

from cds_service.settings import Settings
from tests.support.cards_check import assert_no_empty
from tests.support.hook_requests import HOOKS, body, post
from tests.support.service import Service, TestClock, new_context, running
from tests.support.site import granted

TOKENS = {
    "patient-view": {"userId", "patientId", "encounterId"},
    "problem-list-item-create": {"userId", "patientId", "encounterId"},
    "encounter-discharge": {"userId", "patientId", "encounterId"},
}
"""Context fields with "Prefetch Token: Yes" in the hook library."""
USERS = {"userPractitionerId", "userPractitionerRoleId", "userPatientId", "userRelatedPersonId"}
REFERENCE, TOKEN_TYPE, DATE = {"patient", "subject"}, {"category", "code"}, {"date"}
"""Search parameters of Observation and Condition by their type."""


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
                assert_no_empty(value, f"{name}: {member}")
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
