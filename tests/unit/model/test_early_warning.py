"""NEWS2 by the RCP chart of 2017, band by band (clinical rule C9)."""

import pytest

from model.early_warning import (
    RED_LIMITS,
    as_charted,
    dangerous_readings,
    partial_news2,
)
from model.features import FeatureRow

# Every edge of the chart, both sides.
CHART = {
    "respiratory_rate": [(8, 3), (9, 1), (11, 1), (12, 0), (20, 0), (21, 2), (24, 2), (25, 3)],
    "oxygen_saturation": [(91, 3), (92, 2), (93, 2), (94, 1), (95, 1), (96, 0), (100, 0)],
    "systolic_bp": [
        *[(90, 3), (91, 2), (100, 2), (101, 1), (110, 1)],
        *[(111, 0), (219, 0), (220, 3)],
    ],
    "heart_rate": [
        *[(40, 3), (41, 1), (50, 1), (51, 0), (90, 0)],
        *[(91, 1), (110, 1), (111, 2), (130, 2), (131, 3)],
    ],
    "body_temperature": [
        *[(35.0, 3), (35.1, 1), (36.0, 1), (36.1, 0), (38.0, 0)],
        *[(38.1, 1), (39.0, 1), (39.1, 2), (41.0, 2)],
    ],
}
EDGES = [(name, value, points) for name, rows in CHART.items() for value, points in rows]


@pytest.mark.parametrize(("feature", "value", "points"), EDGES)
def test_c9_points_follow_the_chart(feature: str, value: float, points: int) -> None:
    news2 = partial_news2(FeatureRow(age=40, **{feature: value}), pregnant=False)

    assert news2 is not None
    assert news2.points == {feature: points}
    assert news2.score == points
    assert news2.n_parameters == 1


@pytest.mark.parametrize(("feature", "value", "points"), EDGES)
def test_c9_red_is_one_parameter_scoring_three(feature: str, value: float, points: int) -> None:
    row = FeatureRow(age=40, **{feature: value})
    low, high = RED_LIMITS[feature]
    beyond = (low is not None and value <= low) or (high is not None and value >= high)

    assert (dangerous_readings(row, pregnant=False) == (feature,)) == (points == 3)
    assert beyond == (points == 3), "the printed limit and the score disagree"


def test_c9_score_adds_up_and_keeps_table_order() -> None:
    row = FeatureRow(
        age=80,
        heart_rate=135,
        body_temperature=34.8,
        systolic_bp=95,
        diastolic_bp=50,
        respiratory_rate=26,
        oxygen_saturation=94,
    )

    news2 = partial_news2(row, pregnant=False)

    assert news2 is not None
    assert news2.score == 3 + 3 + 2 + 3 + 1
    assert news2.n_parameters == 5
    assert dangerous_readings(row, pregnant=False) == (
        "heart_rate",
        "body_temperature",
        "respiratory_rate",
    )


def test_c9_missing_parameter_is_not_counted() -> None:
    news2 = partial_news2(FeatureRow(age=40, heart_rate=70, systolic_bp=120), pregnant=False)

    assert news2 is not None
    assert (news2.score, news2.n_parameters) == (0, 2)
    assert set(news2.points) == {"heart_rate", "systolic_bp"}


def test_c9_nothing_measured_has_no_score() -> None:
    assert partial_news2(FeatureRow(age=40, diastolic_bp=130), pregnant=False) is None
    assert dangerous_readings(FeatureRow(age=40), pregnant=False) == ()


@pytest.mark.parametrize(
    ("age", "pregnant"), [(15.99, False), (0.1, False), (None, False), (30, True)]
)
def test_c9_no_adult_limits_under_16_in_pregnancy_or_without_an_age(
    age: float | None, pregnant: bool
) -> None:
    row = FeatureRow(age=age, heart_rate=170, systolic_bp=70, oxygen_saturation=80)

    assert partial_news2(row, pregnant=pregnant) is None
    assert dangerous_readings(row, pregnant=pregnant) == ()


def test_c9_sixteen_is_old_enough() -> None:
    assert dangerous_readings(FeatureRow(age=16.0, systolic_bp=80), pregnant=False) == (
        "systolic_bp",
    )


@pytest.mark.parametrize(
    ("feature", "value", "charted"),
    [
        ("respiratory_rate", 24.5, 25),
        ("respiratory_rate", 24.49, 24),
        ("heart_rate", 40.4, 40),
        ("body_temperature", 35.04, 35.0),
        ("body_temperature", 35.05, 35.1),
        ("body_temperature", 38.89, 38.9),
    ],
)
def test_values_between_bands_are_taken_as_charted(
    feature: str, value: float, charted: float
) -> None:
    assert as_charted(feature, value) == charted
