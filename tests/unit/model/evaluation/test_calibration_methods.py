"""Calibrations that are shown beside the served one."""

import numpy as np
import pytest
from sklearn.linear_model import LogisticRegression

from model.evaluation.calibration_methods import calibrated_in_other_ways
from model.explanation import softmax
from tests.support.studies import rows_of


def _draw(scale: float, rows: int) -> tuple[np.ndarray, np.ndarray]:
    """Margins `scale` times too large, and outcomes drawn from the true probabilities."""
    rng = np.random.default_rng(4)
    logits = rng.normal(size=(rows, 3)) * 1.5
    cumulative = softmax(logits).cumsum(axis=1)
    outcome = (rng.random((rows, 1)) > cumulative).sum(axis=1)
    return logits * scale, outcome


def test_overconfident_margins_are_mended_on_rows_not_fitted_on() -> None:
    margins, outcome = _draw(3.0, 20_000)
    found = calibrated_in_other_ways(margins[:10_000], outcome[:10_000], margins[10_000:])
    assert set(found) == {"uncalibrated", "sigmoid", "isotonic"}
    true = softmax(margins[10_000:] / 3.0)
    np.testing.assert_array_equal(found["uncalibrated"], softmax(margins[10_000:]))
    error = {name: np.abs(p - true).mean() for name, p in found.items()}
    for name in ("sigmoid", "isotonic"):
        np.testing.assert_allclose(found[name].sum(axis=1), 1.0)
        assert error[name] < 0.35 * error["uncalibrated"], name


def test_wrong_widths_and_frequencies_are_mended() -> None:
    rows = rows_of(3_000)
    tuning = rows.tuning
    # Scores half as wide as they should be, and acute made rare.
    margins = rows.margins / 2 - np.array([0.0, 1.5, 0.0])
    found = calibrated_in_other_ways(margins[tuning], rows.outcome[tuning], margins[~tuning])
    outcome = rows.outcome[~tuning]
    loss = {name: -np.log(p[np.arange(len(outcome)), outcome]).mean() for name, p in found.items()}
    frequency = np.bincount(outcome) / len(outcome)
    assert np.abs(found["uncalibrated"].mean(axis=0) - frequency).max() > 0.08
    for name in ("sigmoid", "isotonic"):
        np.testing.assert_allclose(found[name].mean(axis=0), frequency, atol=0.04)
        assert loss[name] < loss["uncalibrated"] - 0.02


def test_sigmoid_is_the_regression_scikit_learn_fits() -> None:
    margins, outcome = _draw(2.0, 4_000)
    p = softmax(margins)
    apart = np.column_stack(
        [
            LogisticRegression(C=1e6)
            .fit((odds := np.log(p[:, [k]] / (1 - p[:, [k]]))), outcome == k)
            .predict_proba(odds)[:, 1]
            for k in range(3)
        ]
    )
    found = calibrated_in_other_ways(margins, outcome, margins)["sigmoid"]
    # Platt's targets differ from 0 and 1 by less than a thousandth here.
    np.testing.assert_allclose(found, apart / apart.sum(axis=1, keepdims=True), atol=2e-3)


def test_categories_told_apart_without_fault_stay_short_of_certainty() -> None:
    outcome = np.repeat([0, 1], 20)
    margins = np.where(outcome == 0, 1.0, -1.0)[:, None] * np.array([1.0, -1.0])
    found = calibrated_in_other_ways(margins, outcome, margins)["sigmoid"]
    # By hand: all cases have one score, so the curve meets Platt's targets, (20 + 1)/(20 + 2).
    np.testing.assert_allclose(found.max(axis=1), 21 / 22, atol=1e-4)


@pytest.mark.parametrize("name", ["sigmoid", "isotonic"])
def test_a_category_without_a_case_or_without_another_is_left_as_it_is(name: str) -> None:
    margins, outcome = _draw(1.0, 500)
    all_first = calibrated_in_other_ways(margins, np.zeros(500, dtype=int), margins)
    np.testing.assert_allclose(all_first[name], all_first["uncalibrated"])
    two = calibrated_in_other_ways(margins, np.minimum(outcome, 1), margins)
    # The third keeps its share but for the scaling, which is the same for the whole row.
    assert np.isfinite(two[name]).all()
    assert not np.allclose(two[name], two["uncalibrated"])
    np.testing.assert_allclose(two[name].sum(axis=1), 1.0)
