"""The focal loss and its derivatives, against numbers and finite differences."""

import numpy as np
import pytest

from model.training.focal import focal_derivatives, focal_loss

MARGINS = np.random.default_rng(6).normal(size=(40, 4))
OUTCOME = np.arange(40) % 4


def test_by_hand() -> None:
    # Two equal margins: p = 1/2, so (1/2)² times log 2.
    found = focal_loss(np.zeros((1, 2)), np.array([1]), 2.0)
    assert found[0] == pytest.approx(0.25 * np.log(2.0))


@pytest.mark.parametrize("gamma", [0.0, 0.5, 1.0, 2.0, 3.0])
def test_derivatives_are_those_of_the_loss(gamma: float) -> None:
    first, second = focal_derivatives(MARGINS, OUTCOME, gamma)
    step = 1e-4
    for j in range(4):
        up, down = MARGINS.copy(), MARGINS.copy()
        up[:, j] += step
        down[:, j] -= step
        at = [focal_loss(margins, OUTCOME, gamma) for margins in (down, MARGINS, up)]
        np.testing.assert_allclose(first[:, j], (at[2] - at[0]) / (2 * step), atol=1e-6)
        curve = (at[2] - 2 * at[1] + at[0]) / step**2
        np.testing.assert_allclose(second[:, j], np.maximum(curve, 1e-6), atol=1e-5)


def test_a_sure_row_gives_finite_numbers() -> None:
    for derivative in focal_derivatives(
        np.array([[800.0, 0.0], [0.0, 800.0]]), np.zeros(2, int), 2
    ):
        assert np.isfinite(derivative).all()
