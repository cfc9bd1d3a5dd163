"""Calibration curves and decision curves: by hand and against scikit-learn."""

import numpy as np
import pytest
from scipy.optimize import brentq
from scipy.special import expit, logit
from sklearn.calibration import calibration_curve
from sklearn.linear_model import LogisticRegression

from model.evaluation.calibration_curves import (
    calibration_of_categories,
    recalibrate,
    risk_groups,
)
from model.evaluation.decision_curves import net_benefit, threshold_range
from model.severity import Severity

CLASSES = (Severity.MILD, Severity.ACUTE)


def drawn(n: int, slope: float, shift: float, seed: int = 1) -> tuple[np.ndarray, np.ndarray]:
    """Probabilities, and outcomes whose true log-odds are shift + slope · theirs."""
    rng = np.random.default_rng(seed)
    p = expit(rng.normal(-1.0, 1.2, n))
    return p, rng.random(n) < expit(shift + slope * logit(p))


def test_slope_and_level_are_the_maximum_likelihood_ones() -> None:
    p, case = drawn(3_000, 0.6, 0.4)
    both = np.column_stack([1 - p, p])
    found = calibration_of_categories(
        both, case.astype(np.intp), range(3_000), CLASSES, replicates=100
    )
    acute = next(one for one in found if one.category is Severity.ACUTE)
    solver = LogisticRegression(C=np.inf, tol=1e-8).fit(logit(p)[:, None], case)
    assert acute.slope.value == pytest.approx(solver.coef_[0, 0], rel=1e-4)
    level = brentq(lambda a: expit(logit(p) + a).sum() - case.sum(), -5, 5)
    assert acute.intercept.value == pytest.approx(level, abs=1e-6)
    assert acute.observed_to_expected.value == pytest.approx(case.sum() / p.sum())
    assert acute.cases == case.sum()
    for value, truth in ((acute.slope, 0.6),):
        assert value.lower is not None
        assert value.upper is not None
        assert value.lower < truth < value.upper < 1.0
    # Of two categories the other one is the mirror.
    mild = found[0]
    assert mild.slope.value == pytest.approx(acute.slope.value)
    assert acute.intercept.value is not None
    assert mild.intercept.value == pytest.approx(-acute.intercept.value)


def test_what_cannot_be_fitted_has_no_slope() -> None:
    once = np.ones((1, 4))
    x = np.array([-2.0, -1.0, 1.0, 2.0])
    assert np.isnan(recalibrate(x, np.array([0.0, 0, 1, 1]), once)).all()
    assert np.isnan(recalibrate(x, np.zeros(4), once)).all()
    assert np.isnan(recalibrate(np.ones(4), np.array([0.0, 1, 0, 1]), once)).all()
    assert np.isfinite(recalibrate(x, np.array([0.0, 1, 0, 1]), once)).all()


def test_few_cases_have_no_figures() -> None:
    p, _ = drawn(60, 1, 0)
    outcome = np.array([1] * 9 + [0] * 51)
    found = calibration_of_categories(
        np.column_stack([1 - p, p]), outcome, range(60), CLASSES, replicates=20
    )
    assert [one.slope.value for one in found] == [None, None]
    assert [one.cases for one in found] == [51, 9]
    none = calibration_of_categories(np.empty((0, 2)), outcome[:0], [], CLASSES)
    assert [one.cases for one in none] == [0, 0]


def test_groups_are_those_of_scikit_learn() -> None:
    p, case = drawn(1_000, 1, 0)
    groups = risk_groups(p, case, range(1_000), replicates=50)
    observed, predicted = calibration_curve(case, p, n_bins=10, strategy="quantile")
    assert [g.observed.n for g in groups] == [100] * 10
    np.testing.assert_allclose([g.predicted for g in groups], predicted)
    np.testing.assert_allclose([g.observed.value or 0.0 for g in groups], observed)
    for group in groups[3:]:
        assert group.observed.lower is not None
        assert group.observed.upper is not None
        assert group.observed.lower <= group.predicted + 0.15
    assert len(risk_groups(p[:95], case[:95], range(95), replicates=20)) == 3
    assert risk_groups(p[:29], case[:29], range(29)) == []


def test_net_benefit_by_hand() -> None:
    p = np.array([0.1, 0.2, 0.4, 0.6, 0.8])
    case = np.array([False, False, True, False, True])
    curve = net_benefit(p, case, np.array([0.05, 0.2, 0.5, 0.9]))
    # At 0.05 everybody is flagged, at 0.2 four (2 true), at 0.5 two (1 true), at 0.9 nobody.
    expected = [2 / 5 - 3 / 5 * 0.05 / 0.95, 2 / 5 - 2 / 5 * 0.25, 1 / 5 - 1 / 5, 0.0]
    np.testing.assert_allclose(curve.model, expected)
    np.testing.assert_allclose(
        curve.treat_all, [0.4 - 0.6 * t / (1 - t) for t in (0.05, 0.2, 0.5, 0.9)]
    )


def test_the_thresholds_lie_around_the_prevalence() -> None:
    case = np.arange(100) < 10
    thresholds = threshold_range(case)
    assert thresholds[0] == pytest.approx(0.02)
    assert thresholds[-1] == pytest.approx(0.5)
    assert threshold_range(np.arange(100) < 60)[-1] == pytest.approx(0.8)
    assert threshold_range(np.zeros(10, dtype=bool))[0] == pytest.approx(0.002)
