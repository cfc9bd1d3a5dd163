"""`record-discharge`: diagnoses from prefetch or from the FHIR server, and how the stay ended."""

import json
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
from sqlalchemy import select

from cds_service.context import ProcessContext
from cds_service.security.clients import Client, ClientSettings
from cds_service.services.discharges import DischargeService
from cds_service.services.places import Places
from cds_service.storage import session
from cds_service.storage.tables import ASSESSMENTS, AUDIT_EVENTS, CONDITIONS
from hooks.errors import RequestError
from hooks.record_discharge import PREFETCH
from tests.support.conditions import condition
from tests.support.fhir_server import FHIRServer, fhir_server, hang, html, status
from tests.support.service import new_context
from tests.support.stored import BASE, SEEN, assessed, category, rows, set_time

Json = dict[str, Any]
NO_CARDS = b'{"cards":[]}'


@pytest.fixture
def context(tmp_path: Path) -> Iterator[ProcessContext]:
    context = new_context(tmp_path, fhir_allow_private=True, request_seconds=1.0)
    set_time(context, SEEN + timedelta(days=40))
    yield context
    context.fhir.close()
    context.engine.dispose()


@pytest.fixture
def server() -> Iterator[FHIRServer]:
    with fhir_server() as started:
        yield started


def stay(code: str = "home", identifier: str = "e1") -> Json:
    system = "http://terminology.hl7.org/CodeSystem/discharge-disposition"
    return {
        "resourceType": "Encounter",
        "id": identifier,
        "status": "finished",
        "subject": {"reference": "Patient/p1"},
        "class": {"system": "http://terminology.hl7.org/CodeSystem/v3-ActCode", "code": "EMER"},
        "hospitalization": {"dischargeDisposition": {"coding": [{"system": system, "code": code}]}},
    }


def searchset(*resources: Json) -> Json:
    return {
        "resourceType": "Bundle",
        "type": "searchset",
        "entry": [{"resource": resource} for resource in resources],
    }


def record(
    context: ProcessContext, base: str = BASE, /, *, settings: Json | None = None, **more: Any
) -> bytes:
    ids = {"userId": "Practitioner/1", "patientId": "p1", "encounterId": "e1"}
    body = {
        "hook": "encounter-discharge",
        "hookInstance": str(uuid4()),
        "fhirServer": base,
        "context": ids,
    }
    client = Client("ehr", ClientSettings(**{"fhir_servers": (base,)} | (settings or {})))
    return DischargeService(context).record(json.dumps(body | more).encode(), client)


def granted(**more: Any) -> Json:
    return {
        "access_token": "t0ken",
        "token_type": "Bearer",
        "expires_in": 300,
        "scope": "x",
        "subject": "s",
    } | more


COLD = condition(icd="J00", encounter="Encounter/e1")


@pytest.mark.requirement("R14")
@pytest.mark.requirement("R15")
def test_the_templates_ask_nothing_the_context_cannot_fill() -> None:
    assert PREFETCH == {
        "encounter": "Encounter/{{context.encounterId}}",
        "conditions": "Condition?patient={{context.patientId}}&category=encounter-diagnosis",
    }


def test_a_mild_illness_is_one_if_the_stay_ended_at_home(context: ProcessContext) -> None:
    assessment = assessed(context, encounter="e1")
    prefetch: Json = {"conditions": searchset(COLD), "encounter": stay("other-hcf")}
    assert record(context, prefetch=prefetch) == NO_CARDS
    assert category(context, assessment) is None
    assert record(context, prefetch=prefetch | {"encounter": stay()}) == NO_CARDS
    assert category(context, assessment) == "mild"


def test_how_another_stay_ended_says_nothing_of_this_one(context: ProcessContext) -> None:
    assessment = assessed(context, encounter="e1")
    prefetch = {"conditions": searchset(COLD), "encounter": stay(identifier="e2")}
    record(context, prefetch=prefetch)
    assert category(context, assessment) is None
    elsewhere = condition(icd="J00", id="c2", encounter="Encounter/e9")
    other = assessed(context, encounter="e9")
    record(context, prefetch={"conditions": searchset(elsewhere), "encounter": stay()})
    assert category(context, other) is None


def test_c3_conditions_of_others_are_left(context: ProcessContext) -> None:
    others = [
        condition(icd="I21.9", id="a", subject={"reference": "Patient/p2"}),
        condition(icd="I21.9", id="b", subject={"reference": "https://x.example/Patient/p1"}),
        condition(icd="I21.9", id="c", subject={"reference": "urn:uuid:1"}),
    ]
    record(context, prefetch={"conditions": searchset(*others)})
    assert rows(context, CONDITIONS) == 0
    with session.reading(context.engine) as connection:
        (event,) = connection.execute(select(AUDIT_EVENTS)).all()
    assert event.detail["skipped"] == {"wrong_patient": 3}


