"""Audit events."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Select, insert, or_, select, text

from cds_service.storage.tables import AUDIT_EVENTS

SUGGESTED_FROM = 5_000
"""Newest events among which names of actions and objects are looked for."""


@dataclass(frozen=True, slots=True)
class AuditSearch:
    """What events are looked for; `None` is anything."""

    since: datetime | None = None
    """Included."""
    until: datetime | None = None
    """Not included."""
    action: str | None = None
    actor: str | None = None
    """How the actor begins."""
    object_type: str | None = None
    object_id: str | None = None


class AuditStore:
    """Writes who did what, in the caller's transaction, and finds it again."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def add(
        self,
        *,
        at: datetime,
        actor: str,
        action: str,
        object_type: str,
        object_id: str,
        detail: Mapping[str, Any] | None = None,
    ) -> None:
        """One event. `detail` holds names and counts, never a patient value."""
        self._connection.execute(
            insert(AUDIT_EVENTS),
            {
                "at": at,
                "actor": actor,
                "action": action,
                "object_type": object_type,
                "object_id": object_id,
                "detail": dict(detail or {}),
            },
        )

    def found(
        self, search: AuditSearch, *, limit: int, before: int | None = None
    ) -> list[dict[str, Any]]:
        """The newest `limit` events that fit, the newest first; those before event `before`."""
        columns = AUDIT_EVENTS.c
        query = _fitting(select(AUDIT_EVENTS), search)
        if before is not None:
            last = self._connection.execute(select(columns.at).where(columns.id == before)).scalar()
            if last is None:
                return []
            query = query.where(columns.at <= last, or_(columns.at < last, columns.id < before))
        # By time, so that the index on it bounds what is looked through.
        query = query.order_by(columns.at.desc(), columns.id.desc()).limit(limit)
        return [dict(row._mapping) for row in self._connection.execute(query)]

    def names(self) -> tuple[list[str], list[str]]:
        """Actions and kinds of objects among the newest events, each by name."""
        columns = AUDIT_EVENTS.c
        newest = (
            select(columns.action, columns.object_type)
            .order_by(columns.id.desc())
            .limit(SUGGESTED_FROM)
            .subquery()
        )
        rows = list(self._connection.execute(select(newest).distinct()))
        return sorted({row.action for row in rows}), sorted({row.object_type for row in rows})


def _fitting(query: Select[Any], search: AuditSearch) -> Select[Any]:
    columns = AUDIT_EVENTS.c
    if search.since is not None:
        query = query.where(columns.at >= search.since)
    if search.until is not None:
        query = query.where(columns.at < search.until)
    if search.actor is not None:
        query = query.where(columns.actor.startswith(search.actor, autoescape=True))
    for name in ("action", "object_type", "object_id"):
        wanted = getattr(search, name)
        if wanted is not None:
            query = query.where(columns[name] == wanted)
    if search.object_type not in (None, "assessment"):
        # Word for word what the index on objects is limited to: else it is not used.
        query = query.where(text("object_type <> 'assessment'"))
    return query
