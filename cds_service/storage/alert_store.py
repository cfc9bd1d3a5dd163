"""Alerts: what an administrator should look at."""

from collections.abc import Mapping
from typing import Any

from sqlalchemy import Connection, insert, select

from cds_service.storage.tables import ALERTS


class AlertStore:
    """SQL of `alerts`."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def add(self, alert: Mapping[str, Any]) -> None:
        """Raise an alert."""
        self._connection.execute(insert(ALERTS), alert)

    def unresolved(self) -> list[dict[str, Any]]:
        """Open alerts, oldest first."""
        query = select(ALERTS).where(ALERTS.c.resolved_at.is_(None)).order_by(ALERTS.c.at)
        return [dict(row._mapping) for row in self._connection.execute(query)]
