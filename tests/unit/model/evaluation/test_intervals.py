"""Bootstrap by patient."""

import numpy as np
import pytest
from numpy.typing import ArrayLike

from model.evaluation import intervals
from model.evaluation.intervals import MetricValue, bootstrap_weights, share, summarise
from model.features import FloatArray


def _weights(patient: ArrayLike, replicates: int, seed: int) -> FloatArray:
    return np.concatenate(list(bootstrap_weights(patient, replicates, seed)))


def test_rows_of_a_patient_are_drawn_together() -> None:
    patient = np.array(["a", "b", "b", "c", "a"])
    weights = _weights(patient, 50, 1)
    assert weights.shape == (51, 5)
    assert weights[0].tolist() == [1.0] * 5
    np.testing.assert_array_equal(weights[:, 0], weights[:, 4])
    np.testing.assert_array_equal(weights[:, 1], weights[:, 2])
    # As many patients as there are, in each replicate.
    np.testing.assert_array_equal(weights[:, [0, 1, 3]].sum(axis=1), 3.0)


def test_the_same_seed_gives_the_same_replicates() -> None:
    first, second, other = (_weights(range(30), 5, seed) for seed in (1, 1, 2))
    np.testing.assert_array_equal(first, second)
    assert not np.array_equal(first, other)


def test_blocks_are_the_same_draws(monkeypatch: pytest.MonkeyPatch) -> None:
    whole = _weights(range(30), 7, 1)
    monkeypatch.setattr(intervals, "_CELLS", 90)
    assert [len(block) for block in bootstrap_weights(range(30), 7, 1)] == [3, 3, 2]
    np.testing.assert_array_equal(_weights(range(30), 7, 1), whole)


def test_the_interval_of_a_mean_is_that_of_theory() -> None:
    values = np.random.default_rng(3).normal(size=900)
    weights = _weights(range(900), 2000, 4)
    found = summarise(weights @ values / weights.sum(axis=1), 900)
    error = values.std() / 30
    assert found.value == pytest.approx(values.mean())
    assert found.lower == pytest.approx(values.mean() - 1.96 * error, abs=0.15 * error)
    assert found.upper == pytest.approx(values.mean() + 1.96 * error, abs=0.15 * error)


def test_an_interval_by_patient_is_wider_than_by_row() -> None:
    effect = np.repeat(np.random.default_rng(5).normal(size=60), 10)
    by_row = _weights(range(600), 500, 6) @ effect / 600
    by_patient = _weights(np.repeat(np.arange(60), 10), 500, 6) @ effect / 600
    assert by_patient.std() > 2 * by_row.std()


def test_replicates_without_a_figure_are_left_out() -> None:
    found = summarise(np.array([0.5, np.nan, 0.4, 0.6]), 9)
    assert found == MetricValue(0.5, pytest.approx(0.405), pytest.approx(0.595), 9)
    assert summarise(np.array([np.nan, 0.5, 0.5]), 9).value is None
    assert summarise(np.array([0.5, np.nan, np.nan]), 9) == MetricValue(0.5, None, None, 9)


def test_a_quotient_by_nothing_is_no_number() -> None:
    assert np.isnan(share(np.array([1.0, 1.0]), np.array([0.0, 2.0]))).tolist() == [True, False]


def test_a_value_in_words() -> None:
    assert str(MetricValue(0.5, 0.4, 0.6, 9)) == "0.500 [0.400, 0.600]"
    assert str(MetricValue(0.5, None, None, 9)) == "0.500"
    assert str(MetricValue(None, None, None, 9)) == "not enough"
