"""Data access over HTTP: what prefetch does not bring is read with the request's own token."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from sqlalchemy import inspect, text

from tests.support import fhir_server as fake
from tests.support.builders import condition, operation_outcome
from tests.support.fhir_server import fhir_server
from tests.support.service import new_context, release, running
from tests.support.site import TOKEN, Site, said
from tests.support.site import running_site as site_running

PREGNANT = condition("Z33.1", id="c1", subject="Patient/p3", recorded="2026-02-01")


@pytest.fixture(scope="module")
def running_site(
    tmp_path_factory: pytest.TempPathFactory, small_model: tuple[Path, str]
) -> Iterator[Site]:
    with site_running(tmp_path_factory.mktemp("access"), small_model) as site:
        yield site


@pytest.fixture
def site(running_site: Site) -> Site:
    running_site.reset()
    return running_site


@pytest.mark.requirement("R17")
@pytest.mark.requirement("R19")
@pytest.mark.requirement("R31")
@pytest.mark.parametrize("keys", [(), ("patient",), ("vitals",)])
def test_the_card_is_the_same_from_prefetch_and_from_the_server(
    site: Site, keys: tuple[str, ...]
) -> None:
    alone = said(site.answer(site.service.request(site.service.vitals())))
    assert site.fhir.log == []
    assert said(site.answer(site.request(*keys))) == alone
    assert {asked.type for asked in site.fhir.log} >= {"Patient", "Observation"} - {
        {"patient": "Patient", "vitals": "Observation"}[key] for key in keys
    }


@pytest.mark.requirement("R19")
def test_an_optional_key_that_is_absent_is_read_too(site: Site) -> None:
    # A patient of her own: what is known of her is remembered.
    request = site.request("patient", "vitals")
    request["context"]["patientId"] = request["prefetch"]["patient"]["id"] = "p3"
    del request["fhirAuthorization"]["patient"]
    for entry in request["prefetch"]["vitals"]["entry"]:
        entry["resource"]["subject"] = {"reference": "Patient/p3"}
    site.fhir.resources.append(PREGNANT)
    card = said(site.answer(request))
    assert "pregnan" in card["summary"] + card["detail"]


@pytest.mark.requirement("R20")
def test_optional_data_that_is_missing_is_no_412(site: Site) -> None:
    site.fhir.behaviours |= {"Encounter": fake.status(403), "Condition": fake.status(500)}
    assert said(site.answer(site.request("patient", "vitals")))["summary"]


@pytest.mark.requirement("R17")
@pytest.mark.parametrize(
    ("value", "asked", "reason"),
    [
        ("absent", True, None),
        ("null", False, "null_prefetch"),
        ("empty", False, "no_observation"),
        ("outcome", True, None),
    ],
)
def test_absent_null_empty_and_error_are_four_things(
    site: Site, value: str, asked: bool, reason: str | None
) -> None:
    request = site.request("patient")
    values = {
        "null": None,
        "empty": {"resourceType": "Bundle", "type": "searchset", "total": 0},
        "outcome": operation_outcome("error"),
    }
    if value in values:
        request["prefetch"]["vitals"] = values[value]
    answer = site.answer(request)
    assert bool(site.fhir.asked("Observation")) is asked
    missing = answer["extension"]["org.cds-service.assessment"].get("missing", [])
    reasons = {entry["reason"] for entry in missing if entry["feature"] == "heart_rate"}
    assert reasons == (set() if reason is None else {reason})


@pytest.mark.requirement("R18")
def test_epics_empty_search_is_an_answer_and_an_error_is_not(site: Site) -> None:
    epic = {
        "resourceType": "Bundle",
        "type": "searchset",
        "total": 0,
        "entry": [{"resource": operation_outcome(), "search": {"mode": "outcome"}}],
    }
    request = site.request("patient")
    site.answer(request | {"prefetch": request["prefetch"] | {"vitals": epic}})
    assert site.fhir.asked("Observation") == []
    request = site.request("patient")
    failed = {**epic, "entry": [{"resource": operation_outcome("error")}]}
    del failed["total"]
    site.answer(request | {"prefetch": request["prefetch"] | {"vitals": failed}})
    assert len(site.fhir.asked("Observation")) == 1


@pytest.mark.requirement("R20")
@pytest.mark.parametrize(
    ("bad", "status", "code"),
    [
        (fake.status(401), 412, "incomplete"),
        (fake.status(404), 412, "incomplete"),
        (fake.body(operation_outcome("error")), 412, "incomplete"),
        (fake.status(500), 503, "transient"),
        (fake.html(), 503, "transient"),
        (fake.drop, 503, "transient"),
        (fake.hang, 504, "timeout"),
        (fake.drip, 504, "timeout"),
    ],
)
def test_required_data_that_can_be_had_nowhere(
    site: Site, bad: fake.Behaviour, status: int, code: str
) -> None:
    site.fhir.behaviours["Observation"] = bad
    outcome = site.answer(site.request("patient"), status)
    assert outcome["resourceType"] == "OperationOutcome"
    (issue,) = outcome["issue"]
    assert issue["code"] == code
    assert issue["expression"] == ["prefetch.vitals"]
    assert "vitals" in issue["diagnostics"]
    assert site.answer(site.service.request(site.service.vitals()))["cards"]


@pytest.mark.requirement("R21")
@pytest.mark.requirement("R22")
def test_pages_are_followed_in_whatever_order_they_come(site: Site) -> None:
    alone = said(site.answer(site.service.request(site.service.vitals())))
    site.fhir.page_size = 1
    first = site.fhir.search(fake.Asked("Observation", [("patient", "p1")], {}))
    request = site.request("patient")
    request["prefetch"]["vitals"] = first
    assert said(site.answer(request)) == alone
    assert said(site.answer(site.request("patient"))) == alone


@pytest.mark.requirement("R21")
def test_a_page_that_is_not_to_be_had_is_told_on_the_card(site: Site) -> None:
    site.fhir.page_size = 2
    site.fhir.behaviours["Observation"] = fake.later_pages(fake.status(500))
    answer = site.answer(site.request("patient"))
    missing = answer["extension"]["org.cds-service.assessment"]["missing"]
    assert "maybe_not_latest" in {entry["reason"] for entry in missing}


@pytest.mark.requirement("R22")
def test_an_older_reading_on_the_first_page_is_not_the_latest(site: Site) -> None:
    old = site.service.observation(
        "8867-4", 151, "/min", id="older", effectiveDateTime="2026-03-01T04:00:00Z"
    )
    category = {"category": [{"coding": [{"code": "vital-signs"}]}]}
    site.fhir.resources.append(old | category)
    site.fhir.page_size = 1
    assert "151" not in said(site.answer(site.request("patient")))["detail"]


@pytest.mark.requirement("R28")
def test_every_call_carries_the_token_of_its_request(site: Site) -> None:
    site.answer(site.request())
    assert {asked.token for asked in site.fhir.log} == {TOKEN}
    site.fhir.log.clear()
    other = site.request()
    other["fhirAuthorization"]["access_token"] = site.fhir.token = "another-token"
    site.answer(other)
    assert {asked.token for asked in site.fhir.log} == {"another-token"}


@pytest.mark.requirement("R28")
@pytest.mark.parametrize("change", [{"patient": "p2"}, {"expires_in": 0}])
def test_a_token_is_used_only_for_what_it_authorises(site: Site, change: dict[str, Any]) -> None:
    request = site.request("patient")
    request["fhirAuthorization"] |= change
    site.answer(request, 412)
    assert site.fhir.log == []


@pytest.mark.requirement("R29")
def test_a_token_is_stored_nowhere(site: Site) -> None:
    site.answer(site.request())
    site.fhir.behaviours["*"] = fake.status(500)
    site.answer(site.request(), 503)
    engine = site.service.context.engine
    with engine.connect() as connection:
        for table in inspect(engine).get_table_names():
            rows = connection.execute(text(f'SELECT * FROM "{table}"')).all()  # noqa: S608  # ours
            assert TOKEN not in str(rows)
            assert TOKEN.encode().hex() not in str(rows)


@pytest.mark.requirement("R29")
@pytest.mark.requirement("R33")
def test_a_call_that_was_answered_uses_no_token_again(site: Site) -> None:
    request = site.request()
    first = site.service.assess(request)
    site.fhir.log.clear()
    again = site.service.assess(request)
    assert again.content == first.content
    assert site.fhir.log == []
    changed = request | {"prefetch": {"patient": None}}
    assert site.service.assess(changed).status_code == 409
    assert site.fhir.log == []


@pytest.mark.requirement("R32")
def test_only_servers_on_the_list_are_asked(site: Site) -> None:
    with fhir_server(site.fhir.resources) as other:
        outcome = site.answer(site.request("patient", fhirServer=other.url), 412)
        assert other.log == []
        assert "may read" in outcome["issue"][0]["diagnostics"]
        site.fhir.behaviours["Observation"] = fake.redirect(f"{other.url}/Observation")
        site.answer(site.request("patient"), 412)
        site.fhir.behaviours["Observation"] = fake.next_is(f"{other.url}/Observation")
        site.answer(site.request("patient"))
        assert other.log == []


@pytest.mark.requirement("R25")
@pytest.mark.requirement("R32")
def test_by_default_neither_plain_http_nor_a_private_address_is_followed(
    tmp_path: Path, small_model: tuple[Path, str], site: Site
) -> None:
    secure = site.fhir.url.replace("http://", "https://")
    context = new_context(tmp_path, allowed_fhir_servers=(site.fhir.url, secure))
    release(context, "1", *small_model)
    with running(context, context.clock) as service:
        careful = Site(service, site.fhir)
        for url in (site.fhir.url, secure):
            outcome = careful.answer(careful.request("patient", fhirServer=url), 412)
            assert "is not followed" in outcome["issue"][0]["diagnostics"]
    assert site.fhir.log == []


@pytest.mark.requirement("R32")
def test_in_development_mode_nothing_is_followed_unless_it_is_configured(
    tmp_path: Path, small_model: tuple[Path, str], site: Site
) -> None:
    context = new_context(tmp_path)
    release(context, "1", *small_model)
    with running(context, context.clock) as service:
        plain = Site(service, site.fhir)
        plain.answer(plain.request("patient"), 412)
        assert plain.answer(plain.request("patient", "vitals"))["cards"]
    assert site.fhir.log == []


@pytest.mark.requirement("R9")
@pytest.mark.requirement("R13")
def test_what_would_be_read_is_what_is_offered_as_prefetch(site: Site) -> None:
    (severity, *_) = httpx.get(f"{site.service.http.base_url}/cds-services").json()["services"]
    site.answer(site.request())
    offered = {template.split("/")[0].split("?")[0] for template in severity["prefetch"].values()}
    assert {asked.type for asked in site.fhir.log} == offered
