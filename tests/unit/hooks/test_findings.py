"""What may be said: clinical rules C7, C9 and C11 before they become words."""

from typing import Any

import pytest

from hooks.disease_severity import Situation
from hooks.findings import Findings, find
from model.severity import SEVERITIES, Severity
from tests.support.card_cases import ADULT, RED, an_assessment, an_extraction, some_facts

WELL = {"heart_rate": 72.0, "body_temperature": 36.8, "systolic_bp": 118.0, "diastolic_bp": 74.0}
CALM = (Severity.NOT_ILL, Severity.MILD)


def found(values: Any = WELL, category: Severity = Severity.NOT_ILL, **changes: Any) -> Findings:
    facts = some_facts(**changes.pop("facts", {}))
    extraction = an_extraction(values, **changes.pop("extraction", {}))
    changes.setdefault("acute", None if category is Severity.ACUTE else 0.01)
    probability = changes.pop("probability", 0.6)
    return find(
        extraction, an_assessment(category, probability, **changes), facts, Situation.SCORED
    )


def test_a_calm_finding_is_named_and_acute_excluded() -> None:
    findings = found(prediction_set=CALM)

    assert findings.category is Severity.NOT_ILL
    assert findings.excludes_acute
    assert findings.named_set == CALM
    assert findings.shows_acute
    assert findings.explained is Severity.NOT_ILL


def test_c7_not_ill_is_not_issued_where_newer_readings_may_exist() -> None:
    findings = found(prediction_set=CALM, extraction={"maybe_not_latest": True})

    assert findings.category is None
    assert not findings.excludes_acute
    assert findings.named_set == ()
    assert not findings.shows_acute, "an estimate below the usual one reassures as well"


def test_c7_one_reading_that_may_not_be_the_latest_is_enough() -> None:
    findings = found(extraction={"flags": {"heart_rate": ("maybe_not_latest",)}})

    assert findings.maybe_not_latest
    assert findings.category is None


def test_c7_other_categories_are_still_named() -> None:
    findings = found(category=Severity.MILD, extraction={"maybe_not_latest": True})

    assert findings.category is Severity.MILD


@pytest.mark.parametrize("category", CALM)
def test_c9_the_model_never_lowers_concern_over_a_red_reading(category: Severity) -> None:
    findings = found(RED, category, prediction_set=CALM)

    assert findings.red == ("systolic_bp", "respiratory_rate")
    assert findings.category is None
    assert not findings.excludes_acute
    assert findings.named_set == ()
    assert not findings.shows_acute
    assert findings.explained is None


def test_c9_beside_a_red_reading_a_raised_estimate_is_shown() -> None:
    findings = found(RED, Severity.MILD, acute=0.02)

    assert findings.shows_acute
    assert findings.explained is Severity.ACUTE


def test_c9_a_set_that_holds_a_reassuring_category_is_not_named_beside_a_red_reading() -> None:
    assert found(
        category=Severity.CHRONIC, prediction_set=(Severity.MILD, Severity.CHRONIC)
    ).named_set
    red = found(RED, Severity.CHRONIC, prediction_set=(Severity.MILD, Severity.CHRONIC))

    assert red.category is Severity.CHRONIC
    assert red.named_set == ()


@pytest.mark.parametrize(
    ("extraction", "red"),
    [
        ({"age": 15.9}, ()),
        ({"age": 30.0, "pregnant": True}, ()),
        ({"age": None}, ()),
        ({"age": 16.0}, ("systolic_bp", "respiratory_rate")),
    ],
)
def test_c9_red_readings_only_for_non_pregnant_people_of_16_or_more(
    extraction: dict[str, Any], red: tuple[str, ...]
) -> None:
    findings = find(an_extraction(RED, **extraction), None, None, Situation.MODEL_FAILED)

    assert findings.red == red
    assert (findings.news2 is None) == (red == ())


@pytest.mark.parametrize(
    "changes",
    [
        {"prediction_set": (*CALM, Severity.ACUTE)},
        {"facts": {"excludable": CALM}},
        {"above": (Severity.ACUTE,)},
        {"covered": (Severity.NOT_ILL, Severity.CHRONIC), "acute": None},
    ],
)
def test_c11_acute_is_excluded_only_where_that_is_demonstrable(changes: dict[str, Any]) -> None:
    assert not found(**({"prediction_set": CALM} | changes)).excludes_acute


@pytest.mark.parametrize(
    ("given", "named"),
    [
        ((Severity.NOT_ILL,), (Severity.NOT_ILL,)),
        (CALM, CALM),
        ((*CALM, Severity.CHRONIC), ()),
        (SEVERITIES, ()),
        ((), ()),
        ((Severity.CHRONIC,), ()),
    ],
)
def test_c11_a_set_is_named_only_with_one_or_two_categories(
    given: tuple[Severity, ...], named: tuple[Severity, ...]
) -> None:
    assert found(prediction_set=given).named_set == named


def test_acute_is_flagged_by_its_threshold_not_by_the_category() -> None:
    assert found(category=Severity.ACUTE).acute_flagged
    assert found(above=(Severity.ACUTE, Severity.NOT_ILL)).acute_flagged
    assert not found().acute_flagged


@pytest.mark.parametrize("situation", [s for s in Situation if s is not Situation.SCORED])
def test_without_a_scored_situation_the_assessment_is_not_used(situation: Situation) -> None:
    findings = find(an_extraction(ADULT), an_assessment(), some_facts(), situation)

    assert findings.assessment is None
    assert findings.category is None
    assert not findings.acute_flagged
    assert not findings.shows_acute
    assert findings.named_set == ()


def test_a_scored_situation_needs_its_score() -> None:
    with pytest.raises(ValueError, match="needs its assessment"):
        find(an_extraction(ADULT), None, some_facts(), Situation.SCORED)
    with pytest.raises(ValueError, match="needs its assessment"):
        find(an_extraction(ADULT), an_assessment(), None, Situation.SCORED)


def test_c11_the_full_set_is_told_whatever_its_size() -> None:
    assert found(prediction_set=CALM).full_set == CALM
    assert found(prediction_set=SEVERITIES).full_set == SEVERITIES


@pytest.mark.parametrize("extraction", [{}, {"maybe_not_latest": True}])
def test_c9_the_full_set_excludes_no_acute_illness_where_nothing_may_reassure(
    extraction: dict[str, Any],
) -> None:
    values = WELL if extraction else RED
    wide = (*CALM, Severity.ACUTE)

    assert found(values, Severity.MILD, prediction_set=CALM, extraction=extraction).full_set is None
    told = found(values, Severity.MILD, prediction_set=wide, extraction=extraction)
    assert told.full_set == wide


def test_nothing_scored_has_no_set() -> None:
    assert find(an_extraction(WELL), None, None, Situation.INSUFFICIENT_DATA).full_set is None
