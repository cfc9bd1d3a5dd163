"""The part of a patient, the newest window, and who is unseen."""

from datetime import UTC, datetime

import numpy as np
import pandas as pd
import pytest

from model.training.splits import (
    EARLIER,
    HELD_OUT,
    PARTS,
    RESERVED,
    part_of,
    patient_keys,
    split,
    unseen_by,
)

# Found by the rule itself, kept so that the rule cannot change unseen: a changed rule would teach
# a model what an earlier one was tested on.
BY_HASH = {
    "patient-0": "train",
    "patient-1": "calibration",
    "patient-8": "held_out",
    "patient-11": "tuning",
    "17": "train",
}


@pytest.mark.parametrize(("key", "part"), BY_HASH.items())
def test_the_rule_never_changes(key: str, part: str) -> None:
    assert part_of(key) == part


def test_shares_are_60_10_15_15() -> None:
    parts = [part_of(f"patient {i}") for i in range(20_000)]
    shares = [parts.count(part) / len(parts) for part in PARTS]
    assert shares == pytest.approx([0.60, 0.10, 0.15, 0.15], abs=0.01)


def _of(part: str, count: int) -> list[str]:
    """The first patients whose hash says `part`."""
    found = (f"p{i}" for i in range(10_000) if part_of(f"p{i}") == part)
    return [next(found) for _ in range(count)]


def _dated(rows: list[tuple[str, str]]) -> pd.DataFrame:
    frame = pd.DataFrame(rows, columns=["patient_id", "recorded_at"])
    frame["recorded_at"] = pd.to_datetime(frame["recorded_at"], utc=True)
    return frame


def test_with_dates_the_newest_rows_are_held_out() -> None:
    train, held = _of("train", 19), _of(HELD_OUT, 1)[0]
    rows = [(patient, f"2020-01-{i + 1:02}") for i, patient in enumerate(train[:17])]
    rows += [(train[17], "2020-02-01"), (train[18], "2020-02-02"), (train[0], "2020-02-03")]
    frame = _dated([*rows, (held, "2019-01-01")])
    found = split(frame)
    assert found.cutoff == datetime(2020, 2, 1, tzinfo=UTC)
    assert found.part[17:20].tolist() == [HELD_OUT] * 3
    assert found.part[0] == EARLIER  # an earlier row of a held-out patient leaves training
    assert found.part[20] == RESERVED  # its hash says held out: no model ever learns from it
    assert set(found.part[1:17]) == {"train"}
    assert found.counts() == {
        **{"train": 16, "tuning": 0, "calibration": 0, "held_out": 3},
        **{RESERVED: 1, EARLIER: 1},
    }


def test_a_bare_year_is_kept_together() -> None:
    train = _of("train", 12)
    years = [2015] * 5 + [2016] * 4 + [2017] * 3
    frame = _dated([(p, f"{year}-01-01") for p, year in zip(train, years, strict=True)])
    found = split(frame)
    assert (found.part == HELD_OUT).tolist() == [year == 2017 for year in years]


def test_the_newest_window_is_never_more_than_half() -> None:
    train = _of("train", 10)
    frame = _dated([(p, "2015-01-01" if i < 4 else "2016-01-01") for i, p in enumerate(train)])
    found = split(frame)
    assert found.cutoff is None
    assert set(found.part) == {"train"}


def test_rows_without_a_date_count_as_old() -> None:
    train, held = _of("train", 9), _of(HELD_OUT, 1)[0]
    frame = _dated([(p, f"2020-01-0{i + 1}") for i, p in enumerate(train)])
    frame.loc[9] = [held, pd.NaT]
    frame.loc[3, "recorded_at"] = pd.NaT
    found = split(frame)
    assert found.part[9] == HELD_OUT  # by hash, as where there are no dates at all
    assert found.part[3] == "train"
    assert found.part[8] == HELD_OUT


def test_new_outcomes_beside_a_history_without_dates_are_learnt_from() -> None:
    train = _of("train", 60)
    frame = _dated([(p, f"2020-01-{i + 1:02}") for i, p in enumerate(train[:20])])
    undated = pd.DataFrame({"patient_id": train[20:], "recorded_at": pd.NaT})
    found = split(pd.concat([frame, undated], ignore_index=True))
    assert (found.part[:20] == HELD_OUT).sum() == 3
    assert (found.part == "train").sum() == 57


def test_without_patient_id_each_row_is_its_own_patient() -> None:
    frame = pd.DataFrame({"age": [50.0, 50.0, 60.0], "severity": ["mild"] * 3})
    keys = patient_keys(frame)
    assert len(set(keys)) == 3
    assert split(frame).rows_without_patient == 3
    longer = pd.concat([frame, frame], ignore_index=True)
    assert patient_keys(longer)[:3].tolist() == keys.tolist()


