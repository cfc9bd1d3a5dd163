"""Calls are counted in the database, whoever answered them."""

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from alembic import command
from sqlalchemy import Engine, func, select
from sqlalchemy.exc import OperationalError

from cds_service.services.assessing import AssessingService
from cds_service.services.call_counts import KEPT, CallCounts, service_of
from cds_service.services.latency import bucket_of
from cds_service.storage import session
from cds_service.storage.call_count_store import CallCountStore
from cds_service.storage.session import reading
from cds_service.storage.tables import CALL_COUNTS
from tests.support.service import TestClock, new_context, release, running

DAY = timedelta(days=1)


def counted(engine: Engine) -> list[tuple[str, str, int, int]]:
    query = select(
        CALL_COUNTS.c.client,
        CALL_COUNTS.c.service,
        CALL_COUNTS.c.status,
        func.sum(CALL_COUNTS.c.calls),
    ).group_by(CALL_COUNTS.c.client, CALL_COUNTS.c.service, CALL_COUNTS.c.status)
    with reading(engine) as connection:
        return sorted((a, b, c, int(n)) for a, b, c, n in connection.execute(query))


@pytest.mark.parametrize(
    ("path", "service"),
    [
        ("/cds-services", "discovery"),
        ("/cds-services/disease-severity", "disease-severity"),
        ("/cds-services/disease-severity/feedback", "feedback"),
        ("/cds-services/Garcia", "other"),
        ("/fhir/$assess-severity", "assess-severity"),
        ("/fhir/Condition/Garcia", "fhir"),
        ("/fhir", "fhir"),
        ("/fhirx", None),
        ("/health/ready", None),
        ("/admin", None),
    ],
)
def test_a_call_is_named_by_what_was_asked_and_never_by_its_path(
    path: str, service: str | None
) -> None:
    assert service_of(path) == service


def test_two_processes_add_to_the_same_counts(tmp_path: Path, database_url: str) -> None:
    context = new_context(tmp_path, database_url)
    one, other = CallCounts(context), CallCounts(context)
    for counts in (one, other, one):
        counts.note("disease-severity", "ehr", 200, 0.01)
        counts.flush()
    one.note("disease-severity", "ehr", 503, 0.01)
    one.note("disease-severity", "ehr", 200, 5.0)
    one.flush()
    one.flush()
    at = context.clock()
    with reading(context.engine) as connection:
        store = CallCountStore(connection)
        rows = store.by_day(at - DAY, at + DAY)
        assert store.last_calls() == {"ehr": at}
    # 12:00 in Nepal is 06:15 in UTC, of the same day.
    assert [(row["day"], row["status"], row["bucket"], row["calls"]) for row in rows] == [
        ("2026-03-01", 200, bucket_of(0.01), 3),
        ("2026-03-01", 200, bucket_of(5.0), 1),
        ("2026-03-01", 503, bucket_of(0.01), 1),
    ]
    with reading(context.engine) as connection:
        hours = list(connection.execute(select(CALL_COUNTS.c.hour).distinct()).scalars())
    assert hours == [datetime(2026, 3, 1, 6, tzinfo=UTC)]
    context.engine.dispose()


def test_the_newest_call_is_kept_whoever_tells_it_first(engine: Engine) -> None:
    at = datetime(2026, 3, 1, 10, 30, tzinfo=UTC)
    key = {"hour": at.replace(minute=0), "client": "e", "service": "fhir", "status": 200}
    for minutes in (5, 9, 7):
        last = {"last_at": at + timedelta(minutes=minutes)}
        with engine.begin() as connection:
            CallCountStore(connection).add([key | {"bucket": 3, "calls": 2} | last])
    with reading(engine) as connection:
        store = CallCountStore(connection)
        assert store.last_calls() == {"e": at + timedelta(minutes=9)}
        (row,) = store.by_client(at - DAY, at + DAY)
    assert row == {"client": "e", "service": "fhir", "status": 200, "bucket": 3, "calls": 6}


def test_counts_wait_while_the_database_is_away(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    context = new_context(tmp_path)
    counts = CallCounts(context)
    counts.note("fhir", "", 401, 0.002)

    def away(*_: object) -> None:
        counts.note("fhir", "", 401, 0.002)  # Meanwhile another came.
        raise OperationalError("INSERT", None, Exception("away"))

    with monkeypatch.context() as patch:
        patch.setattr(CallCountStore, "add", away)
        with pytest.raises(OperationalError):
            counts.flush()
    assert counted(context.engine) == []
    counts.flush()
    assert counted(context.engine) == [("", "fhir", 401, 2)]


def test_old_counts_are_forgotten(tmp_path: Path) -> None:
    clock = TestClock()
    context = new_context(tmp_path)
    object.__setattr__(context, "clock", clock)
    counts = CallCounts(context)
    for days in (0, 1, KEPT.days, KEPT.days + 1):
        clock.time = TestClock().time + timedelta(days=days)
        counts.note("fhir", f"c{days}", 200, 0.002)
        counts.flush()
    assert [row[0] for row in counted(context.engine)] == ["c1", "c100", "c101"]


def test_the_migration_can_be_undone(engine: Engine) -> None:
    config = session._config()
    with engine.begin() as connection:
        config.attributes["connection"] = connection
        command.downgrade(config, "0007")
    assert session.current_revision(engine)[0] == "0007"
    session.upgrade(engine)
    session.check(engine)


def test_every_call_is_counted_until_the_service_stops(
    tmp_path: Path, small_model: tuple[Path, str]
) -> None:
    context = new_context(tmp_path)
    release(context, "1", *small_model)
    with running(context, TestClock()) as service:
        body = service.request(service.vitals())
        assert service.assess(body).status_code == 200
        assert service.assess(body).status_code == 200
        assert service.assess({"hook": "x"}).status_code == 400
        assert service.http.get("/cds-services").status_code == 200
        assert service.http.post("/cds-services/nothing", json={}).status_code == 404
        assert service.http.get("/health/ready").status_code == 200
        assert service.http.get("/triage/policy").status_code == 200
        secret = {"Authorization": "Bearer cds_wrong_wrong"}
        assert service.http.get("/fhir/RiskAssessment/x", headers=secret).status_code == 401
    assert counted(context.engine) == [
        ("", "fhir", 401, 1),
        ("development", "discovery", 200, 1),
        ("development", "disease-severity", 200, 2),
        ("development", "disease-severity", 400, 1),
        ("development", "other", 404, 1),
    ]


def test_a_fault_is_counted_too(
    tmp_path: Path, small_model: tuple[Path, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    context = new_context(tmp_path)
    release(context, "1", *small_model)

    def fail(*_: object, **__: object) -> None:
        raise RuntimeError

    monkeypatch.setattr(AssessingService, "patient_view", fail)
    with running(context, TestClock()) as service:
        assert service.assess(service.request(service.vitals())).status_code == 500
    assert counted(context.engine) == [("development", "disease-severity", 500, 1)]
