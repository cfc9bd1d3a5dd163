"""One job at a time in one process: leases, ends, other tries, and alerts about failures.

A job does its work in transactions of its own, each of which may be repeated. What is kept here is
only who is at it and how it ended, so a process may be killed at any point: its lease ends, and
the next one to look does the job again.
"""

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Final
from uuid import uuid4

from cds_service.context import ProcessContext
from cds_service.logs import LOGGER
from cds_service.periods import Night, Period
from cds_service.services.alerts import Finding, cause_passed, raise_alert
from cds_service.services.runs import LONGEST_RESULT, Progress, Run, is_told, said_of
from cds_service.storage.job_store import JobStore
from cds_service.storage.run_store import DONE, FAILED, LEFT, RunStore

LEASE: Final = timedelta(minutes=2)
"""How long nobody else starts a job after its process was last heard of."""
RENEW_SECONDS: Final = 20.0
FAILURES_TOLD: Final = 3
"""Failures in a row from which on an alert is open."""
FIRST_RETRY: Final = timedelta(minutes=1)
LONGEST_RETRY: Final = timedelta(hours=6)
_UNFINISHED: Final = "Left before it was done."
_DOUBLINGS: Final = 20


class JobLeftError(BaseException):
    """The process is to end, or another has taken the job over: what is under way is left.

    No `Exception`, so that a job that goes on after a fault does not go on after this.
    """


class End(StrEnum):
    """How a run ended."""

    DONE = "done"
    FAILED = "failed"
    LEFT = "left"
    """The process was told to stop; the job stays due."""
    TAKEN_OVER = "taken over"
    """Another process does it now; nothing of this run was recorded."""


@dataclass(frozen=True, slots=True)
class Ran:
    """One run of a job."""

    name: str
    end: End
    result: str
    """A sentence: counts, or what went wrong."""


@dataclass(frozen=True, slots=True)
class Steps:
    """What a job is given, so that it can be told to stop between two steps."""

    progress: Progress
    """Raises `JobLeftError` where the job is to be left."""
    stopping: Callable[[], bool]
    """Whether it is to be left; for jobs that end by themselves."""


Work = Callable[[Steps], str]


