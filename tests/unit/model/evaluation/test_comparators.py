"""Comparators: NEWS2 points by hand, and that they see the training rows only."""

import numpy as np
import pandas as pd
import pytest

from model.early_warning import PARAMETERS, partial_news2, points_of
from model.evaluation.comparators import (
    AGE,
    COMPARATORS,
    CONSTANT,
    NEWS2,
    NEWS2_AGE_AND_MISSING,
    NEWS2_AND_AGE,
    comparator_probabilities,
    news2_points,
)
from model.features import FeatureRow

CLASSES = ("mild", "acute", "chronic")


def test_points_are_those_of_one_row_at_a_time() -> None:
    rng = np.random.default_rng(4)
    frame = pd.DataFrame(
        {
            "age": rng.uniform(16, 100, 400),
            "heart_rate": np.round(rng.uniform(20, 180, 400), 1),
            "body_temperature": np.round(rng.uniform(33, 41, 400), 2),
            "systolic_bp": rng.integers(60, 240, 400).astype(float),
            "respiratory_rate": rng.integers(4, 40, 400).astype(float),
            "oxygen_saturation": rng.integers(80, 101, 400).astype(float),
        }
    )
    for name in PARAMETERS:
        frame.loc[rng.random(400) < 0.2, name] = np.nan
    total, missing = news2_points(frame)
    for i, row in enumerate(frame.to_dict("records")):
        measured = {str(k): v for k, v in row.items() if not pd.isna(v)}
        alone = partial_news2(FeatureRow(**measured), pregnant=False)
        assert missing[i] == 5 - (0 if alone is None else alone.n_parameters)
        assert (np.isnan(total[i]) and alone is None) or (alone and total[i] == alone.score)


def test_points_by_hand() -> None:
    rate = np.array([40, 41, 50, 51, 90, 91, 110.4, 110.5, 131, np.nan])
    expected = np.array([3, 1, 1, 0, 0, 1, 1, 2, 3, np.nan])
    np.testing.assert_array_equal(points_of("heart_rate", rate), expected)
    np.testing.assert_array_equal(points_of("body_temperature", np.array([35.04, 35.05])), [3, 1])
    with pytest.raises(KeyError):
        points_of("diastolic_bp", rate)


def test_c9_a_missing_parameter_is_counted_and_not_scored() -> None:
    frame = pd.DataFrame(
        {
            "age": [50.0, 50.0, 50.0, 10.0, np.nan],
            "heart_rate": [120.0, 120.0, np.nan, 120.0, 120.0],
            "systolic_bp": [85.0, np.nan, np.nan, 85.0, 85.0],
        }
    )
    total, missing = news2_points(frame)
    # Nothing measured, a child and an unknown age have no score at all.
    np.testing.assert_array_equal(total, [5, 2, np.nan, np.nan, np.nan])
    np.testing.assert_array_equal(missing, [0, 1, 2, 2, 2])
    total, missing = news2_points(frame, ("systolic_bp",))
    np.testing.assert_array_equal(total, [3, np.nan, np.nan, np.nan, np.nan])
    np.testing.assert_array_equal(missing, [0, 1, 1, 1, 1])


def cohort(n: int, seed: int) -> tuple[pd.DataFrame, np.ndarray]:
    """Acute: fast heart, gaps; chronic: old."""
    rng = np.random.default_rng(seed)
    outcome = rng.choice(3, n, p=[0.6, 0.1, 0.3])
    rate = rng.normal(np.array([78, 112, 78])[outcome], 12)
    rate[rng.random(n) < np.array([0.05, 0.3, 0.05])[outcome]] = np.nan
    age = np.clip(rng.normal(np.array([40, 50, 68])[outcome], 12), 18, 100)
    pressure = np.where(rng.random(n) < np.array([0.05, 0.4, 0.05])[outcome], np.nan, 130.0)
    return pd.DataFrame({"age": age, "heart_rate": rate, "systolic_bp": pressure}), outcome


def test_each_knows_what_it_is_named_after() -> None:
    train, outcome = cohort(4_000, 1)
    frame, truth = cohort(4_000, 2)
    found = comparator_probabilities(train, outcome, frame, CLASSES)
    assert tuple(found) == COMPARATORS
    loss = {}
    for name, p in found.items():
        assert p.shape == (4_000, 3)
        np.testing.assert_allclose(p.sum(axis=1), 1.0)
        loss[name] = -np.log(p[np.arange(4_000), truth]).mean()
    np.testing.assert_allclose(found[CONSTANT], np.tile(np.bincount(outcome) / 4_000, (4_000, 1)))
    assert loss[NEWS2_AGE_AND_MISSING] < loss[NEWS2_AND_AGE] - 0.005
    assert loss[NEWS2_AND_AGE] < min(loss[AGE], loss[NEWS2]) - 0.05
    assert max(loss[AGE], loss[NEWS2]) < loss[CONSTANT] - 0.02
    # The same points, the same probability: NEWS2 knows no age.
    total, _ = news2_points(frame)
    assert len(np.unique(found[NEWS2].round(12), axis=0)) == len(np.unique(total))


def test_the_rows_asked_for_change_nothing_in_the_fit() -> None:
    train, outcome = cohort(500, 1)
    frame, _ = cohort(300, 2)
    whole = comparator_probabilities(train, outcome, frame, CLASSES)
    first = comparator_probabilities(train, outcome, frame[:7], CLASSES)
    for name in COMPARATORS:
        np.testing.assert_allclose(first[name], whole[name][:7], rtol=1e-10)


def test_edges() -> None:
    train, outcome = cohort(300, 1)
    none = comparator_probabilities(train, outcome, train[:0], CLASSES)
    assert {p.shape for p in none.values()} == {(0, 3)}
    one = comparator_probabilities(train, np.ones(300, dtype=np.intp), train, CLASSES)
    for p in one.values():
        np.testing.assert_array_equal(p, np.tile([0.0, 1.0, 0.0], (300, 1)))
    # A category without a training row, no NEWS2 parameter and no age.
    bare = comparator_probabilities(
        pd.DataFrame({"sex": ["female"] * 300}), outcome % 2, train[["age"]], CLASSES
    )
    for p in bare.values():
        np.testing.assert_allclose(p[:, 2], 0.0)
        np.testing.assert_allclose(p.sum(axis=1), 1.0)
    with pytest.raises(ValueError, match="at least one training row"):
        comparator_probabilities(train[:0], outcome[:0], train, CLASSES)
