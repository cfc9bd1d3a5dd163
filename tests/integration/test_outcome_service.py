"""Conditions as they come back, on both databases: kept once, corrected, joined, and whose."""

import json
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from typing import Any
from uuid import uuid4

import msgspec
import pytest
from sqlalchemy import select

from cds_service.context import ProcessContext
from cds_service.security.clients import DEVELOPMENT_CLIENT
from cds_service.services.conditions import ConditionIntake
from cds_service.services.deliveries import Incoming, NotTakenError, Withdrawal
from cds_service.services.outcomes import OutcomeService, condition_history
from cds_service.services.problems import ProblemService
from cds_service.storage import session
from cds_service.storage.client_store import ClientStore
from cds_service.storage.condition_store import ConditionStore, OutcomeStore
from cds_service.storage.tables import AUDIT_EVENTS, CONDITIONS, OUTCOMES
from tests.support.conditions import condition
from tests.support.stored import (
    BASE,
    SEEN,
    assessed,
    category,
    current,
    joined,
    outcome,
    receive,
    rows,
    set_time,
)

ORPHANET = "https://www.orpha.net"


@pytest.fixture
def context(context: ProcessContext) -> ProcessContext:
    """When every outcome window has passed."""
    set_time(context, SEEN + timedelta(days=40))
    return context


def test_the_same_condition_again_changes_nothing(context: ProcessContext) -> None:
    assessment = assessed(context)
    first = receive(context, condition(icd="I21.9"))
    before = outcome(context, assessment)
    again = receive(context, condition(icd="I21.9"))
    assert (first.stored, first.unchanged) == (1, 0)
    assert (again.stored, again.unchanged) == (0, 1)
    assert outcome(context, assessment) == before
    assert before is not None
    assert before["category"] == "acute"


def test_a_condition_without_id_is_stored_once_too(context: ProcessContext) -> None:
    for _ in range(2):
        receive(context, condition(icd="I21.9", id=""))
    assert len(current(context)) == 1


def test_a_corrected_condition_supersedes_the_earlier(context: ProcessContext) -> None:
    assessment = assessed(context)
    receive(context, condition(icd="I21.9"))
    receive(context, condition(icd="I10"))
    assert category(context, assessment) == "chronic"
    assert len(current(context)) == 1
    assert rows(context, CONDITIONS) == 2


def test_c16_entered_in_error_removes_the_outcome(context: ProcessContext) -> None:
    assessment = assessed(context)
    receive(context, condition(icd="I21.9"))
    receive(context, condition(icd="I21.9", verification="entered-in-error", clinical=None))
    found = outcome(context, assessment)
    assert found is not None
    assert (found["category"], found["reason"]) == (None, "does_not_count")
    assert joined(context).counts["without_outcome"] == 1


def test_c3_a_condition_moved_to_another_patient_leaves_the_first(context: ProcessContext) -> None:
    mine, theirs = assessed(context), assessed(context, patient="p2")
    receive(context, condition(icd="I21.9"))
    assert category(context, mine) == "acute"
    moved = condition(icd="I21.9", subject={"reference": "Patient/p2"})
    receive(context, moved, patient_id="p2")
    assert category(context, mine) is None
    assert category(context, theirs) == "acute"
    OutcomeService(context).refresh()
    assert category(context, mine) is None


def test_c21_a_restricted_condition_is_not_stored(context: ProcessContext) -> None:
    security = "http://terminology.hl7.org/CodeSystem/v3-Confidentiality"
    for code in ("R", "V"):
        meta = {"security": [{"system": security, "code": code}]}
        received = receive(context, condition(icd="F10.20", id=f"c{code}", meta=meta))
        assert received.skipped == Counter(restricted=1)
    assert rows(context, CONDITIONS) == 0


