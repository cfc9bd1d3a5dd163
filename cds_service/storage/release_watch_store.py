"""Promotions that are watched, and what changed with them."""

from collections.abc import Mapping
from typing import Any

from sqlalchemy import Connection, insert, select, update

from cds_service.storage.tables import RELEASE_WATCHES

WATCHING, KEPT, ROLLED_BACK, REPLACED = "watching", "kept", "rolled_back", "replaced"


class ReleaseWatchStore:
    """SQL of `release_watches`."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def add(self, watch: Mapping[str, Any]) -> None:
        """Watch a release from now on."""
        self._connection.execute(insert(RELEASE_WATCHES), watch)

    def all(self) -> list[dict[str, Any]]:
        """Every watch, newest first."""
        query = select(RELEASE_WATCHES).order_by(RELEASE_WATCHES.c.release_id.desc())
        return [dict(row._mapping) for row in self._connection.execute(query)]

    def open(self) -> dict[str, Any] | None:
        """The release that is watched now; there is at most one."""
        for row in self.all():
            if row["state"] == WATCHING:
                return row
        return None

    def close(self, state: str) -> None:
        """End every watch that is open."""
        self._connection.execute(
            update(RELEASE_WATCHES).where(RELEASE_WATCHES.c.state == WATCHING).values(state=state)
        )

    def change(self, release_id: int, looks_before: int, values: Mapping[str, Any]) -> bool:
        """Change an open watch; `False` if it is closed, or another process looked meanwhile."""
        found = self._connection.execute(
            select(RELEASE_WATCHES.c.looks)
            .where(RELEASE_WATCHES.c.release_id == release_id, RELEASE_WATCHES.c.state == WATCHING)
            .with_for_update()
        ).one_or_none()
        if found is None or len(found.looks) != looks_before:
            return False
        self._connection.execute(
            update(RELEASE_WATCHES)
            .where(RELEASE_WATCHES.c.release_id == release_id)
            .values(**values)
        )
        return True

    def set_digest(self, release_id: int, digest: Mapping[str, Any]) -> None:
        """Keep what changed with a release."""
        self._connection.execute(
            update(RELEASE_WATCHES)
            .where(RELEASE_WATCHES.c.release_id == release_id)
            .values(digest=dict(digest))
        )

    def follow(self, old: str, new: str) -> None:
        """Watch `new`, a copy of `old` that took its place."""
        self._connection.execute(
            update(RELEASE_WATCHES)
            .where(RELEASE_WATCHES.c.version == old, RELEASE_WATCHES.c.state == WATCHING)
            .values(version=new)
        )
