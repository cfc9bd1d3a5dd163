"""The times of history rows: ISO 8601, or a year, a month or a day alone."""

import re
from datetime import UTC, datetime, tzinfo
from zoneinfo import ZoneInfo

import numpy as np
import pandas as pd

from model.errors import HistoryError

FIRST_YEAR, LAST_YEAR = 1900, 2199
"""Years outside are stand-ins for "unknown" (0001, 1800, 9999), not times of measurement; ours."""

_YEAR = re.compile(r"([0-9]{4})(?:\.0)?")
_MONTH = re.compile(r"([0-9]{4})-([0-9]{2})")
_CLOCK = re.compile(r"[T ][0-9]{2}")


def zone_called(name: str | None) -> tzinfo | None:
    """The time zone of an IANA name ("Europe/Madrid"); raises `HistoryError` if there is none."""
    if name is None:
        return None
    try:
        return ZoneInfo(name)
    except (KeyError, ValueError, OSError) as error:
        raise HistoryError(
            f'There is no time zone called "{name}". Use an IANA name such as Europe/Madrid.'
        ) from error


def parse_time(cell: str, zone: tzinfo | None) -> datetime | None:
    """Read one time as UTC; `None` if the cell is not one.

    A year, month or day alone counts as its start (clinical rule C7 for days), in `zone` or else
    UTC. A time of day without offset is read in `zone` (the earlier of two where clocks go back)
    and is `None` without one.
    """
    text = cell.strip()
    try:
        if match := _YEAR.fullmatch(text):
            time = datetime(int(match[1]), 1, 1)  # noqa: DTZ001 - zone added below
        elif match := _MONTH.fullmatch(text):
            time = datetime(int(match[1]), int(match[2]), 1)  # noqa: DTZ001 - zone added below
        else:
            time = datetime.fromisoformat(text)
        if not FIRST_YEAR <= time.year <= LAST_YEAR:
            return None
        if time.tzinfo is None:
            if zone is None and has_clock(text):
                return None
            time = time.replace(tzinfo=zone or UTC)
        return time.astimezone(UTC)
    except (ValueError, OverflowError):
        return None


def lacks_offset(cell: str) -> bool:
    """Whether the cell is a time of day that says no offset: it needs a time zone."""
    return parse_time(cell, None) is None and parse_time(cell, UTC) is not None


def has_clock(cell: str) -> bool:
    """Whether the cell states a time of day."""
    return _CLOCK.search(cell) is not None


def names_a_day(cell: str) -> bool:
    """Whether the cell is at least as exact as a day."""
    text = cell.strip()
    return bool(text) and not _YEAR.fullmatch(text) and not _MONTH.fullmatch(text)


def parse_times(cells: "pd.Series[str]", zone: tzinfo | None) -> "pd.Series[pd.Timestamp]":
    """Read a column of times; datetime64[us, UTC] of the same index, NaT where unreadable."""
    codes, distinct = pd.factorize(cells)
    times = np.full(len(distinct) + 1, np.datetime64("NaT", "us"))  # the last entry serves code -1
    for number, cell in enumerate(distinct):
        time = parse_time(str(cell), zone)
        if time is not None:
            times[number] = np.datetime64(time.replace(tzinfo=None), "us")
    naive: pd.Series[pd.Timestamp] = pd.Series(times[codes], index=cells.index)
    return naive.dt.tz_localize("UTC")
