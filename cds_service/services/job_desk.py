"""Jobs that people ask for: a serving process makes them due, the schedule starts them."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final
from uuid import uuid4

from cds_service.context import ProcessContext
from cds_service.errors import NotFoundError
from cds_service.periods import OFF
from cds_service.services.schedule import JOBS, TRAINING, Entry, Schedule
from cds_service.storage.audit_store import AuditStore
from cds_service.storage.comparison_request_store import ComparisonRequestStore
from cds_service.storage.job_store import JobStore
from cds_service.storage.session import reading

COMPARE: Final = "compare"
LONG: Final = frozenset(job.name for job in JOBS if job.lane == TRAINING)
"""Jobs that may take hours, so that people are asked once more."""
LATE: Final = timedelta(minutes=2)
"""A job that was due for so long, while nothing else was begun or ended, waits for nobody."""


@dataclass(frozen=True, slots=True)
class Asleep:
    """No process seems to run the schedule."""

    since: datetime | None
    """When a job was last begun or ended; `None` if never."""


class JobDesk:
    """What people may ask of the schedule."""

    def __init__(self, context: ProcessContext) -> None:
        self._context = context

    def entry(self, name: str) -> Entry:
        """One job. Raises `NotFoundError`."""
        for entry in Schedule(self._context).entries():
            if entry.name == name:
                return entry
        raise NotFoundError("There is no such job.")

    def asleep(self) -> Asleep | None:
        """Whether nobody seems to run the schedule; `None` if somebody does, or nothing is due."""
        return asleep(Schedule(self._context).entries(), self._context.clock())

    def start(self, name: str, *, actor: str) -> bool:
        """Make a job due now, audited; `False`, and nothing is done, for one that is off, not set
        up, asked for or under way. Raises `NotFoundError`."""
        at = self._context.clock()
        if not may_start(self.entry(name), at):
            return False
        with self._context.engine.begin() as connection:
            JobStore(connection).ask(name, at=at, actor=actor)
            AuditStore(connection).add(
                at=at, actor=actor, action="ask-job", object_type="job", object_id=name
            )
        return True

    def compare(self, first: str, second: str, *, actor: str) -> bool:
        """Ask for a comparison of `second` against `first`, and make its job due now; `False`, and
        nothing is done, if the same is waiting."""
        at = self._context.clock()
        request = {"id": str(uuid4()), "first": first, "second": second}
        with self._context.engine.begin() as connection:
            store = ComparisonRequestStore(connection)
            if not store.add({**request, "asked_by": actor, "asked_at": at}):
                return False
            JobStore(connection).ask(COMPARE, at=at, actor=actor)
            AuditStore(connection).add(
                at=at,
                actor=actor,
                action="ask-compare",
                object_type="model",
                object_id=second,
                detail={"with": first},
            )
        return True

    def comparison(self, first: str, second: str) -> dict[str, Any] | None:
        """The last that was asked for of a pair, that way round."""
        with reading(self._context.engine) as connection:
            return ComparisonRequestStore(connection).newest(first, second)

    def compares(self) -> bool:
        """Whether the schedule does comparisons here: `CDS_SCHEDULE` may switch them off."""
        return self.entry(COMPARE).note != OFF


def is_under_way(entry: Entry, at: datetime) -> bool:
    """Whether a process is at it."""
    row = entry.row or {}
    return row.get("owner") is not None and row["lease_until"] > at


def is_asked_for(entry: Entry) -> bool:
    """Whether a person asked for it, and nobody has taken it since."""
    return (entry.row or {}).get("asked_at") is not None


def may_start(entry: Entry, at: datetime) -> bool:
    """Whether a person may ask for it."""
    return not (entry.note or is_under_way(entry, at) or is_asked_for(entry))


def asleep(entries: Sequence[Entry], at: datetime) -> Asleep | None:
    """Nobody runs the schedule where a job is late although nobody is at any, and none was begun
    or ended lately."""
    rows = [entry.row for entry in entries if entry.row is not None]
    signs = [row[name] for row in rows for name in ("started_at", "finished_at")]
    last = max((sign for sign in signs if sign is not None), default=None)
    if last is None:
        return Asleep(None)
    late = any(entry.due_at is not None and at - entry.due_at > LATE for entry in entries)
    if not late or at - last <= LATE or any(is_under_way(entry, at) for entry in entries):
        return None
    return Asleep(last)
