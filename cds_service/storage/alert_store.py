"""Alerts: what an administrator should look at."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, insert, select, update
from sqlalchemy.exc import IntegrityError

from cds_service.storage.tables import ALERTS


class AlertStore:
    """SQL of `alerts`."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def add(self, alert: Mapping[str, Any]) -> bool:
        """Raise an alert; `False` if one of its key is open."""
        try:
            with self._connection.begin_nested():
                self._connection.execute(insert(ALERTS), alert)
        except IntegrityError:
            return False
        return True

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
