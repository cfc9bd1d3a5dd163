"""Comparisons that people asked for: waiting, done or failed."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any, Final

from sqlalchemy import Connection, select, update

from cds_service.storage.rows import dicts, insert_once
from cds_service.storage.tables import COMPARISON_REQUESTS

WAITING, DONE, FAILED = "waiting", "done", "failed"
LONGEST_RESULT: Final = 500
"""Characters kept of what came of one."""


class ComparisonRequestStore:
    """SQL of `comparison_requests`; the caller owns the transaction."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def add(self, request: Mapping[str, Any]) -> bool:
        """A new one; `False`, and nothing is added, if the same is waiting already."""
        values = {"state": WAITING, "tries": 0, **request}
        return insert_once(self._connection, COMPARISON_REQUESTS, values)

    def waiting(self) -> list[dict[str, Any]]:
        """Those that wait, the oldest first."""
        query = (
            select(COMPARISON_REQUESTS)
            .where(COMPARISON_REQUESTS.c.state == WAITING)
            .order_by(COMPARISON_REQUESTS.c.asked_at, COMPARISON_REQUESTS.c.id)
        )
        return list(dicts(self._connection.execute(query)))

    def newest(self, first: str, second: str) -> dict[str, Any] | None:
        """The last that was asked for of a pair, that way round."""
        query = (
            select(COMPARISON_REQUESTS)
            .where(COMPARISON_REQUESTS.c.first == first, COMPARISON_REQUESTS.c.second == second)
            .order_by(COMPARISON_REQUESTS.c.asked_at.desc(), COMPARISON_REQUESTS.c.id)
            .limit(1)
        )
        return next(dicts(self._connection.execute(query)), None)

    def begin(self, identifier: str) -> None:
        """Count that it is begun."""
        self._of_waiting(identifier, {"tries": COMPARISON_REQUESTS.c.tries + 1})

    def end(self, identifier: str, state: str, *, at: datetime, result: str) -> bool:
        """What came of it; `False`, and nothing is recorded, if it has ended before."""
        values = {"state": state, "ended_at": at, "result": result[:LONGEST_RESULT]}
        return self._of_waiting(identifier, values)

    def _of_waiting(self, identifier: str, values: Mapping[str, Any]) -> bool:
        found = self._connection.execute(
            update(COMPARISON_REQUESTS)
            .where(COMPARISON_REQUESTS.c.id == identifier, COMPARISON_REQUESTS.c.state == WAITING)
            .values(dict(values))
        )
        return found.rowcount > 0