def test_a_site_may_call_its_keys_as_it_likes(context: ProcessContext) -> None:
    assessment = assessed(context, encounter="e1")
    record(context, prefetch={"dx": searchset(COLD), "visit": stay()})
    assert category(context, assessment) == "mild"


@pytest.mark.parametrize("token", ["two words", "line\r\nInjected: yes", "t\u00f6ken"])
def test_a_token_no_header_can_carry_is_no_fault_of_ours(
    context: ProcessContext, server: FHIRServer, token: str
) -> None:
    sent = {"conditions": searchset(COLD)}
    done = record(context, server.url, prefetch=sent, fhirAuthorization=granted(access_token=token))
    assert done == NO_CARDS
    assert rows(context, CONDITIONS) == 1
    assert server.log == []


def test_where_too_many_wait_for_the_server_what_was_sent_is_taken(
    context: ProcessContext, server: FHIRServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(vars(context), "places", Places(each=1))
    sent = {"conditions": searchset(COLD)}
    with context.places.place(server.url) as free:
        assert free
        record(context, server.url, prefetch=sent, fhirAuthorization=granted())
        assert server.log == []
    record(context, server.url, prefetch=sent, fhirAuthorization=granted())
    assert [asked.path for asked in server.log] == ["Encounter/e1"]
    assert rows(context, CONDITIONS) == 1


@pytest.mark.parametrize("prefetch", [None, {}, {"conditions": None}])
def test_nothing_sent_and_nobody_to_ask_is_no_error(
    context: ProcessContext, prefetch: Json | None
) -> None:
    # The server is not one of the client's.
    answer = record(context, prefetch=prefetch, settings={"fhir_servers": ()})
    assert answer == NO_CARDS


def test_what_is_missing_is_read_with_the_requests_token(
    context: ProcessContext, server: FHIRServer
) -> None:
    assessment = assess_on(context, server.url)
    server.token = "t0ken"
    server.page_size = 1
    old = condition(icd="I10", id="c2", encounter="Encounter/e0", recorded="2020-01-01")
    server.resources += [COLD, old, stay()]
    assert record(context, server.url, fhirAuthorization=granted()) == NO_CARDS
    assert category(context, assessment) == "mild"
    assert rows(context, CONDITIONS) == 2
    assert [asked.path for asked in server.asked("Encounter")] == ["Encounter/e1"]
    assert ("category", "encounter-diagnosis") in server.asked("Condition")[0].query
    # The rest of a prefetch that was cut short is read too.
    before = len(server.log)
    whole = {"conditions": searchset(COLD, old), "encounter": stay()}
    record(context, server.url, fhirAuthorization=granted(), prefetch=whole)
    assert len(server.log) == before


def assess_on(context: ProcessContext, base: str) -> str:
    identifier = assessed(context, encounter="e1")
    with context.engine.begin() as connection:
        connection.execute(
            ASSESSMENTS.update().values(
                patient_key=context.secrecy.patient_keys(base, "p1")[0],
                encounter_key=context.secrecy.encounter_keys(base, "e1")[0],
            )
        )
    return identifier


@pytest.mark.parametrize(
    "authorization", [granted(patient="p2"), granted(expires_in=0), granted(access_token="no")]
)
def test_a_token_for_another_patient_or_a_dead_one_reads_nothing(
    context: ProcessContext, server: FHIRServer, authorization: Json
) -> None:
    server.token = "t0ken"
    server.resources += [COLD, stay()]
    assert record(context, server.url, fhirAuthorization=authorization) == NO_CARDS
    assert rows(context, CONDITIONS) == 0


@pytest.mark.parametrize("behaviour", [status(500), status(403), status(404), html(), hang])
def test_a_bad_server_fails_no_discharge(
    context: ProcessContext, server: FHIRServer, behaviour: Any
) -> None:
    server.behaviours["Encounter"] = behaviour
    server.behaviours["Condition"] = behaviour
    prefetch = {"conditions": {"resourceType": "OperationOutcome", "issue": []}}
    answer = record(context, server.url, fhirAuthorization=granted(), prefetch=prefetch)
    assert answer == NO_CARDS


@pytest.mark.requirement("R24")
@pytest.mark.requirement("R27")
@pytest.mark.parametrize(
    ("change", "element"),
    [
        ({"hook": "patient-view"}, "hook"),
        ({"context": {"userId": "Practitioner/1", "patientId": "p1"}}, "context.encounterId"),
        ({"context": {"patientId": "p1", "encounterId": "e1"}}, "context.userId"),
        ({"context": {"userId": "Practitioner/1", "encounterId": "e1"}}, "context.patientId"),
    ],
)
def test_a_malformed_call_is_refused(context: ProcessContext, change: Json, element: str) -> None:
    with pytest.raises(RequestError) as caught:
        record(context, **change)
    assert caught.value.element == element
