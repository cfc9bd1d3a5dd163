"""Which rows are in which exported file, and the rows themselves."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, Final

from sqlalchemy import (
    Connection,
    Select,
    Subquery,
    Table,
    and_,
    func,
    insert,
    literal,
    select,
    union_all,
    update,
)

from cds_service.storage.locks import Lock, hold
from cds_service.storage.session import IN_LIST
from cds_service.storage.tables import (
    ASSESSMENTS,
    EVALUATION_CHUNKS,
    EVALUATIONS,
    EXPORT_PARTS,
    EXPORTED_ROWS,
    INPUT_CHUNKS,
    OUTCOMES,
)

ASSESSMENTS_SET: Final = "assessments"
OUTCOMES_SET: Final = "outcomes"
OUTCOME_ENDS_SET: Final = "outcome_ends"
REPORTS_SET: Final = "reports"
DATASETS: Final = (ASSESSMENTS_SET, OUTCOMES_SET, OUTCOME_ENDS_SET, REPORTS_SET)
PLANNED, WRITTEN = "planned", "written"

_REPORTS: Mapping[str, Table] = {
    "evaluation": EVALUATIONS,
    "evaluation_chunk": EVALUATION_CHUNKS,
    "input_chunk": INPUT_CHUNKS,
}
"""Kind of a report to its table; the kind stands before the id."""
_EXCLUDED = "excluded"
"""Situation of assessments of which nothing may be learnt (C2)."""


class ExportStore:
    """SQL of exports; the caller owns the transaction."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def lock(self) -> None:
        """Plan alone until the transaction ends; SQLite has one writer anyway."""
        hold(self._connection, Lock.EXPORTS)

    def missing(
        self,
        target: str,
        dataset: str,
        *,
        since: datetime | None,
        until: datetime,
        limit: int,
    ) -> list[tuple[str, datetime]]:
        """Ids and times of rows that are in no part for this target, oldest first.

        Read without a lock: many rows are looked through.
        """
        rows = _source(dataset)
        there = and_(
            EXPORTED_ROWS.c.target == target,
            EXPORTED_ROWS.c.dataset == dataset,
            EXPORTED_ROWS.c.row_id == rows.c.row_id,
        )
        query = (
            select(rows.c.row_id, rows.c.at)
            .outerjoin(EXPORTED_ROWS, there)
            .where(EXPORTED_ROWS.c.id.is_(None), rows.c.at < until)
            .order_by(rows.c.at, rows.c.row_id)
            .limit(limit)
        )
        if since is not None:
            query = query.where(rows.c.at >= since)
        return [(row.row_id, row.at) for row in self._connection.execute(query)]

    def taken(self, target: str, dataset: str, row_ids: Sequence[str]) -> set[str]:
        """Which of these rows are in a part."""
        taken: set[str] = set()
        for start in range(0, len(row_ids), IN_LIST):
            query = select(EXPORTED_ROWS.c.row_id).where(
                EXPORTED_ROWS.c.target == target,
                EXPORTED_ROWS.c.dataset == dataset,
                EXPORTED_ROWS.c.row_id.in_(row_ids[start : start + IN_LIST]),
            )
            taken |= set(self._connection.execute(query).scalars())
        return taken

    def plan(self, part: Mapping[str, Any], row_ids: Sequence[str]) -> None:
        """Put rows into a part that is to be written."""
        self._connection.execute(insert(EXPORT_PARTS), part)
        same = {name: part[name] for name in ("target", "dataset")} | {"part_id": part["id"]}
        self._connection.execute(
            insert(EXPORTED_ROWS), [same | {"row_id": row_id} for row_id in row_ids]
        )

    def parts(self, target: str, state: str | None = None) -> list[dict[str, Any]]:
        """Parts for a target, by dataset and day."""
        parts = EXPORT_PARTS.c
        query = (
            select(EXPORT_PARTS)
            .where(parts.target == target)
            .order_by(parts.dataset, parts.day, parts.name)
        )
        if state is not None:
            query = query.where(parts.state == state)
        return [dict(row._mapping) for row in self._connection.execute(query)]

    def standing(self) -> list[dict[str, Any]]:
        """By `target`, `dataset` and `state`: `files`, `rows`, the first and last day (`first`,
        `last`) and when the newest changed (`at`)."""
        parts = EXPORT_PARTS.c
        keys = (parts.target, parts.dataset, parts.state)
        query = (
            select(
                *keys,
                func.count().label("files"),
                func.sum(parts.rows).label("rows"),
                func.min(parts.day).label("first"),
                func.max(parts.day).label("last"),
                func.max(parts.at).label("at"),
            )
            .group_by(*keys)
            .order_by(*keys)
        )
        rows = self._connection.execute(query)
        return [dict(row._mapping) | {"rows": int(row.rows)} for row in rows]

    def newest(self, *, limit: int, offset: int) -> list[dict[str, Any]]:
        """Some parts of all targets, the newest first."""
        parts = EXPORT_PARTS.c
        query = (
            select(EXPORT_PARTS)
            .order_by(parts.at.desc(), parts.name, parts.id)
            .limit(limit)
            .offset(offset)
        )
        return [dict(row._mapping) for row in self._connection.execute(query)]

    def written(self, part_id: str, *, rows: int, sha256: str, at: datetime) -> bool:
        """Say that a part is in place; `False` if another process said so."""
        result = self._connection.execute(
            update(EXPORT_PARTS)
            .where(EXPORT_PARTS.c.id == part_id, EXPORT_PARTS.c.state == PLANNED)
            .values(state=WRITTEN, rows=rows, sha256=sha256, at=at)
        )
        return result.rowcount > 0

    def rows(self, part: Mapping[str, Any]) -> list[dict[str, Any]]:
        """The rows of a part that are still there, in one order. Reports have `kind` and `id`."""
        return _READ[part["dataset"]](self._connection, str(part["id"]))


