"""Versions on their way to become champion."""

from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy import Connection, insert, select, update

from cds_service.storage.tables import CHALLENGERS

GATE, SHADOW, WAITING = "gate", "shadow", "waiting"
REFUSED, UNDECIDED, PROMOTED, WITHDRAWN = "refused", "undecided", "promoted", "withdrawn"
ON_THE_WAY = (GATE, SHADOW, WAITING)
"""Stages that are not the end."""


class ChallengerStore:
    """SQL of `challengers`."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def add(self, challenger: Mapping[str, Any]) -> None:
        """Send a version on its way."""
        self._connection.execute(insert(CHALLENGERS), challenger)

    def get(self, version: str) -> dict[str, Any] | None:
        """The challenger of this version."""
        row = self._connection.execute(
            select(CHALLENGERS).where(CHALLENGERS.c.version == version)
        ).one_or_none()
        return None if row is None else dict(row._mapping)

    def all(self) -> list[dict[str, Any]]:
        """Every challenger, oldest first."""
        query = select(CHALLENGERS).order_by(CHALLENGERS.c.created_at, CHALLENGERS.c.version)
        return [dict(row._mapping) for row in self._connection.execute(query)]

    def on_the_way(self) -> list[dict[str, Any]]:
        """Those that are not at the end, oldest first."""
        return [row for row in self.all() if row["stage"] in ON_THE_WAY]

    def move(self, version: str, stages: Sequence[str], values: Mapping[str, Any]) -> bool:
        """Change a challenger that is in one of `stages`; `False` if it is in none of them.

        So of two processes that would both take a step only one does.
        """
        result = self._connection.execute(
            update(CHALLENGERS)
            .where(CHALLENGERS.c.version == version, CHALLENGERS.c.stage.in_(stages))
            .values(**values)
        )
        return result.rowcount > 0

    def follow(self, old: str, new: str) -> None:
        """Hold against `new` what was held against `old`, of which it is a copy."""
        self._connection.execute(
            update(CHALLENGERS)
            .where(CHALLENGERS.c.champion == old, CHALLENGERS.c.stage.in_(ON_THE_WAY))
            .values(champion=new)
        )
