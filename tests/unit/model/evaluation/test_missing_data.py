"""Gaps: counted by measurement, and each measurement taken away."""

import numpy as np
import pandas as pd
import pytest
from sklearn.metrics import roc_auc_score

from model.evaluation.missing_data import by_gaps, gaps, taken_away
from model.evaluation.study_rows import Draws
from tests.support.studies import answers, model_of, rows_of

DRAWS = Draws(20, 1)


def test_one_cuff_is_one_gap() -> None:
    frame = pd.DataFrame(
        {
            "age": [50.0, 50.0, np.nan],
            "systolic_bp": [120.0, 120.0, np.nan],
            "diastolic_bp": [80.0, np.nan, np.nan],
            "sex": ["female", "unknown", None],
        }
    )
    inputs = ("age", "systolic_bp", "diastolic_bp", "sex", "heart_rate")
    # The heart rate is no column: missing throughout.
    assert gaps(frame, inputs).tolist() == [1, 3, 4]
    assert gaps(frame, ("age",)).tolist() == [0, 0, 1]


def test_rows_by_gaps_are_all_rows() -> None:
    rows = rows_of()
    found = by_gaps(rows, DRAWS)
    absent = rows.frame[["heart_rate", "body_temperature"]].isna().sum(axis=1)
    assert [one["missing"] for one in found] == ["0", "1", "2"]
    assert [one["rows"] for one in found] == [int((absent == i).sum()) for i in range(3)]


def test_taking_away_what_counts_costs_and_what_does_not_costs_nothing() -> None:
    rows = rows_of()
    found = {one["measurement"]: one for one in taken_away(rows, model_of(), DRAWS)}
    assert set(found) == {"age", "heart rate", "body temperature", "sex"}
    has = rows.frame["heart_rate"].notna().to_numpy()
    rate = found["heart rate"]
    less = answers(rows.frame[has].assign(heart_rate=np.nan))
    at = (np.arange(has.sum()), rows.outcome[has])
    expected = (np.log(rows.probabilities[has][at]) - np.log(less[at])).mean()
    assert rate["rows"] == has.sum()
    assert rate["log_loss_increase"]["value"] == pytest.approx(expected)
    assert rate["log_loss_increase"]["lower"] > 0
    case = rows.outcome[has] == 1
    assert rate["auroc_with"] == pytest.approx(roc_auc_score(case, rows.probabilities[has, 1]))
    assert rate["auroc_without"] == pytest.approx(roc_auc_score(case, less[:, 1]))
    assert rate["set_size_without"] == pytest.approx((less > 0.1).sum(axis=1).mean())
    for name in ("body temperature", "sex"):
        assert found[name]["log_loss_increase"]["value"] == 0.0
    # The frame of the study is left as it was.
    assert rows.frame["heart_rate"].notna().sum() == has.sum()


def test_what_hardly_a_row_has_is_not_taken_away() -> None:
    rows = rows_of(200)
    rate = np.full(200, np.nan)
    rate[:9] = 80.0
    found = taken_away(rows_of(200, frame=rows.frame.assign(heart_rate=rate)), model_of(), DRAWS)
    entry = next(one for one in found if one["measurement"] == "heart rate")
    assert entry["rows"] is None
    assert entry["log_loss_increase"] is None
