"""`cds-service schedule`: every job of the service at its time, each in one process only."""

import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime, tzinfo
from importlib import import_module
from typing import Any, Final

from cds_service.context import ProcessContext
from cds_service.errors import NotFoundError, ServiceError
from cds_service.logs import LOGGER
from cds_service.periods import DEFAULT_PERIODS, OFF, Night, Period, parse_period, parse_time
from cds_service.services.jobs import JobRunner, Ran, Steps
from cds_service.services.runs import Progress
from cds_service.settings import Settings
from cds_service.storage.job_store import JobStore
from cds_service.storage.session import reading

ACTOR: Final = "schedule"
LOOK_SECONDS: Final = 10.0
"""How often it looks what is due: a process that died may have left something."""
_SHORTEST_SECONDS: Final = 0.2
GRACE_SECONDS: Final = 20.0
"""How long what is under way may take when the process is told to end; Kubernetes kills it after
30."""
TRAINING: Final = "training"
"""Lane of what may take hours."""


@dataclass(frozen=True, slots=True)
class Job:
    """A service, and the method of it that does one job and says a sentence."""

    name: str
    module: str
    """Below `cds_service.services`; imported when the job runs."""
    service: str
    method: str = "run"
    lane: str = "jobs"
    """Jobs of one lane run one after the other, and wait for none of another."""
    needs: str | None = None
    """The setting without which there is nothing to do."""
    given: tuple[str, ...] = ()
    """Members of `Steps` that the method takes."""


JOBS: Final = (
    Job("alerts", "alert_delivery", "AlertDelivery", lane="alerts"),
    Job("outcomes-pull", "outcome_puller", "OutcomePuller", given=("stopping",)),
    Job("rare", "rare_updates", "RareUpdateService"),
    Job("shadow", "shadow", "ShadowService"),
    Job("inputs", "watching_inputs", "InputWatchService"),
    Job("release", "lifecycle", "LifecycleService", "advance"),
    Job("evaluate", "evaluating", "EvaluatingService"),
    Job("review", "review_queue", "ReviewQueueService"),
    Job("export", "exports", "ExportService", needs="export_url"),
    Job("history", "watched_history", "HistoryWatchService", needs="history_watch_url"),
    # A person waits for it: not behind a search of a whole night, nor holding up the answers.
    Job(
        "compare", "comparison_requests", "ComparisonRequests", lane="compare", given=("progress",)
    ),
    Job(
        "recalibrate",
        "lifecycle",
        "LifecycleService",
        "recalibrate",
        lane=TRAINING,
        given=("progress",),
    ),
    Job("refresh", "lifecycle", "LifecycleService", "refresh", lane=TRAINING, given=("progress",)),
    Job("search", "lifecycle", "LifecycleService", "search", lane=TRAINING, given=("progress",)),
)
"""In the order in which those that are due together run."""


@dataclass(frozen=True, slots=True)
class Entry:
    """A job as `schedule --list` shows it."""

    name: str
    every: str
    """As set, or the default."""
    due_at: datetime | None
    """`None` where it is off, or nothing is set up for it."""
    note: str
    """Why it does not run by itself; empty where it does."""
    row: Mapping[str, Any] | None
    """Of the table `jobs`; `None` before the first start."""