def test_c21_a_condition_restricted_later_is_taken_out_again(context: ProcessContext) -> None:
    assessment = assessed(context)
    receive(context, condition(icd="I21.9"))
    receive(context, condition(icd="I22.0"))
    security = "http://terminology.hl7.org/CodeSystem/v3-Confidentiality"
    meta = {"security": [{"system": security, "code": "R"}]}
    received = receive(context, condition(icd="I22.0", meta=meta))
    assert received.skipped == Counter(restricted=1)
    assert rows(context, CONDITIONS) == 0
    assert category(context, assessment) is None


def test_c3_a_condition_of_nobody_here_is_skipped(context: ProcessContext) -> None:
    received = receive(context, condition(icd="I21.9"), patient_id=None)
    assert received.skipped == Counter(wrong_patient=1)
    assert rows(context, CONDITIONS) == 0


def test_c3_the_same_ids_on_another_server_are_another_patient(context: ProcessContext) -> None:
    assessment = assessed(context)
    received = receive(context, condition(icd="I21.9"), base="https://other.example/fhir")
    assert received.stored == 1
    assert outcome(context, assessment) is None


def test_invalid_fhir_is_skipped_with_issues_that_hold_no_values(context: ProcessContext) -> None:
    wrong = condition(icd="I21.9", recorded="Maria Secret", onsetString=["Secret"], Secret=1)
    received = receive(context, condition(icd="I10", id="ok"), wrong)
    assert (received.stored, received.skipped) == (1, Counter(invalid=1))
    assert all(issue.startswith("2: Condition") for issue in received.issues)
    assert any("recordedDate" in issue for issue in received.issues)
    assert "Secret" not in str(received.issues)
    with session.reading(context.engine) as connection:
        (event,) = connection.execute(select(AUDIT_EVENTS)).all()
    assert event.detail["skipped"] == {"invalid": 1}
    assert "Secret" not in str(event.detail)


def test_c18_an_outcome_our_suggestion_prompted_is_marked_and_not_learnt_from(
    context: ProcessContext,
) -> None:
    assessment = assessed(context)
    meta = {"tag": [{"system": "https://cds.example/fhir/assessment", "code": assessment}]}
    receive(context, condition(icd="I21.9", meta=meta))
    found = outcome(context, assessment)
    assert found is not None
    assert (found["category"], found["prompted"]) == ("acute", True)
    assert len(joined(context).frame) == 1
    training = joined(context, for_training=True)
    assert len(training.frame) == 0
    assert training.counts["prompted"] == 1


def test_c20_a_rare_outcome_needs_a_second_source(context: ProcessContext) -> None:
    assessment = assessed(context)
    rare = condition(icd="E84.9", codings=[(ORPHANET, "ORPHA:586")])
    with context.engine.begin() as connection:
        for name in ("development", "first", "second"):
            ClientStore(connection).add(name, {"allow_retraining": True}, context.clock())
    receive(context, rare, client="first")
    found = outcome(context, assessment)
    assert found is not None
    assert found["needs_second_source"]
    assert found["rare_codes"] == ["ORPHA:586"]
    training = joined(context, for_training=True)
    assert training.counts["rare_unconfirmed"] == 1
    assert len(training.frame) == 0

    receive(context, rare | {"id": "c2"}, client="second")
    found = outcome(context, assessment)
    assert found is not None
    assert not found["needs_second_source"]
    assert list(joined(context, for_training=True).frame["severity"]) == ["chronic"]


def test_c16_what_was_known_before_is_after_diagnosis_and_kept_apart(
    context: ProcessContext,
) -> None:
    early = assessed(context, encounter="e1")
    late = assessed(context, encounter="e2", at=SEEN + timedelta(days=2))
    receive(context, condition(icd="I21.9"))
    assert category(context, early) == "acute"
    found = outcome(context, late)
    assert found is not None
    assert found["after_diagnosis"]
    assert joined(context).counts == {
        "assessments": 2,
        "with_outcome": 1,
        "after_diagnosis": 1,
    }


