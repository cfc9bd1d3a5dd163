"""Runs that another process can see, on SQLite and PostgreSQL."""

from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from cds_service.context import ProcessContext
from cds_service.errors import ServiceError
from cds_service.periods import parse_period
from cds_service.services import runs as runs_service
from cds_service.services.jobs import JobRunner, Steps
from cds_service.services.runs import recorded
from cds_service.services.runs_view import RunsView
from cds_service.services.schedule import Schedule, night
from cds_service.storage.run_store import KEPT, RunStore
from cds_service.storage.session import reading
from tests.support.service import new_context
from tests.support.stored import set_time


@pytest.fixture
def context(tmp_path: Path, database_url: str) -> Iterator[ProcessContext]:
    made = new_context(tmp_path, database_url)
    yield made
    made.engine.dispose()


def under_way(context: ProcessContext) -> list[dict[str, Any]]:
    with reading(context.engine) as connection:
        return RunStore(connection).under_way()


def ended(context: ProcessContext) -> list[dict[str, Any]]:
    return RunsView(context).ended(None, None, limit=100, offset=0)


def later(context: ProcessContext, seconds: float) -> None:
    set_time(context, context.clock() + timedelta(seconds=seconds))


def test_a_command_is_seen_while_it_runs_and_after(context: ProcessContext) -> None:
    with recorded(context.engine, context.clock, "train", actor="cli:ana") as run:
        run.progress("cross-validating xgboost", 0.25)
        (row,) = under_way(context)
        assert (row["kind"], row["actor"]) == ("train", "cli:ana")
        assert (row["step"], row["share"]) == ("cross-validating xgboost", 0.25)
        later(context, 90)
        run.progress("fitting", 1.5)
        (row,) = under_way(context)
        assert (row["share"], row["seen_at"]) == (1.0, context.clock())
        run.result = "Model version 3."
    assert under_way(context) == []
    (row,) = ended(context)
    assert (row["state"], row["result"]) == ("done", "Model version 3.")
    assert row["ended_at"] - row["started_at"] == timedelta(seconds=90)


def test_the_same_step_is_not_written_at_every_turn(
    context: ProcessContext, monkeypatch: pytest.MonkeyPatch
) -> None:
    written: list[dict[str, Any]] = []
    see = RunStore.see

    def counted(self: RunStore, identifier: str, values: dict[str, Any]) -> None:
        written.append(values)
        see(self, identifier, values)

    monkeypatch.setattr(runs_service, "WRITTEN_SECONDS", 3_600.0)
    with recorded(context.engine, context.clock, "train", actor="x") as run:
        monkeypatch.setattr(RunStore, "see", counted)
        for i in range(50):
            run.progress("fitting", i / 50)
        run.progress("another", 0.5)
        assert [one["step"] for one in written] == ["fitting", "another"]


def test_a_failure_is_told_without_what_it_failed_on(context: ProcessContext) -> None:
    with (
        pytest.raises(KeyError),
        recorded(context.engine, context.clock, "retrain", actor="x"),
    ):
        raise KeyError("a patient's value")
    with (
        pytest.raises(ServiceError),
        recorded(context.engine, context.clock, "retrain", actor="x"),
    ):
        raise ServiceError("There is no champion.")
    with (
        pytest.raises(KeyboardInterrupt),
        recorded(context.engine, context.clock, "retrain", actor="x"),
    ):
        raise KeyboardInterrupt
    told = {row["result"]: row["state"] for row in ended(context)}
    assert told.pop("There is no champion.") == "failed"
    assert told.pop("Left before it was done.") == "left"
    ((result, state),) = told.items()
    assert (result.startswith("unexpected KeyError at "), state) == (True, "failed")
    assert "patient" not in result


def test_where_the_database_is_away_work_goes_on(
    context: ProcessContext, monkeypatch: pytest.MonkeyPatch
) -> None:
    from sqlalchemy.exc import OperationalError

    def away(*_arguments: Any, **_named: Any) -> None:
        raise OperationalError("", {}, Exception())

    monkeypatch.setattr(RunStore, "begin", away)
    monkeypatch.setattr(RunStore, "see", away)
    with recorded(context.engine, context.clock, "train", actor="x") as run:
        run.progress("fitting", 0.5)
        done = True
    assert done
    assert ended(context) == []


def test_a_job_shows_its_progress_its_end_and_its_failure(context: ProcessContext) -> None:
    runner = JobRunner(context, night(context.settings, context.zone))
    Schedule(context)._plan()
    period = parse_period("1h")
    seen: list[dict[str, Any]] = []

    def work(steps: Steps) -> str:
        steps.progress("joining outcomes", 0.1)
        seen.extend(under_way(context))
        later(context, 5)
        return "Version 4 is in shadow."

    def fails(_steps: Steps) -> str:
        raise ServiceError("There is no champion.")

    assert runner.run("refresh", period, work, actor="user:ana", early=True) is not None
    (row,) = seen
    assert (row["kind"], row["actor"], row["step"]) == ("refresh", "user:ana", "joining outcomes")
    assert runner.run("search", period, fails, early=True) is not None
    told = {row["kind"]: row for row in ended(context)}
    assert (told["refresh"]["state"], told["refresh"]["result"]) == (
        *("done", "Version 4 is in shadow."),
    )
    assert (told["search"]["state"], told["search"]["actor"]) == ("failed", "schedule")
    rows = {entry.name: entry.row or {} for entry in RunsView(context).now().jobs}
    assert rows["refresh"]["result"] == "Version 4 is in shadow."
    assert rows["search"]["failures"] == 1
    assert rows["evaluate"]["finished_at"] is None


def test_a_job_that_was_killed_is_left_when_another_takes_it_over(context: ProcessContext) -> None:
    runner = JobRunner(context, night(context.settings, context.zone))
    Schedule(context)._plan()

    def killed(_steps: Steps) -> str:
        raise SystemExit

    with pytest.raises(SystemExit):
        runner.run("refresh", None, killed, early=True)
    (row,) = RunsView(context).now().under_way
    assert not row.is_silent
    later(context, 600)
    (row,) = RunsView(context).now().under_way
    assert row.is_silent
    other = JobRunner(context, night(context.settings, context.zone))
    assert other.run("refresh", None, lambda _steps: "Done.", early=True) is not None
    assert [row["state"] for row in ended(context)] == ["done", "left"]
    assert ended(context)[1]["ended_at"] == row.row["seen_at"]


def test_of_each_kind_the_newest_are_kept(context: ProcessContext) -> None:
    for i in range(KEPT + 5):
        later(context, 60)
        with recorded(context.engine, context.clock, "alerts", actor="schedule") as run:
            run.result = str(i)
    with recorded(context.engine, context.clock, "train", actor="x"):
        pass
    view = RunsView(context)
    assert view.count("alerts", None) == KEPT
    assert view.count("train", "done") == 1
    assert view.ended("alerts", None, limit=1, offset=0)[0]["result"] == str(KEPT + 4)
