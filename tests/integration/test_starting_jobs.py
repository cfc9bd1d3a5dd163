"""Jobs that an administrator has run now, on SQLite and PostgreSQL."""

from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import select

from cds_service.context import ProcessContext
from cds_service.security.permissions import Role
from cds_service.services.alert_delivery import AlertDelivery
from cds_service.services.job_desk import LONG, JobDesk
from cds_service.services.schedule import JOBS, Schedule
from cds_service.storage.job_store import JobStore
from cds_service.storage.session import reading
from cds_service.storage.tables import AUDIT_EVENTS, RUNS
from cds_service.web import admin_runs_en
from tests.support.people import Visitor, closed_context, session_of
from tests.support.service import Service, running
from tests.support.stored import set_time

START = "/admin/runs/start?job="


@pytest.fixture
def context(tmp_path: Path, database_url: str) -> Iterator[ProcessContext]:
    """A schedule that has looked once and found nothing due."""
    made = closed_context(tmp_path, database_url, schedule={"shadow": "off"})
    Schedule(made)._plan()
    at = made.clock()
    with made.engine.begin() as connection:
        for job in JOBS:
            store = JobStore(connection)
            store.take(job.name, "x", at=at, lease_until=at + timedelta(minutes=2), early=True)
            store.finish(job.name, "x", {"finished_at": at, "due_at": at + timedelta(minutes=1)})
    yield made
    made.engine.dispose()


@pytest.fixture
def closed(context: ProcessContext) -> Iterator[Service]:
    with running(context, context.clock) as service:
        yield service


@pytest.fixture
def visitor(closed: Service) -> Visitor:
    visitor = Visitor(closed, session_of(closed.context, Role.ADMINISTRATOR))
    visitor.get("/admin/runs")
    return visitor


def job(context: ProcessContext, name: str) -> dict[str, Any]:
    with reading(context.engine) as connection:
        return JobStore(connection).all()[name]


def asked(context: ProcessContext) -> list[tuple[str, str]]:
    with reading(context.engine) as connection:
        query = select(AUDIT_EVENTS.c.actor, AUDIT_EVENTS.c.object_id).where(
            AUDIT_EVENTS.c.action == "ask-job"
        )
        return [(row.actor, row.object_id) for row in connection.execute(query)]


def only(context: ProcessContext, name: str) -> Schedule:
    return Schedule(context, jobs=tuple(job for job in JOBS if job.name == name))


def row_of(page: str, name: str) -> str:
    """A row of the table of jobs."""
    return page.partition(f'<tr id="job-{name}">')[2].partition("</tr>")[0]


def test_a_job_that_was_asked_for_runs_for_whoever_asked(
    context: ProcessContext, visitor: Visitor, monkeypatch: pytest.MonkeyPatch
) -> None:
    actors: list[str] = []

    def run(_self: AlertDelivery, *, actor: str) -> str:
        actors.append(actor)
        return "Delivered nothing."

    monkeypatch.setattr(AlertDelivery, "run", run)
    assert only(context, "alerts").once() == []
    page = visitor.get("/admin/runs").text
    assert "Run now" in row_of(page, "alerts")
    done = visitor.post(START + "alerts")
    assert (done.status_code, done.headers["location"]) == (303, "/admin/runs?told=start")
    page = visitor.get("/admin/runs?told=start").text
    assert "Asked for. The schedule starts it within seconds." in page
    assert "now, asked for by user:ana" in row_of(page, "alerts")
    assert "Run now" not in row_of(page, "alerts")
    assert "No process" not in page
    # Asked for twice it is done once.
    assert visitor.post(START + "alerts").status_code == 409
    assert asked(context) == [("user:ana", "alerts")]

    assert [one.name for one in only(context, "alerts").once()] == ["alerts"]
    assert actors == ["user:ana"]
    with reading(context.engine) as connection:
        assert connection.execute(select(RUNS.c.actor)).scalars().all() == ["user:ana"]
    assert job(context, "alerts")["asked_by"] is None
    assert only(context, "alerts").once() == []
    assert "Run now" in row_of(visitor.get("/admin/runs").text, "alerts")
    # In its turn it runs for nobody in particular.
    set_time(context, context.clock() + timedelta(minutes=2))
    only(context, "alerts").once()
    assert actors == ["user:ana", "schedule"]


