"""The figures of a version on a chunk."""

import numpy as np
import pandas as pd
import pytest

from model.evaluation.chunk_figures import feedback_shares, judge
from model.evaluation.judged_rows import NOT_KNOWN, JudgedRows
from model.evaluation.study_rows import Draws
from tests.support.selected_truth import CLASSES, selected


def chunk() -> JudgedRows:
    rows = selected(600, 2, "risk")
    age = np.where(np.arange(600) < 595, 50.0, 90.0)
    marks = {"accepted": np.arange(600) % 4 == 0, "prompted": np.arange(600) % 50 == 0}
    frame = rows.frame.assign(author=None, age=age, sex="female", **marks)
    return JudgedRows(
        frame, rows.outcome, rows.patient, rows.probabilities, rows.decisions, CLASSES
    )


def test_all_figures_are_of_the_verified_part() -> None:
    rows = chunk()
    found = judge(rows, Draws(20, 1))
    verified = int(rows.verified.sum())
    assert (found["scored"], found["with_outcome"], found["focus"]) == (600, verified, "acute")
    named = {(one["metric"], one["category"]): one for one in found["metrics"]}
    acute = rows.outcome == 1
    assert named["prevalence", "acute"]["value"] == pytest.approx(acute.sum() / verified)
    assert named["recall", "acute"]["value"] == pytest.approx((rows.decisions == 1)[acute].mean())
    assert found["weighted"]["verified"] == verified
    (calibrated,) = (one for one in found["calibration"] if one["category"] == "acute")
    expected = rows.probabilities[rows.verified, 1].sum()
    assert calibrated["observed_to_expected"]["value"] == pytest.approx(acute.sum() / expected)
    (groups,) = (one["groups"] for one in found["curves"] if one["category"] == "acute")
    risks = np.sort(rows.probabilities[rows.verified, 1])
    sizes = [one["observed"]["n"] for one in groups]
    assert sum(sizes) == verified
    assert groups[0]["predicted"] == pytest.approx(risks[: sizes[0]].mean())
    assert sum(one["observed"]["value"] * one["observed"]["n"] for one in groups) == pytest.approx(
        acute.sum()
    )


def test_c18_what_cards_may_have_changed_stands_apart() -> None:
    rows = chunk()
    apart = {(one["mark"], one["level"]): one for one in judge(rows, Draws(5, 1))["apart"]}
    taken_up = rows.frame["accepted"].to_numpy()[rows.verified]
    assert apart["accepted", "yes"]["rows"] == int(taken_up.sum())
    assert apart["accepted", "no"]["rows"] == int((~taken_up).sum())
    assert apart["accepted", "no"]["log_loss"]["value"] is not None
    # A handful of prompted ones is not told, nor can it be had by subtraction.
    prompted = rows.frame["prompted"].to_numpy()[rows.verified].sum()
    assert 0 < prompted < 10
    assert apart["prompted", "yes"]["rows"] is None
    assert apart["prompted", "yes"]["log_loss"] is None
    assert apart["prompted", "no"]["rows"] is None
    assert apart["reviewed", "yes"]["rows"] == 0


def test_a_group_of_few_has_no_figures() -> None:
    cohorts = {one["level"]: one for one in judge(chunk(), Draws(5, 1))["cohorts"]}
    assert cohorts["40 to 64"]["auroc"]["value"] is not None
    assert cohorts["80 and over"]["too_few"] == "rows"
    assert "set_size" not in cohorts["40 to 64"]


def test_without_outcomes_there_are_no_figures() -> None:
    rows = chunk()
    none = JudgedRows(
        rows.frame,
        np.full(600, NOT_KNOWN, dtype=np.intp),
        rows.patient,
        rows.probabilities,
        rows.decisions,
        CLASSES,
    )
    found = judge(none, Draws(5, 1))
    assert (found["scored"], found["with_outcome"]) == (600, 0)
    assert found["metrics"] == found["cohorts"] == []
    assert found["weighted"] is None


def test_feedback_is_of_cards_that_were_shown() -> None:
    frame = pd.DataFrame(
        {
            "card_shown": [True] * 30 + [False] * 10,
            "indicator": ["info"] * 20 + ["warning"] * 5 + ["critical"] * 5 + ["info"] * 10,
            "accepted": [True] * 6 + [False] * 34,
            "overridden": [False] * 10 + [True] * 15 + [False] * 15,
        }
    )
    told = {one["indicator"]: one for one in feedback_shares(frame)}
    assert told["all"] == {"indicator": "all", "cards": 30, "accepted": 0.2, "overridden": 0.5}
    assert told["info"] == {"indicator": "info", "cards": 20, "accepted": 0.3, "overridden": 0.5}
    assert told["warning"]["accepted"] is None
    assert feedback_shares(frame[30:])[0]["cards"] == 0
