"""Temperature scaling."""

import numpy as np
import pytest

from model.explanation import softmax
from model.training.calibration import calibrations, fit_calibration


def _draw(scale: float, rows: int = 20_000) -> tuple[np.ndarray, np.ndarray]:
    """Margins `scale` times too large, and outcomes drawn from the true probabilities."""
    rng = np.random.default_rng(4)
    logits = rng.normal(size=(rows, 3)) * 1.5
    cumulative = softmax(logits).cumsum(axis=1)
    outcome = (rng.random((rows, 1)) > cumulative).sum(axis=1)
    return logits * scale, outcome


@pytest.mark.parametrize("scale", [0.5, 1.0, 3.0])
def test_overconfidence_and_underconfidence_are_undone(scale: float) -> None:
    margins, outcome = _draw(scale)
    found = fit_calibration(margins, outcome, np.zeros(3))
    assert found.temperature == pytest.approx(scale, rel=0.05)


def test_the_class_bias_is_kept_and_used() -> None:
    margins, outcome = _draw(2.0)
    bias = np.array([2.0, 0.0, -1.0])
    found = fit_calibration(margins - bias, outcome, bias)
    assert found.temperature == pytest.approx(2.0, rel=0.05)
    np.testing.assert_array_equal(found.class_bias, bias)


def test_three_calibrations_mend_overconfident_margins() -> None:
    margins, outcome = _draw(3.0)
    fitted, scored = slice(0, 10_000), slice(10_000, 20_000)
    found = calibrations(margins[fitted], outcome[fitted], np.zeros(3), margins[scored])
    assert set(found) == {"temperature", "sigmoid", "isotonic"}
    true, raw = softmax(margins[scored] / 3.0), softmax(margins[scored])
    for name, p in found.items():
        np.testing.assert_allclose(p.sum(axis=1), 1.0)
        assert np.abs(p - true).mean() < 0.35 * np.abs(raw - true).mean(), name
    served = fit_calibration(margins[fitted], outcome[fitted], np.zeros(3))
    np.testing.assert_array_equal(found["temperature"], served.probabilities(margins[scored]))


def test_sigmoid_is_the_regression_scikit_learn_fits() -> None:
    from sklearn.linear_model import LogisticRegression

    margins, outcome = _draw(2.0, 4_000)
    p = softmax(margins)
    found = calibrations(margins, outcome, np.zeros(3), margins)["sigmoid"]
    apart = np.column_stack(
        [
            LogisticRegression(C=1e6)
            .fit((odds := np.log(p[:, [k]] / (1 - p[:, [k]]))), outcome == k)
            .predict_proba(odds)[:, 1]
            for k in range(3)
        ]
    )
    # Platt's targets differ from 0 and 1 by less than a thousandth here.
    np.testing.assert_allclose(found, apart / apart.sum(axis=1, keepdims=True), atol=2e-3)


def test_a_category_without_a_row_keeps_its_softmax_share() -> None:
    margins, outcome = _draw(1.0, 500)
    outcome = np.minimum(outcome, 1)
    for p in calibrations(margins, outcome, np.zeros(3), margins[:50]).values():
        assert np.isfinite(p).all()
        np.testing.assert_allclose(p.sum(axis=1), 1.0)
