"""Reference ranges by age (clinical rule C6)."""

import pytest

from model.features import FEATURE, READINGS, is_extreme
from model.reference_ranges import reference_range


def test_c6_adult_ranges() -> None:
    assert reference_range("heart_rate", 18.0) == (60, 100)
    assert reference_range("body_temperature", 40) == (36.1, 37.2)
    assert reference_range("systolic_bp", 40) == (90, 120)
    assert reference_range("diastolic_bp", 40) == (60, 80)
    assert reference_range("respiratory_rate", 40) == (12, 20)
    assert reference_range("oxygen_saturation", 110) == (95, 100)


@pytest.mark.parametrize(
    ("age", "heart_rate", "respiratory_rate"),
    [
        (0.0, (90, 164), (25, 66)),
        (0.1, (107, 181), (25, 66)),
        (0.25, (104, 175), (24, 64)),
        (1.0, (88, 156), (21, 53)),
        (2.0, (76, 142), (18, 38)),
        (5.9, (65, 131), (17, 29)),
        (9.0, (52, 115), (14, 25)),
        (12.0, (47, 108), (12, 23)),
        (17.99, (43, 104), (11, 22)),
    ],
)
def test_c6_children_by_age(
    age: float, heart_rate: tuple[float, float], respiratory_rate: tuple[float, float]
) -> None:
    assert reference_range("heart_rate", age) == heart_rate
    assert reference_range("respiratory_rate", age) == respiratory_rate


@pytest.mark.parametrize(
    "feature", ["body_temperature", "systolic_bp", "diastolic_bp", "oxygen_saturation"]
)
def test_c6_no_adult_range_for_a_child(feature: str) -> None:
    assert reference_range(feature, 17.9) is None


def test_c6_no_range_without_an_age_or_for_what_is_no_reading() -> None:
    assert reference_range("heart_rate", None) is None
    assert reference_range("age", 40) is None


@pytest.mark.parametrize("feature", READINGS)
@pytest.mark.parametrize("age", [0.01, 1.2, 7.0, 16.0, 30.0, 95.0])
def test_ranges_lie_inside_what_is_usable(feature: str, age: float) -> None:
    found = reference_range(feature, age)
    if found is None:
        assert age < 18
        return
    low, high = found
    assert low < high
    assert FEATURE[feature].possible[0] <= low
    assert high <= FEATURE[feature].possible[1]
    if age >= 18:
        assert not is_extreme(feature, low)
        assert not is_extreme(feature, high)
