"""Comparisons asked for on the dashboard and done by the schedule, on SQLite and PostgreSQL."""

from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import select, update
from sqlalchemy.exc import OperationalError

from cds_service.context import ProcessContext
from cds_service.errors import ServiceError
from cds_service.security.permissions import Role
from cds_service.services.comparing import Comparing
from cds_service.services.comparison_requests import MOST_TRIES, NOTHING, ComparisonRequests
from cds_service.services.job_desk import JobDesk
from cds_service.services.jobs import End, JobLeftError
from cds_service.services.promoting import Promotions
from cds_service.services.schedule import JOBS as ALL_JOBS
from cds_service.services.schedule import Schedule
from cds_service.storage.client_store import ClientStore
from cds_service.storage.job_store import JobStore
from cds_service.storage.session import reading
from cds_service.storage.tables import AUDIT_EVENTS, COMPARISON_REQUESTS, EVALUATIONS, JOBS, RUNS
from tests.support.cohorts import small_cohort
from tests.support.people import Visitor, closed_context, session_of
from tests.support.seen import seen
from tests.support.service import Service, new_context, release, running
from tests.support.stored import set_time

PAIR = "/admin/models/compare?first=1&second=2"


@pytest.fixture
def context(
    tmp_path: Path, small_model: tuple[Path, str], database_url: str
) -> Iterator[ProcessContext]:
    """Versions 1 and 2, and nothing to compare them on."""
    made = closed_context(tmp_path, database_url, minimum_held_out=40)
    for version in ("1", "2"):
        release(made, version, *small_model)
    yield made
    made.engine.dispose()


@pytest.fixture
def closed(context: ProcessContext) -> Iterator[Service]:
    with running(context, context.clock) as service:
        yield service


def rows(context: ProcessContext, table: Any) -> list[dict[str, Any]]:
    with reading(context.engine) as connection:
        return [dict(row._mapping) for row in connection.execute(select(table))]


def requests(context: ProcessContext) -> dict[tuple[str, str], dict[str, Any]]:
    return {(row["first"], row["second"]): row for row in rows(context, COMPARISON_REQUESTS)}


def job(context: ProcessContext) -> dict[str, Any]:
    with reading(context.engine) as connection:
        return JobStore(connection).all()["compare"]


def later(context: ProcessContext, **time: float) -> None:
    set_time(context, context.clock() + timedelta(**time))


def only(context: ProcessContext, name: str) -> Schedule:
    return Schedule(context, jobs=tuple(job for job in ALL_JOBS if job.name == name))


def with_outcomes(context: ProcessContext) -> None:
    """Enough confirmed outcomes for the gates to say something."""
    with context.engine.begin() as connection:
        ClientStore(connection).add("development", {"allow_retraining": True}, context.clock())
    start = context.clock() - timedelta(days=120)
    seen(context, small_cohort(300, 8), start=start, every=timedelta(hours=1), prefix="p")


def test_two_versions_are_compared_because_somebody_asked(
    context: ProcessContext, closed: Service
) -> None:
    with_outcomes(context)
    visitor = Visitor(closed, session_of(context, Role.ADMINISTRATOR))
    page = visitor.get(PAIR).text
    assert "These two were not compared" in page
    asked = visitor.post(PAIR)
    assert (asked.status_code, asked.headers["location"]) == (303, PAIR)
    page = visitor.get(PAIR).text
    assert "by user:ana; not done yet." in page
    assert 'href="/admin/runs#now"' in page
    assert "<button" not in page[page.index('id="ask"') : page.index('id="gates"')]
    # Nobody has run the schedule here.
    assert "<code>cds-service schedule</code>" in page
    assert "cds-service models compare 1 2" in page
    # Who asks again while it waits asks for nothing new.
    assert visitor.post(PAIR).status_code == 303
    assert len(requests(context)) == 1

    (ran,) = only(context, "compare").once()
    assert (ran.end, ran.result) == (End.DONE, "Compared 1 of 1 pairs that were asked for.")
    (request,) = requests(context).values()
    (found,) = Promotions(context.engine, context.clock).comparisons("2")
    assert (request["state"], request["result"]) == ("done", found["reason"])
    assert found["champion"] == "1"
    events = [row for row in rows(context, AUDIT_EVENTS) if row["action"].endswith("compare")]
    assert {row["actor"] for row in events} == {"user:ana"}
    assert [(row["action"], row["detail"]["with"]) for row in events] == [
        ("ask-compare", "1"),
        ("compare", "1"),
    ]
    (run,) = [row for row in rows(context, RUNS) if row["kind"] == "compare"]
    assert (run["actor"], run["step"]) == ("user:ana", "comparing version 2 with version 1")
    page = visitor.get(PAIR).text
    assert found["gates"][0]["sentence"] in page
    assert "Compare again now" in page
    assert "not done yet" not in page
    assert "No process" not in page


