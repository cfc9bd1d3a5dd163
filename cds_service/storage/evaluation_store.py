"""Chunks of matured assessments, as they were judged."""

from collections.abc import Mapping
from typing import Any

from sqlalchemy import Connection, Select, func, select, update

from cds_service.storage.rows import insert_once
from cds_service.storage.tables import EVALUATION_CHUNKS

LOOKED_AT = 12
"""Newest chunks among which that of a version is looked for."""
_STANDING = (
    EVALUATION_CHUNKS.c.id,
    EVALUATION_CHUNKS.c.number,
    EVALUATION_CHUNKS.c.revision,
    EVALUATION_CHUNKS.c.started_at,
    EVALUATION_CHUNKS.c.ended_at,
    EVALUATION_CHUNKS.c.fingerprint,
)


class EvaluationChunkStore:
    """SQL of `evaluation_chunks`; the newest revision of a number counts, earlier ones stay."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def standing(self) -> list[dict[str, Any]]:
        """Bounds, revision and fingerprint of each chunk as it stands, by number."""
        query = _newest(select(*_STANDING)).order_by(EVALUATION_CHUNKS.c.number)
        return [dict(row._mapping) for row in self._connection.execute(query)]

    def newest(self, count: int, *, before: int | None = None) -> list[dict[str, Any]]:
        """The last `count` chunks as they stand, whole, the newest first; with `before` the last
        of those before that number."""
        query = _newest(select(EVALUATION_CHUNKS)).order_by(EVALUATION_CHUNKS.c.number.desc())
        if before is not None:
            query = query.where(EVALUATION_CHUNKS.c.number < before)
        return [dict(row._mapping) for row in self._connection.execute(query.limit(count))]

    def newest_of(self, *versions: str) -> dict[str, Any] | None:
        """The last of the `LOOKED_AT` newest chunks in which every one of them was judged."""
        for chunk in self.newest(LOOKED_AT):
            if set(versions) <= set(chunk["result"]["versions"]):
                return chunk
        return None

    def without_run(self) -> list[str]:
        """Ids of judgements that MLflow does not know yet, earlier revisions too, oldest first."""
        query = (
            select(EVALUATION_CHUNKS.c.id)
            .where(EVALUATION_CHUNKS.c.run_id.is_(None))
            .order_by(EVALUATION_CHUNKS.c.number, EVALUATION_CHUNKS.c.revision)
        )
        return list(self._connection.execute(query).scalars())

    def get(self, identifier: str) -> dict[str, Any]:
        """One judgement, whole."""
        query = select(EVALUATION_CHUNKS).where(EVALUATION_CHUNKS.c.id == identifier)
        return dict(self._connection.execute(query).one()._mapping)

    def add(self, chunk: Mapping[str, Any]) -> bool:
        """Keep a judgement; `False` if another process has kept this revision."""
        return insert_once(self._connection, EVALUATION_CHUNKS, chunk)

    def set_run(self, identifier: str, run_id: str | None) -> None:
        """Note the MLflow run of a judgement; `None`: it is to be told again."""
        self._connection.execute(
            update(EVALUATION_CHUNKS)
            .where(EVALUATION_CHUNKS.c.id == identifier)
            .values(run_id=run_id)
        )


def _newest(query: Select[Any]) -> Select[Any]:
    """The rows of the last revision of each number."""
    last = (
        select(EVALUATION_CHUNKS.c.number, func.max(EVALUATION_CHUNKS.c.revision).label("revision"))
        .group_by(EVALUATION_CHUNKS.c.number)
        .subquery()
    )
    return query.join(
        last,
        (last.c.number == EVALUATION_CHUNKS.c.number)
        & (last.c.revision == EVALUATION_CHUNKS.c.revision),
    )
