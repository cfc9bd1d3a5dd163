"""Reasons and baseline add up to the calibrated log-odds, whatever the model says."""

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from model.explanation import Calibration, explain


def _log_odds(logits: np.ndarray) -> np.ndarray:
    """log(p/(1 - p)) computed apart: the logit minus the log of the sum of the others."""
    found = np.empty_like(logits)
    for k in range(len(logits)):
        others = np.delete(logits, k)
        top = others.max()
        found[k] = logits[k] - top - np.log(np.exp(others - top).sum())
    return found


@settings(max_examples=150, deadline=None)
@given(
    seed=st.integers(0, 2**32 - 1),
    categories=st.integers(2, 5),
    columns=st.integers(1, 13),
    size=st.floats(0.01, 30.0),
    temperature=st.floats(0.2, 5.0),
)
def test_reasons_and_baseline_are_the_log_odds(
    seed: int, categories: int, columns: int, size: float, temperature: float
) -> None:
    rng = np.random.default_rng(seed)
    contributions = rng.normal(size=(1, categories, columns)) * size
    bias = rng.normal(size=(1, categories)) * size
    calibration = Calibration(temperature, rng.normal(size=categories))
    shares = rng.dirichlet(np.ones(3), size=columns)
    found = explain(contributions, bias, calibration, shares)
    logits = (contributions.sum(-1) + bias + calibration.class_bias)[0] / temperature
    total = found.values[0].sum(axis=-1) + found.baseline[0]
    np.testing.assert_allclose(total, _log_odds(logits), rtol=1e-12, atol=1e-9)
    np.testing.assert_allclose(found.probabilities.sum(), 1.0, atol=1e-12)


@settings(max_examples=100, deadline=None)
@given(seed=st.integers(0, 2**32 - 1), categories=st.integers(2, 5))
def test_reasons_give_back_the_probability_itself(seed: int, categories: int) -> None:
    rng = np.random.default_rng(seed)
    contributions = rng.normal(size=(4, categories, 6))
    found = explain(
        contributions, np.zeros((4, categories)), Calibration(1.3, np.zeros(categories)), np.eye(6)
    )
    odds = np.exp(found.values.sum(axis=-1) + found.baseline)
    np.testing.assert_allclose(odds / (1.0 + odds), found.probabilities, atol=1e-9)


@settings(max_examples=50, deadline=None)
@given(shift=st.floats(-500, 500))
def test_a_margin_common_to_all_categories_explains_nothing(shift: float) -> None:
    contributions = np.array([[[0.4, -0.2], [0.1, 0.3], [-0.5, 0.0]]])
    calibration = Calibration(1.0, np.zeros(3))
    plain = explain(contributions, np.zeros((1, 3)), calibration, np.eye(2))
    moved = explain(contributions + shift, np.zeros((1, 3)), calibration, np.eye(2))
    np.testing.assert_allclose(moved.values, plain.values, atol=1e-9)