def test_one_that_cannot_be_compared_says_why_and_holds_up_no_other(
    context: ProcessContext, closed: Service, monkeypatch: pytest.MonkeyPatch
) -> None:
    compared: list[tuple[str, str]] = []

    def compare(_self: Comparing, first: str, second: str, **_named: Any) -> None:
        compared.append((first, second))
        if first == "1":
            raise ServiceError("There is nothing to compare on.")
        raise KeyError("a patient's value")

    monkeypatch.setattr(Comparing, "compare_versions", compare)
    desk = JobDesk(context)
    for pair in (("1", "2"), ("2", "1")):
        assert desk.compare(*pair, actor="user:ana")
        later(context, seconds=1)
    said = ComparisonRequests(context).run(actor="schedule")
    assert said == "Compared 0 of 2 pairs that were asked for."
    assert compared == [("1", "2"), ("2", "1")]
    found = requests(context)
    assert found["1", "2"]["result"] == "There is nothing to compare on."
    assert str(found["2", "1"]["result"]).startswith("unexpected KeyError at ")
    assert {row["state"] for row in found.values()} == {"failed"}
    visitor = Visitor(closed, session_of(context, Role.ADMINISTRATOR))
    page = visitor.get(PAIR).text
    assert "There is nothing to compare on." in page
    assert ">Compare now</button>" in page
    # It may be asked for again.
    assert visitor.post(PAIR).status_code == 303
    assert "not done yet" in visitor.get(PAIR).text


def test_killed_it_waits_on_and_is_given_up_after_some_times(
    context: ProcessContext, monkeypatch: pytest.MonkeyPatch
) -> None:
    def killed(*_arguments: Any, **_named: Any) -> None:
        raise SystemExit

    monkeypatch.setattr(Comparing, "compare_versions", killed)
    JobDesk(context).compare("1", "2", actor="user:ana")
    for tries in range(1, MOST_TRIES + 1):
        with pytest.raises(SystemExit):
            ComparisonRequests(context).run(actor="schedule")
        (request,) = requests(context).values()
        assert (request["state"], request["tries"]) == ("waiting", tries)
    ComparisonRequests(context).run(actor="schedule")
    (request,) = requests(context).values()
    assert request["state"] == "failed"
    assert "begun 3 times" in request["result"]
    assert ComparisonRequests(context).run(actor="schedule") == NOTHING


def test_left_or_without_the_database_it_waits_on(
    context: ProcessContext, monkeypatch: pytest.MonkeyPatch
) -> None:
    def away(*_arguments: Any, **_named: Any) -> None:
        raise OperationalError("", {}, Exception())

    def leave(_step: str, _share: float) -> None:
        raise JobLeftError

    JobDesk(context).compare("1", "2", actor="user:ana")
    with pytest.raises(JobLeftError):
        ComparisonRequests(context).run(actor="schedule", progress=leave)
    monkeypatch.setattr(Comparing, "compare_versions", away)
    with pytest.raises(OperationalError):
        ComparisonRequests(context).run(actor="schedule")
    (request,) = requests(context).values()
    assert (request["state"], request["ended_at"]) == ("waiting", None)


def test_of_two_processes_at_the_same_one_keeps_its_comparison(context: ProcessContext) -> None:
    with_outcomes(context)
    JobDesk(context).compare("1", "2", actor="user:ana")
    compare = ComparisonRequests(context)
    (request,) = compare._waiting()
    assert compare._do(request) == "done"
    # The lease of the first was over before it was done.
    assert compare._do(request) is None
    assert [row["kind"] for row in rows(context, EVALUATIONS)] == ["compare"]


