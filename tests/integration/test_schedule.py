"""The schedule: one of several processes acts, and what dies is taken over. On both databases."""

import json
import logging
import sys
import threading
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from importlib import import_module
from importlib.machinery import ModuleSpec
from inspect import signature
from itertools import pairwise
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from sqlalchemy import Engine, text

from cds_service.context import ProcessContext
from cds_service.errors import NotFoundError, ServiceError
from cds_service.periods import DEFAULT_PERIODS, Night, Seconds, parse_time
from cds_service.services import jobs, schedule
from cds_service.services.jobs import LEASE, End, JobRunner, Ran, Steps, retry_after
from cds_service.services.schedule import JOBS, Job, Schedule
from cds_service.settings import Settings
from cds_service.storage import session
from cds_service.storage.alert_store import AlertStore
from cds_service.storage.job_store import JobStore
from tests.support.commands import done, run
from tests.support.process import ROOT, starting
from tests.support.service import new_context
from tests.support.stored import set_time

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)
NIGHT = Night(parse_time("02:00"), 1, UTC)
FIVE = Seconds(300)
Work = Callable[[Steps], str]


@pytest.fixture
def context(tmp_path: Path, database_url: str) -> Iterator[ProcessContext]:
    context = new_context(tmp_path, database_url)
    set_time(context, NOON)
    yield context
    context.engine.dispose()


def planned(context: ProcessContext, name: str = "rare") -> None:
    with context.engine.begin() as connection:
        JobStore(connection).add(name, NOON)


def row(context: ProcessContext, name: str = "rare") -> dict[str, Any]:
    with session.reading(context.engine) as connection:
        return JobStore(connection).all()[name]


def runner(context: ProcessContext, owner: str = "one", **more: Any) -> JobRunner:
    return JobRunner(context, NIGHT, owner=owner, **more)


def fails(_steps: Steps) -> str:
    raise ServiceError("There is nothing to do it with.")


def alerts(context: ProcessContext) -> list[str]:
    with session.reading(context.engine) as connection:
        return [alert["key"] for alert in AlertStore(connection).unresolved()]


def test_only_one_takes_a_job_and_it_is_due_again_on_the_grid(context: ProcessContext) -> None:
    planned(context)
    others: list[Ran | None] = []

    def work(_steps: Steps) -> str:
        others.append(runner(context, "two").run("rare", FIVE, lambda _: "never"))
        set_time(context, NOON + timedelta(minutes=7, seconds=3))
        return "3 cases."

    assert runner(context).run("rare", FIVE, work) == Ran("rare", End.DONE, "3 cases.")
    assert others == [None]
    stored = row(context)
    assert stored["due_at"] == NOON + timedelta(minutes=10)
    assert (stored["owner"], stored["failures"], stored["result"]) == (None, 0, "3 cases.")
    # Not due: nobody gets it, unless it is asked for by name.
    assert runner(context).run("rare", FIVE, lambda _: "never") is None
    assert runner(context).run("rare", FIVE, lambda _: "now", early=True) is not None


