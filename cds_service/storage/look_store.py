"""Looks at held-out parts."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, func, insert, select

from cds_service.storage.tables import HELD_OUT_LOOKS


class LookStore:
    """SQL of `held_out_looks`."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def add(self, look: Mapping[str, Any]) -> None:
        """Keep a look."""
        self._connection.execute(insert(HELD_OUT_LOOKS), look)

    def before(self, fingerprint: str) -> tuple[int, datetime | None]:
        """How often this part was looked at so far, and when first."""
        query = select(func.count(), func.min(HELD_OUT_LOOKS.c.at)).where(
            HELD_OUT_LOOKS.c.fingerprint == fingerprint
        )
        count, first = self._connection.execute(query).one()
        return int(count), first

    def of_version(self, version: str) -> list[dict[str, Any]]:
        """Looks taken for one version, oldest first."""
        query = (
            select(HELD_OUT_LOOKS)
            .where(HELD_OUT_LOOKS.c.model_version == version)
            .order_by(HELD_OUT_LOOKS.c.at)
        )
        return [dict(row._mapping) for row in self._connection.execute(query)]