def test_the_key_of_a_row_stays_when_columns_are_added_or_change_their_type() -> None:
    frame = pd.DataFrame(
        {
            "age": [50, 61],
            "heart_rate": [80.0, np.nan],
            "severity": ["mild", "acute"],
            "recorded_at": pd.to_datetime(["2020-01-01T12:00Z", "2020-01-02T12:00Z"]),
        }
    )
    other = pd.DataFrame({"age": [40.5], "systolic_bp": [120.0], "sex": ["male"]})
    wider = pd.concat([frame, other], ignore_index=True)
    wider["severity"] = wider["severity"].astype(object)
    wider["recorded_at"] = wider["recorded_at"].dt.tz_convert("Europe/Madrid")
    assert patient_keys(wider)[:2].tolist() == patient_keys(frame).tolist()
    changed = frame.assign(heart_rate=[81.0, np.nan])
    assert patient_keys(changed)[0] != patient_keys(frame)[0]
    assert patient_keys(changed)[1] == patient_keys(frame)[1]


def test_a_number_that_became_decimal_is_the_same_patient() -> None:
    whole = patient_keys(pd.DataFrame({"patient_id": [17, 18]}))
    mixed = patient_keys(pd.DataFrame({"patient_id": [17.0, 18.0, np.nan]}))
    assert whole.tolist() == ["17", "18"]
    assert mixed[:2].tolist() == ["17", "18"]


def test_unseen_are_patients_newer_than_the_model_and_those_held_out_by_hash() -> None:
    a, b = _of("train", 2)
    held = _of(HELD_OUT, 1)[0]
    frame = _dated(
        [
            (a, "2020-01-01"),
            (a, "2022-01-01"),  # newer, but its patient was learnt from
            (b, "2022-01-01"),
            (held, "2019-01-01"),
        ]
    )
    assert unseen_by(frame, datetime(2021, 6, 1, tzinfo=UTC)).tolist() == [False, False, True, True]
    after = datetime(2022, 1, 1, tzinfo=UTC)
    assert unseen_by(frame, after).tolist() == [False, False, False, True]
    # A model that knows no times may have learnt from any row: only the hash is left.
    assert unseen_by(frame, None).tolist() == [False, False, False, True]
    undated = frame.drop(columns="recorded_at")
    assert unseen_by(undated, after).tolist() == [False] * 3 + [True]


def _year(patients: int) -> pd.DataFrame:
    """A row a day; every third patient comes again after 40 days."""
    start = pd.Timestamp("2020-01-01", tz="UTC")
    days = pd.Series(range(patients))
    first = pd.DataFrame({"patient_id": [f"p{i}" for i in days], "day": days})
    again = first[::3].assign(day=first["day"][::3] + 40)
    frame = pd.concat([first, again], ignore_index=True)
    return frame.assign(recorded_at=start + pd.to_timedelta(frame.pop("day"), unit="D"))


def test_a_shared_newest_window_is_twice_as_wide_and_half_held_out() -> None:
    frame = _year(3_000)
    whole, shared = split(frame), split(frame, learn_newest=True)
    assert whole.cutoff is not None
    assert shared.cutoff is not None
    assert (whole.shared, shared.shared) == (False, True)
    newest = (frame["recorded_at"] >= shared.cutoff).to_numpy()
    assert newest.mean() == pytest.approx(0.30, abs=0.001)
    held_out = shared.rows(HELD_OUT)
    assert not (held_out & ~newest).any()
    assert held_out[newest].mean() == pytest.approx(0.5, abs=0.05)
    assert held_out.sum() == pytest.approx(whole.rows(HELD_OUT).sum(), rel=0.1)
    # Every part has rows of the newest days, and no patient is in two.
    assert set(shared.part[newest]) >= {"train", "tuning", "calibration", HELD_OUT}
    kept = ~np.isin(shared.part, (RESERVED, EARLIER))
    parts = frame[kept].assign(part=shared.part[kept]).groupby("patient_id")["part"].nunique()
    assert parts.max() == 1


def test_without_dates_there_is_no_window_to_share() -> None:
    frame = _year(300).drop(columns="recorded_at")
    found = split(frame, learn_newest=True)
    assert not found.shared
    assert found.part.tolist() == split(frame).part.tolist()


@pytest.mark.parametrize("learn_newest", [False, True])
def test_whoever_is_unseen_was_not_learnt_from(learn_newest: bool) -> None:
    frame = _year(3_000)
    # The model learnt when the last 400 days were not there yet.
    then = frame[frame["recorded_at"] < frame["recorded_at"].max() - pd.Timedelta(days=400)]
    parts = split(then, learn_newest=learn_newest)
    learnt = then[np.isin(parts.part, ("train", "tuning", "calibration"))]
    unseen = unseen_by(
        frame, learnt["recorded_at"].max(), shared_from=parts.cutoff if parts.shared else None
    )
    assert not set(frame["patient_id"][unseen]) & set(learnt["patient_id"])
    # Whom it held out can be told now too, but for those who came again from before the window.
    held_out = set(then["patient_id"][parts.rows(HELD_OUT)])
    came_before = set(then["patient_id"][parts.part == EARLIER])
    assert held_out - came_before <= set(frame["patient_id"][unseen])
