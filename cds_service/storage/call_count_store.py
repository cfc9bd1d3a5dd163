"""Counts of calls by hour."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, case, delete, func, select
from sqlalchemy.dialects import postgresql, sqlite

from cds_service.storage.days import utc_day
from cds_service.storage.tables import CALL_COUNTS

_KEY = ("hour", "client", "service", "status", "bucket")


class CallCountStore:
    """SQL of `call_counts`; the caller owns the transaction."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def add(self, counts: Sequence[Mapping[str, Any]]) -> None:
        """Add to what is counted, whoever else adds to the same."""
        if not counts:
            return
        is_sqlite = self._connection.dialect.name == "sqlite"
        added: Any = (sqlite if is_sqlite else postgresql).insert(CALL_COUNTS)
        there, new = CALL_COUNTS.c, added.excluded
        added = added.on_conflict_do_update(
            index_elements=_KEY,
            set_={
                "calls": there.calls + new.calls,
                "last_at": case((new.last_at > there.last_at, new.last_at), else_=there.last_at),
            },
        )
        # In one order, so that two who add never wait for each other crosswise.
        ordered = sorted(counts, key=lambda one: tuple(one[name] for name in _KEY))
        self._connection.execute(added, ordered)

    def forget(self, before: datetime) -> int:
        """Delete what is older; returns how many rows."""
        return self._connection.execute(
            delete(CALL_COUNTS).where(CALL_COUNTS.c.hour < before)
        ).rowcount

    def by_day(self, since: datetime, until: datetime) -> list[dict[str, Any]]:
        """`day`, `service`, `status`, `bucket` and `calls`, of all clients."""
        day = utc_day(CALL_COUNTS.c.hour, self._connection.dialect).label("day")
        columns = (day, CALL_COUNTS.c.service, CALL_COUNTS.c.status, CALL_COUNTS.c.bucket)
        return self._summed(columns, since, until)

    def by_client(self, since: datetime, until: datetime) -> list[dict[str, Any]]:
        """`client`, `service`, `status`, `bucket` and `calls`, of the whole time."""
        columns = (
            CALL_COUNTS.c.client,
            CALL_COUNTS.c.service,
            CALL_COUNTS.c.status,
            CALL_COUNTS.c.bucket,
        )
        return self._summed(columns, since, until)

    def last_calls(self) -> dict[str, datetime]:
        """When each client's newest call was answered; nobody's (the name is empty) too."""
        query = select(
            CALL_COUNTS.c.client, func.max(CALL_COUNTS.c.last_at).label("last")
        ).group_by(CALL_COUNTS.c.client)
        return {row.client: row.last for row in self._connection.execute(query)}

    def _summed(
        self, columns: Sequence[Any], since: datetime, until: datetime
    ) -> list[dict[str, Any]]:
        query = (
            select(*columns, func.sum(CALL_COUNTS.c.calls).label("calls"))
            .where(CALL_COUNTS.c.hour >= since, CALL_COUNTS.c.hour < until)
            .group_by(*columns)
            .order_by(*columns)
        )
        rows = self._connection.execute(query)
        return [dict(row._mapping) | {"calls": int(row.calls)} for row in rows]
