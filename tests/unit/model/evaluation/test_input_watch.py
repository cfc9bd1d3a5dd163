"""When a chunk alarms; false alarms and power of the whole watch, by simulation."""

import pytest

from benchmarks.null_chunks import found_within, null_alarms, upper_bound
from model.evaluation.alarm_limits import Limits
from model.evaluation.input_watch import (
    Figure,
    Kind,
    budget_of,
    judge,
    parts,
    quantity,
)

LIMITS = Limits(None, 0.10, 0.04, 10)


def test_names_of_quantities() -> None:
    assert quantity(Kind.DISTANCE, "age") == "age"
    assert parts("age") == (Kind.DISTANCE, "age")
    assert quantity(Kind.STALE, "age") == "stale:age"
    assert parts("unknown_unit:heart_rate") == (Kind.UNKNOWN_UNIT, "heart_rate")


def test_the_budget_counts_tails() -> None:
    # One D; one tail of a reason; two each of a gap, a category and a correlation.
    names = ["age", "stale:age", "missing:age", "category:acute", "correlation:age"]
    budget = budget_of(names)
    assert budget.distance + 7 * budget.other == pytest.approx(0.02)


@pytest.mark.parametrize(
    ("value", "before", "beyond", "alarm"),
    [(0.09, 1, 0, False), (0.11, 0, 1, False), (0.11, 1, 1, True), (0.11, -1, 1, False)],
)
def test_an_alarm_takes_two_chunks_running(
    value: float, before: int, beyond: int, alarm: bool
) -> None:
    found = judge("age", Figure(value, 500), LIMITS, before)
    assert (found.beyond, found.alarm) == (beyond, alarm)


def test_a_jump_of_unusable_readings_takes_one() -> None:
    figure = Figure(0.3, 500, 150)
    assert judge("implausible:body_temperature", figure, LIMITS, 0).alarm
    assert judge("unknown_unit:body_temperature", figure, LIMITS, 0).alarm
    assert not judge("stale:body_temperature", figure, LIMITS, 0).alarm


def test_without_limits_nothing_is_beyond() -> None:
    found = judge("age", Figure(0.9, 500), None, 1)
    assert (found.beyond, found.alarm, found.limits) == (0, False, None)


@pytest.mark.parametrize("clustered", [False, True])
def test_false_alarms_stay_within_the_budget(clustered: bool) -> None:
    # 200 chunks; `python -m benchmarks.null_chunks` has 500 and many seeds.
    count, names, _ = null_alarms(1, clustered=clustered, chunks=200)
    assert count <= 1, names


@pytest.mark.parametrize(("clustered", "least"), [(False, 10), (True, 9)])
def test_a_shift_of_ten_mmhg_is_found_by_the_second_chunk(clustered: bool, least: int) -> None:
    times = [found_within(seed, clustered=clustered) for seed in range(10)]
    assert sum(when is not None and when <= 2 for when in times) >= least


def test_bound_of_clopper_and_pearson() -> None:
    # 0 of n: 1 - 0.05^(1/n). Four of 500 are under 2 %, five are not.
    assert upper_bound(0, 500) == pytest.approx(1 - 0.05 ** (1 / 500))
    assert upper_bound(4, 500) < 0.02 < upper_bound(5, 500)
    assert upper_bound(3, 3) == 1.0
