"""Which rows a model may learn from: the part of a patient is a hash, the same for ever.

60 % of patients train, 10 % tune (temperature, thresholds), 15 % calibrate (prediction sets,
atypicality), 15 % are held out. No patient is in two parts.
"""

import hashlib
from bisect import bisect_right
from collections.abc import Callable, Iterable, Sequence
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
SHARED_RULE = (
    "in the newest window half of the patients are held out, whatever that fraction: those of the "
    "held-out part, and those whose SHA-256 of 'newest:' and the key, as a fraction, is below 7/17"
)
_SHARED_WINDOW = 0.3
"""Of it half is held out: as many rows as without sharing."""
_SHARED_EDGE = 7 / 17
"""With the 15 % that no model ever learns from, half: 0.15 + 0.85 * 7/17 = 0.5."""


@dataclass(frozen=True, slots=True)
class Split:
    """The part of each row."""

    part: NDArray[np.str_]
    """One of `PARTS`, or `RESERVED` or `EARLIER`: in no part."""
    patient: NDArray[np.intp]
    """A number for the patient of each row, for folds and bootstraps."""
    cutoff: datetime | None
    """The newest window begins here; `None` without dates."""
    rows_without_patient: int
    """Rows counted as a patient of their own."""
    shared: bool = False
    """Whether half of the patients of the newest window are learnt from."""

    def rows(self, part: str) -> NDArray[np.bool_]:
        """Which rows are in `part`."""
        return np.asarray(self.part == part)

    def counts(self) -> dict[str, int]:
        """Rows in each part, and those in none, by reason."""
        return {name: int(self.rows(name).sum()) for name in (*PARTS, RESERVED, EARLIER)}


def part_of(patient_key: str) -> str:
    """The part of a patient, by `RULE`: no list of patients is needed to find it again."""
    return PARTS[bisect_right(_EDGES, fraction_of(patient_key))]


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


def split(frame: pd.DataFrame, *, learn_newest: bool = False) -> Split:
    """Give each row of `frame` its part; uses `patient_id` and `recorded_at` where they are.

    With dates the held-out part is the newest: all rows from the time on that leaves closest to
    15 % of the dated rows, never more than half, and rows of one time together (a year is one
    time). Earlier rows of its patients leave training, and older rows of patients whose hash says
    held out are in no part, so that no model ever learns from them. Rows without a date beside
    dated ones are old, and held out by hash as where there are no dates at all.

    With `learn_newest` the window is twice as wide and half of its patients are held out
    (`SHARED_RULE`); the others are in the part of their hash. What is new can so be learnt as soon
    as it is known, and judged on as many rows.
    """
    keys = patient_keys(frame)
    names, patient = np.unique(keys.astype(str), return_inverse=True)
    by_hash = np.asarray([part_of(name) for name in names], dtype="<U40")[patient]
    alone = len(frame)
    if "patient_id" in frame:
        alone = int(frame["patient_id"].isna().sum())
    cutoff = _cutoff(frame, _SHARED_WINDOW if learn_newest else _HELD_OUT_SHARE)
    part = by_hash
    if cutoff is not None:
        newest = (frame["recorded_at"] >= cutoff).to_numpy(dtype=bool)
        if learn_newest:
            newest = newest & np.asarray([_is_held_out(n) for n in names], dtype=bool)[patient]
        held_out = np.zeros(len(names), dtype=bool)
        held_out[patient[newest]] = True
        dated = frame["recorded_at"].notna().to_numpy(dtype=bool)
        part = np.where((by_hash == HELD_OUT) & dated, RESERVED, by_hash)
        part = np.where(held_out[patient], EARLIER, part)
        part = np.where(newest, HELD_OUT, part)
    shared = learn_newest and cutoff is not None
    return Split(part, patient.astype(np.intp), cutoff, alone, shared)


def unseen_by(
    frame: pd.DataFrame, trained_through: datetime | None, *, shared_from: datetime | None = None
) -> NDArray[np.bool_]:
    """Rows of patients that a model which learnt from patients like these has not learnt from.

    A patient is unseen whose hash says held out (no model ever learns from those), or all of whose
    rows in `frame` are newer than `trained_through`, the newest row the model learnt from; of a
    model that knows no times, only the first. Of one that learnt from half of its newest window
    (`split` with `learn_newest`), which began at `shared_from`, also those of the other half all
    of whose rows are from then on. `frame` must hold everything the model was trained on: a
    patient's earlier row that is not in it cannot be seen here.
    """
    keys = patient_keys(frame)
    unseen = _of_patients(keys, lambda key: part_of(key) == HELD_OUT)
    if trained_through is None or "recorded_at" not in frame:
        return unseen
    times = frame["recorded_at"]
    unseen |= _all_of(keys, times > trained_through)
    if shared_from is not None:
        unseen |= _of_patients(keys, _is_held_out) & _all_of(keys, times >= shared_from)
    return unseen


def _of_patients(keys: NDArray[np.object_], holds: Callable[[str], bool]) -> NDArray[np.bool_]:
    """Of which rows' patients it holds; each patient is asked about once."""
    place, patients = pd.factorize(keys)
    return np.asarray([holds(key) for key in patients], dtype=bool)[place]


def _all_of(keys: NDArray[np.object_], holds: "pd.Series[bool]") -> NDArray[np.bool_]:
    """Of which rows' patients it holds for every row."""
    whole = pd.Series(holds.to_numpy(dtype=bool)).groupby(keys).transform("all")
    return whole.to_numpy(dtype=bool)


def _is_held_out(patient_key: str) -> bool:
    """Whether a patient of a shared newest window is held out (`SHARED_RULE`)."""
    return part_of(patient_key) == HELD_OUT or fraction_of(f"newest:{patient_key}") < _SHARED_EDGE


def _cutoff(frame: pd.DataFrame, wanted: float) -> pd.Timestamp | None:
    """Start of the newest window, of a share `wanted` of the dated rows, or `None` where there
    are no dates to tell rows apart."""
    if "recorded_at" not in frame:
        return None
    times = frame["recorded_at"].dropna()
    counts = times.value_counts().sort_index(ascending=False)
    share = counts.cumsum() / len(times)
    allowed = share[share <= _LARGEST_SHARE]
    if allowed.empty:
        return None
    found = (allowed - wanted).abs().idxmin()
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
