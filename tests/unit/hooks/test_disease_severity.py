"""Who is assessed: clinical rules C1 and C2, and how much data a category needs."""

from typing import Any

import pytest

from hooks.disease_severity import (
    Situation,
    decide_situation,
    exclusion_reason,
    has_enough_data,
    population_reason,
)
from tests.support.card_cases import ADULT, an_extraction, some_facts

NURSE = "Practitioner/1"


def situation(user: str = NURSE, **changes: Any) -> Situation:
    return decide_situation(an_extraction(ADULT, **changes), some_facts(), user)


def test_an_adult_with_readings_is_scored() -> None:
    assert situation() is Situation.SCORED


@pytest.mark.parametrize(
    ("age", "expected"),
    [
        (17.99, "too_young"),
        (0.0, "too_young"),
        (18.0, None),
        (110.0, None),
        (110.9, None),
        (111.0, "too_old"),
        (None, None),
    ],
)
def test_c1_population_is_a_fact_of_the_model(age: float | None, expected: str | None) -> None:
    extraction = an_extraction(ADULT, age=age)

    assert population_reason(extraction, some_facts()) == expected
    assert population_reason(extraction, None) == expected


def test_c1_a_widened_model_takes_children() -> None:
    assert population_reason(an_extraction(ADULT, age=9.0), some_facts(min_age=5.0)) is None
    assert (
        decide_situation(an_extraction(ADULT, age=9.0), some_facts(min_age=5.0), NURSE)
        is Situation.SCORED
    )


def test_c1_known_pregnancy_gets_no_category() -> None:
    assert situation(age=30.0, pregnant=True) is Situation.OUT_OF_POPULATION
    assert situation(age=None, pregnant=True) is Situation.OUT_OF_POPULATION


@pytest.mark.parametrize(
    ("changes", "user", "reason"),
    [
        ({"deceased": True}, NURSE, "deceased"),
        ({"test_patient": True}, NURSE, "test_patient"),
        ({"opted_out": True}, NURSE, "opted_out"),
        ({}, "Patient/p1", "patient_user"),
        ({}, "RelatedPerson/r1", "patient_user"),
    ],
)
def test_c2_excluded(changes: dict[str, bool], user: str, reason: str) -> None:
    assert exclusion_reason(an_extraction(ADULT, **changes), user) == reason
    assert situation(user, **changes) is Situation.EXCLUDED
    assert situation(user, age=5.0, **changes) is Situation.EXCLUDED, "C2 comes before C1"


def test_c2_a_practitioner_role_is_a_clinician() -> None:
    assert exclusion_reason(an_extraction(ADULT), "PractitionerRole/1") is None


@pytest.mark.parametrize(
    ("measured", "age", "enough"),
    [
        ({"heart_rate", "body_temperature"}, 40.0, True),
        ({"heart_rate", "systolic_bp", "diastolic_bp"}, 40.0, True),
        ({"body_temperature", "systolic_bp", "diastolic_bp"}, 40.0, True),
        ({"heart_rate", "systolic_bp"}, 40.0, False),
        ({"heart_rate", "diastolic_bp"}, 40.0, False),
        ({"systolic_bp", "diastolic_bp"}, 40.0, False),
        ({"heart_rate", "respiratory_rate", "oxygen_saturation"}, 40.0, False),
        (set(), 40.0, False),
        ({"heart_rate", "body_temperature", "systolic_bp", "diastolic_bp"}, None, False),
    ],
)
def test_a_category_needs_the_age_and_two_core_measurements(
    measured: set[str], age: float | None, enough: bool
) -> None:
    values = {**ADULT, "respiratory_rate": 18.0, "oxygen_saturation": 96.0}
    extraction = an_extraction({name: values[name] for name in measured}, age=age)

    assert has_enough_data(extraction) is enough
    expected = Situation.SCORED if enough else Situation.INSUFFICIENT_DATA
    assert decide_situation(extraction, some_facts(), NURSE) is expected
