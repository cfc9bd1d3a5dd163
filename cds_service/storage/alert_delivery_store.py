"""News of alerts on its way to a channel."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, select, update

from cds_service.storage.rows import insert_once
from cds_service.storage.session import IN_LIST
from cds_service.storage.tables import ALERT_DELIVERIES


class AlertDeliveryStore:
    """SQL of `alert_deliveries`: news on its way to a channel."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def of(self, alert_ids: Sequence[str]) -> list[dict[str, Any]]:
        """Deliveries of these alerts, oldest first, without their content."""
        columns = [column for column in ALERT_DELIVERIES.c if column.name != "content"]
        query = select(*columns).order_by(ALERT_DELIVERIES.c.created_at, ALERT_DELIVERIES.c.id)
        found: list[dict[str, Any]] = []
        for start in range(0, len(alert_ids), IN_LIST):
            some = alert_ids[start : start + IN_LIST]
            rows = self._connection.execute(query.where(ALERT_DELIVERIES.c.alert_id.in_(some)))
            found += [dict(row._mapping) for row in rows]
        return found

    def add(self, delivery: Mapping[str, Any]) -> bool:
        """Put news on its way; `False` if another process has."""
        return insert_once(self._connection, ALERT_DELIVERIES, delivery)

    def due(self, channel: str, now: datetime) -> list[dict[str, Any]]:
        """What is to be sent over a channel now."""
        deliveries = ALERT_DELIVERIES.c
        query = select(ALERT_DELIVERIES).where(
            deliveries.channel == channel,
            deliveries.done_at.is_(None),
            deliveries.next_attempt_at <= now,
        )
        return [dict(row._mapping) for row in self._connection.execute(query)]

    def claim(self, seen: Mapping[str, Any], until: datetime) -> bool:
        """Take a delivery as it was seen; `False` if another process took it meanwhile."""
        deliveries = ALERT_DELIVERIES.c
        result = self._connection.execute(
            update(ALERT_DELIVERIES)
            .where(
                deliveries.id == seen["id"],
                deliveries.done_at.is_(None),
                deliveries.attempts == seen["attempts"],
                deliveries.next_attempt_at == seen["next_attempt_at"],
            )
            .values(attempts=seen["attempts"] + 1, next_attempt_at=until)
        )
        return result.rowcount > 0

    def done(self, identifier: str, *, at: datetime, result: str) -> None:
        """Close a delivery: it was sent, or given up."""
        self._set(identifier, done_at=at, result=result)

    def again(self, identifier: str, *, at: datetime, result: str) -> None:
        """Try again at that time, because of this fault."""
        self._set(identifier, next_attempt_at=at, result=result)

    def _set(self, identifier: str, **values: Any) -> None:
        # What was closed meanwhile stays closed: who sent it was slower than the lease.
        self._connection.execute(
            update(ALERT_DELIVERIES)
            .where(ALERT_DELIVERIES.c.id == identifier, ALERT_DELIVERIES.c.done_at.is_(None))
            .values(values)
        )
