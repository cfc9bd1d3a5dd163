"""FHIR dates and times as instants in UTC.

See https://hl7.org/fhir/R4/datatypes.html#dateTime. What cannot be read gives `None`, never an
exception and never a guess: a time of day without an offset is no instant, because assuming a
zone could move a reading by half a day.
"""

import re
from datetime import UTC, date, datetime, timedelta, timezone

_DATE_TIME = re.compile(
    r"(?P<year>[0-9]{4})"
    r"(?:-(?P<month>[0-9]{2})"
    r"(?:-(?P<day>[0-9]{2})"
    r"(?P<time>T(?P<hour>[0-9]{2}):(?P<minute>[0-9]{2}):(?P<second>[0-9]{2})"
    r"(?:\.(?P<fraction>[0-9]+))?"
    # FHIR allows offsets up to 14 hours.
    r"(?:Z|(?P<sign>[+-])(?P<off_hour>0[0-9]|1[0-4]):(?P<off_minute>[0-5][0-9])))?"
    r")?)?"
)

# The usual form, which Python reads itself, in a fraction of the time.
_PLAIN = re.compile(
    r"[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-5][0-9](?:\.[0-9]+)?"
    r"(?:Z|[+-](?:0[0-9]|1[0-4]):[0-5][0-9])"
)


def parse_instant(text: str | None) -> datetime | None:
    """The instant a FHIR `dateTime` or `instant` names, in UTC; `None` if it cannot be read.

    A date counts as the start of its day (clinical rule C7), a year or a year and month as the
    start of its first day; without an offset that day is a day in UTC. `24:00:00` is the start
    of the next day (ISO 8601-1:2004). A leap second counts as the second before it, since Python
    has no second 60. Digits of a second beyond microseconds are cut off.
    """
    if not text:
        return None
    try:
        if _PLAIN.fullmatch(text) and text[11:13] != "24":
            return datetime.fromisoformat(text).astimezone(UTC)
        match = _DATE_TIME.fullmatch(text)
        if match is None:
            return None
        part = match.groupdict()
        day = datetime(int(part["year"]), int(part["month"] or 1), int(part["day"] or 1))  # noqa: DTZ001 - the zone is set below.
        if part["time"] is None:
            return day.replace(tzinfo=UTC)
        hour, minute, second = int(part["hour"]), int(part["minute"]), int(part["second"])
        microsecond = int((part["fraction"] or "0")[:6].ljust(6, "0"))
        if hour == 24:
            if minute or second or microsecond:
                return None
            day, hour = day + timedelta(days=1), 0
        if second == 60:
            second = 59
        at = day.replace(hour=hour, minute=minute, second=second, microsecond=microsecond)
        return at.replace(tzinfo=_zone(part)).astimezone(UTC)
    except (ValueError, OverflowError):
        # No such day or hour, or an instant outside the years 1 to 9999.
        return None


def parse_date(text: str | None) -> tuple[date, date] | None:
    """First and last day a FHIR `date` may mean; the same day unless it is partial.

    `None` if it cannot be read, a `date` with a time of day included.
    See https://hl7.org/fhir/R4/datatypes.html#date.
    """
    match = _DATE_TIME.fullmatch(text) if text else None
    if match is None or match["time"] is not None:
        return None
    year, month, day = match["year"], match["month"], match["day"]
    try:
        first = date(int(year), int(month or 1), int(day or 1))
        if day is not None:
            return first, first
        if month is None:
            return first, date(first.year, 12, 31)
        following = date(first.year + first.month // 12, first.month % 12 + 1, 1)
        return first, following - timedelta(days=1)
    except (ValueError, OverflowError):
        return None


def _zone(part: dict[str, str | None]) -> timezone:
    if part["sign"] is None:
        return UTC
    offset = timedelta(hours=int(part["off_hour"] or 0), minutes=int(part["off_minute"] or 0))
    return timezone(-offset if part["sign"] == "-" else offset)
