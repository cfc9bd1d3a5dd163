"""Rates and promises of the replays of the gates: they must be able to say "does not hold"."""

import json
from dataclasses import replace

import pytest

from benchmarks.gates_replay import (
    MORE,
    MORE_MISLABELLED,
    Verdict,
    mislabelled,
    quarters,
    simulated,
)
from benchmarks.gates_summary import Rate, as_text, promises
from model.training.gates import NOT_ENOUGH, PROMOTE, REFUSED
from model.training.splits import HELD_OUT, split

LET_THROUGH = Verdict("simulated", 1, MORE, PROMOTE, (), 3_600, 330, -0.012, -0.004, 0.01)
HELD_BACK = replace(
    LET_THROUGH, challenger=MORE_MISLABELLED, outcome=REFUSED, refused_by=("log_loss",)
)


def of(promoted: int, refused: int, among: int = 20) -> list[bool | None]:
    """Verdict on each promise where so many of the honest and of the spoilt are as they should."""
    found = [
        replace(LET_THROUGH, outcome=PROMOTE if i < promoted else REFUSED) for i in range(among)
    ]
    found += [replace(HELD_BACK, outcome=REFUSED if i < refused else PROMOTE) for i in range(among)]
    return [promise.held for promise in promises(found)]


@pytest.mark.parametrize(
    ("count", "low", "high"),
    # Wilson 1927, as published calculators give them.
    [(0, 0.0, 0.1611), (14, 0.4810, 0.8545), (15, 0.5313, 0.8881), (20, 0.8389, 1.0)],
)
def test_the_interval_is_that_of_wilson(count: int, low: float, high: float) -> None:
    assert Rate(count, 20).interval == pytest.approx((low, high), abs=1e-4)


def test_promises_are_judged_by_the_lower_end() -> None:
    assert of(15, 19) == [True, True]
    assert of(14, 19) == [False, True]
    assert of(15, 18) == [True, False]


def test_so_few_replays_that_none_could_show_it_break_a_promise_only_surely() -> None:
    assert of(2, 2, among=2) == [None, None]
    assert of(1, 0, among=2) == [None, False]
    assert of(0, 3, among=4) == [False, None]


def test_not_enough_to_decide_is_neither_promoted_nor_refused() -> None:
    undecided = [replace(HELD_BACK, outcome=NOT_ENOUGH, refused_by=())] * 20
    found = promises([LET_THROUGH] * 20 + undecided)
    assert [promise.held for promise in found] == [True, False]
    said = as_text([LET_THROUGH] * 20 + undecided)
    assert "not enough to decide in 20" in said
    assert "refused by" not in said


def test_the_table_names_the_gates_that_refused() -> None:
    both = replace(HELD_BACK, refused_by=("log_loss", "sensitivity"))
    said = as_text([HELD_BACK, both])
    assert "refused by: log loss 2, sensitivity for acute 1" in said
    assert "promoted 0 of 2 [0.00, 0.66], refused 2 of 2 [0.34, 1.00]" in said


def test_a_verdict_is_json_though_a_figure_is_not_known() -> None:
    told = json.loads(
        json.dumps(replace(HELD_BACK, sensitivity=float("nan")).as_json(), allow_nan=False)
    )
    assert told["sensitivity"] is None
    assert told["refused_by"] == ["log_loss"]
    assert told["log_loss"] == HELD_BACK.log_loss


def test_sixty_in_a_hundred_of_the_acute_that_are_learnt_are_mislabelled() -> None:
    frame = simulated(3, rows=4_000)
    spoilt = mislabelled(frame, seed=3)
    acute = (frame["severity"] == "acute").to_numpy()
    held_out = split(frame).rows(HELD_OUT)
    changed = (frame["severity"] != spoilt["severity"]).to_numpy()
    assert changed.sum() == round(0.6 * (acute & ~held_out).sum())
    assert not changed[held_out].any()
    assert not changed[~acute].any()
    assert set(spoilt["severity"][changed]) == {"not-ill", "mild", "chronic", "terminal"}


def test_a_quarter_is_one_of_four_and_no_patient_is_in_two() -> None:
    frame = simulated(3, rows=4_000)
    number = quarters(frame, seed=3)
    for one in range(4):
        assert (number == one).mean() == pytest.approx(0.25, abs=0.03)
    per_patient = frame.assign(number=number).groupby("patient_id")["number"].nunique()
    assert (per_patient == 1).all()