def test_c16_one_index_assessment_an_encounter_the_first_with_enough_data(
    context: ProcessContext,
) -> None:
    assessed(context, encounter="e1", at=SEEN - timedelta(hours=2), situation="insufficient_data")
    first = assessed(context, encounter="e1")
    second = assessed(context, encounter="e1", at=SEEN + timedelta(hours=2))
    receive(context, condition(icd="I21.9"))
    assert category(context, first) == category(context, second) == "acute"
    found = joined(context)
    assert found.counts == {"assessments": 2, "with_outcome": 1, "later_in_encounter": 1}
    assert [time.to_pydatetime() for time in found.frame["recorded_at"]] == [SEEN]


def test_c16_an_encounter_that_began_before_since_has_no_second_index(
    context: ProcessContext,
) -> None:
    assessed(context, encounter="e1")
    assessed(context, encounter="e1", at=SEEN + timedelta(hours=2))
    receive(context, condition(icd="I21.9"))
    found = joined(context, since=SEEN + timedelta(hours=1))
    assert found.counts == {"assessments": 1, "later_in_encounter": 1}


def test_c18_an_open_window_is_counted_and_not_used(context: ProcessContext) -> None:
    assessed(context)
    receive(context, condition(icd="I21.9"))
    set_time(context, SEEN + timedelta(days=7) - timedelta(seconds=1))
    assert joined(context).counts == {"assessments": 1, "window_open": 1}
    assert len(joined(context, include_open=True).frame) == 1
    set_time(context, SEEN + timedelta(days=7))
    assert joined(context).counts == {"assessments": 1, "with_outcome": 1}


def test_c17_an_outcome_of_other_rules_is_not_used(context: ProcessContext) -> None:
    assessment = assessed(context)
    receive(context, condition(icd="I21.9"))
    with context.engine.begin() as connection:
        connection.execute(OUTCOMES.update().values(label_version="0"))
    assert joined(context).counts == {"assessments": 1, "without_outcome": 1}
    OutcomeService(context).refresh()
    assert joined(context).counts == {"assessments": 1, "with_outcome": 1}
    assert rows(context, OUTCOMES) == 2
    assert category(context, assessment) == "acute"


def test_c15_mild_once_it_is_known_that_the_encounter_ended_at_home(
    context: ProcessContext,
) -> None:
    assessment = assessed(context, encounter="e1")
    cold = condition(icd="J00", encounter="Encounter/e1")
    receive(context, cold, encounter_id="e1")
    assert category(context, assessment) is None
    again = receive(context, cold, encounter_id="e1", ended_at_home=True)
    assert again.stored == 1
    assert category(context, assessment) == "mild"
    # Sent once more by somebody who does not know how it ended: what is known stays known.
    assert receive(context, cold, encounter_id="e1").unchanged == 1
    assert category(context, assessment) == "mild"


def encoded(content: object) -> bytes:
    return json.dumps(content).encode()


def problem_call(*resources: Any, **context: Any) -> bytes:
    return encoded(
        {
            "hook": "problem-list-item-create",
            "hookInstance": str(uuid4()),
            "fhirServer": BASE,
            "context": {
                "userId": "Practitioner/1",
                "patientId": "p1",
                "conditions": {
                    "resourceType": "Bundle",
                    "type": "collection",
                    "entry": [{"resource": resource} for resource in resources],
                },
            }
            | context,
        }
    )


def test_record_problem_takes_its_patients_conditions_only(context: ProcessContext) -> None:
    assessment = assessed(context, encounter="e1")
    body = problem_call(
        condition(icd="I21.9"),
        condition(icd="I10", id="c2", subject={"reference": "Patient/p2"}),
        condition(icd="I10", id="c3", subject={"reference": "https://other.example/Patient/p1"}),
        condition(icd="I10", id="c4", subject={"reference": f"{BASE}/Patient/p1"}),
        {"resourceType": "Patient", "id": "p1"},
        "no resource",
        None,
        encounterId="e1",
    )
    answer = ProblemService(context).record(body, DEVELOPMENT_CLIENT)
    assert json.loads(answer) == {"cards": []}
    assert category(context, assessment) == "acute"
    assert len(current(context)) == 2
    with session.reading(context.engine) as connection:
        (event,) = connection.execute(select(AUDIT_EVENTS)).all()
    assert event.actor == "client:development"
    assert event.detail["stored"] == 2
    assert event.detail["skipped"]["wrong_patient"] >= 2