class JobRunner:
    """Runs jobs under a lease. One for each process."""

    def __init__(
        self,
        context: ProcessContext,
        night: Night,
        *,
        stopping: threading.Event | None = None,
        owner: str | None = None,
    ) -> None:
        self._context = context
        self._night = night
        self._stopping = stopping or threading.Event()
        self.owner = owner or str(uuid4())
        self._held: dict[str, str] = {}
        """Job under way → its run."""

    def run(
        self,
        name: str,
        period: Period | None,
        work: Work,
        *,
        actor: str = "schedule",
        early: bool = False,
        progress: Progress | None = None,
    ) -> Ran | None:
        """Do a job that is due, or with `early` at once; `None` if somebody else is at it.

        What the job raises is its failure, and is not raised.
        """
        started = self._context.clock()
        with self._context.engine.begin() as connection:
            taken = JobStore(connection).take(
                name, self.owner, at=started, lease_until=started + LEASE, early=early
            )
            if taken:
                run = Run(self._context.engine, self._context.clock, str(uuid4()))
                told = {"id": run.id, "kind": name, "actor": actor}
                RunStore(connection).begin(
                    told | {"started_at": started, "seen_at": started}, alone=True
                )
        if not taken:
            return None
        self._held[name] = run.id
        LOGGER.info("job started", extra={"job": name})
        try:
            with self._renewed(name, run) as lost:
                ended = self._work(name, work, lost, run, progress)
            if ended.end is End.LEFT:
                self._let_go(name, run.id)
            elif ended.end is not End.TAKEN_OVER:
                ended = self._record(ended, period, run.id)
        finally:
            self._held.pop(name, None)
        self._log(ended, started)
        return ended

    def give_back(self) -> None:
        """Let go of what is under way: the process is about to end without waiting for it."""
        for name, run in sorted(self._held.items()):
            self._let_go(name, run)
            LOGGER.info("job left", extra={"job": name})

    def _let_go(self, name: str, run: str) -> None:
        at = self._context.clock()
        with self._context.engine.begin() as connection:
            JobStore(connection).give_back(name, self.owner)
            RunStore(connection).end(run, LEFT, at=at, result=_UNFINISHED)

    def _work(
        self,
        name: str,
        work: Work,
        lost: threading.Event,
        run: Run,
        progress: Progress | None,
    ) -> Ran:
        def stop() -> bool:
            return lost.is_set() or self._stopping.is_set()

        def step(what: str, share: float) -> None:
            if stop():
                raise JobLeftError
            run.progress(what, share)
            if progress is not None:
                progress(what, share)

        try:
            result = work(Steps(step, stop))
        except JobLeftError:
            end = End.TAKEN_OVER if lost.is_set() else End.LEFT
            return Ran(name, end, _UNFINISHED)
        except Exception as error:
            if not is_told(error):
                # The message may quote what it failed on.
                LOGGER.debug("job fault", extra={"job": name}, exc_info=True)
            return Ran(name, End.FAILED, said_of(error))
        return Ran(name, End.DONE, result)

    def _record(self, ended: Ran, period: Period | None, run: str) -> Ran:
        """The end and, after the third failure in a row, the alert, in one transaction."""
        at = self._context.clock()
        done = ended.end is End.DONE
        key = f"job_failed:{ended.name}"
        with self._context.engine.begin() as connection:
            store = JobStore(connection)
            failures = 0 if done else store.failures(ended.name) + 1
            if done:
                due = at if period is None else period.after(at, self._night)
            else:
                due = at + retry_after(failures)
            values = {
                "finished_at": at,
                "failures": failures,
                "due_at": due,
                "result": ended.result[:LONGEST_RESULT],
            }
            if not store.finish(ended.name, self.owner, values):
                return Ran(ended.name, End.TAKEN_OVER, ended.result)
            RunStore(connection).end(
                run, DONE if done else FAILED, at=at, result=ended.result[:LONGEST_RESULT]
            )
            if done:
                cause_passed(connection, key, at=at, resolution="The job has run again.")
            elif failures >= FAILURES_TOLD:
                message = (
                    f"The job {ended.name} has failed {failures} times in a row: "
                    f"{ended.result[:LONGEST_RESULT]}"
                )
                finding = Finding(
                    kind="job_failed",
                    key=key,
                    severity="warning",
                    message=message,
                    detail={"job": ended.name, "failures": failures},
                )
                raise_alert(connection, finding, at=at)
        return ended

    def _log(self, ended: Ran, started: datetime) -> None:
        seconds = round((self._context.clock() - started).total_seconds(), 1)
        told = {"job": ended.name, "seconds": seconds, "result": ended.result}
        level = LOGGER.error if ended.end is End.FAILED else LOGGER.info
        level(f"job {ended.end}", extra=told)

    @contextmanager
    def _renewed(self, name: str, run: Run) -> Iterator[threading.Event]:
        """Renew the lease until the block ends; the event says that another has the job."""
        ended, lost = threading.Event(), threading.Event()
        thread = threading.Thread(
            target=self._renew, args=(name, run, ended, lost), name=f"lease-{name}", daemon=True
        )
        thread.start()
        try:
            yield lost
        finally:
            ended.set()
            thread.join()

    def _renew(self, name: str, run: Run, ended: threading.Event, lost: threading.Event) -> None:
        while not ended.wait(RENEW_SECONDS):
            try:
                with self._context.engine.begin() as connection:
                    until = self._context.clock() + LEASE
                    held = JobStore(connection).renew(name, self.owner, lease_until=until)
                    RunStore(connection).see(run.id, {"seen_at": self._context.clock()})
            except Exception:
                # The database is away or busy: the lease is still ours until it ends.
                LOGGER.exception("lease not renewed", extra={"job": name})
                continue
            if not held:
                lost.set()
                return


def retry_after(failures: int) -> timedelta:
    """How long to wait after so many failures in a row: doubled each time, to a longest."""
    doubled: int = 1 << min(failures - 1, _DOUBLINGS)
    return min(FIRST_RETRY * doubled, LONGEST_RETRY)
