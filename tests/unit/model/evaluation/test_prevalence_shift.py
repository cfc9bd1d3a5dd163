"""Shares of the categories from probabilities alone."""

from itertools import pairwise

import numpy as np
import pytest

from model.evaluation.prevalence_shift import FEWEST, estimated_shares, prevalence_shift
from model.features import FloatArray
from model.severity import SEVERITIES

BASE = np.array([0.1, 0.4, 0.1, 0.3, 0.1])
RATES = dict(zip(SEVERITIES, BASE.tolist(), strict=True))
MEANS = np.random.default_rng(0).normal(size=(5, 4)) * 1.3


def predicted(rows: int, seed: int, shares: FloatArray, *, visits: int = 1) -> FloatArray:
    """Right probabilities for the shares `BASE`, of patients who come with other `shares`."""
    rng = np.random.default_rng(seed)
    kind = np.repeat(rng.choice(5, rows // visits, p=shares), visits)
    x = MEANS[kind] + rng.normal(size=(len(kind), 4))
    likely = BASE * np.exp(-0.5 * ((x[:, None, :] - MEANS) ** 2).sum(axis=2))
    return np.asarray(likely / likely.sum(axis=1, keepdims=True))


def test_it_is_what_em_finds() -> None:
    p = predicted(300, 1, np.array([0.2, 0.2, 0.3, 0.2, 0.1]))
    weights = np.random.default_rng(2).integers(0, 3, (3, 300)).astype(np.float64)
    found = estimated_shares(p, BASE, weights, prior=1e-9)
    for row, expected in zip(weights, found, strict=True):
        shares = BASE.copy()
        for _ in range(5_000):
            given = p * shares / BASE
            given /= given.sum(axis=1, keepdims=True)
            shares = row @ given / row.sum()
        assert expected == pytest.approx(shares, abs=1e-5)


def test_categories_that_are_told_without_doubt_are_counted() -> None:
    p = np.eye(5)[np.repeat([0, 1, 2, 3, 4], [10, 20, 30, 40, 100])]
    found = estimated_shares(p, BASE, np.ones((1, 200)), prior=1e-9)[0]
    assert found == pytest.approx([0.05, 0.1, 0.15, 0.2, 0.5], abs=1e-6)


def test_a_changed_share_is_found_and_its_direction_told() -> None:
    now = np.array([0.1, 0.2, 0.3, 0.3, 0.1])
    found = prevalence_shift(
        predicted(800, 3, now), np.arange(800), SEVERITIES, RATES, replicates=150, seed=3
    )
    assert found is not None
    told = {one["category"]: one for one in found}
    assert told["acute"]["changed"] == "up"
    assert told["mild"]["changed"] == "down"
    assert told["chronic"]["changed"] is None
    for one, share in zip(found, now, strict=True):
        assert one["share"] == pytest.approx(share, abs=0.06)
        assert one["lower"] <= share / one["base"] <= one["upper"]


@pytest.mark.parametrize("visits", [1, 4])
def test_where_nothing_has_changed_no_two_chunks_running_say_so(visits: int) -> None:
    told = []
    for seed in range(16):
        found = prevalence_shift(
            predicted(400, seed, BASE, visits=visits),
            np.arange(400) // visits,
            SEVERITIES,
            RATES,
            replicates=80,
            seed=seed,
        )
        told.append([one["changed"] for one in found or []])
    assert not any(
        a == b and a is not None
        for one, other in pairwise(told)
        for a, b in zip(one, other, strict=True)
    )


def test_too_few_assessments_say_nothing() -> None:
    p = predicted(FEWEST - 1, 1, BASE)
    assert prevalence_shift(p, np.arange(FEWEST - 1), SEVERITIES, RATES) is None
