"""C16 to C20: the outcome of one assessment. Times are days and hours around 2026-03-02 12:00."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from fhir_mapping.label_versions import LABEL_RULE_VERSION
from fhir_mapping.labels import classify
from fhir_mapping.outcomes import (
    AssessmentRef,
    OutcomeDecision,
    StoredCondition,
    decide_outcome,
    index_assessments,
    outcome_window_end,
)
from fhir_mapping.terminology import load_terminology
from model.severity import Severity
from tests.support.conditions import condition

TERMINOLOGY = load_terminology()
NOON = datetime(2026, 3, 2, 12, tzinfo=UTC)


def assessed(encounter: str | None = "e1", kind: str | None = "emergency", **more: Any) -> Any:
    return AssessmentRef("a1", "p1", NOON, encounter, kind, **more)


def known(
    days: float = 0.1,
    *,
    encounter: str | None = "e1",
    patient: str = "p1",
    source: str = "ehr",
    key: str = "",
    at_home: bool | None = None,
    **elements: Any,
) -> StoredCondition:
    """A Condition known `days` after the prediction time, as it comes back from storage."""
    elements.setdefault("recorded", (NOON + timedelta(days=days)).isoformat())
    found = classify(
        condition(**elements), encounter_ended_at_home=at_home, terminology=TERMINOLOGY
    )
    return StoredCondition.of(
        found.stored(),
        id=key or f"{elements.get('icd') or elements.get('snomed')}@{days}",
        patient_key=patient,
        encounter_key=encounter,
        source=source,
    )


def decide(*conditions: StoredCondition, to: AssessmentRef | None = None) -> OutcomeDecision:
    return decide_outcome(to or assessed(), conditions)


TEN_YEARS = -3652.0


def test_shows_7_a_septic_diabetic_is_acute() -> None:
    """C16: a chronic Condition known before never hides a new acute one."""
    decision = decide(
        known(TEN_YEARS, icd="E11.9", encounter="old", category="problem-list-item"),
        known(0.1, icd="E11.9", key="again"),
        known(0.2, icd="A41.9", key="sepsis"),
    )
    assert decision.category is Severity.ACUTE
    assert decision.classes == (Severity.ACUTE, Severity.CHRONIC)
    assert decision.pre_existing == (Severity.CHRONIC,)
    assert decision.known_at == NOON + timedelta(days=0.2)
    assert decision.condition_ids == ("again", "sepsis")
    assert not decision.after_diagnosis
    assert decision.label_version == LABEL_RULE_VERSION


@pytest.mark.parametrize("elements", [{"icd": "I21.4"}, {"snomed": "22298006"}])
def test_shows_7_an_infarct_is_acute(elements: dict[str, str]) -> None:
    assert decide(known(**elements)).category is Severity.ACUTE


def test_shows_7_a_sprain_three_weeks_after_a_visit() -> None:
    """C16: within 30 days of an ambulatory visit, not within 7 of an emergency visit."""
    sprain = known(21, icd="S93.401A", encounter=None)
    ambulatory = decide(sprain, to=assessed(None, "ambulatory"))
    assert (ambulatory.category, ambulatory.reason) == (Severity.MILD, None)
    emergency = decide(sprain, to=assessed(None, "emergency"))
    assert (emergency.category, emergency.reason) == (None, "no_condition")
    # Where it ended is not known, so neither is mild (C15).
    unknown = decide(sprain, to=assessed(None, None))
    assert (unknown.category, unknown.reason) == (None, "home_not_known")
    # A Condition of another encounter is another matter.
    other = decide(known(21, icd="S93.401A", encounter="e2"), to=assessed("e1", "ambulatory"))
    assert (other.category, other.reason) == (None, "no_condition")


@pytest.mark.parametrize("encounter", [None, "old"])
@pytest.mark.parametrize("days", [TEN_YEARS, -365])
def test_shows_7_an_old_problem_list_entry_is_context(days: float, encounter: str | None) -> None:
    decision = decide(
        known(days, icd="E11.9", encounter=encounter, category="problem-list-item"),
        to=assessed(encounter and "e1"),
    )
    assert (decision.category, decision.reason) == (None, "known_before")
    assert decision.pre_existing == (Severity.CHRONIC,)
    assert not decision.after_diagnosis


@pytest.mark.parametrize("status", ["refuted", "provisional"])
def test_shows_7_a_refuted_and_a_provisional_diagnosis_are_no_outcome(status: str) -> None:
    decision = decide(known(icd="I21.4", verification=status))
    assert (decision.category, decision.reason) == (None, "does_not_count")
    assert decision.classes == ()
    assert decision.condition_ids == ()


def test_shows_7_a_mixed_condition_is_acute() -> None:
    assert decide(known(icd="J44.1", snomed="13645005")).category is Severity.ACUTE


def test_c16_the_order_of_outcomes() -> None:
    everything = {
        Severity.TERMINAL: known(icd="Z51.5"),
        Severity.ACUTE: known(icd="I21.4"),
        Severity.CHRONIC: known(icd="E11.9"),
        Severity.MILD: known(icd="J06.9", at_home=True),
        Severity.NOT_ILL: known(icd="Z03.89"),
    }
    left = list(everything)
    while left:
        decision = decide(*(everything[severity] for severity in reversed(left)))
        assert decision.category is left[0]
        if left != [Severity.NOT_ILL]:
            assert decision.classes == tuple(s for s in left if s is not Severity.NOT_ILL)
        left.pop(0)


@pytest.mark.parametrize(
    ("kind", "days"),
    [("emergency", 7), ("inpatient", 7), ("ambulatory", 30), ("home", 30), (None, 30)],
)
def test_c16_the_window_of_a_condition_without_encounter(kind: str | None, days: int) -> None:
    to = assessed(None, kind)
    assert outcome_window_end(to) == NOON + timedelta(days=days)
    assert decide(known(days, icd="I21.4"), to=to).category is Severity.ACUTE
    late = decide(known(days + 0.01, icd="I21.4"), to=to)
    assert (late.category, late.reason) == (None, "no_condition")
    now = decide(known(0, icd="I21.4"), to=to)
    assert (now.category, now.pre_existing) == (None, (Severity.ACUTE,))


def test_c16_the_same_encounter_has_no_window_and_another_no_match() -> None:
    assert decide(known(40, icd="A41.9")).category is Severity.ACUTE
    assert decide(known(1, icd="A41.9", encounter="e2")).category is None
    # Only one of the two has an encounter: the window decides.
    assert decide(known(1, icd="A41.9", encounter=None)).category is Severity.ACUTE
    assert decide(known(8, icd="A41.9", encounter=None)).category is None
    assert decide(known(1, icd="A41.9"), to=assessed(None)).category is Severity.ACUTE


def test_c3_another_patients_condition_is_never_an_outcome() -> None:
    decision = decide(known(1, icd="A41.9", patient="p2"))
    assert (decision.category, decision.reason) == (None, "no_condition")


def test_c16_a_day_counts_as_its_end() -> None:
    same_day = decide(known(icd="A41.9", recorded="2026-03-02"))
    assert same_day.category is Severity.ACUTE
    assert not same_day.after_diagnosis
    day_before = decide(known(icd="A41.9", recorded="2026-03-01"))
    assert (day_before.category, day_before.after_diagnosis) == (None, True)


def test_c16_a_condition_without_date_is_no_outcome() -> None:
    decision = decide(known(icd="A41.9", recorded=None, clinical=None))
    assert (decision.category, decision.reason) == (None, "does_not_count")


@pytest.mark.parametrize(
    ("before", "after", "late"),
    [
        # The acute event of this encounter was on the chart, whatever is coded later.
        ("A41.9", "A41.9", True),
        ("A41.9", "E11.9", True),
        ("A41.9", None, True),
        ("E11.9", "E11.9", True),
        # A chronic disease on the chart says nothing of the acute event to come.
        ("E11.9", "A41.9", False),
        ("Z03.89", "A41.9", False),
        ("R55", "A41.9", False),
    ],
)
def test_c16_an_assessment_after_the_diagnosis_of_its_encounter(
    before: str, after: str | None, late: bool
) -> None:
    conditions = [known(-0.05, icd=before)] + ([known(0.2, icd=after)] if after else [])
    assert decide(*conditions).after_diagnosis is late


@pytest.mark.parametrize(
    ("code", "days", "late"),
    [("A41.9", -0.1, True), ("A41.9", -6, True), ("A41.9", -8, False), ("E11.9", -0.1, False)],
)
def test_c16_after_diagnosis_without_encounters_is_a_recent_acute_event(
    code: str, days: float, late: bool
) -> None:
    decision = decide(known(days, icd=code, encounter=None))
    assert (decision.category, decision.after_diagnosis) == (None, late)


def test_c16_an_acute_event_of_an_earlier_encounter_is_context() -> None:
    decision = decide(known(-2, icd="I21.4", encounter="e0"), known(0.1, icd="E11.9"))
    assert decision.category is Severity.CHRONIC
    assert decision.pre_existing == (Severity.ACUTE,)
    assert not decision.after_diagnosis


def test_c15_not_ill_takes_evidence_and_nothing_beside_it() -> None:
    assert decide(known(icd="Z03.89")).category is Severity.NOT_ILL
    assert decide(known(icd="Z00.00")).category is Severity.NOT_ILL
    beside = decide(known(icd="Z03.89"), known(icd="R55"))
    assert (beside.category, beside.reason) == (None, "not_only_diagnosis")
    # A suspicion that was refuted is no diagnosis beside it.
    refuted = decide(known(icd="Z03.89"), known(icd="I21.4", verification="refuted"))
    assert refuted.category is Severity.NOT_ILL
    # Never from silence.
    silence = decide()
    assert (silence.category, silence.reason) == (None, "no_condition")
    undetermined = decide(known(icd="R55"))
    assert (undetermined.category, undetermined.reason) == (None, "undetermined")


def test_c15_mild_takes_an_encounter_that_ended_at_home() -> None:
    cold = known(icd="J06.9")
    assert decide(cold).reason == "home_not_known"
    assert decide(cold, to=assessed(encounter_ended_at_home=True)).category is Severity.MILD
    assert decide(cold, to=assessed(kind="ambulatory")).category is Severity.MILD
    stayed = assessed(kind="ambulatory", encounter_ended_at_home=False)
    assert decide(cold, to=stayed).category is None
    assert decide(known(icd="J06.9", at_home=True)).category is Severity.MILD
    # The Condition's own encounter is not known to be the assessed one.
    assert decide(cold, to=assessed(None, "ambulatory")).reason == "home_not_known"


def test_c18_a_prompted_outcome_is_marked() -> None:
    ours = {"tag": [{"system": "http://localhost:8000/fhir/assessment", "code": "a1"}]}
    assert decide(known(icd="A41.9", meta=ours)).prompted
    assert not decide(known(icd="A41.9")).prompted
    # A prompted Condition that is not behind the category does not mark it.
    assert not decide(known(icd="A41.9"), known(icd="E11.9", meta=ours)).prompted


MARFAN: dict[str, Any] = {"icd": "Q87.40", "codings": [("https://www.orpha.net", "558")]}


def test_c20_a_rare_outcome_needs_a_second_source() -> None:
    one = decide(known(**MARFAN))
    assert one.category is Severity.CHRONIC
    assert one.rare_codes == ("ORPHA:558",)
    assert one.needs_second_source
    same_source = decide(known(**MARFAN), known(0.4, **MARFAN))
    assert same_source.needs_second_source
    two = decide(known(**MARFAN), known(0.4, source="registry", **MARFAN))
    assert two.rare_codes == ("ORPHA:558",)
    assert not two.needs_second_source
    # A second source may have said it long before; one that does not count says nothing.
    long_known = known(TEN_YEARS, source="registry", encounter=None, **MARFAN)
    assert not decide(known(**MARFAN), long_known).needs_second_source
    doubted = known(0.4, source="registry", verification="provisional", **MARFAN)
    assert decide(known(**MARFAN), doubted).needs_second_source


def test_c20_a_common_outcome_beside_a_rare_disease_needs_none() -> None:
    decision = decide(known(icd="A41.9"), known(**MARFAN))
    assert decision.category is Severity.ACUTE
    assert decision.rare_codes == ("ORPHA:558",)
    assert not decision.needs_second_source


def test_c16_one_index_assessment_an_encounter_the_first_with_enough_data() -> None:
    def at(key: str, hours: float, encounter: str | None, **more: Any) -> AssessmentRef:
        return AssessmentRef(key, "p1", NOON + timedelta(hours=hours), encounter, None, **more)

    index = index_assessments(
        [
            at("third", 3, "e1"),
            at("second", 2, "e1"),
            at("empty", 1, "e1", enough_data=False),
            at("other", 0, "e2"),
            at("none-1", 4, None),
            at("none-2", 5, None),
            AssessmentRef("elsewhere", "p2", NOON + timedelta(hours=9), "e1"),
        ]
    )
    assert [a.id for a in index] == ["other", "second", "none-1", "none-2", "elsewhere"]


def test_facts_and_stored_facts_give_the_same_condition() -> None:
    found = classify(condition(icd="A41.9"), terminology=TERMINOLOGY)
    keys: dict[str, Any] = {"id": "1", "patient_key": "p", "encounter_key": None, "source": "s"}
    assert StoredCondition.of(found, **keys) == StoredCondition.of(found.stored(), **keys)