def _source(dataset: str) -> Subquery:
    """Every row of a dataset: `row_id` and `at`, which says its day."""
    if dataset == REPORTS_SET:
        kinds = [
            select((literal(f"{kind}:") + table.c.id).label("row_id"), table.c.at.label("at"))
            for kind, table in _REPORTS.items()
        ]
        return union_all(*kinds).subquery()
    if dataset == ASSESSMENTS_SET:
        columns = ASSESSMENTS.c
        query: Select[Any] = select(columns.id.label("row_id"), columns.prediction_time.label("at"))
        return query.where(columns.situation != _EXCLUDED).subquery()
    ended = dataset == OUTCOME_ENDS_SET
    at = OUTCOMES.c.superseded_at if ended else OUTCOMES.c.decided_at
    query = select(OUTCOMES.c.id.label("row_id"), at.label("at"))
    return (
        query.where(OUTCOMES.c.superseded_at.is_not(None)).subquery()
        if ended
        else (query.subquery())
    )


def _assessments(connection: Connection, part_id: str) -> list[dict[str, Any]]:
    columns = ASSESSMENTS.c
    query = (
        select(
            columns.id,
            columns.client,
            columns.prediction_time,
            columns.patient_key,
            columns.situation,
            columns.features,
            columns.probabilities,
            columns.category,
            columns.prediction_set,
            columns.atypicality,
            columns.model_version,
            columns.indicator,
            columns.suppressed,
            columns.identifiers,
        )
        .join(EXPORTED_ROWS, EXPORTED_ROWS.c.row_id == columns.id)
        .where(EXPORTED_ROWS.c.part_id == part_id)
        .order_by(columns.prediction_time, columns.id)
    )
    return [dict(row._mapping) for row in connection.execute(query)]


def _outcomes(connection: Connection, part_id: str) -> list[dict[str, Any]]:
    columns = OUTCOMES.c
    query = (
        select(*(column for column in columns if column.name != "condition_ids"))
        .join(EXPORTED_ROWS, EXPORTED_ROWS.c.row_id == columns.id)
        .where(EXPORTED_ROWS.c.part_id == part_id)
        .order_by(columns.decided_at, columns.id)
    )
    return [dict(row._mapping) for row in connection.execute(query)]


def _reports(connection: Connection, part_id: str) -> list[dict[str, Any]]:
    found = []
    for kind, table in _REPORTS.items():
        query = (
            select(table)
            .join(EXPORTED_ROWS, EXPORTED_ROWS.c.row_id == literal(f"{kind}:") + table.c.id)
            .where(EXPORTED_ROWS.c.part_id == part_id)
        )
        found += [dict(row._mapping) | {"report": kind} for row in connection.execute(query)]
    return sorted(found, key=lambda row: (row["at"], row["report"], row["id"]))


_READ = {
    ASSESSMENTS_SET: _assessments,
    OUTCOMES_SET: _outcomes,
    OUTCOME_ENDS_SET: _outcomes,
    REPORTS_SET: _reports,
}
