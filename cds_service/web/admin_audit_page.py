"""What the page of the audit trail reads and shows."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta, tzinfo
from typing import Any

from cds_service.storage.audit_store import AuditSearch
from cds_service.web.figures import figures

LONGEST = 200
"""Characters of what is looked for."""
DAYS = 7
"""How far back is looked where no day is given."""
_FIRST_YEAR, _LAST_YEAR = 2000, 2999
"""Other days are mistyped, and at the ends of the calendar nothing can be added."""


@dataclass(frozen=True, slots=True)
class EventView:
    """An event as a row."""

    at: str
    actor: str
    action: str
    object_type: str
    object_id: str
    detail: Sequence[tuple[str, str]]


def read_search(
    asked: Mapping[str, str], now: datetime, zone: tzinfo = UTC
) -> tuple[AuditSearch | None, str | None]:
    """What is looked for, or the key of what is wrong with it.

    Days are those of `zone`, the last one included; without a first day it is `DAYS` before the
    last one or before now.
    """
    days: dict[str, datetime | None] = {}
    for name in ("since", "until"):
        try:
            days[name] = _day(asked[name], zone)
        except ValueError:
            return None, f"wrong.{name}"
    since, until = days["since"], days["until"]
    if since is not None and until is not None and until < since:
        return None, "wrong.until"
    end = None if until is None else until + timedelta(days=1)
    if since is None:
        since = (end or now) - timedelta(days=DAYS)
    return (
        AuditSearch(
            since=since,
            until=end,
            action=asked["action"] or None,
            actor=asked["actor"] or None,
            object_type=asked["kind"] or None,
            object_id=asked["id"] or None,
        ),
        None,
    )


def event_view(event: Mapping[str, Any], zone: tzinfo) -> EventView:
    """One row; its time is that of `zone`, which it names."""
    return EventView(
        at=event["at"].astimezone(zone).strftime("%Y-%m-%d %H:%M:%S %Z"),
        actor=event["actor"],
        action=event["action"],
        object_type=event["object_type"],
        object_id=event["object_id"],
        detail=figures(event["detail"] or {}),
    )


def _day(text: str, zone: tzinfo) -> datetime | None:
    if not text:
        return None
    day = date.fromisoformat(text)
    if not _FIRST_YEAR <= day.year <= _LAST_YEAR:
        raise ValueError("no day of ours")
    return datetime(day.year, day.month, day.day, tzinfo=zone)
