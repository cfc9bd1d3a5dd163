"""What runs and ran, and when each job is due."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final

from cds_service.context import ProcessContext
from cds_service.services.job_desk import Asleep, asleep, is_asked_for
from cds_service.services.schedule import JOBS, Entry, Schedule
from cds_service.storage.run_store import DONE, FAILED, LEFT, RunStore
from cds_service.storage.session import reading

SILENT: Final = timedelta(minutes=2)
"""Without a sign of life for so long, a process is most likely gone."""
STATES: Final = (DONE, FAILED, LEFT)
COMMANDS: Final = ("train", "retrain")
"""Kinds of runs that are no jobs."""
KINDS: Final = (*(job.name for job in JOBS), *COMMANDS)


@dataclass(frozen=True, slots=True)
class UnderWay:
    """A run that is not over."""

    row: Mapping[str, Any]
    seconds: float
    """Since it began."""
    is_silent: bool
    """Nothing was heard of its process for `SILENT`."""


@dataclass(frozen=True, slots=True)
class Now:
    """What is under way, and how each job stands."""

    under_way: Sequence[UnderWay]
    jobs: Sequence[Entry]
    asleep: Asleep | None
    """Nobody seems to run the schedule."""
    at: datetime
    mark: str
    """Changes when a run is asked for, begins or ends."""


class RunsView:
    """Reads."""

    def __init__(self, context: ProcessContext) -> None:
        self._context = context

    def now(self) -> Now:
        """How things stand at the moment."""
        at = self._context.clock()
        with reading(self._context.engine) as connection:
            store = RunStore(connection)
            rows, last = store.under_way(), store.newest()
        entries = Schedule(self._context).entries()
        newest = max((row["started_at"] for row in last.values()), default=None)
        return Now(
            under_way=[
                UnderWay(
                    row, (at - row["started_at"]).total_seconds(), at - row["seen_at"] > SILENT
                )
                for row in rows
            ],
            jobs=entries,
            asleep=asleep(entries, at),
            at=at,
            mark=f"{len(rows)}-{'' if newest is None else newest.timestamp()}"
            f"-{sum(map(is_asked_for, entries))}",
        )

    def count(self, kind: str | None, state: str | None) -> int:
        """Runs that have ended."""
        with reading(self._context.engine) as connection:
            return RunStore(connection).count(kind, state)

    def ended(
        self, kind: str | None, state: str | None, *, limit: int, offset: int
    ) -> list[dict[str, Any]]:
        """Those, the newest first."""
        with reading(self._context.engine) as connection:
            return RunStore(connection).ended(kind, state, limit=limit, offset=offset)
