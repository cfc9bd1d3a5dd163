"""Class-conditional conformal sets."""

import numpy as np
import pytest

from model.prediction_sets import fit_prediction_sets


def test_the_limit_is_the_corrected_quantile() -> None:
    # 39 rows of category 0 with p = 0.01 … 0.39: 1 - p ascending is 0.61 … 0.99. The rank is
    # ceil(40 · 0.9) = 36, so 0.61 + 35 · 0.01 = 0.96; 0.04 and more stay in the set.
    p = np.arange(1, 40) / 100
    sets = fit_prediction_sets(np.column_stack([p, 1 - p]), np.zeros(39, dtype=int), 0.9)
    assert sets.limits[0] == pytest.approx(0.96)
    assert sets.members(np.array([[0.05, 0.95], [0.03, 0.97]]))[:, 0].tolist() == [True, False]


def test_with_fewer_than_30_cases_a_category_is_always_in_the_set() -> None:
    p = np.full((60, 2), 0.5)
    outcome = np.array([0] * 31 + [1] * 29)
    sets = fit_prediction_sets(p, outcome, 0.9)
    assert sets.limits[1] is None
    assert sets.excludable == (True, False)
    assert sets.cases == (31, 29)
    assert sets.members(np.array([[1.0, 0.0]])).tolist() == [[True, True]]


def test_each_category_is_covered() -> None:
    rng = np.random.default_rng(2)
    n = 20_000
    outcome = rng.choice(3, n, p=[0.9, 0.07, 0.03])
    # A model that knows little of the rare categories.
    logits = rng.normal(size=(n, 3)) + np.array([2.5, 0.0, -1.0])
    logits[np.arange(n), outcome] += 1.0
    p = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
    half = n // 2
    sets = fit_prediction_sets(p[:half], outcome[:half], 0.9)
    members = sets.members(p[half:])
    for k in range(3):
        rows = outcome[half:] == k
        # Three standard errors of both halves.
        allowed = 3 * np.sqrt(0.09 * (1 / rows.sum() + 1 / (outcome[:half] == k).sum()))
        assert abs(members[rows, k].mean() - 0.9) < allowed
