"""Patients that turn out to be one, on both databases."""

import json
from datetime import timedelta

import pytest
from sqlalchemy import select

from cds_service.context import ProcessContext
from cds_service.services.merging import resolve_patient
from cds_service.services.outcomes import OutcomeService
from cds_service.storage import session
from cds_service.storage.condition_store import OutcomeStore
from cds_service.storage.tables import ASSESSMENTS, AUDIT_EVENTS, CONDITIONS, PATIENT_MERGES
from tests.support.conditions import condition
from tests.support.stored import BASE, SEEN, assessed, category, receive, rows, set_time, use_keys


@pytest.fixture
def context(context: ProcessContext) -> ProcessContext:
    """When every outcome window has passed."""
    set_time(context, SEEN + timedelta(days=40))
    return context


def merge(context: ProcessContext, old: str, new: str, base: str = BASE) -> bool:
    return OutcomeService(context).merge(
        base=base, from_id=old, into_id=new, client="ehr", channel="hl7v2", actor="test"
    )


def infarct(context: ProcessContext, patient: str) -> None:
    named = {"reference": f"Patient/{patient}"}
    receive(context, condition(icd="I21.9", id=f"of-{patient}", subject=named), patient_id=patient)


def owners(context: ProcessContext) -> set[str]:
    """Keys that assessments and Conditions are kept under."""
    with session.reading(context.engine) as connection:
        return {
            *connection.execute(select(ASSESSMENTS.c.patient_key)).scalars(),
            *connection.execute(select(CONDITIONS.c.patient_key)).scalars(),
        }


def key(context: ProcessContext, patient: str) -> str:
    return context.secrecy.patient_keys(BASE, patient)[0]


def test_an_outcome_of_one_becomes_that_of_the_other(context: ProcessContext) -> None:
    assessment = assessed(context, patient="new")
    infarct(context, "old")
    assert category(context, assessment) is None
    assert merge(context, "old", "new")
    assert category(context, assessment) == "acute"
    assert owners(context) == {key(context, "new")}


def test_the_same_merge_again_changes_nothing(context: ProcessContext) -> None:
    infarct(context, "old")
    assert merge(context, "old", "new")
    assert not merge(context, "old", "new")
    assert not merge(context, "new", "new")
    assert rows(context, PATIENT_MERGES) == 1


def test_what_comes_later_for_the_old_id_belongs_to_the_new(context: ProcessContext) -> None:
    assessment = assessed(context, patient="new")
    merge(context, "old", "new")
    infarct(context, "old")
    assert category(context, assessment) == "acute"
    keys = context.secrecy.patient_keys(BASE, "old")
    with session.reading(context.engine) as connection:
        assert resolve_patient(connection, keys) == [key(context, "new")]
        mine = context.secrecy.patient_keys(BASE, "new")
        assert resolve_patient(connection, mine) == mine


def test_the_same_condition_from_both_charts_is_one(context: ProcessContext) -> None:
    merge(context, "old", "new")
    for patient in ("old", "new", "old"):
        receive(context, condition(icd="I21.9"), patient_id=patient)
    assert rows(context, CONDITIONS) == 1


@pytest.mark.parametrize("order", [("ab", "bc"), ("bc", "ab"), ("ab", "bc", "ac", "ab")])
def test_chains_end_at_the_last(context: ProcessContext, order: tuple[str, ...]) -> None:
    assessments = [assessed(context, patient=name) for name in "abc"]
    for old, new in order:
        merge(context, old, new)
    infarct(context, "a")
    assert owners(context) == {key(context, "c")}
    assert [category(context, one) for one in assessments] == ["acute"] * 3


def test_a_merge_the_other_way_round_turns_the_first_about(context: ProcessContext) -> None:
    assessed(context, patient="a")
    assessed(context, patient="c")
    merge(context, "c", "a")
    merge(context, "a", "b")
    assert owners(context) == {key(context, "b")}
    assert merge(context, "b", "a")
    assert owners(context) == {key(context, "a")}
    for patient in "abc":
        infarct(context, patient)
    assert owners(context) == {key(context, "a")}


def test_c3_the_same_ids_on_another_server_are_not_merged(context: ProcessContext) -> None:
    assessed(context, patient="old")
    merge(context, "old", "new", base="https://other.example/fhir")
    assert owners(context) == {key(context, "old")}


def test_a_merge_is_audited_with_counts_alone(context: ProcessContext) -> None:
    assessed(context, patient="old-Secret")
    infarct(context, "old-Secret")
    merge(context, "old-Secret", "new-Secret")
    with session.reading(context.engine) as connection:
        query = select(AUDIT_EVENTS).where(AUDIT_EVENTS.c.action == "merge-patients")
        (event,) = connection.execute(query).all()
        (merged,) = connection.execute(select(PATIENT_MERGES)).all()
    assert event.detail == {"channel": "hl7v2", "assessments": 1, "conditions": 1}
    assert event.object_id == merged.id
    assert "Secret" not in json.dumps([list(map(str, event)), list(map(str, merged))])


def test_an_outcome_that_a_merge_brought_shows_its_history(context: ProcessContext) -> None:
    assessment = assessed(context, patient="new")
    receive(context, condition(icd="I10", id="mine"), patient_id="new")
    infarct(context, "old")
    merge(context, "old", "new")
    with session.reading(context.engine) as connection:
        history = OutcomeStore(connection).history(assessment)
    assert [row["category"] for row in history] == ["chronic", "acute"]


def test_an_assessment_stored_while_its_patient_was_merged_is_found_again(
    context: ProcessContext,
) -> None:
    infarct(context, "old")
    merge(context, "old", "new")
    late = assessed(context, patient="old")
    OutcomeService(context).refresh()
    assert owners(context) == {key(context, "new")}
    assert category(context, late) == "acute"


@pytest.mark.parametrize("seen_first", ["old", "new"])
def test_merges_outlive_new_secret_keys(context: ProcessContext, seen_first: str) -> None:
    first, second = b"o" * 32, b"n" * 32
    use_keys(context, first)
    assessment = assessed(context, patient="new")
    infarct(context, "old")
    merge(context, "old", "new")
    use_keys(context, second, first)
    both = [seen_first, "new" if seen_first == "old" else "old"]
    for number, patient in enumerate(both):
        receive(context, condition(icd="I10", id=f"c{number}"), patient_id=patient)
    use_keys(context, second)
    receive(context, condition(icd="C79.9", id="last"), patient_id="old")
    assert owners(context) == {key(context, "new")}
    assert category(context, assessment) == "acute"


def test_a_merge_under_new_keys_finds_rows_under_the_old(context: ProcessContext) -> None:
    use_keys(context, b"o" * 32)
    assessment = assessed(context, patient="new")
    infarct(context, "old")
    use_keys(context, b"n" * 32, b"o" * 32)
    merge(context, "old", "new")
    assert category(context, assessment) == "acute"
    assert owners(context) == {key(context, "new")}
