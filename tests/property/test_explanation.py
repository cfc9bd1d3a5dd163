"""Reasons and baseline add up to the calibrated log-odds, whatever the model says."""

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from model.explanation import Calibration, explain, strongest_first
from model.features import FEATURES, REASONS, SEXES, FeatureRow, row_matrix
from model.scorer import Scorer
from model.training.fitting import select
from tests.support.artefacts import small_model


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


ADDS_UP_TO = {"logistic": 1e-9, "lightgbm": 1e-9, "xgboost": 1e-4}
"""By kind: only the margins of XGBoost are float32."""


@pytest.fixture(scope="module", params=ADDS_UP_TO)
def trained(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Scorer:
    return small_model(tmp_path_factory.mktemp("explained"), request.param).scorer


@st.composite
def rows(draw: st.DrawFn) -> FeatureRow:
    """Readings anywhere in the possible range, any of them missing or long before the others."""
    values = {
        feature.name: draw(st.none() | st.floats(*feature.possible))
        for feature in FEATURES
        if feature.name != "exercise_days"
    }
    minutes = {
        name: draw(st.floats(0, 300))
        for name, value in values.items()
        if value is not None and name != "age"
    }
    return FeatureRow(
        sex=draw(st.none() | st.sampled_from(SEXES)), minutes_before=minutes, **values
    )


@settings(max_examples=150, deadline=None)
@given(row=rows())
def test_reasons_of_a_served_model_are_the_log_odds_of_its_probability(
    trained: Scorer, row: FeatureRow
) -> None:
    artefact = trained.artefact
    assessed = trained.assess(row)
    # The probability by the way that never sees a contribution.
    margins = artefact.estimator.margins(select(row_matrix(row), artefact.columns))
    log_odds = _log_odds(artefact.calibration.logits(margins)[0])

    for position, code in enumerate(trained.classes):
        given_reasons = assessed.contributions[code]
        # Derived columns are folded onto what a clinician knows.
        assert {one.reason for one in given_reasons} <= set(REASONS)
        total = sum(one.value for one in given_reasons) + assessed.baseline[code]
        tolerance = ADDS_UP_TO[artefact.estimator.kind]
        assert total == pytest.approx(log_odds[position], abs=tolerance, rel=0)


@given(
    values=st.lists(st.sampled_from([-2.0, -1.0, -0.0, 0.0, 1.0, 2.0]), min_size=1, max_size=9),
    noise=st.integers(0, 2**32 - 1),
)
def test_equal_reasons_stay_in_table_order(values: list[float], noise: int) -> None:
    order = strongest_first(np.array([values]))[0]

    assert sorted(order) == list(range(len(values)))
    for first, second in pairwise(order):
        assert abs(values[first]) > abs(values[second]) or (
            abs(values[first]) == abs(values[second]) and first < second
        )
    # Other rows beside it change nothing.
    others = np.random.default_rng(noise).normal(size=(3, len(values)))
    assert strongest_first(np.vstack([others, [values]]))[-1] == order
