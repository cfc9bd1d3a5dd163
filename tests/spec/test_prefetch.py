"""What came as prefetch, and what is read in its place (R17 to R22)."""

import re
from typing import Any

import pytest

from tests.support.builders import bundle, condition, operation_outcome
from tests.support.hook_requests import assert_refused, body, post
from tests.support.service import Service
from tests.support.site import TOKEN, Site, granted

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
        assert_refused(response, 412, "prefetch.vitals")
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


@pytest.mark.requirement("R18")
@pytest.mark.parametrize("severity", ["information", "warning", "error"])
def test_a_search_that_counted_nothing_is_an_answer(site: Site, severity: str) -> None:
    request = site.request("patient")
    request["prefetch"] |= {
        "vitals": bundle(operation_outcome(severity), total=0),
        "encounter": None,
        "conditions": bundle(operation_outcome(severity), total=0),
    }
    missing = site.answer(request)["extension"]["org.cds-service.assessment"]["missing"]
    assert {"feature": "heart_rate", "reason": "no_observation"} in missing
    assert site.fhir.asked("Condition") == []
    assert not any("vital-signs" in str(asked.query) for asked in site.fhir.log)


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
    assert_refused(response, 412, "prefetch.patient")
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
