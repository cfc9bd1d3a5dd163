"""How often a job runs: periods as they are written in settings, and their grids in time."""

import re
from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta, tzinfo
from typing import Final

OFF: Final = "off"
DEFAULT_PERIODS: Final[Mapping[str, str]] = {
    "alerts": "1min",
    "outcomes-pull": "5min",
    "rare": "5min",
    "shadow": "15min",
    "inputs": "1h",
    "release": "1h",
    "evaluate": "1d",
    "review": "1d",
    "export": "1d",
    "history": "7d",
    "compare": "1h",
    "recalibrate": "1h",
    "refresh": "1mo",
    "search": "3mo",
}
"""Every job of `schedule`, in the order in which those that are due together run."""

_EPOCH = datetime.fromisoformat("1970-01-01T00:00:00+00:00")
_MONTHS = 12
_TEXT = re.compile(r"(\d{1,4}) ?(s|min|h|d|w|mo)")
_SECONDS = {"s": 1, "min": 60, "h": 3_600}
_LONGEST_SECONDS = 86_400
_LONGEST_DAYS = 366
_DAYS_A_WEEK = 7


@dataclass(frozen=True, slots=True)
class Night:
    """When jobs of whole days and months run, in the time zone of the site."""

    at: time
    day: int
    """Of the month, for jobs of months; 1 to 28."""
    zone: tzinfo


class Period(ABC):
    """A grid of instants, the same for every process and whatever ran before.

    A job that was missed several times is due once.
    """

    @abstractmethod
    def after(self, at: datetime, night: Night) -> datetime:
        """The first instant of the grid after `at`."""

    @property
    @abstractmethod
    def waits(self) -> bool:
        """Whether a job that never ran waits for the grid; a frequent one runs at once."""


@dataclass(frozen=True, slots=True)
class Seconds(Period):
    """Every so many seconds, counted from 1970 UTC."""

    count: int

    def after(self, at: datetime, night: Night) -> datetime:
        """The first multiple after `at`."""
        del night
        step = timedelta(seconds=self.count)
        return _EPOCH + ((at - _EPOCH) // step + 1) * step

    @property
    def waits(self) -> bool:
        """It runs at once."""
        return False


@dataclass(frozen=True, slots=True)
class Days(Period):
    """Every so many days; every 7 is each Monday."""

    count: int

    def after(self, at: datetime, night: Night) -> datetime:
        """The first such day at the time of the night, by the calendar of the site."""
        day = at.astimezone(night.zone).date()
        while True:
            # Day 1 of the calendar was a Monday.
            if (day.toordinal() - 1) % self.count == 0:
                due = _instant(day, night)
                if due > at:
                    return due
            day += timedelta(days=1)

    @property
    def waits(self) -> bool:
        """It waits for the night."""
        return True


@dataclass(frozen=True, slots=True)
class Months(Period):
    """Every so many calendar months; every 3 is January, April, July and October."""

    count: int

    def after(self, at: datetime, night: Night) -> datetime:
        """The first such month on the day and at the time of the night."""
        local = at.astimezone(night.zone)
        number = local.year * _MONTHS + local.month - 1
        while True:
            if number % _MONTHS % self.count == 0:
                day = date(number // _MONTHS, number % _MONTHS + 1, night.day)
                due = _instant(day, night)
                if due > at:
                    return due
            number += 1

    @property
    def waits(self) -> bool:
        """It waits for the night."""
        return True


def parse_period(text: str) -> Period | None:
    """Read `90s`, `5min`, `1h`, `1d`, `1w`, `1mo`; `None` for `off`.

    Raises `ValueError` with what is wrong, in words for an operator.
    """
    if text == OFF:
        return None
    found = _TEXT.fullmatch(text.strip().lower())
    count = 0 if found is None else int(found[1])
    if found is None or count == 0:
        raise ValueError(
            "must be off or a number and a unit: 90s, 5min, 1h, 1d, 1w or 1mo (months)"
        )
    unit = found[2]
    if unit in _SECONDS:
        if count * _SECONDS[unit] > _LONGEST_SECONDS:
            raise ValueError("must be at most 24h; longer periods are given in d, w or mo")
        return Seconds(count * _SECONDS[unit])
    if unit == "mo":
        if _MONTHS % count:
            raise ValueError("must divide the year: 1mo, 2mo, 3mo, 4mo, 6mo or 12mo")
        return Months(count)
    days = count * (_DAYS_A_WEEK if unit == "w" else 1)
    if days > _LONGEST_DAYS:
        raise ValueError("must be at most 366d; longer periods are given in mo")
    return Days(days)


def parse_time(text: str) -> time:
    """Read a time of day, HH:MM. Raises `ValueError`."""
    if not re.fullmatch(r"([01]\d|2[0-3]):[0-5]\d", text):
        raise ValueError("must be a time of day, like 02:00")
    return time.fromisoformat(text)


def _instant(day: date, night: Night) -> datetime:
    """The night of a day. Of an hour that the clocks repeat it is the first; of one that they skip
    it is that of the clocks before (PEP 495)."""
    return datetime.combine(day, night.at, tzinfo=night.zone).astimezone(_EPOCH.tzinfo)
