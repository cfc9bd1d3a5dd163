"""Filled, indicated, logged and scaled columns."""

import numpy as np
import pytest

from model.training.preparation import Preparation, skewed_columns


def _matrix() -> np.ndarray:
    rng = np.random.default_rng(1)
    matrix = np.column_stack(
        [
            rng.normal(80.0, 10.0, 500),
            np.exp(rng.normal(0.0, 1.0, 500)),
            -np.exp(rng.normal(0.0, 1.0, 500)),
            (rng.random(500) < 0.02).astype(float),
        ]
    )
    matrix[:50, 0] = np.nan
    return matrix


def test_skewed_are_positive_columns_with_a_long_tail() -> None:
    assert skewed_columns(_matrix()).tolist() == [False, True, False, False]


def test_gaps_hold_the_median_and_have_an_indicator() -> None:
    matrix = _matrix()
    found = Preparation.of(matrix).apply(matrix)
    # Only the first column has gaps.
    assert found.shape == (500, 5)
    assert found[:, 4].tolist() == [1.0] * 50 + [0.0] * 450
    np.testing.assert_allclose(found[:, :4].mean(axis=0), 0.0, atol=1e-9)
    np.testing.assert_allclose(found[:, :4].std(axis=0), 1.0)
    assert np.unique(found[:50, 0]).size == 1
    below = (found[50:, 0] < found[0, 0]).mean()
    assert below == pytest.approx(0.5, abs=0.01)


def test_the_logarithm_makes_a_skewed_column_even() -> None:
    matrix = _matrix()
    found = Preparation.of(matrix).apply(matrix)[:, 1]
    assert abs(np.mean(found**3)) < 0.3


def test_new_rows_may_be_smaller_than_any_seen_and_have_other_gaps() -> None:
    learnt = Preparation.of(_matrix())
    found = learnt.apply(np.array([[70.0, 0.0, np.nan, 1.0]]))
    assert found.shape == (1, 5)
    assert np.isfinite(found).all()