def test_what_is_asked_for_while_the_job_runs_is_due_again(context: ProcessContext) -> None:
    desk, at = JobDesk(context), context.clock()
    desk.compare("1", "2", actor="user:ana")
    assert (job(context)["due_at"], job(context)["asked_by"]) == (at, "user:ana")
    with context.engine.begin() as connection:
        store = JobStore(connection)
        assert store.take("compare", "x", at=at, lease_until=at + timedelta(minutes=2))
    assert job(context)["asked_at"] is None
    later(context, seconds=30)
    again = context.clock()
    desk.compare("2", "1", actor="user:eva")
    later(context, seconds=30)
    with context.engine.begin() as connection:
        values = {"finished_at": context.clock(), "due_at": at + timedelta(hours=1)}
        assert JobStore(connection).finish("compare", "x", values)
        assert JobStore(connection).all()["compare"]["due_at"] == again
        at = context.clock()
        store = JobStore(connection)
        assert store.take("compare", "x", at=at, lease_until=at + timedelta(minutes=2))
        assert store.finish("compare", "x", {"finished_at": at, "due_at": at + timedelta(hours=1)})
    assert job(context)["due_at"] == at + timedelta(hours=1)


def test_a_process_that_seems_to_run_the_schedule_is_not_missed(
    context: ProcessContext, closed: Service
) -> None:
    visitor = Visitor(closed, session_of(context, Role.ADMINISTRATOR))
    assert "No process has run the schedule here yet" in visitor.get(PAIR).text
    only(context, "alerts").once()
    assert "No process" not in visitor.get(PAIR).text
    later(context, minutes=10)
    assert "nothing was begun or ended since 2026-03-01" in visitor.get(PAIR).text
    # One at a job of hours is no silence.
    with context.engine.begin() as connection:
        until = context.clock() + timedelta(minutes=1)
        store = JobStore(connection)
        assert store.add("search", context.clock() + timedelta(days=9))
        assert store.take("search", "x", at=context.clock(), lease_until=until, early=True)
        values = {"started_at": context.clock() - timedelta(hours=2)}
        connection.execute(update(JOBS).values(values))
    assert "No process" not in visitor.get(PAIR).text


def test_who_may_ask_and_for_what(context: ProcessContext, closed: Service) -> None:
    visitor = Visitor(closed, session_of(context, Role.ADMINISTRATOR))
    visitor.get(PAIR)
    same = visitor.post("/admin/models/compare?first=2&second=2")
    assert same.status_code == 422
    assert "Choose two different versions." in same.text
    assert 'action="/admin/models/compare' not in same.text
    assert "Choose two" in visitor.get("/admin/models/compare?first=2&second=2").text
    for query in ("", "?first=1", "?first=1&second=99", "?first=champion&second=2"):
        assert visitor.post(f"/admin/models/compare{query}").status_code == 404
    assert visitor.post(PAIR, Origin="https://evil.example").status_code == 403
    assert visitor.post(PAIR, {"csrf": "forged"}).status_code == 403
    for role in (Role.CLINICIAN, Role.REVIEWER):
        other = Visitor(closed, session_of(context, role))
        assert other.get(PAIR).status_code == 403
        assert other.post(PAIR, {"csrf": visitor.token}).status_code == 403
    assert requests(context) == {}


def test_where_comparisons_are_off_the_page_says_so(
    tmp_path: Path, small_model: tuple[Path, str]
) -> None:
    context = new_context(tmp_path, schedule={"compare": "off"})
    for version in ("1", "2"):
        release(context, version, *small_model)
    with running(context, context.clock) as service:
        visitor = Visitor(service)
        visitor.get(PAIR)
        assert visitor.post(PAIR).status_code == 303
        page = visitor.get(PAIR).text
        assert "cds-service schedule --run compare" in page
        row = visitor.get("/admin/runs").text.partition('<tr id="job-compare">')[2]
        assert "switched off" in row.partition("</tr>")[0]
        assert only(context, "compare").once() == []
        assert Schedule(context).run("compare", actor="cli:ana").end is End.DONE
        page = visitor.get(PAIR).text
        assert "There is nothing to compare on" in page
