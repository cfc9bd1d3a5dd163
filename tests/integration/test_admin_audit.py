"""The audit trail on the dashboard: searched, a page at a time, and audited itself."""

import re
from datetime import UTC, datetime, timedelta

import pytest

from cds_service.context import ProcessContext
from cds_service.services.audit_trail import AuditTrail
from cds_service.storage.audit_store import AuditSearch, AuditStore
from cds_service.storage.session import reading
from cds_service.web.admin_audit_page import read_search
from tests.support.dashboard import EVIL
from tests.support.people import Visitor, administrator
from tests.support.service import Service, running

NOW = datetime(2026, 3, 1, 6, 15, tzinfo=UTC)
NOTHING = dict.fromkeys(("since", "until", "action", "actor", "kind", "id"), "")


def add(context: ProcessContext, number: int, **changes: object) -> None:
    event: dict[str, object] = {
        "at": context.clock() - timedelta(hours=number),
        "actor": "user:ana",
        "action": "mode",
        "object_type": "client",
        "object_id": f"c{number}",
        "detail": {"from": "silent", "number": number},
    }
    with context.engine.begin() as connection:
        AuditStore(connection).add(**event | changes)  # type: ignore[arg-type]


def ids(found: object) -> list[str]:
    return [one["object_id"] for one in found.events]  # type: ignore[attr-defined]


@pytest.mark.parametrize(
    ("search", "expected"),
    [
        (AuditSearch(), ["c1", "c2", "c3", "c4"]),
        (AuditSearch(action="pause"), ["c3"]),
        (AuditSearch(actor="user:"), ["c1", "c3"]),
        (AuditSearch(actor="user:b"), ["c3"]),
        (AuditSearch(actor="%"), []),
        (AuditSearch(actor="_ser"), []),
        (AuditSearch(object_type="model"), ["c4"]),
        (AuditSearch(object_id="c2"), ["c2"]),
        (AuditSearch(since=NOW - timedelta(hours=2)), ["c1", "c2"]),
        (AuditSearch(until=NOW - timedelta(hours=2)), ["c3", "c4"]),
        (AuditSearch(action="pause", object_type="model"), []),
    ],
)
def test_events_are_found_by_each_field(
    context: ProcessContext, search: AuditSearch, expected: list[str]
) -> None:
    add(context, 4, actor="cli:root", object_type="model")
    add(context, 3, actor="user:bea", action="pause")
    add(context, 2, actor="client:ehr")
    add(context, 1)
    found = AuditTrail(context).search(search, actor="user:me", limit=9)
    assert ids(found) == expected
    assert found.before is None


def test_pages_follow_each_other_without_a_gap(context: ProcessContext) -> None:
    for number in (5, 4, 3, 3, 3, 2, 1):  # Three at one time, and not in order.
        add(context, number)
    add(context, 6)
    trail, before, seen = AuditTrail(context), None, []
    for _ in range(4):
        found = trail.search(
            AuditSearch(object_type="client"), actor="user:me", limit=3, before=before
        )
        seen += ids(found)
        before = found.before
        if before is None:
            break
    assert seen == ["c1", "c2", "c3", "c3", "c3", "c4", "c5", "c6"]
    nowhere = trail.search(AuditSearch(), actor="user:me", limit=3, before=10**9)
    assert ids(nowhere) == []


def test_a_search_is_audited_without_what_was_typed(context: ProcessContext) -> None:
    add(context, 1)
    AuditTrail(context).search(AuditSearch(actor="García", since=NOW), actor="user:me", limit=3)
    with reading(context.engine) as connection:
        newest, *_ = AuditStore(connection).found(AuditSearch(), limit=1)
    assert (newest["actor"], newest["action"]) == ("user:me", "search-audit")
    assert newest["detail"] == {
        "since": NOW.isoformat(),
        "until": None,
        "by": ["actor"],
        "events": 0,
    }
    assert AuditTrail(context).names() == (["mode", "search-audit"], ["audit", "client"])


@pytest.mark.parametrize(
    ("asked", "wrong"),
    [
        ({"since": "yesterday"}, "wrong.since"),
        ({"since": "0001-01-01"}, "wrong.since"),
        ({"until": "9999-12-31"}, "wrong.until"),
        ({"until": "2026-02-30"}, "wrong.until"),
        ({"since": "2026-03-02", "until": "2026-03-01"}, "wrong.until"),
    ],
)
def test_days_that_cannot_be_read_are_refused(asked: dict[str, str], wrong: str) -> None:
    assert read_search(NOTHING | asked, NOW) == (None, wrong)


def test_the_last_day_is_included() -> None:
    search, _ = read_search(NOTHING | {"since": "2026-02-01", "until": "2026-02-03"}, NOW)
    assert search is not None
    assert search.since == datetime(2026, 2, 1, tzinfo=UTC)
    assert search.until == datetime(2026, 2, 4, tzinfo=UTC)
    search, _ = read_search(NOTHING, NOW)
    assert search is not None
    assert (search.since, search.until) == (NOW - timedelta(days=7), None)


def test_the_page_shows_events_as_text_and_leads_on(closed: Service) -> None:
    for number in range(60):
        add(closed.context, number, actor=f"user:{EVIL}", detail={"x": {"y": EVIL}, "n": number})
    visitor = administrator(closed)
    first = visitor.get("/admin/audit?kind=client&lang=en").text
    assert first.count('class="at"') == 50
    assert "<script>document" not in first
    assert "<img" not in first
    assert "x.y: &lt;script&gt;" in first
    (older,) = re.findall(r'href="(\?[^"]*before=\d+)"', first)
    assert "kind=client" in older
    second = visitor.get("/admin/audit" + older.replace("&amp;", "&")).text
    assert second.count('class="at"') == 10
    assert "before=" not in second.partition("<main")[2]
    assert "The newest" in second


@pytest.mark.parametrize(
    "query", ["since=xqz", "until=2026-13-01", "since=2026-01-02&until=2026-01-01"]
)
def test_the_page_says_which_day_is_wrong(closed: Service, query: str) -> None:
    page = administrator(closed).get(f"/admin/audit?{query}")
    assert page.status_code == 422
    assert 'role="alert"' in page.text
    assert 'aria-errormessage="wrong"' in page.text


def test_odd_queries_find_nothing_and_break_nothing(closed: Service) -> None:
    visitor = administrator(closed)
    numbers = ("before=x", "before=%C2%B2", "before=" + "9" * 40)
    for query in ("actor=%00", "actor=%ff", *numbers, "id=" + "x" * 9_000):
        assert visitor.get(f"/admin/audit?{query}").status_code == 200
    assert "No event fits." in visitor.get("/admin/audit?id=nothing").text


def test_what_no_column_holds_is_no_fault(context: ProcessContext) -> None:
    """PostgreSQL takes neither NUL nor a number above those of its integers."""
    with running(context, context.clock) as service:
        assert Visitor(service).get("/admin/audit?before=" + "9" * 14).status_code == 200
        assert Visitor(service).get("/admin/audit?actor=%00a&action=%00").status_code == 200
