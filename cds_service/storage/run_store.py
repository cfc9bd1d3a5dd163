"""Runs of jobs and commands: begun, seen, ended."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any, Final

from sqlalchemy import ColumnElement, Connection, delete, func, insert, select, update

from cds_service.storage.rows import dicts
from cds_service.storage.tables import RUNS

RUNNING, DONE, FAILED, LEFT = "running", "done", "failed", "left"
KEPT: Final = 30
"""Runs of a kind that are kept: a job may run each minute."""


class RunStore:
    """SQL of `runs`; the caller owns the transaction."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def begin(self, run: Mapping[str, Any], *, alone: bool) -> None:
        """A run that begins, and of its kind only the newest others stay. `alone`: no other of
        its kind can be running, so one that seems to be was killed."""
        kind = run["kind"]
        if alone:
            self._connection.execute(
                update(RUNS)
                .where(RUNS.c.kind == kind, RUNS.c.state == RUNNING)
                .values(state=LEFT, ended_at=RUNS.c.seen_at)
            )
        newest = (
            select(RUNS.c.id)
            .where(RUNS.c.kind == kind)
            .order_by(RUNS.c.started_at.desc(), RUNS.c.id)
            .limit(KEPT - 1)
        )
        self._connection.execute(
            delete(RUNS).where(
                RUNS.c.kind == kind, RUNS.c.state != RUNNING, RUNS.c.id.not_in(newest)
            )
        )
        self._connection.execute(insert(RUNS), {"state": RUNNING, "step": "", **run})

    def see(self, identifier: str, values: Mapping[str, Any]) -> None:
        """A sign of life of a run that is not over."""
        self._connection.execute(
            update(RUNS)
            .where(RUNS.c.id == identifier, RUNS.c.state == RUNNING)
            .values(dict(values))
        )

    def end(self, identifier: str, state: str, *, at: datetime, result: str | None) -> None:
        """How a run ended."""
        self.see(identifier, {"state": state, "seen_at": at, "ended_at": at, "result": result})

    def under_way(self) -> list[dict[str, Any]]:
        """Runs that are not over, the oldest first."""
        query = select(RUNS).where(RUNS.c.state == RUNNING).order_by(RUNS.c.started_at)
        return list(dicts(self._connection.execute(query)))

    def count(self, kind: str | None, state: str | None) -> int:
        """How many have ended, of one kind and state or of all."""
        query = select(func.count()).select_from(RUNS).where(*_chosen(kind, state))
        return int(self._connection.execute(query).scalar_one())

    def ended(
        self, kind: str | None, state: str | None, *, limit: int, offset: int
    ) -> list[dict[str, Any]]:
        """Those, the newest first."""
        query = (
            select(RUNS)
            .where(*_chosen(kind, state))
            .order_by(RUNS.c.started_at.desc(), RUNS.c.id)
            .limit(limit)
            .offset(offset)
        )
        return list(dicts(self._connection.execute(query)))

    def newest(self) -> dict[str, dict[str, Any]]:
        """The last run of each kind that has ended."""
        last = (
            select(RUNS.c.kind, func.max(RUNS.c.started_at).label("started_at"))
            .where(RUNS.c.state != RUNNING)
            .group_by(RUNS.c.kind)
            .subquery()
        )
        query = select(RUNS).join(
            last, (last.c.kind == RUNS.c.kind) & (last.c.started_at == RUNS.c.started_at)
        )
        return {row["kind"]: row for row in dicts(self._connection.execute(query))}


def _chosen(kind: str | None, state: str | None) -> list[ColumnElement[bool]]:
    found = [RUNS.c.state != RUNNING]
    if kind is not None:
        found.append(RUNS.c.kind == kind)
    if state is not None:
        found.append(RUNS.c.state == state)
    return found
