"""Limits by hand and from tables, and that few reference chunks widen them."""

import numpy as np
import pytest
from scipy.stats import betabinom, t

from model.evaluation.alarm_limits import (
    BUDGET,
    Budget,
    Limits,
    Spread,
    correlation_limits,
    distance_limits,
    distance_spreads,
    jumped,
    share_limits,
)

TAIL = 2e-4


def test_the_budget_is_spent_and_not_more() -> None:
    for distances, tails in ((1, 1), (8, 52), (40, 3), (0, 5)):
        budget = Budget.shared(distances, tails)
        assert distances * budget.distance + tails * budget.other == pytest.approx(BUDGET)
    assert Budget.shared(5, 40).distance == pytest.approx(0.00135, abs=1e-5)
    assert Budget.shared(40, 3).distance == pytest.approx(BUDGET / 2 / 40)


def test_one_input_alone_has_its_own_sd() -> None:
    (spread,) = distance_spreads({"age": np.array([0.04, 0.06])}).values()
    assert (spread.mean, spread.chunks, spread.degrees) == (pytest.approx(0.05), 2, 1)
    assert spread.sd == pytest.approx(np.sqrt(2) * 0.01)


def test_inputs_lend_each_other_strength_when_chunks_are_few() -> None:
    random = np.random.default_rng(1)
    distances = {str(i): random.uniform(0.03, 0.06, 5) for i in range(8)}
    distances["wide"] = np.array([0.0, 0.1, 0.0, 0.1, 0.0])
    spreads = distance_spreads(distances)
    own = {name: array.std(ddof=1) for name, array in distances.items()}
    assert spreads["wide"].sd < own["wide"]
    assert spreads["0"].sd > own["0"]
    # Four of its own and (9 - 1) · 4 / 2 = 16 of the others.
    assert spreads["wide"].degrees == 20
    common = np.mean([sd**2 for sd in own.values()])
    assert spreads["wide"].sd ** 2 == pytest.approx((4 * own["wide"] ** 2 + 16 * common) / 20)
    many = {name: np.tile(array, 200) for name, array in distances.items()}
    found = distance_spreads(many)["wide"].sd
    assert found == pytest.approx(many["wide"].std(ddof=1), rel=0.02)


def _distance(chunks: int, sd: float = 0.02, values: int = 500) -> float:
    spread = Spread(0.05, sd, chunks - 1, chunks)
    limits = distance_limits(spread, values=values, reference_values=5_000, tail=0.00135)
    assert limits.high is not None
    return limits.high


def test_the_limit_of_d_is_three_sd_or_a_tenth() -> None:
    assert _distance(100_000) == pytest.approx(0.05 + 3 * 0.02, abs=1e-4)
    assert _distance(100_000, sd=0.001) == 0.10
    by_table = 0.05 + 0.02 * t.isf(0.00135, 9) * np.sqrt(1.1)
    assert _distance(10) == pytest.approx(by_table)
    assert _distance(5) > _distance(10) > _distance(30)
    assert _distance(2) == 1.0


def test_few_values_of_an_input_widen_its_limit() -> None:
    # Kolmogorov: 1.911/√n at 0.00135, n = 100 · 5,000 / 5,100.
    assert _distance(100_000, sd=0.001, values=100) == pytest.approx(1.911 / np.sqrt(98.04), 1e-3)


def test_a_share_is_held_against_its_chunks() -> None:
    reference = [(events, 500) for events in (40, 60, 45, 55, 50)]
    limits = share_limits(reference, of=500, tail=TAIL, both=True)
    assert limits is not None
    shares = np.array([0.08, 0.12, 0.09, 0.11, 0.10])
    width = t.isf(TAIL, 4) * np.sqrt(1.2) * shares.std(ddof=1)
    assert limits.mean == pytest.approx(0.10)
    assert limits.high == pytest.approx(0.10 + width)
    # Below it nothing is left.
    assert limits.low == 0.0
    one_way = share_limits(reference, of=500, tail=TAIL, both=False)
    assert one_way is not None
    assert one_way.low is None


def test_a_share_that_never_varied_has_the_limit_of_chance() -> None:
    limits = share_limits([(0, 500)] * 10, of=500, tail=TAIL, both=False)
    assert limits is not None
    assert limits.high == betabinom.ppf(1 - TAIL, 500, 0.5, 5_000.5) / 500
    steady = share_limits([(50, 500)] * 10, of=500, tail=TAIL, both=True)
    assert steady is not None
    assert steady.low is not None
    a, b = 500.5, 4_500.5
    assert steady.high == betabinom.ppf(1 - TAIL, 500, a, b) / 500
    assert steady.low == betabinom.ppf(TAIL, 500, a, b) / 500
    assert share_limits([(0, 500)], of=500, tail=TAIL, both=False) is None
    assert share_limits([(0, 0)] * 5, of=500, tail=TAIL, both=False) is None


def test_a_correlation_has_at_least_the_limit_of_chance() -> None:
    steady = correlation_limits([(0.3, 400)] * 8, n=400, tail=TAIL)
    moving = correlation_limits([(0.1 * i, 400) for i in range(8)], n=400, tail=TAIL)
    assert steady is not None
    assert moving is not None
    assert steady.low is not None
    assert 0.1 < steady.low < 0.3 < float(steady.high or 0) < 0.5
    assert steady.mean == pytest.approx(0.3)
    assert float(moving.high or 0) > 0.9
    assert correlation_limits([(0.3, 400)], n=400, tail=TAIL) is None


def test_beyond_and_jumped() -> None:
    limits = Limits(0.1, 0.2, 0.15, 5)
    assert [limits.beyond(value) for value in (0.05, 0.1, 0.2, 0.21)] == [-1, 0, 0, 1]
    assert jumped(0.25, Limits(None, 0.1, 0.01, 5))
    assert not jumped(0.19, Limits(None, 0.1, 0.01, 5))
    assert not jumped(0.25, Limits(None, 0.3, 0.01, 5))
    assert not jumped(0.25, Limits(None, 0.1, 0.06, 5))