def test_record_problem_takes_the_encounter_of_its_context(context: ProcessContext) -> None:
    here = assessed(context, encounter="e1")
    elsewhere = assessed(context, encounter="e9")
    ProblemService(context).record(
        problem_call(condition(icd="I21.9"), encounterId="e1"), DEVELOPMENT_CLIENT
    )
    assert category(context, here) == "acute"
    assert category(context, elsewhere) is None


ODD: tuple[Any, ...] = (
    {"note": [{"text": "a\u0000b"}]},
    {"note": [{"text": "x" * 1_000_000}]},
    {"id": "a\u0000b"},
    {"id": "x" * 10_000},
    {"code": {"coding": [{"system": "urn:a\u0000b", "code": "a\u0000b"}]}},
    {"code": {"coding": [{"system": "urn:" + "x" * 10_000, "code": "x" * 10_000}]}},
    {"code": {"coding": [{"code": "I21.9"}] * 3_000}},
    {"encounter": {"reference": "Encounter/" + "x" * 10_000}},
    {"encounter": {"reference": "Encounter/a\u0000b"}},
    {"meta": {"tag": [{"system": "x/assessment", "code": "a\u0000b"}]}},
    {"recordedDate": "0001-01-01T00:00:00+14:00"},
    {"recordedDate": "9999-12-31T23:59:59-14:00"},
    {"onsetAge": {"value": 1e308}},
)


@pytest.mark.parametrize("change", ODD)
def test_odd_contents_fail_neither_the_call_nor_the_database(
    context: ProcessContext, change: dict[str, Any]
) -> None:
    body = problem_call(condition(icd="I21.9") | change, condition(icd="I10", id="ok"))
    ProblemService(context).record(body, DEVELOPMENT_CLIENT)
    assert "I10" in str([row["facts"] for row in current(context)])


def test_the_same_condition_sent_at_once_is_stored_once(context: ProcessContext) -> None:
    assessment = assessed(context)
    service = ProblemService(context)
    body = problem_call(condition(icd="I21.9"))
    with ThreadPoolExecutor(8) as pool:
        calls = [pool.submit(service.record, body, DEVELOPMENT_CLIENT) for _ in range(8)]
        refreshes = [pool.submit(OutcomeService(context).refresh) for _ in range(3)]
        assert {call.result() for call in calls} == {b'{"cards":[]}'}
        for refresh in refreshes:
            refresh.result()
    assert len(current(context)) == 1
    assert rows(context, CONDITIONS) == 1
    assert category(context, assessment) == "acute"


def test_conditions_of_many_patients_join_in_one_refresh(context: ProcessContext) -> None:
    found = {f"p{i}": assessed(context, patient=f"p{i}") for i in range(12)}
    for patient in list(found)[:10]:
        resource = condition(icd="I21.9", id=patient, subject={"reference": f"Patient/{patient}"})
        receive(context, resource, patient_id=patient)
    with context.engine.begin() as connection:
        connection.execute(OUTCOMES.delete())
    OutcomeService(context).refresh()
    assert sum(category(context, identifier) == "acute" for identifier in found.values()) == 10
    assert joined(context).counts["without_outcome"] == 2


@pytest.mark.parametrize("subject", ["Patient/p1", "https://ehr.example/r4/Patient/p1"])
def test_c1_a_pregnancy_is_known_however_its_patient_is_named(
    context: ProcessContext, subject: str
) -> None:
    pregnant = condition(icd="Z34.01", recorded="2026-03-01", subject={"reference": subject})
    body = json.loads(problem_call(pregnant))
    del body["fhirServer"]
    ProblemService(context).record(json.dumps(body).encode(), DEVELOPMENT_CLIENT)
    keys = context.secrecy.patient_keys(DEVELOPMENT_CLIENT.base, "p1")
    with session.reading(context.engine) as connection:
        assert ConditionStore(connection).on_record(keys, context.clock()).pregnant


