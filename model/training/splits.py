"""Which rows a model may learn from: the part of a patient is a hash, the same for ever.

60 % of patients train, 10 % tune (temperature, thresholds), 15 % calibrate (prediction sets,
atypicality), 15 % are held out. No patient is in two parts.
"""

import hashlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from model.features import EXTRA_INPUTS, ROW_NAMES

TRAIN, TUNING, CALIBRATION, HELD_OUT = "train", "tuning", "calibration", "held_out"
RESERVED, EARLIER = "reserved_by_hash", "earlier_rows_of_held_out_patients"
PARTS: tuple[str, ...] = (TRAIN, TUNING, CALIBRATION, HELD_OUT)
RULE = (
    "SHA-256 of the patient key, first 8 bytes as a fraction: below 0.60 train, 0.70 tuning, "
    "0.85 calibration, else held out"
)
_EDGES = (0.60, 0.70, 0.85)
_HELD_OUT_SHARE = 0.15
_LARGEST_SHARE = 0.5


@dataclass(frozen=True, slots=True)
class Split:
    """The part of each row."""

    part: NDArray[np.str_]
    """One of `PARTS`, or `RESERVED` or `EARLIER`: in no part."""
    patient: NDArray[np.intp]
    """A number for the patient of each row, for folds and bootstraps."""
    cutoff: datetime | None
    """Rows from here on are held out; `None` without dates."""
    rows_without_patient: int
    """Rows counted as a patient of their own."""

    def rows(self, part: str) -> NDArray[np.bool_]:
        """Which rows are in `part`."""
        return np.asarray(self.part == part)

    def counts(self) -> dict[str, int]:
        """Rows in each part, and those in none, by reason."""
        return {name: int(self.rows(name).sum()) for name in (*PARTS, RESERVED, EARLIER)}


def part_of(patient_key: str) -> str:
    """The part of a patient, by `RULE`: no list of patients is needed to find it again."""
    return PARTS[int(np.searchsorted(_EDGES, fraction_of(patient_key), side="right"))]


def fraction_of(patient_key: str) -> float:
    """Where the hash of a patient lies between 0 and 1, the same for ever."""
    return int.from_bytes(hashlib.sha256(patient_key.encode()).digest()[:8]) / 2**64


def patient_keys(frame: pd.DataFrame) -> NDArray[np.object_]:
    """The key of the patient of each row: `patient_id` as text.

    A row without one is a patient of its own: its key is a hash of what it says and of how many
    rows before it say the same, so that it stays when rows, or columns that it has nothing in,
    are added. Extra inputs are left out of it: histories were divided before they were read.
    """
    keys = np.full(len(frame), None, dtype=object)
    if "patient_id" in frame:
        given = frame["patient_id"]
        known = given.notna().to_numpy()
        keys[known] = [_as_text(value) for value in given[known]]
    alone = np.asarray([key is None for key in keys])
    if alone.any():
        inputs = [name for name in ROW_NAMES if name not in EXTRA_INPUTS]
        names = [n for n in (*inputs, "recorded_at", "severity", "source") if n in frame]
        rows = frame.loc[alone, names].itertuples(index=False)
        content = pd.Series([_content(names, row) for row in rows])
        repeat = content.groupby(content).cumcount()
        keys[alone] = [
            f"row:{hashlib.sha256(text.encode()).hexdigest()}:{number}"
            for text, number in zip(content, repeat, strict=True)
        ]
    return keys


def split(frame: pd.DataFrame) -> Split:
    """Give each row of `frame` its part; uses `patient_id` and `recorded_at` where they are.

    With dates the held-out part is the newest: all rows from the time on that leaves closest to
    15 % of the dated rows, never more than half, and rows of one time together (a year is one
    time). Earlier rows of its patients leave training, and older rows of patients whose hash says
    held out are in no part, so that no model ever learns from them. Rows without a date beside
    dated ones are old, and held out by hash as where there are no dates at all.
    """
    keys = patient_keys(frame)
    names, patient = np.unique(keys.astype(str), return_inverse=True)
    by_hash = np.asarray([part_of(name) for name in names], dtype="<U40")[patient]
    alone = len(frame)
    if "patient_id" in frame:
        alone = int(frame["patient_id"].isna().sum())
    cutoff = _cutoff(frame)
    part = by_hash
    if cutoff is not None:
        newest = (frame["recorded_at"] >= cutoff).to_numpy(dtype=bool)
        held_out = np.zeros(len(names), dtype=bool)
        held_out[patient[newest]] = True
        dated = frame["recorded_at"].notna().to_numpy(dtype=bool)
        part = np.where((by_hash == HELD_OUT) & dated, RESERVED, by_hash)
        part = np.where(held_out[patient], EARLIER, part)
        part = np.where(newest, HELD_OUT, part)
    return Split(part, patient.astype(np.intp), cutoff, alone)


def unseen_by(frame: pd.DataFrame, trained_through: Sequence[datetime | None]) -> NDArray[np.bool_]:
    """Rows of patients that none of several models has learnt from.

    `trained_through` is that of each model which learnt from patients like these (leave out one
    trained on simulated patients). A patient is unseen whose hash says held out (no model ever
    learns from those), or all of whose rows in `frame` are newer than everything the models
    learnt from; with a model that knows no times, only the first. `frame` must hold everything
    the models were trained on: a patient's earlier row that is not in it cannot be seen here.
    """
    keys = patient_keys(frame)
    unseen = np.asarray([part_of(key) == HELD_OUT for key in keys], dtype=bool)
    times = [time for time in trained_through if time is not None]
    if len(times) < len(trained_through) or not times or "recorded_at" not in frame:
        return unseen
    newer = (frame["recorded_at"] > max(times)).to_numpy(dtype=bool)
    return np.asarray(unseen | pd.Series(newer).groupby(keys).transform("all").to_numpy(dtype=bool))


def _cutoff(frame: pd.DataFrame) -> pd.Timestamp | None:
    """Start of the newest window, or `None` where there are no dates to tell rows apart."""
    if "recorded_at" not in frame:
        return None
    times = frame["recorded_at"].dropna()
    counts = times.value_counts().sort_index(ascending=False)
    share = counts.cumsum() / len(times)
    allowed = share[share <= _LARGEST_SHARE]
    if allowed.empty:
        return None
    found = (allowed - _HELD_OUT_SHARE).abs().idxmin()
    return pd.Timestamp(found)  # type: ignore[arg-type]  # the index holds times


def _content(names: Sequence[str], row: Iterable[object]) -> str:
    """What a row says, whatever the types of its columns have become; gaps say nothing."""
    said: list[str] = []
    for name, value in zip(names, row, strict=True):
        if isinstance(value, datetime) and not pd.isna(value):
            said.append(f"{name}={value.timestamp()!r}")
        elif isinstance(value, int | float | np.integer) and not pd.isna(value):
            said.append(f"{name}={float(value)!r}")
        elif isinstance(value, str):
            said.append(f"{name}={value}")
    return "\x1f".join(said)


def _as_text(value: object) -> str:
    """A patient id as it is written: 17.0 and 17 are one patient."""
    if isinstance(value, float) and value.is_integer():
        return str(int(value))
    return str(value)
