"""Temperature scaling."""

import numpy as np
import pytest

from model.explanation import softmax
from model.training.calibration import fit_calibration


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