def test_c1_a_pregnancy_of_an_odd_date_fails_nothing(context: ProcessContext) -> None:
    asserted = {
        "url": "http://hl7.org/fhir/StructureDefinition/condition-assertedDate",
        "valueDateTime": "9999-12-31",
    }
    odd = condition(icd="Z34.01", recorded=None, extension=[asserted])
    assert receive(context, odd).stored == 1


def history(context: ProcessContext, assessment: str) -> list[dict[str, Any]]:
    with session.reading(context.engine) as connection:
        return OutcomeStore(connection).history(assessment)


def later(context: ProcessContext) -> None:
    set_time(context, context.clock() + timedelta(hours=1))


def test_a_refresh_that_decides_the_same_writes_nothing(context: ProcessContext) -> None:
    assessment = assessed(context)
    receive(context, condition(icd="I21.9"), condition(icd="I22.0", id="c2"))
    before = history(context, assessment)
    later(context)
    OutcomeService(context).refresh()
    receive(context, condition(icd="I22.0", id="c2"))
    receive(context, condition(icd="J00", id="of-somebody-else"), patient_id="p2")
    assert len(before) == 1
    assert history(context, assessment) == before


def test_every_reader_sees_the_current_outcome_alone(context: ProcessContext) -> None:
    assessment = assessed(context)
    for code in ("I21.9", "I10", "I21.9"):
        receive(context, condition(icd=code))
        later(context)
    assert [row["category"] for row in history(context, assessment)] == [
        "acute",
        "chronic",
        "acute",
    ]
    assert rows(context, OUTCOMES) == 3
    found = joined(context)
    assert found.counts == {"assessments": 1, "with_outcome": 1}
    assert list(found.frame["severity"]) == ["acute"]


def test_a_withdrawn_condition_stays_in_its_history(context: ProcessContext) -> None:
    assessment = assessed(context)
    receive(context, condition(icd="I21.9"))
    take_back = {
        "base": BASE,
        "condition_id": "c1",
        "client": "ehr",
        "channel": "pull",
        "actor": "test",
    }
    later(context)
    assert OutcomeService(context).withdraw(**take_back)
    assert not OutcomeService(context).withdraw(**take_back)
    assert not OutcomeService(context).withdraw(**take_back | {"condition_id": "unknown"})
    assert category(context, assessment) is None
    versions = condition_history(context, BASE, "c1")
    assert [row["facts"]["why_not"] for row in versions] == [None, "entered-in-error"]
    assert [row["channel"] for row in versions] == ["test", "pull"]
    later(context)
    assert receive(context, condition(icd="I21.9")).stored == 1
    assert category(context, assessment) == "acute"


def test_c1_a_withdrawn_pregnancy_is_no_longer_known(context: ProcessContext) -> None:
    receive(context, condition(icd="Z34.01", recorded="2026-03-01"))
    keys = context.secrecy.patient_keys(BASE, "p1")
    for known in (True, False):
        with session.reading(context.engine) as connection:
            assert ConditionStore(connection).on_record(keys, context.clock()).pregnant is known
        OutcomeService(context).withdraw(
            base=BASE, condition_id="c1", client="ehr", channel="pull", actor="test"
        )


def test_c21_of_a_condition_that_became_restricted_no_outcome_is_left(
    context: ProcessContext,
) -> None:
    assessment = assessed(context)
    receive(context, condition(icd="I10", id="other"))
    later(context)
    receive(context, condition(icd="I21.9"))
    later(context)
    receive(context, condition(icd="I22.0"))
    assert len(history(context, assessment)) == 3
    security = "http://terminology.hl7.org/CodeSystem/v3-Confidentiality"
    meta = {"security": [{"system": security, "code": "V"}]}
    receive(context, condition(icd="I22.0", meta=meta))
    assert [row["category"] for row in history(context, assessment)] == ["chronic", "chronic"]
    assert category(context, assessment) == "chronic"


