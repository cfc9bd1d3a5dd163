"""The alerts of the dashboard: listed, acknowledged, resolved."""

import re
from uuid import uuid4

import pytest
from sqlalchemy import Engine, select

from cds_service.context import ProcessContext
from cds_service.services.alerts import AlertService, cause_passed
from cds_service.storage.session import reading
from cds_service.storage.tables import AUDIT_EVENTS
from tests.support.dashboard import EVIL, add_alert
from tests.support.people import administrator
from tests.support.service import Service


def audited(engine: Engine) -> list[tuple[str, str, str]]:
    query = select(AUDIT_EVENTS).where(AUDIT_EVENTS.c.object_type == "alert")
    with reading(engine) as connection:
        rows = connection.execute(query.order_by(AUDIT_EVENTS.c.id))
        return [(row.actor, row.action, row.object_id) for row in rows]


def test_each_alert_stands_one_way_and_the_urgent_come_first(context: ProcessContext) -> None:
    service, at = AlertService(context.engine), context.clock()
    info = add_alert(context, "a", severity="info", days_ago=1)
    older = add_alert(context, "b", severity="critical", days_ago=3)
    newer = add_alert(context, "c", severity="critical", days_ago=2)
    mine = add_alert(context, "d", severity="warning")
    done = add_alert(context, "e", severity="info")
    service.acknowledge(mine, actor="user:ana", at=at)
    service.acknowledge(done, actor="user:ana", at=at)
    service.resolve(done, reason="mended", actor="user:ana", at=at)
    assert service.counts() == {"open": 3, "acknowledged": 1, "resolved": 1}
    assert service.open_by_severity() == {"critical": 2, "warning": 1, "info": 1}
    ids = [one["id"] for one in service.part("open", limit=9)]
    assert ids == [newer, older, info]
    assert [one["id"] for one in service.part("open", limit=1, offset=1)] == [older]
    assert [one["id"] for one in service.part("acknowledged", limit=9)] == [mine]
    assert [one["id"] for one in service.part("resolved", limit=9)] == [done]


def test_without_alerts_every_list_says_so(closed: Service) -> None:
    visitor = administrator(closed)
    for state, said in (
        ("open", "No alert is open."),
        ("acknowledged", "Nobody is at an alert."),
        ("resolved", "No alert has been resolved yet."),
        ("xqz", "No alert is open."),
    ):
        page = visitor.get(f"/admin/alerts?state={state}&page=7")
        assert page.status_code == 200
        assert said in page.text


def test_an_alert_is_acknowledged_and_resolved_with_a_note(closed: Service) -> None:
    one = add_alert(closed.context, "input_drift:temperature")
    visitor = administrator(closed)
    page = visitor.get("/admin/alerts")
    assert f'href="/admin/alerts/{one}"' in page.text
    assert "Inputs have moved" in page.text
    address = f"/admin/alerts/{one}"
    visitor.get(address)
    sent = visitor.post(f"{address}/acknowledge")
    assert sent.status_code == 303
    assert sent.headers["location"] == f"{address}?told=acknowledged"
    page = visitor.get(sent.headers["location"])
    assert "It is noted that you are at it." in page.text
    assert "user:ana is at it since 2026-03-01 06:15 UTC." in page.text
    assert "/acknowledge" not in page.text
    refused = visitor.post(f"{address}/resolve", {"note": "  "})
    assert refused.status_code == 422
    assert "Say why it is resolved." in refused.text
    sent = visitor.post(f"{address}/resolve", {"note": f"New thermometers. {EVIL}"})
    page = visitor.get(sent.headers["location"])
    assert "The alert is resolved." in page.text
    assert "New thermometers. &lt;script&gt;" in page.text
    assert "<script>document" not in page.text
    assert '<form method="post" action="/admin' not in page.text
    assert audited(closed.context.engine) == [
        ("user:ana", "acknowledge-alert", one),
        ("user:ana", "resolve-alert", one),
    ]


