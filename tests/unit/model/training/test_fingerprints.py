"""Hashes of rows: what they depend on, and that a held-out part rolls forward."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from model.training.fingerprints import content_sha256, held_out_record, row_digests
from model.training.splits import HELD_OUT, split
from tests.support.cohorts import small_cohort


def _record(frame: pd.DataFrame) -> dict[str, object]:
    parts = split(frame)
    return held_out_record(frame, parts.rows(HELD_OUT), parts.cutoff)


def test_the_order_of_rows_changes_neither_hash() -> None:
    frame = small_cohort(400, 1, dated=True)
    mixed = frame.sample(frac=1.0, random_state=3).reset_index(drop=True)
    assert _record(mixed) == _record(frame)
    assert content_sha256(mixed[reversed(mixed.columns)]) == content_sha256(frame)


def test_readings_and_categories_are_content_and_no_part_of_a_fingerprint() -> None:
    frame = small_cohort(400, 1, dated=True)
    for name, value in (("heart_rate", 77.7), ("severity", "mild"), ("sex", None)):
        changed = frame.copy()
        row = changed.index[changed[name] != value][0]
        changed.loc[row, name] = value
        assert _record(changed) == _record(frame), name
        assert content_sha256(changed) != content_sha256(frame), name


def test_another_patient_or_time_is_another_part() -> None:
    frame = small_cohort(400, 1, dated=True)
    inside = np.flatnonzero(split(frame).rows(HELD_OUT))[0]
    other = frame.copy()
    other.loc[inside, "patient_id"] = "somebody else"
    later = frame.copy()
    later.loc[inside, "recorded_at"] += pd.Timedelta(seconds=1)
    chosen = split(frame).rows(HELD_OUT)
    found = {held_out_record(f, chosen, None)["fingerprint"] for f in (frame, other, later)}
    assert len(found) == 3
    assert {content_sha256(frame), content_sha256(other), content_sha256(later)} >= {
        content_sha256(frame)
    }
    assert content_sha256(other) != content_sha256(frame) != content_sha256(later)


def test_types_zones_and_empty_columns_change_nothing() -> None:
    frame = small_cohort(50, 1, dated=True)
    same = frame.assign(
        recorded_at=frame["recorded_at"].dt.tz_convert("Europe/Madrid"),
        severity=frame["severity"].astype(object),
        rare_code=None,
        abo_group=np.nan,
    )
    assert content_sha256(same) == content_sha256(frame)
    assert _record(same)["fingerprint"] == _record(frame)["fingerprint"]


def test_a_row_written_twice_is_another_content() -> None:
    frame = small_cohort(50, 1)
    twice = pd.concat([frame, frame.head(1)], ignore_index=True)
    assert content_sha256(twice) != content_sha256(frame)


def test_newer_rows_roll_the_held_out_part_forward() -> None:
    old = small_cohort(600, 2, dated=True)
    first = split(old)
    newer = small_cohort(600, 3, dated=True)
    newer["recorded_at"] += pd.Timedelta(days=1_000)
    both = pd.concat([old, newer], ignore_index=True)
    second = split(both)
    records = [_record(old), _record(both)]
    assert records[0]["fingerprint"] != records[1]["fingerprint"]
    assert first.cutoff is not None
    assert second.cutoff is not None
    assert second.cutoff > old["recorded_at"].max() > first.cutoff
    assert records[1]["from"] == second.cutoff.isoformat()
    assert records[1]["rows"] == second.rows(HELD_OUT).sum()
    held = set(both["patient_id"][second.rows(HELD_OUT)])
    learnt = set(both["patient_id"][np.isin(second.part, ("train", "tuning", "calibration"))])
    assert not held & learnt
    # Rows that were held out are learnt from once newer ones have taken their place.
    was_held = first.rows(HELD_OUT)
    now = second.part[: len(old)][was_held]
    assert {"train", "calibration"} <= set(now)


def test_a_column_of_dates_that_is_empty_is_no_other_part() -> None:
    frame = small_cohort(200, 4)
    assert _record(frame.assign(recorded_at=pd.NaT)) == _record(frame)
    dated = small_cohort(1, 5, dated=True).assign(patient_id="p-dated")
    chosen = np.append(split(frame).rows(HELD_OUT), False)
    both = pd.concat([frame, dated], ignore_index=True)
    assert held_out_record(both, chosen, None) == _record(frame)


def test_the_same_row_has_the_same_digest_in_another_file(tmp_path: Path) -> None:
    frame = small_cohort(200, 1, dated=True)
    mixed = frame.sample(frac=1.0, random_state=3).drop(columns="sex")
    mixed["sex"] = frame["sex"].astype(object)
    mixed["exercise_days"] = np.nan
    mixed.to_parquet(tmp_path / "x.parquet")
    kept = pd.read_parquet(tmp_path / "x.parquet")
    first, second = row_digests(frame), row_digests(kept)
    assert set(first) == set(second)
    assert len(set(first)) == len(frame)
    assert first[mixed.index[0]] == second[0]


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("patient_id", "somebody else"),
        ("recorded_at", pd.Timestamp("2019-01-01", tz="UTC")),
        ("heart_rate", 77.7),
        ("sex", None),
    ],
)
def test_another_patient_time_or_input_is_another_row(name: str, value: object) -> None:
    frame = small_cohort(3, 1, dated=True)
    changed = frame.copy()
    changed.loc[1, name] = value
    same = row_digests(frame) == row_digests(changed)
    assert list(same) == [True, False, True]


def test_a_category_is_part_of_a_row_only_if_asked_for() -> None:
    frame = small_cohort(3, 1, dated=True)
    frame["severity"] = "mild"
    changed = frame.assign(severity=["mild", "acute", "mild"])
    assert (row_digests(frame) == row_digests(changed)).all()
    differing = row_digests(frame, with_category=True) == row_digests(changed, with_category=True)
    assert list(differing) == [True, False, True]


def test_rows_without_patient_or_time_are_told_apart_by_nothing() -> None:
    frame = small_cohort(3, 1, dated=True)
    frame.loc[0, "patient_id"] = None
    frame.loc[1, "recorded_at"] = pd.NaT
    assert [digest is None for digest in row_digests(frame)] == [True, True, False]
    assert set(row_digests(frame.drop(columns="patient_id"))) == {None}