def test_all_or_nothing_leaves_nothing_behind(context: ProcessContext) -> None:
    assessment = assessed(context)
    receive(context, condition(icd="I10"))
    incoming = [
        Incoming(resource=resource, base=BASE, patient_id="p1")
        for resource in (condition(icd="I21.9"), condition(icd="I21.9", id="bad", recorded="x"))
    ]
    with pytest.raises(NotTakenError) as caught:
        OutcomeService(context).receive(
            incoming,
            client="ehr",
            channel="fhir-bundle",
            actor="test",
            withdrawn=[Withdrawal(BASE, "c1")],
            all_or_nothing=True,
        )
    assert [taken.result for taken in caught.value.received.taken] == ["stored", "invalid"]
    assert rows(context, CONDITIONS) == 1
    assert category(context, assessment) == "chronic"


def test_what_servers_set_by_themselves_is_no_correction(context: ProcessContext) -> None:
    for number in range(3):
        meta = {"versionId": str(number), "lastUpdated": f"2026-03-0{number + 1}T00:00:00Z"}
        text = {
            "status": "generated",
            "div": f'<div xmlns="http://www.w3.org/1999/xhtml">{number}</div>',
        }
        receive(context, condition(icd="I21.9", meta=meta) | {"text": text})
    assert rows(context, CONDITIONS) == 1


@pytest.mark.parametrize("allowed", [True, False])
def test_c21_care_and_retraining_are_allowed_separately(
    context: ProcessContext, allowed: bool
) -> None:
    assessed(context)
    receive(context, condition(icd="I21.9"))
    settings = {"allow_retraining": allowed}
    with context.engine.begin() as connection:
        ClientStore(connection).add("development", settings, context.clock())
    assert joined(context).counts == {"assessments": 1, "with_outcome": 1}
    training = joined(context, for_training=True)
    assert len(training.frame) == int(allowed)
    assert training.counts["with_outcome" if allowed else "not_allowed"] == 1


def test_a_chart_without_news_writes_nothing(context: ProcessContext) -> None:
    def brought(*resources: dict[str, Any]) -> tuple[int, int]:
        received = ConditionIntake(context).from_chart(
            [msgspec.Raw(encoded(resource)) for resource in resources],
            client=DEVELOPMENT_CLIENT,
            patient_id="p1",
            fhir_server=BASE,
            channel="patient-view",
        )
        return received.stored, received.unchanged

    chart = [condition(icd="I21.9"), condition(icd="I10", id="c2"), condition(icd="E11.9", id="")]
    assert brought(*chart) == (3, 0)
    assert brought(*chart) == (0, 3)
    assert rows(context, AUDIT_EVENTS) == 1
    assert brought(condition(icd="I25.2"), *chart[1:]) == (1, 2)


@pytest.mark.parametrize(
    "odd",
    [
        b'{"resourceType": "Condition", "id": "\\ud800"}',
        b'{"resourceType": "Condition", "identifier": [{"system": "\\ud800", "value": "1"}]}',
        b'{"resourceType": "Condition", "code": ' + b'{"a":' * 900 + b"1" + b"}" * 901,
        b'{"resourceType": "Condition", "code": ' + b"[" * 90_000 + b"]" * 90_000 + b"}",
        b'{"resourceType": "Condition", "note": "\xff"}',
        b"null",
        b"[]",
    ],
)
def test_odd_contents_of_a_chart_spoil_nothing_else(context: ProcessContext, odd: bytes) -> None:
    received = ConditionIntake(context).from_chart(
        [msgspec.Raw(odd), msgspec.Raw(encoded(condition(icd="I10")))],
        client=DEVELOPMENT_CLIENT,
        patient_id="p1",
        fhir_server=BASE,
        channel="patient-view",
    )
    assert received.stored == 1