@pytest.mark.parametrize(
    ("language", "hint", "label"),
    [
        ("en", "Name no patient.", "Note of whoever is at it"),
        ("es", "No nombre a ningún paciente.", "Nota de quien se ocupa"),
    ],
)
def test_whoever_is_at_it_may_leave_a_note(
    closed: Service, language: str, hint: str, label: str
) -> None:
    one = add_alert(closed.context, "k")
    visitor, address = administrator(closed), f"/admin/alerts/{one}"
    asked = visitor.get(f"{address}?lang={language}").text
    assert re.search(r'<textarea id="at-it" name="note" maxlength="2000"', asked)
    assert hint in asked
    assert label not in asked
    note = f"Asked ward 3. {EVIL}" + "x" * 2_100
    assert visitor.post(f"{address}/acknowledge", {"note": note}).status_code == 303
    for page in (address, "/admin/alerts?state=acknowledged"):
        text = visitor.get(f"{page}&lang={language}" if "?" in page else page).text
        assert "Asked ward 3. &lt;script&gt;" in text, page
        assert "<script>document" not in text, page
    assert label in visitor.get(address).text
    assert 1_900 < len(AlertService(closed.context.engine).alert(one)["note"]) <= 2_000


def test_whoever_is_slower_changes_nothing(closed: Service) -> None:
    one = add_alert(closed.context, "k")
    visitor = administrator(closed)
    visitor.get(f"/admin/alerts/{one}")
    at = closed.context.clock()
    with closed.context.engine.begin() as connection:
        assert cause_passed(connection, "k", at=at, resolution="over")
    for step in ("acknowledge", "resolve"):
        late = visitor.post(f"/admin/alerts/{one}/{step}", {"note": "mine"})
        assert late.status_code == 409
        assert "Somebody was faster" in late.text
        assert "Resolved by itself on" in late.text
    assert audited(closed.context.engine) == []


def test_what_is_no_alert_is_not_found(closed: Service) -> None:
    one = add_alert(closed.context, "k")
    visitor = administrator(closed)
    visitor.get("/admin/alerts")
    for wrong in (one[:8], one.upper() if one.upper() != one else "x", str(uuid4()), "x"):
        assert visitor.get(f"/admin/alerts/{wrong}").status_code == 404
        assert visitor.post(f"/admin/alerts/{wrong}/acknowledge").status_code == 404
        assert visitor.post(f"/admin/alerts/{wrong}/resolve", {"note": "x"}).status_code == 404


def test_what_an_alert_quotes_is_text(closed: Service) -> None:
    detail = {"code": EVIL, EVIL: [1, {"deep": EVIL}], "limits": {"upper": 0.25}}
    one = add_alert(closed.context, EVIL, kind=EVIL, message=EVIL, detail=detail)
    visitor = administrator(closed)
    for address in ("/admin/alerts", f"/admin/alerts/{one}"):
        page = visitor.get(address)
        assert page.status_code == 200
        assert "&lt;script&gt;" in page.text
        assert "<script>document" not in page.text
        assert "<img" not in page.text
    assert "limits.upper" in page.text


def test_many_alerts_come_a_page_at_a_time(closed: Service) -> None:
    for number in range(53):
        add_alert(closed.context, f"k{number}", days_ago=number)
    visitor = administrator(closed)
    first = visitor.get("/admin/alerts").text
    assert len(re.findall(r'<li class="row', first)) == 50
    assert "Page 1 of 2 (53 in all)" in first
    assert 'href="?state=open&amp;page=2"' in first
    last = visitor.get("/admin/alerts?state=open&page=99").text
    assert len(re.findall(r'<li class="row', last)) == 3
    assert 'href="?state=open&amp;page=1"' in last


def test_another_language_is_chosen_after_a_form(closed: Service) -> None:
    one = add_alert(closed.context, "k")
    visitor = administrator(closed)
    for step in ("acknowledge", "resolve"):
        sent = visitor.get(f"/admin/alerts/{one}/{step}?lang=es&note=x")
        assert sent.status_code == 303
        assert sent.headers["location"] == f"/admin/alerts/{one}?lang=es"
        assert visitor.get(f"/admin/alerts/x/{step}").status_code == 404