def test_threads_that_take_at_the_same_time_get_it_once(context: ProcessContext) -> None:
    planned(context)
    start, taken = threading.Barrier(6), []

    def take(owner: str) -> None:
        start.wait()
        with context.engine.begin() as connection:
            until = NOON + LEASE
            taken.append(JobStore(connection).take("rare", owner, at=NOON, lease_until=until))

    threads = [threading.Thread(target=take, args=(str(n),)) for n in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(taken) == [False] * 5 + [True]


def test_what_a_dead_process_held_is_taken_over_when_its_lease_ends(
    context: ProcessContext,
) -> None:
    planned(context)
    with context.engine.begin() as connection:
        assert JobStore(connection).take("rare", "dead", at=NOON, lease_until=NOON + LEASE)
    set_time(context, NOON + LEASE - timedelta(seconds=1))
    assert runner(context).run("rare", FIVE, lambda _: "early") is None
    set_time(context, NOON + LEASE)
    assert runner(context).run("rare", FIVE, lambda _: "done") == Ran("rare", End.DONE, "done")


def test_who_lost_a_job_notices_and_records_nothing(
    context: ProcessContext, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(jobs, "RENEW_SECONDS", 0.02)
    planned(context)
    left = threading.Event()

    def slow(steps: Steps) -> str:
        # The process stood still for longer than its lease, and another did the job.
        with context.engine.begin() as connection:
            connection.execute(text("UPDATE jobs SET owner = 'two'"))
        deadline = time.monotonic() + 20
        while not steps.stopping() and time.monotonic() < deadline:
            time.sleep(0.01)
        left.set()
        steps.progress("next", 0.5)
        return "too late"

    ran = runner(context).run("rare", FIVE, slow)
    assert left.is_set()
    assert ran is not None
    assert ran.end is End.TAKEN_OVER
    stored = row(context)
    assert (stored["owner"], stored["result"], stored["finished_at"]) == ("two", None, None)

    # One that never asks learns it at its end.
    with context.engine.begin() as connection:
        connection.execute(text("UPDATE jobs SET owner = NULL, lease_until = NULL"))
    monkeypatch.setattr(jobs, "RENEW_SECONDS", 60)

    def stolen(_steps: Steps) -> str:
        with context.engine.begin() as connection:
            connection.execute(text("UPDATE jobs SET owner = 'two'"))
        return "too late"

    assert runner(context).run("rare", FIVE, stolen) == Ran("rare", End.TAKEN_OVER, "too late")
    assert row(context)["result"] is None


def test_a_lease_is_renewed_while_a_job_runs(
    context: ProcessContext, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(jobs, "RENEW_SECONDS", 0.02)
    planned(context)

    def slow(steps: Steps) -> str:
        set_time(context, NOON + timedelta(minutes=30))
        deadline = time.monotonic() + 20
        while row(context)["lease_until"] <= NOON + timedelta(minutes=30):
            assert time.monotonic() < deadline
            time.sleep(0.01)
        assert not steps.stopping()
        return "done"

    assert runner(context).run("rare", FIVE, slow) == Ran("rare", End.DONE, "done")


def test_failures_wait_longer_each_time_and_the_third_is_told(context: ProcessContext) -> None:
    planned(context)
    moment = NOON
    for number, wait in enumerate((1, 2, 4, 8), start=1):
        ran = runner(context).run("rare", FIVE, fails)
        assert ran == Ran("rare", End.FAILED, "There is nothing to do it with.")
        stored = row(context)
        assert stored["failures"] == number
        assert stored["due_at"] == moment + timedelta(minutes=wait)
        assert alerts(context) == (["job_failed:rare"] if number >= 3 else [])
        moment = stored["due_at"]
        set_time(context, moment)
    runner(context).run("rare", FIVE, lambda _: "works")
    assert (alerts(context), row(context)["failures"]) == ([], 0)
    assert retry_after(50) == jobs.LONGEST_RETRY


def test_an_unexpected_fault_is_told_without_its_message(
    context: ProcessContext, caplog: pytest.LogCaptureFixture
) -> None:
    planned(context)

    def breaks(_steps: Steps) -> str:
        raise ValueError("patient p1 has a heart rate of 220")

    with caplog.at_level(logging.INFO, "cds_service"):
        ran = runner(context).run("rare", FIVE, breaks)
    assert ran is not None
    assert ran.result.startswith("unexpected ValueError at ")
    assert "220" not in ran.result + caplog.text
    assert [record.message for record in caplog.records] == ["job started", "job failed"]


def test_one_that_is_told_to_stop_gives_the_job_back(context: ProcessContext) -> None:
    planned(context)
    stopping = threading.Event()
    done_steps = []

    def work(steps: Steps) -> str:
        for number in range(5):
            steps.progress("step", number / 5)
            done_steps.append(number)
            if number == 1:
                stopping.set()
        return "never"

    ran = runner(context, stopping=stopping).run("rare", FIVE, work)
    assert ran is not None
    assert (ran.end, done_steps) == (End.LEFT, [0, 1])
    stored = row(context)
    assert (stored["owner"], stored["due_at"], stored["failures"]) == (None, NOON, 0)


class Probe:
    """Stands for the services of jobs, and keeps what was called."""

    calls: list[tuple[str, str]]

    def __init__(self, _context: ProcessContext) -> None: ...

    def run(self, *, actor: str) -> str:
        self.calls.append(("run", actor))
        return "1 thing."

    def breaks(self, *, actor: str) -> str:
        self.calls.append(("breaks", actor))
        raise ServiceError("It does not work.")


@pytest.fixture
def probe(monkeypatch: pytest.MonkeyPatch) -> type[Probe]:
    name = "cds_service.services.probe"
    module = ModuleType(name)
    module.__spec__ = ModuleSpec(name, None)
    module.Probe = Probe  # type: ignore[attr-defined]
    Probe.calls = []
    monkeypatch.setitem(sys.modules, name, module)
    return Probe


def test_what_is_due_runs_in_order_and_a_missed_period_once(
    context: ProcessContext, probe: type[Probe]
) -> None:
    table = (
        Job("alerts", "probe", "Probe", "breaks"),
        Job("rare", "probe", "Probe"),
        Job("evaluate", "probe", "Probe"),
        Job("export", "probe", "Probe", needs="no_such_setting"),
    )
    schedule = Schedule(context, jobs=table)
    assert [entry.name for entry in schedule.entries()] == ["alerts", "rare", "evaluate", "export"]
    # What runs each night waits for it; what needs a setting, for that.
    assert [ran.end for ran in schedule.once()] == [End.FAILED, End.DONE]
    assert schedule.once() == []
    set_time(context, NOON + timedelta(days=3))
    assert [ran.name for ran in schedule.once()] == ["alerts", "rare", "evaluate"]
    assert schedule.once() == []
    assert {actor for _, actor in probe.calls} == {"schedule"}
    due = {entry.name: entry.due_at for entry in schedule.entries()}
    assert due["evaluate"] == datetime(2026, 3, 5, 2, tzinfo=UTC)
    assert due["export"] is None

    assert schedule.run("evaluate", actor="cli:me") == Ran("evaluate", End.DONE, "1 thing.")
    assert probe.calls[-1] == ("run", "cli:me")
    with pytest.raises(NotFoundError, match=r"no job inputs\. There are: alerts, rare"):
        schedule.run("inputs", actor="cli:me")
    with pytest.raises(ServiceError, match="needs CDS_NO_SUCH_SETTING"):
        schedule.run("export", actor="cli:me")
    with context.engine.begin() as connection:
        until = context.clock() + LEASE
        JobStore(connection).take("rare", "two", at=context.clock(), lease_until=until, early=True)
    with pytest.raises(ServiceError, match="Another process is at the job rare"):
        schedule.run("rare", actor="cli:me")


@pytest.mark.parametrize("hurried", [False, True])
def test_a_job_that_comes_to_no_step_is_left_and_its_lease_given_back(
    context: ProcessContext,
    probe: type[Probe],
    monkeypatch: pytest.MonkeyPatch,
    hurried: bool,
) -> None:
    monkeypatch.setattr(schedule, "GRACE_SECONDS", 60.0 if hurried else 0.3)
    stopping, hurry, begun, end = (threading.Event() for _ in range(4))

    def stuck(_self: Probe, *, actor: str) -> str:
        assert actor == "schedule"
        begun.set()
        end.wait(60)
        return "too late"

    monkeypatch.setattr(probe, "run", stuck)
    loop = Schedule(context, stopping=stopping, jobs=(Job("rare", "probe", "Probe"),))
    ended: list[bool] = []
    thread = threading.Thread(target=lambda: ended.append(loop.loop(hurry=hurry)))
    thread.start()
    assert begun.wait(20)
    assert row(context)["owner"] is not None
    stopping.set()
    if hurried:
        hurry.set()
    thread.join(20)
    assert ended == [False]
    assert (row(context)["owner"], row(context)["result"]) == (None, None)
    end.set()
    deadline = time.monotonic() + 20
    while any(one.name == "jobs" for one in threading.enumerate()):
        assert time.monotonic() < deadline
        time.sleep(0.01)
    # What it came to after all is not recorded: another process may be at it.
    assert row(context)["result"] is None


def test_news_of_alerts_waits_for_no_other_job(
    context: ProcessContext, probe: type[Probe], monkeypatch: pytest.MonkeyPatch
) -> None:
    stopping, told = threading.Event(), threading.Event()

    def waits(_self: Probe, *, actor: str) -> str:
        assert actor == "schedule"
        return "Told." if told.wait(20) else "It waited."

    def tells(_self: Probe, *, actor: str) -> str:
        told.set()
        return actor

    monkeypatch.setattr(probe, "run", waits)
    monkeypatch.setattr(probe, "tells", tells, raising=False)
    table = (
        Job("rare", "probe", "Probe"),
        Job("alerts", "probe", "Probe", "tells", lane=JOBS[0].lane),
    )
    for job in table:
        planned(context, job.name)
    loop = Schedule(context, stopping=stopping, jobs=table)
    thread = threading.Thread(target=loop.loop)
    thread.start()
    deadline = time.monotonic() + 40
    while row(context)["result"] is None:
        assert time.monotonic() < deadline
        time.sleep(0.02)
    stopping.set()
    thread.join(20)
    assert row(context)["result"] == "Told."


def test_every_job_is_there_and_described() -> None:
    assert [job.name for job in JOBS] == list(DEFAULT_PERIODS)
    lanes = {job.name: job.lane for job in JOBS}
    assert {lanes.pop(name) for name in ("recalibrate", "refresh", "search")} == {"training"}
    assert [lanes.pop(name) for name in ("alerts", "compare")] == ["alerts", "compare"]
    assert set(lanes.values()) == {"jobs"}
    page = (ROOT / "docs" / "operations.md").read_text("utf-8")
    for job in JOBS:
        assert f"| `{job.name}` | {DEFAULT_PERIODS[job.name]} |" in page
        service = getattr(import_module(f"cds_service.services.{job.module}"), job.service)
        taken = signature(getattr(service, job.method)).parameters
        assert {"actor", *job.given} <= set(taken), job.name
        assert job.needs is None or job.needs in Settings.model_fields


def test_another_period_counts_from_the_next_start(
    tmp_path: Path, probe: type[Probe], database_url: str
) -> None:
    table = (Job("rare", "probe", "Probe"),)
    dues = []
    for every in ("7d", "10min", "off", "1h"):
        context = new_context(tmp_path, database_url, schedule={"rare": every})
        set_time(context, NOON)
        schedule = Schedule(context, jobs=table)
        schedule.once()
        (entry,) = schedule.entries()
        dues.append(entry.due_at)
        context.engine.dispose()
    assert dues == [
        datetime(2026, 3, 2, 2, tzinfo=UTC),
        NOON + timedelta(minutes=10),
        None,
        NOON + timedelta(hours=1),
    ]
    assert probe.calls == []


# A job that takes 0.3 s each second, in two processes; each says when it began and ended.
TICKS = """
import os, sys, time
from importlib.machinery import ModuleSpec
from types import ModuleType
name = "cds_service.services.rare_updates"
module = ModuleType(name)
module.__spec__ = ModuleSpec(name, None)
class RareUpdateService:
    def __init__(self, context): pass
    def run(self, *, actor):
        began = time.time()
        time.sleep(0.3)
        print("TICK", os.getpid(), began, time.time(), flush=True)
        return "1 tick."
module.RareUpdateService = RareUpdateService
sys.modules[name] = module
import cds_service.services.jobs as jobs
from datetime import timedelta
jobs.LEASE, jobs.RENEW_SECONDS = timedelta(seconds=2), 0.5
"""
ONLY_RARE = json.dumps(dict.fromkeys(DEFAULT_PERIODS, "off") | {"rare": "1s"})


def ticks(output: Path) -> list[tuple[float, float]]:
    lines = [line.split() for line in output.read_text().splitlines() if line.startswith("TICK")]
    return [(float(began), float(ended)) for _, _, began, ended in lines]


def test_of_two_processes_one_acts_and_the_other_takes_over(
    tmp_path: Path, engine: Engine, database_url: str
) -> None:
    settings = {"CDS_DATABASE_URL": database_url, "CDS_SCHEDULE": ONLY_RARE}

    def wait_for(count: int) -> None:
        deadline = time.monotonic() + 60
        while sum(len(ticks(program.output)) for program in (one, two)) < count:
            assert time.monotonic() < deadline, one.output.read_text() + two.output.read_text()
            time.sleep(0.05)

    with (
        starting(tmp_path, "one", "schedule", faults=TICKS, **settings) as one,
        starting(tmp_path, "two", "schedule", faults=TICKS, **settings) as two,
    ):
        wait_for(4)
        one.kill()
        wait_for(len(ticks(one.output)) + len(ticks(two.output)) + 2)
        two.stop()
        assert two.process.returncode == 0, two.output.read_text()
    ran = sorted(ticks(one.output) + ticks(two.output))
    # Never two at once, and never two in the same period.
    assert all(ended <= began for (_, ended), (began, _) in pairwise(ran))
    assert len({int(began) for began, _ in ran}) == len(ran)
    with session.reading(engine) as connection:
        assert JobStore(connection).all()["rare"]["owner"] is None
    events = [json.loads(line)["event"] for line in two.lines()]
    assert {"job started", "job done"} <= set(events)


def test_commands_of_the_schedule(tmp_path: Path) -> None:
    new_context(tmp_path).engine.dispose()
    listed = done(tmp_path, "schedule", "--list", CDS_SCHEDULE='{"outcomes-pull": "off"}')
    assert "outcomes-pull" in listed
    assert "off" in listed
    said = done(tmp_path, "schedule", "--run", "outcomes-pull")
    assert "outcomes-pull: done. No client has given us access of our own." in said
    assert "No client has given us" in done(tmp_path, "schedule", "--list")
    assert "There is no job nothing." in run(tmp_path, "schedule", "--run", "nothing").sentence()
    assert run(tmp_path, "schedule", "--once", "--list").code == 2
    for wrong, words in (
        ('{"evaluat": "1d"}', "CDS_SCHEDULE: there is no job evaluat; there are alerts"),
        ('{"evaluate": "daily"}', "CDS_SCHEDULE: evaluate must be off or a number and a unit"),
        ("daily", "CDS_SCHEDULE JSON objects"),
    ):
        assert words in run(tmp_path, "schedule", "--list", CDS_SCHEDULE=wrong).sentence()
    said = run(tmp_path, "schedule", "--list", CDS_SCHEDULE_TIME="2 am").sentence()
    assert "CDS_SCHEDULE_TIME: must be a time of day, like 02:00" in said
