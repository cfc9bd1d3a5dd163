"""When a diagnosis was known (clinical rule C16): not when it began, and not when it arrived."""

from collections.abc import Mapping
from datetime import UTC, datetime, time, tzinfo
from typing import Any

from fhir_mapping.datetimes import parse_date, parse_instant

ASSERTED_DATE = "http://hl7.org/fhir/StructureDefinition/condition-assertedDate"
"""Standard extension of R4: when the Condition was asserted."""


def known_at(condition: Mapping[str, Any], zone: tzinfo = UTC) -> datetime | None:
    """The instant a Condition was known, in UTC; `None` if that cannot be told.

    `recordedDate`, else the asserted date, else a full onset date (`onsetDateTime`, or the start
    of `onsetPeriod`). A date without a time counts as the end of its day, so that a diagnosis
    of the day of the visit is never taken for one known before it; `zone` is where its days end.
    A month or a year alone is no date, and a time of day without an offset no instant: both fall
    through to the next source.
    """
    period = condition.get("onsetPeriod")
    sources = (
        condition.get("recordedDate"),
        _asserted(condition),
        condition.get("onsetDateTime"),
        period.get("start") if isinstance(period, Mapping) else None,
    )
    for text in sources:
        known = end_of_time(text, zone)
        if known is not None:
            return known
    return None


def end_of_time(text: object, zone: tzinfo = UTC) -> datetime | None:
    """The last instant a FHIR date or dateTime may mean; `None` unless it names at least a day.

    The days of dates are days in `zone`. See https://hl7.org/fhir/R4/datatypes.html#dateTime.
    """
    if not isinstance(text, str):
        return None
    if "T" in text:
        return parse_instant(text)
    days = parse_date(text)
    if days is None or days[0] != days[1]:
        return None
    try:
        return datetime.combine(days[1], time.max, zone).astimezone(UTC)
    except OverflowError:  # The last day of the calendar, or the first.
        return None


def _asserted(condition: Mapping[str, Any]) -> object:
    extensions = condition.get("extension")
    for extension in extensions if isinstance(extensions, list) else ():
        if isinstance(extension, Mapping) and extension.get("url") == ASSERTED_DATE:
            return extension.get("valueDateTime")
    return None
