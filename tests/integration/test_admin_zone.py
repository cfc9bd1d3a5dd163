"""Pages of the dashboard tell times as they are where the service is, and name the zone."""

import re
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest

from cds_service.routes.admin import inputs
from cds_service.security.permissions import Role
from cds_service.services.inputs_view import Inputs
from cds_service.storage.audit_store import AuditStore
from cds_service.web import admin_audit_en
from cds_service.web.admin_audit_page import read_search
from cds_service.web.admin_inputs_page import standing
from cds_service.web.words import Words
from tests.support.dashboard import add_alert
from tests.support.people import Visitor, closed_context, session_of
from tests.support.service import Service, running

MADRID = ZoneInfo("Europe/Madrid")
PAGES = ("", "/quality", "/inputs", "/models", "/runs", "/alerts", "/clients", "/audit", "/exports")


@pytest.fixture
def madrid(tmp_path: Path, database_url: str) -> Iterator[Service]:
    context = closed_context(tmp_path, database_url, time_zone="Europe/Madrid")
    with running(context, context.clock) as service:
        yield service


def keeper(service: Service) -> Visitor:
    return Visitor(service, session_of(service.context, Role.ADMINISTRATOR))


def noted(service: Service, at: datetime, name: str) -> None:
    """An event of the audit trail."""
    with service.context.engine.begin() as connection:
        AuditStore(connection).add(
            at=at, actor=name, action="try", object_type="zone", object_id=name
        )


def test_an_alert_was_raised_when_the_clocks_there_say_so(madrid: Service) -> None:
    one = add_alert(madrid.context, "k")
    visitor = keeper(madrid)
    for page in ("/admin/alerts", f"/admin/alerts/{one}"):
        assert '<span class="when">2026-03-01 07:15 CET</span>' in visitor.get(page).text


def test_the_days_of_the_audit_trail_are_those_of_the_site(madrid: Service) -> None:
    # An hour before midnight in Greenwich it is midnight in Madrid, and in summer an hour earlier.
    noted(madrid, datetime(2026, 2, 27, 22, 59, 59, tzinfo=UTC), "before")
    noted(madrid, datetime(2026, 2, 27, 23, 0, tzinfo=UTC), "first")
    noted(madrid, datetime(2026, 2, 28, 22, 59, 59, tzinfo=UTC), "last")
    noted(madrid, datetime(2026, 2, 28, 23, 0, tzinfo=UTC), "after")
    text = keeper(madrid).get("/admin/audit?since=2026-02-28&until=2026-02-28&kind=zone").text
    found = re.findall(r"2026-\d\d-\d\d \d\d:\d\d:\d\d \w+", text)
    assert found == ["2026-02-28 23:59:59 CET", "2026-02-28 00:00:00 CET"]


def test_a_day_of_the_change_of_clocks_is_a_whole_day() -> None:
    asked = dict.fromkeys(("since", "until", "action", "actor", "kind", "id"), "")
    asked |= {"since": "2026-03-29", "until": "2026-03-29"}
    search, _ = read_search(asked, datetime(2026, 3, 30, tzinfo=UTC), MADRID)
    assert search is not None
    assert search.until is not None
    assert search.since.astimezone(UTC) == datetime(2026, 3, 28, 23, tzinfo=UTC)
    assert search.until.astimezone(UTC) == datetime(2026, 3, 29, 22, tzinfo=UTC)


@pytest.mark.parametrize("language", ["en", "es"])
def test_utc_is_named_only_where_days_are_counted_in_it(madrid: Service, language: str) -> None:
    add_alert(madrid.context, "k")
    visitor = keeper(madrid)
    named = [page for page in PAGES if "UTC" in visitor.get(f"/admin{page}?lang={language}").text]
    assert named == [""]
    days = {"en": "Days are those of UTC.", "es": "Los días son los de UTC."}
    assert days[language] in visitor.get(f"/admin?lang={language}").text


def test_words_tell_utc_where_no_zone_is_set() -> None:
    at = datetime(2026, 7, 1, 12, tzinfo=UTC)
    table = {"en": admin_audit_en.ENGLISH, "es": admin_audit_en.ENGLISH}
    assert Words("en", table).time(at) == "2026-07-01 12:00 UTC"
    assert Words("en", table, zone=MADRID).time(at) == "2026-07-01 14:00 CEST"


def test_a_chunk_of_inputs_began_and_ended_when_the_clocks_there_say_so() -> None:
    chunk = {
        "number": 4,
        "rows": 300,
        "model_version": "2",
        "started_at": datetime(2026, 3, 28, 22, tzinfo=UTC),
        "ended_at": datetime(2026, 3, 29, 22, tzinfo=UTC),
        "result": {"watched": 43, "budget": 0.02},
    }
    words = Words("en", inputs.WORDS, zone=MADRID)
    told = dict(standing(Inputs([chunk], [], None, earlier=False), words))
    assert told["Newest chunk"] == "4: 2026-03-28 23:00 CET – 2026-03-30 00:00 CEST"
