"""Hashes of rows in any order: what a run learnt from, and which part it was tested on."""

from collections.abc import Sequence
from datetime import datetime
from hashlib import sha256
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from model.features import CATEGORIES, ROW_NAMES
from model.scorer import MINUTES_BEFORE
from model.training.splits import patient_keys

_TEXT = frozenset(CATEGORIES) | {"severity", "rare_code", "source"}
_CONTENT: tuple[str, ...] = ("recorded_at", *ROW_NAMES, "severity", "rare_code", "source")
_WIDTH = 32
"""Bytes of a SHA-256."""


def held_out_record(
    frame: pd.DataFrame, chosen: NDArray[np.bool_], start: datetime | None
) -> dict[str, Any]:
    """What tells a held-out part from others: `fingerprint`, `rows` and `from` (ISO 8601).

    `chosen` says which rows of `frame` are in it, `start` from when on (`None` without dates).
    The fingerprint is a SHA-256 over the sorted hashes of each row's patient key and time: it
    holds no reading, and the same rows in any order have the same.
    """
    # Undated rows are the same part whether or not there is a column for the dates of others.
    times = frame["recorded_at"] if "recorded_at" in frame else pd.Series(pd.NaT, frame.index)
    columns = [_texts(patient_keys(frame)[chosen]), _times(times[chosen])]
    return {
        "fingerprint": _of_rows("held out", columns),
        "rows": int(chosen.sum()),
        "from": None if start is None else start.isoformat(),
    }


def content_sha256(frame: pd.DataFrame) -> str:
    """SHA-256 of what rows say: patient, time, inputs, category, rare code and source.

    Neither the order of rows nor that of columns matters, and a column that is empty counts as
    one that is not there.
    """
    columns, names = [_texts(patient_keys(frame))], ["patient_id"]
    minutes = sorted(str(name) for name in frame if str(name).startswith(MINUTES_BEFORE))
    for name in (*_CONTENT, *minutes):
        if name not in frame or not frame[name].notna().any():
            continue
        names.append(name)
        if name == "recorded_at":
            columns.append(_times(frame[name]))
        elif name in _TEXT:
            columns.append(_texts(frame[name].to_numpy(dtype=object, na_value=np.nan)))
        else:
            columns.append(_numbers(frame[name].to_numpy(dtype=np.float64, na_value=np.nan)))
    return _of_rows(",".join(names), columns)


def row_digests(frame: pd.DataFrame, *, with_category: bool = False) -> NDArray[np.object_]:
    """SHA-256 of patient, time and inputs of each row, as bytes, (n,); `None` where patient or
    time is not known: nothing tells such a row from that of somebody else.

    `frame` has columns of cleaned history, its `patient_id` as it came. The same row in two files
    has the same digest; with `with_category` only if both say the same category.
    """
    digests = np.full(len(frame), None, dtype=object)
    if "patient_id" not in frame or "recorded_at" not in frame:
        return digests
    patients = frame["patient_id"].to_numpy(dtype=object, na_value=np.nan)
    columns = [_texts(patients), _times(frame["recorded_at"])]
    for name in (*ROW_NAMES, *(("severity",) if with_category else ())):
        if name in _TEXT:
            empty = np.full(len(frame), np.nan, dtype=object)
            given = frame[name].to_numpy(dtype=object, na_value=np.nan) if name in frame else empty
            columns.append(_texts(given))
        else:
            missing = np.full(len(frame), np.nan)
            columns.append(
                _numbers(
                    frame[name].to_numpy(dtype=np.float64, na_value=np.nan)
                    if name in frame
                    else missing
                )
            )
    known = (frame["patient_id"].notna() & frame["recorded_at"].notna()).to_numpy()
    hashes = _hashes(columns)
    for at in np.flatnonzero(known):
        digests[at] = hashes[at]
    return digests


def _of_rows(title: str, columns: Sequence[NDArray[np.uint8]]) -> str:
    """Hash of the sorted hashes of rows of bytes."""
    return sha256(b"".join([title.encode(), *sorted(_hashes(columns))])).hexdigest()


def _hashes(columns: Sequence[NDArray[np.uint8]]) -> list[bytes]:
    """The SHA-256 of each row of bytes."""
    rows = np.ascontiguousarray(np.concatenate(columns, axis=1))
    width, whole = rows.shape[1], rows.tobytes()
    return [sha256(whole[start : start + width]).digest() for start in range(0, len(whole), width)]


def _texts(values: NDArray[np.object_]) -> NDArray[np.uint8]:
    """The SHA-256 of each text, zeros where there is none, (n, 32)."""
    codes, texts = pd.factorize(values)
    digests = b"".join(sha256(str(text).encode()).digest() for text in texts)
    table = np.frombuffer(digests + bytes(_WIDTH), dtype=np.uint8).reshape(-1, _WIDTH)
    # A missing text has the code -1: the zeros at the end.
    return table[codes]


def _times(times: "pd.Series[Any]") -> NDArray[np.uint8]:
    """Microseconds since 1970 as bytes, (n, 8)."""
    known = pd.to_datetime(times, utc=True).dt.tz_localize(None)
    return _bytes(known.to_numpy(dtype="datetime64[us]").astype("<i8"))


def _numbers(values: NDArray[np.float64]) -> NDArray[np.uint8]:
    """Numbers as bytes, (n, 8); every missing one the same, and no -0."""
    return _bytes(np.where(np.isnan(values), np.nan, values + 0.0).astype("<f8"))


def _bytes(values: NDArray[Any]) -> NDArray[np.uint8]:
    return np.ascontiguousarray(values).view(np.uint8).reshape(len(values), 8)