class Schedule:
    """Runs what is due. Any number of processes may do so: each job is done by one of them."""

    def __init__(
        self,
        context: ProcessContext,
        *,
        stopping: threading.Event | None = None,
        owner: str | None = None,
        jobs: tuple[Job, ...] = JOBS,
    ) -> None:
        self._context = context
        self._stopping = stopping or threading.Event()
        self._jobs = jobs
        self._night = night(context.settings, context.zone)
        self._runner = JobRunner(context, self._night, stopping=self._stopping, owner=owner)

    def entries(self) -> list[Entry]:
        """Every job, in the order in which they run."""
        with reading(self._context.engine) as connection:
            rows = JobStore(connection).all()
        return [self._entry(job, rows.get(job.name)) for job in self._jobs]

    def once(self) -> list[Ran]:
        """Run everything that is due, once. For cron."""
        self._plan()
        return self._run_due(self._jobs)

    def run(self, name: str, *, actor: str, progress: Progress | None = None) -> Ran:
        """Run one job now, due or not, off or not.

        Raises `NotFoundError` for an unknown one, `ServiceError` where what it needs is not set
        or another process is at it.
        """
        job = next((job for job in self._jobs if job.name == name), None)
        if job is None:
            known = ", ".join(job.name for job in self._jobs)
            raise NotFoundError(f"There is no job {name}. There are: {known}.")
        if not self._set_up(job):
            raise ServiceError(f"The job {name} needs {_variable(job)}.")
        self._plan((job,))
        ran = self._runner.run(
            name,
            self._period(job),
            self._work(job, actor),
            actor=actor,
            early=True,
            progress=progress,
        )
        if ran is None:
            raise ServiceError(f"Another process is at the job {name}; nothing was done.")
        return ran

    def loop(self, *, hurry: threading.Event | None = None) -> bool:
        """Run what is due until `stopping` is set, the lanes beside each other.

        Then what is under way is left at its next step. `False` if it did not come to one in
        `GRACE_SECONDS`, or before `hurry` was set: its lease was given back all the same, and the
        caller is to end the process.
        """
        self._plan()
        lanes = [
            threading.Thread(
                target=self._lane,
                args=(tuple(job for job in self._jobs if job.lane == name),),
                name=name,
                daemon=True,
            )
            for name in dict.fromkeys(job.lane for job in self._jobs)
        ]
        for lane in lanes:
            lane.start()
        self._stopping.wait()
        deadline = time.monotonic() + GRACE_SECONDS
        for lane in lanes:
            while lane.is_alive() and time.monotonic() < deadline:
                if hurry is not None and hurry.is_set():
                    break
                lane.join(0.1)
        if any(lane.is_alive() for lane in lanes):
            self._runner.give_back()
            return False
        return True

    def _lane(self, jobs: tuple[Job, ...]) -> None:
        while not self._stopping.is_set():
            try:
                self._run_due(jobs)
                wait = self._seconds_to_next(jobs)
            except Exception:
                # Most likely the database is away: who stops looking would never run again.
                LOGGER.exception("the schedule could not be read")
                wait = LOOK_SECONDS
            self._stopping.wait(wait)

    def _run_due(self, jobs: tuple[Job, ...]) -> list[Ran]:
        """What is due when it begins; what becomes due meanwhile waits its turn."""
        with reading(self._context.engine) as connection:
            rows = JobStore(connection).all()
        now, found = self._context.clock(), []
        for job in jobs:
            row = rows.get(job.name)
            if row is None or row["due_at"] > now or self._stopping.is_set():
                continue
            period = self._period(job)
            if period is not None and self._set_up(job):
                actor = row["asked_by"] or ACTOR
                ran = self._runner.run(job.name, period, self._work(job, actor), actor=actor)
                found += [] if ran is None else [ran]
        return found

    def _seconds_to_next(self, jobs: tuple[Job, ...]) -> float:
        with reading(self._context.engine) as connection:
            rows = JobStore(connection).all()
        now = self._context.clock()
        wait = LOOK_SECONDS
        for job in jobs:
            row = rows.get(job.name)
            if row is not None and row["owner"] is None and self._period(job) is not None:
                wait = min(wait, (row["due_at"] - now).total_seconds())
        return max(wait, _SHORTEST_SECONDS)

    def _plan(self, jobs: tuple[Job, ...] | None = None) -> None:
        """Give each job its row, and what has another period now its next date."""
        now = self._context.clock()
        with self._context.engine.begin() as connection:
            store = JobStore(connection)
            known = store.all()
            for job in self._jobs if jobs is None else jobs:
                period = self._period(job)
                following = now if period is None else period.after(now, self._night)
                if job.name not in known:
                    waits = period is not None and period.waits
                    store.add(job.name, following if waits else now)
                elif period is not None:
                    store.bring_forward(job.name, following, now=now)

    def _entry(self, job: Job, row: Mapping[str, Any] | None) -> Entry:
        every = self._context.settings.schedule.get(job.name, DEFAULT_PERIODS[job.name])
        period, note = self._period(job), ""
        if period is None:
            note = OFF
        elif not self._set_up(job):
            note = f"needs {_variable(job)}"
        due = None
        if not note and period is not None:
            now = self._context.clock()
            waits = period.waits
            due = row["due_at"] if row else period.after(now, self._night) if waits else now
        return Entry(job.name, every, due, note, row)

    def _period(self, job: Job) -> Period | None:
        return parse_period(
            self._context.settings.schedule.get(job.name, DEFAULT_PERIODS[job.name])
        )

    def _set_up(self, job: Job) -> bool:
        return job.needs is None or bool(getattr(self._context.settings, job.needs, None))

    def _work(self, job: Job, actor: str) -> Callable[[Steps], str]:
        def work(steps: Steps) -> str:
            # Imported here: most of them train or evaluate, and not every process needs all.
            module = import_module(f"cds_service.services.{job.module}")
            service = getattr(module, job.service)(self._context)
            given = {name: getattr(steps, name) for name in job.given}
            return str(getattr(service, job.method)(actor=actor, **given))

        return work


def night(settings: Settings, zone: tzinfo) -> Night:
    """When jobs of whole days and months run."""
    return Night(parse_time(settings.schedule_time), settings.schedule_day, zone)


def _variable(job: Job) -> str:
    return f"CDS_{(job.needs or '').upper()}"
