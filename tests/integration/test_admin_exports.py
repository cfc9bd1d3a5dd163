"""The exports and the watched history of the dashboard."""

from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
from sqlalchemy import insert

from cds_service.context import ProcessContext
from cds_service.services.export_desk import ExportDesk
from cds_service.services.exports import ExportService
from cds_service.storage.export_store import ExportStore
from cds_service.storage.job_store import JobStore
from cds_service.storage.tables import EXPORT_PARTS, JOBS
from cds_service.storage.watched_file_store import WatchedFileStore
from tests.support.dashboard import EVIL
from tests.support.people import administrator
from tests.support.service import Service, new_context
from tests.support.stored import SEEN, assessed, set_time

DAY = timedelta(days=1)


@pytest.fixture
def context(database_url: str, tmp_path: Path) -> Iterator[ProcessContext]:
    context = new_context(tmp_path / "data", database_url, export_url=str(tmp_path / "out"))
    set_time(context, SEEN + DAY)
    yield context
    context.engine.dispose()


def add_part(context: ProcessContext, number: int, **changes: Any) -> None:
    part = {
        "id": str(uuid4()),
        "target": "s3://bucket/export",
        "dataset": "assessments",
        "day": f"2026-02-{number % 28 + 1:02}",
        "name": f"dataset=assessments/part-{number:03}.parquet",
        "rows": 10,
        "sha256": "ab" * 32,
        "state": "written",
        "at": context.clock() - timedelta(minutes=number),
    }
    with context.engine.begin() as connection:
        connection.execute(insert(EXPORT_PARTS), part | changes)


def add_file(context: ProcessContext, number: int, **changes: Any) -> None:
    file = {
        "id": str(uuid4()),
        "name": f"visits-{number:03}.csv",
        "sha256": f"{number:064}",
        "seen_at": context.clock() - timedelta(minutes=number),
        "state": "read",
        "history_id": None,
        "report": {"rows_kept": 1_200, "rows_known": 34},
    }
    with context.engine.begin() as connection:
        WatchedFileStore(connection).add(file | changes)


def test_what_was_exported_is_counted_as_it_was_written(context: ProcessContext) -> None:
    for patient in ("p1", "p2"):
        assessed(context, patient=patient)
    assert "2 assessments" in ExportService(context).run(actor="test")
    add_part(context, 3, state="planned", rows=7, sha256="")
    standing, sets = ExportDesk(context).exports()
    assert standing.location == f"file://{context.settings.export_url}"
    assert standing.job is None
    counted = [(one["dataset"], one["state"], one["files"], one["rows"]) for one in sets]
    assert counted == [("assessments", "written", 1, 2), ("assessments", "planned", 1, 7)]
    day = SEEN.date().isoformat()
    assert (sets[0]["first"], sets[0]["last"]) == (day, day)
    newest, older = ExportDesk(context).files(limit=2, offset=0)
    assert (newest["state"], older["state"]) == ("written", "planned")
    assert ExportDesk(context).files(limit=2, offset=1) == [older]
    with context.engine.begin() as connection:
        assert ExportStore(connection).newest(limit=2, offset=2) == []


def test_files_that_were_found_are_counted(context: ProcessContext) -> None:
    for number, state in enumerate(("read", "known", "set_aside", "read")):
        add_file(context, number, state=state)
    standing, counts = ExportDesk(context).history()
    assert standing.location is None
    assert counts == {"read": 2, "known": 1, "set_aside": 1}
    names = [one["name"] for one in ExportDesk(context).watched(limit=2, offset=1)]
    assert names == ["visits-001.csv", "visits-002.csv"]


def test_without_anything_the_pages_say_what_to_do(closed: Service) -> None:
    visitor = administrator(closed)
    page = visitor.get("/admin/exports?page=9").text
    assert "Nothing was exported yet." in page
    assert "Nothing is set up (CDS_EXPORT_URL)." in page
    page = visitor.get("/admin/exports/history").text
    assert "No file was found yet." in page
    assert "Nothing is set up (CDS_HISTORY_WATCH_URL)." in page


def test_the_pages_show_files_as_text_a_page_at_a_time(closed: Service) -> None:
    for number in range(55):
        add_part(closed.context, number)
        add_file(closed.context, number)
    add_part(closed.context, 99, name=EVIL, target=EVIL)
    add_file(
        closed.context, 99, name=EVIL, state="set_aside", report={"why": EVIL, "seen": [[EVIL]]}
    )
    visitor = administrator(closed)
    for address in ("/admin/exports", "/admin/exports/history"):
        first, last = visitor.get(address).text, visitor.get(f"{address}?page=2").text
        assert first.count('class="row"') == 50
        assert "Page 1 of 2 (56 in all)" in first
        assert "&lt;script&gt;" in last
        assert "<script>document" not in first + last
        assert "<img" not in first + last
    assert "Reading it failed." in last
    assert "cds-service ingest history FILE says why" in last


def test_bad_files_say_why(closed: Service) -> None:
    for number, why in enumerate(("not_readable", "too_much_wrong", "bad_mapping")):
        report = {"why": why, "report_written": True}
        add_file(closed.context, number, state="set_aside", report=report)
    page = administrator(closed).get("/admin/exports/history").text
    for said in ("cannot be read as history", "More than half", "mapping file cannot be used"):
        assert said in page
    assert page.count("Its report lies beside it") == 3


def test_how_the_job_ended_is_told(closed: Service) -> None:
    at = closed.context.clock()
    with closed.context.engine.begin() as connection:
        assert JobStore(connection).add("export", at + DAY)
        connection.execute(
            JOBS.update().values(
                finished_at=at, failures=2, result="The location cannot be written."
            )
        )
    page = administrator(closed).get("/admin/exports").text
    assert "The location cannot be written." in page
    assert "<dt>Failed runs in a row</dt><dd>2</dd>" in page
    assert "<dd>2026-03-02 06:15 UTC</dd>" in page