def test_what_takes_long_has_to_be_meant(context: ProcessContext, visitor: Visitor) -> None:
    for name in sorted(LONG):
        page = visitor.get("/admin/runs").text
        assert f'href="/admin/runs/start?job={name}"' in row_of(page, name)
        page = visitor.get(START + name).text
        assert admin_runs_en.ENGLISH[f"start.{name}"] in page
        refused = visitor.post(START + name)
        assert refused.status_code == 422
        assert "Tick that you know." in refused.text
        assert job(context, name)["asked_at"] is None
        assert visitor.post(START + name, {"sure": "1"}).status_code == 303
        assert job(context, name)["due_at"] == context.clock()
    assert asked(context) == [("user:ana", name) for name in sorted(LONG)]
    page = visitor.get(START + "evaluate").text
    assert 'name="sure"' not in page


def test_what_is_off_not_set_up_or_under_way_is_not_started(
    context: ProcessContext, visitor: Visitor
) -> None:
    at = context.clock()
    with context.engine.begin() as connection:
        until = at + timedelta(minutes=2)
        assert JobStore(connection).take("inputs", "x", at=at, lease_until=until, early=True)
    page = visitor.get("/admin/runs").text
    for name in ("shadow", "export", "inputs"):
        assert "Run now" not in row_of(page, name)
        refused = visitor.post(START + name)
        assert refused.status_code == 409
        assert "Nothing was changed." in refused.text
        assert job(context, name)["asked_at"] is None
    # Its process is gone.
    set_time(context, at + timedelta(minutes=3))
    assert "Run now" in row_of(visitor.get("/admin/runs").text, "inputs")
    assert asked(context) == []


def test_a_failed_job_need_not_wait_for_its_next_try(context: ProcessContext) -> None:
    at = context.clock()
    with context.engine.begin() as connection:
        store = JobStore(connection)
        store.take("release", "x", at=at, lease_until=at + timedelta(minutes=2), early=True)
        store.finish("release", "x", {"failures": 9, "due_at": at + timedelta(hours=6)})
    assert JobDesk(context).start("release", actor="user:ana")
    assert [one.name for one in only(context, "release").once()] == ["release"]


def test_a_schedule_that_seems_to_be_away_is_told(
    context: ProcessContext, visitor: Visitor
) -> None:
    assert "No process" not in visitor.get("/admin/runs").text
    set_time(context, context.clock() + timedelta(minutes=10))
    visitor.post(START + "evaluate")
    page = visitor.get("/admin/runs?told=start").text
    assert "No process seems to run the schedule" in page
    assert "<code>cds-service schedule</code>" in page
    assert "No process seems" in visitor.get(START + "search").text
    assert "No process seems" in visitor.get("/admin/runs/now").text


def test_who_may_start_and_what(context: ProcessContext, visitor: Visitor) -> None:
    assert visitor.post(START + "nothing").status_code == 404
    assert visitor.post("/admin/runs/start").status_code == 404
    assert visitor.get(START + "nothing").status_code == 404
    assert visitor.get("/admin/runs/start?lang=es").headers["location"] == "/admin/runs?lang=es"
    assert visitor.post(START + "alerts", Origin="https://evil.example").status_code == 403
    assert visitor.post(START + "alerts", {"csrf": "forged"}).status_code == 403
    for role in (Role.CLINICIAN, Role.REVIEWER):
        other = Visitor(visitor.service, session_of(context, role))
        assert other.post(START + "alerts", {"csrf": visitor.token}).status_code == 403
    assert asked(context) == []


def test_other_pages_lead_to_it(visitor: Visitor) -> None:
    assert 'href="/admin/runs#job-export"' in visitor.get("/admin/exports").text
    assert 'href="/admin/runs#job-evaluate"' in visitor.get("/admin/quality").text
