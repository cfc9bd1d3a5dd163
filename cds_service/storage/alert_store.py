"""Alerts: what an administrator should look at."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, and_, case, func, or_, select, update

from cds_service.storage.rows import insert_once
from cds_service.storage.tables import ALERTS, RELEASE_WATCHES

_UNRESOLVED = ALERTS.c.resolved_at.is_(None)
_IS = {
    "open": and_(_UNRESOLVED, ALERTS.c.acknowledged_at.is_(None)),
    "acknowledged": and_(_UNRESOLVED, ALERTS.c.acknowledged_at.is_not(None)),
    "resolved": ALERTS.c.resolved_at.is_not(None),
}
"""How alerts stand; each stands one way."""


class AlertStore:
    """SQL of `alerts`."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def add(self, alert: Mapping[str, Any]) -> bool:
        """Raise an alert; `False` if one of its key is open."""
        return insert_once(self._connection, ALERTS, alert)

    def seen_again(self, key: str, *, at: datetime) -> bool:
        """Count once more the open alert of a key; `False` if none is open."""
        result = self._connection.execute(
            update(ALERTS)
            .where(ALERTS.c.key == key, ALERTS.c.resolved_at.is_(None))
            .values(last_seen_at=at, times_seen=ALERTS.c.times_seen + 1)
        )
        return result.rowcount > 0

    def resolve(self, key: str, *, at: datetime, by: str, resolution: str) -> bool:
        """Close the open alert of a key; `False` if none is open."""
        result = self._connection.execute(
            update(ALERTS)
            .where(ALERTS.c.key == key, ALERTS.c.resolved_at.is_(None))
            .values(resolved_at=at, resolved_by=by, resolution=resolution)
        )
        return result.rowcount > 0

    def unresolved(self) -> list[dict[str, Any]]:
        """Open alerts, oldest first."""
        query = (
            select(ALERTS).where(ALERTS.c.resolved_at.is_(None)).order_by(ALERTS.c.at, ALERTS.c.key)
        )
        return [dict(row._mapping) for row in self._connection.execute(query)]

    def listed(self, *, resolved: bool) -> list[dict[str, Any]]:
        """Open alerts, or with `resolved` all, oldest first."""
        query = select(ALERTS).order_by(ALERTS.c.at, ALERTS.c.key)
        if not resolved:
            query = query.where(ALERTS.c.resolved_at.is_(None))
        return [dict(row._mapping) for row in self._connection.execute(query)]

    def counts(self) -> dict[str, int]:
        """How many alerts are `open`, `acknowledged` (open, but somebody is at it) and
        `resolved`."""
        query = select(*(func.sum(case((where, 1), else_=0)).label(n) for n, where in _IS.items()))
        row = self._connection.execute(query).one()
        return {name: int(getattr(row, name) or 0) for name in _IS}

    def open_by_severity(self) -> dict[str, int]:
        """How many are not resolved, by severity."""
        query = (
            select(ALERTS.c.severity, func.count().label("n"))
            .where(ALERTS.c.resolved_at.is_(None))
            .group_by(ALERTS.c.severity)
        )
        return {row.severity: row.n for row in self._connection.execute(query)}

    def part(self, state: str, *, limit: int, offset: int) -> list[dict[str, Any]]:
        """Some of the alerts of a state of `counts`: those that are open by severity, then the
        newest first; resolved ones as they were resolved, the last first."""
        query = select(ALERTS).where(_IS[state]).limit(limit).offset(offset)
        if state == "resolved":
            query = query.order_by(ALERTS.c.resolved_at.desc(), ALERTS.c.id)
        else:
            rank = case({"critical": 0, "warning": 1}, value=ALERTS.c.severity, else_=2)
            query = query.order_by(rank, ALERTS.c.at.desc(), ALERTS.c.id)
        return [dict(row._mapping) for row in self._connection.execute(query)]

    def beginning_with(self, prefix: str, limit: int = 2) -> list[dict[str, Any]]:
        """Alerts whose id begins so, at most `limit`."""
        query = select(ALERTS).where(ALERTS.c.id.startswith(prefix, autoescape=True)).limit(limit)
        return [dict(row._mapping) for row in self._connection.execute(query)]

    def acknowledge(
        self, identifier: str, *, at: datetime, by: str, note: str | None = None
    ) -> bool:
        """Say that somebody is at it; `False` if somebody was already, or it is resolved."""
        result = self._connection.execute(
            update(ALERTS)
            .where(
                ALERTS.c.id == identifier,
                ALERTS.c.acknowledged_at.is_(None),
                ALERTS.c.resolved_at.is_(None),
            )
            .values(acknowledged_at=at, acknowledged_by=by, note=note)
        )
        return result.rowcount > 0

    def close(self, identifier: str, *, at: datetime, by: str, resolution: str) -> bool:
        """Resolve an alert by its id; `False` if it is resolved already."""
        result = self._connection.execute(
            update(ALERTS)
            .where(ALERTS.c.id == identifier, ALERTS.c.resolved_at.is_(None))
            .values(resolved_at=at, resolved_by=by, resolution=resolution)
        )
        return result.rowcount > 0

    def recent(self, since: datetime) -> list[dict[str, Any]]:
        """Open alerts, and those that were resolved since then; oldest first."""
        query = (
            select(ALERTS)
            .where(or_(ALERTS.c.resolved_at.is_(None), ALERTS.c.resolved_at >= since))
            .order_by(ALERTS.c.at, ALERTS.c.key)
        )
        return [dict(row._mapping) for row in self._connection.execute(query)]

    def digests(self, newest: int) -> list[dict[str, Any]]:
        """What changed with the newest promotions, oldest first: `release_id`, `version`,
        `previous`, `digest`. One may be written long after its promotion."""
        columns = RELEASE_WATCHES.c
        query = (
            select(columns.release_id, columns.version, columns.previous, columns.digest)
            .where(columns.digest.is_not(None))
            .order_by(columns.release_id.desc())
            .limit(newest)
        )
        return [dict(row._mapping) for row in self._connection.execute(query)][::-1]
