"""History files that were found in the watched location."""

from collections.abc import Mapping
from typing import Any

from sqlalchemy import Connection, func, insert, select

from cds_service.storage.locks import Lock, hold
from cds_service.storage.tables import WATCHED_FILES


class WatchedFileStore:
    """SQL of `watched_files`; the caller owns the transaction."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def lock(self) -> None:
        """Take histories alone until the transaction ends; SQLite has one writer anyway."""
        hold(self._connection, Lock.HISTORIES)

    def add(self, file: Mapping[str, Any]) -> None:
        """Keep what became of a file."""
        self._connection.execute(insert(WATCHED_FILES), file)

    def all(self) -> list[dict[str, Any]]:
        """Every file, oldest first."""
        query = select(WATCHED_FILES).order_by(WATCHED_FILES.c.seen_at, WATCHED_FILES.c.id)
        return [dict(row._mapping) for row in self._connection.execute(query)]

    def counts(self) -> dict[str, int]:
        """How many files there are of each state."""
        query = select(WATCHED_FILES.c.state, func.count().label("n")).group_by(
            WATCHED_FILES.c.state
        )
        return {row.state: row.n for row in self._connection.execute(query)}

    def newest(self, *, limit: int, offset: int) -> list[dict[str, Any]]:
        """Some files, the newest first."""
        query = (
            select(WATCHED_FILES)
            .order_by(WATCHED_FILES.c.seen_at.desc(), WATCHED_FILES.c.id)
            .limit(limit)
            .offset(offset)
        )
        return [dict(row._mapping) for row in self._connection.execute(query)]

    def with_content(self, sha256: str) -> list[dict[str, Any]]:
        """Files of this content, under whatever name; oldest first."""
        query = (
            select(WATCHED_FILES)
            .where(WATCHED_FILES.c.sha256 == sha256)
            .order_by(WATCHED_FILES.c.seen_at, WATCHED_FILES.c.id)
        )
        return [dict(row._mapping) for row in self._connection.execute(query)]
