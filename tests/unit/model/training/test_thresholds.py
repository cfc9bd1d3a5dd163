"""Operating thresholds from flag rates, by hand."""

import numpy as np
import pytest

from model.severity import Severity
from model.training.thresholds import fit_operating_points, threshold_for


@pytest.mark.parametrize(
    ("values", "rate", "threshold"),
    [
        ([0.1, 0.2, 0.3, 0.4], 0.25, 0.35),  # one of four; half-way to the next
        ([0.1, 0.2, 0.3, 0.4], 0.60, 0.25),  # two of four; three would be too many
        ([0.1, 0.2, 0.4, 0.4], 0.25, 0.30),  # a shared largest value is flagged, not nobody
        ([0.3, 0.3, 0.3, 0.3], 0.50, 0.30),  # a constant model flags all
        ([0.1, 0.2], 1.00, 0.10),
    ],
)
def test_threshold(values: list[float], rate: float, threshold: float) -> None:
    assert threshold_for(np.array(values), rate) == pytest.approx(threshold)


def test_c12_the_acute_threshold_flags_what_the_site_set() -> None:
    p = np.random.default_rng(1).random(2000)
    classes = (Severity.MILD, Severity.ACUTE)
    outcome = (p > 0.9).astype(int)
    points = fit_operating_points(
        np.column_stack([1 - p, p]), outcome, classes, {Severity.ACUTE: 0.05}
    )
    assert points[Severity.ACUTE].flag_rate == pytest.approx(0.05, abs=0.001)


def test_an_operating_point_by_hand() -> None:
    acute = np.array([0.9, 0.8, 0.4, 0.3, 0.2, 0.1, 0.05, 0.04, 0.03, 0.02])
    outcome = np.array([1, 0, 1, 0, 0, 0, 0, 0, 0, 0])
    points = fit_operating_points(
        np.column_stack([1 - acute, acute]),
        outcome,
        (Severity.MILD, Severity.ACUTE),
        {Severity.ACUTE: 0.3},
    )
    point = points[Severity.ACUTE]
    assert point.threshold == pytest.approx(0.35)
    assert (point.flag_rate, point.rows, point.cases) == (0.3, 10, 2)
    assert point.sensitivity == 1.0
    assert point.positive_predictive_value == pytest.approx(2 / 3)
    assert point.number_needed_to_evaluate == pytest.approx(1.5)
    # Not named: flagged as often as it occurs.
    assert points[Severity.MILD].wanted_flag_rate == pytest.approx(0.8)


def test_terminal_is_flagged_in_at_most_5_percent_unless_a_site_says_otherwise() -> None:
    p = np.random.default_rng(2).random((200, 2))
    outcome = np.array([1, 0] * 100)
    classes = (Severity.MILD, Severity.TERMINAL)
    assert fit_operating_points(p, outcome, classes, {})[Severity.TERMINAL].wanted_flag_rate == 0.05
    wider = fit_operating_points(p, outcome, classes, {Severity.TERMINAL: 0.2})
    assert wider[Severity.TERMINAL].wanted_flag_rate == 0.2


def test_a_category_without_cases_has_no_sensitivity() -> None:
    p = np.column_stack([np.full(20, 0.5), np.linspace(0, 0.5, 20)])
    points = fit_operating_points(
        p, np.zeros(20, dtype=int), (Severity.MILD, Severity.ACUTE), {Severity.ACUTE: 0.1}
    )
    assert points[Severity.ACUTE].sensitivity is None
    assert points[Severity.ACUTE].number_needed_to_evaluate is None
