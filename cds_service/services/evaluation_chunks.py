"""Chunks of time and count: index assessments in order, cut once, judged again when they change.

Only assessments count whose outcome window has passed, and a chunk ends before the first whose
window is still open: else emergency visits, whose window is short, would be judged without the
others of their days.
"""

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import pandas as pd

from cds_service.services.labelled import Labelled

FEWEST = 100
"""Index assessments that a chunk closed by time needs; with fewer it grows until it has them."""
FORMAT = 2
"""Of what is stored of a chunk: another number judges every chunk anew."""
_INSTANT = timedelta(microseconds=1)
"""The resolution of times here and in both databases."""


@dataclass(frozen=True, slots=True)
class Chunk:
    """A stretch of prediction times, the first included and the last not."""

    number: int
    """From 1 on."""
    started_at: datetime
    ended_at: datetime


def settled(found: Labelled) -> pd.DataFrame:
    """Index assessments that may be cut into chunks, by prediction time and id.

    Those with and without outcome, told apart by `verified`; none from the first on whose window
    is still open.
    """
    parts = [
        part.assign(verified=verified)
        for part, verified in ((found.frame, True), (found.unverified, False))
        if len(part)
    ]
    if not parts:
        return pd.DataFrame()
    # Columns of one part alone (severity, minutes before) are missing in the other.
    frame = pd.concat(parts, ignore_index=True)
    if found.open_from is not None:
        frame = frame[frame["recorded_at"] < found.open_from]
    return frame.sort_values(["recorded_at", "assessment_id"], ignore_index=True)


def cut(
    times: Sequence[datetime],
    *,
    until: datetime,
    rows: int,
    days: float,
    after: Chunk | None = None,
) -> list[Chunk]:
    """Cut `times` (ascending, all before `until`) into the chunks that are closed by now.

    A chunk closes with its `rows`-th assessment, or `days` after its first one if that is `FEWEST`
    assessments or more; else with the `FEWEST`-th. Assessments of one instant stay together, so
    that a chunk may be larger. `after` is the chunk before, whose end is where the next begins.
    What was closed closes the same way again however often and late this is called.
    """
    found: list[Chunk] = []
    number = 1 if after is None else after.number + 1
    begin = 0
    if after is not None:
        while begin < len(times) and times[begin] < after.ended_at:
            begin += 1
    start = None if after is None else after.ended_at
    while begin < len(times):
        end = _end(times[begin:], until=until, rows=rows, days=days)
        if end is None:
            break
        found.append(Chunk(number, times[begin] if start is None else start, end))
        number, start = number + 1, end
        while begin < len(times) and times[begin] < end:
            begin += 1
    return found


def _end(times: Sequence[datetime], *, until: datetime, rows: int, days: float) -> datetime | None:
    """Where the chunk that begins with the first of `times` ends; `None`: it is still open."""
    by_count = times[rows - 1] + _INSTANT if len(times) >= rows else None
    by_time = times[0] + timedelta(days=days)
    if len(times) >= FEWEST and times[FEWEST - 1] >= by_time:
        by_time = times[FEWEST - 1] + _INSTANT
    elif by_time > until or len(times) < FEWEST:
        return by_count
    return by_time if by_count is None else min(by_time, by_count)


def fingerprint(rows: pd.DataFrame, versions: Mapping[str, int], *, label_version: str) -> str:
    """SHA-256 of all that the figures of a chunk rest on.

    `rows` are its part of `settled`, `versions` how many shadow scores each version has. Patients
    count by which rows are theirs: a merge changes it, a new secret key does not.
    """
    first: dict[str, str] = {}
    told: list[list[Any]] = []
    for row in rows.itertuples(index=False):
        verified = bool(row.verified)
        told.append(
            [
                row.assessment_id,
                first.setdefault(str(row.patient_id), str(row.assessment_id)),
                row.severity if verified else None,
                isinstance(row.author, str),
                bool(row.prompted),
                bool(row.accepted),
                bool(row.overridden),
                row.model_version,
            ]
        )
    content = {
        "format": FORMAT,
        "label_version": label_version,
        "rows": told,
        "versions": dict(sorted(versions.items())),
    }
    return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()
