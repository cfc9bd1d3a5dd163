"""Fitting anew: nested shares of patients, no leak from a source left out, sources told."""

from typing import Any

import numpy as np
import pytest

from model.evaluation.refits import SHARES, learning_curve, sources, told_source
from model.evaluation.study_rows import Draws
from tests.support.studies import rows_of

DRAWS = Draws(20, 1)


class Refits:
    """Remembers what it was asked to learn from; answers with the rows' own probabilities."""

    def __init__(self, rows: Any) -> None:
        self.rows = rows
        self.asked: list[tuple[np.ndarray, np.ndarray]] = []

    def __call__(self, train: np.ndarray, tuning: np.ndarray) -> np.ndarray:
        self.asked.append((train, tuning))
        return np.full((len(train), 3), 1 / 3)


def test_a_learning_curve_adds_patients_to_those_it_had() -> None:
    rows = rows_of()
    refit = Refits(rows)
    found = learning_curve(rows, refit, DRAWS)
    assert [one["share"] for one in found] == list(SHARES)
    whole = len(np.unique(rows.patient[rows.train]))
    assert [one["patients"] for one in found] == [round(s * whole) for s in SHARES]
    before = np.zeros(len(rows.outcome), dtype=bool)
    for train, tuning in refit.asked:
        assert not (train & ~rows.train).any()
        assert (train | before).sum() == train.sum()
        np.testing.assert_array_equal(tuning, rows.tuning)
        # A patient is in whole or not at all.
        split = np.isin(rows.patient, rows.patient[train]) & rows.train & ~train
        assert not split.any()
        before = train
    # All of it is the model itself; the other shares answer log(3) whatever the truth.
    assert [one["log_loss"]["value"] for one in found[:3]] == pytest.approx([np.log(3)] * 3)
    own = -np.log(rows.probabilities[np.arange(len(rows.outcome)), rows.outcome])
    assert found[3]["log_loss"]["value"] == pytest.approx(own[rows.held_out].mean())
    assert len(refit.asked) == 3


def test_a_source_left_out_is_nowhere_in_what_is_learnt() -> None:
    rows = rows_of()
    name = np.where(np.arange(len(rows.outcome)) % 3 == 0, "south", "north")
    rows = rows_of(frame=rows.frame.assign(source=name))
    refit = Refits(rows)
    found = sources(rows, refit, DRAWS)
    assert found is not None
    assert [one["source"] for one in found["left_out"]] == ["north", "south"]
    for (train, tuning), one in zip(refit.asked, found["left_out"], strict=True):
        theirs = name == one["source"]
        np.testing.assert_array_equal(train, rows.train & ~theirs)
        np.testing.assert_array_equal(tuning, rows.tuning & ~theirs)
        tested = rows.held_out & theirs
        assert one["rows"] == tested.sum()
        assert one["without"]["log_loss"]["value"] == pytest.approx(np.log(3))
        own = -np.log(rows.probabilities[np.arange(len(tested)), rows.outcome])[tested].mean()
        assert one["log_loss_increase"]["value"] == pytest.approx(np.log(3) - own)


def test_one_source_is_none() -> None:
    rows = rows_of(300)
    assert sources(rows, None, DRAWS) is None
    assert sources(rows_of(300, frame=rows.frame.assign(source="a")), None, DRAWS) is None


def test_a_source_with_a_category_of_its_own_is_not_left_out() -> None:
    rows = rows_of()
    name = np.where(rows.outcome == 2, "hospice", "clinic")
    rows = rows_of(frame=rows.frame.assign(source=name))
    found = sources(rows, Refits(rows), DRAWS)
    assert found is not None
    by_name = {one["source"]: one["why_not"] for one in found["left_out"]}
    assert by_name["hospice"] == "the other sources do not cover every category"


def test_few_rows_of_a_source_are_too_few() -> None:
    rows = rows_of()
    name = np.full(len(rows.outcome), "north", dtype=object)
    name[np.flatnonzero(rows.held_out)[:9]] = "tiny"
    name[:20] = None
    rows = rows_of(frame=rows.frame.assign(source=name))
    found = sources(rows, Refits(rows), DRAWS)
    assert found is not None
    tiny = next(one for one in found["left_out"] if one["source"] == "tiny")
    assert tiny["rows"] is None
    assert tiny["why_not"] == "too few held-out rows of this source"
    assert {one["source"] for one in found["left_out"]} == {"north", "tiny", "(none)"}


def test_inputs_that_differ_tell_the_source_and_others_do_not() -> None:
    rows = rows_of(1_200)
    label = np.where(np.arange(1_200) % 3 == 0, "south", "north").astype(object)
    alike = told_source(rows, label, DRAWS)
    shift = np.where(label == "south", 60.0, 0.0)
    moved = rows_of(1_200, frame=rows.frame.assign(heart_rate=rows.frame["heart_rate"] + shift))
    apart = told_source(moved, label, DRAWS)
    assert alike["largest_share"] == apart["largest_share"] == pytest.approx(2 / 3, abs=0.01)
    assert 0.4 < alike["auroc"] < 0.6
    assert apart["auroc"] > 0.9
    assert apart["accuracy"] > alike["accuracy"] + 0.15
    few = told_source(rows, np.array(["a"] * 1_195 + ["b"] * 5, dtype=object), DRAWS)
    assert few["accuracy"] is None
