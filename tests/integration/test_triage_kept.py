"""Triage whose session is over before the form is sent: nothing is assessed, nothing is stored,
nothing readable is left in the page, and its author alone opens it again."""

import html
import re
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest
from sqlalchemy import func, select

from cds_service.security.permissions import Role
from cds_service.services.kept_forms import KEPT_FOR
from cds_service.services.sessions import LONGEST
from cds_service.storage.tables import ASSESSMENTS, AUDIT_EVENTS
from tests.support.people import BROWSER, closed_context, session_of
from tests.support.service import Service, TestClock, release, running
from tests.support.triage_pages import ILL, Clinician, clinician, hidden

AWAY = timedelta(minutes=16)
TYPED = ILL | {"heart_rate": "117.31", "birth_date": "1957-03-19", "age": ""}
MARKS = ("117.31", "1957-03-19", "38.6")


@pytest.fixture(scope="module")
def closed(
    tmp_path_factory: pytest.TempPathFactory, small_model: tuple[Path, str]
) -> Iterator[Service]:
    context = closed_context(tmp_path_factory.mktemp("kept"))
    release(context, "1", *small_model)
    with running(context, context.clock) as service:
        yield service


def later(service: Service, time: timedelta) -> None:
    clock = service.context.clock
    assert isinstance(clock, TestClock)
    clock.time += time


def stored(service: Service, table: Any) -> int:
    with service.context.engine.connect() as connection:
        return int(connection.execute(select(func.count()).select_from(table)).scalar_one())


def sealed(page: httpx.Response) -> str:
    return html.unescape(re.findall(r'name="sealed" value="([^"]+)"', page.text)[0])


def signed_in_again(visitor: Clinician, name: str = "ana") -> Clinician:
    """In another tab of the same browser."""
    visitor.cookies |= session_of(visitor.service.context, Role.CLINICIAN, name=name)
    return visitor


def left_behind(service: Service, away: timedelta = AWAY, **changes: str) -> Any:
    """Who filled the form in, came back after that time and sent it, and what the answer was."""
    ana = clinician(service)
    fields = ana.open() | TYPED | changes
    later(service, away)
    return ana, fields, ana.post("/triage", fields)


@pytest.mark.parametrize("away", [AWAY, LONGEST + timedelta(minutes=1)], ids=["idle", "12 hours"])
def test_what_was_typed_comes_back_to_its_author(closed: Service, away: timedelta) -> None:
    before = stored(closed, ASSESSMENTS)
    ana, fields, answer = left_behind(closed, away)
    assert answer.status_code == 401
    assert answer.headers["cache-control"] == "no-store"
    assert "You were signed out" in answer.text
    assert re.search(r'href="/sign-in\?next=/triage/signed-in" target="_blank"', answer.text)
    # Nothing that anybody could read is left in the page, nor in a cookie or an address.
    for mark in (*MARKS, fields["number"]):
        assert mark not in answer.text
        assert mark not in str(answer.headers)
    assert stored(closed, ASSESSMENTS) == before
    # Pressed too early: it is kept on.
    early = ana.post("/triage/back", {"sealed": sealed(answer)})
    assert early.status_code == 401
    assert "Nobody is signed in yet." in early.text
    signed_in_again(ana)
    assert "go back to it" in ana.get("/triage/signed-in").text
    form = ana.post("/triage/back", {"sealed": sealed(early)})
    assert form.status_code == 200
    for name in ("heart_rate", "birth_date", "systolic_bp"):
        assert re.search(f'id="{name}" name="{name}" value="{TYPED[name]}"', form.text), name
    assert '<option value="female" selected>' in form.text
    assert hidden(form.text)["number"] == fields["number"]
    assert "it is not assessed yet" in form.text
    # The token is that of the new session: it can be sent now.
    assert ana.post("/triage", hidden(form.text) | TYPED).status_code == 303
    assert stored(closed, ASSESSMENTS) == before + 1


def test_nobody_else_opens_it(closed: Service) -> None:
    ana, _, answer = left_behind(closed)
    form = signed_in_again(ana, "eva").post("/triage/back", {"sealed": sealed(answer)})
    assert form.status_code == 200
    assert "cannot be opened" in form.text
    for mark in MARKS:
        assert mark not in form.text


@pytest.mark.parametrize("wait", [timedelta(0), KEPT_FOR])
def test_it_is_not_opened_for_ever(closed: Service, wait: timedelta) -> None:
    ana, _, answer = left_behind(closed)
    later(closed, wait)
    form = signed_in_again(ana).post("/triage/back", {"sealed": sealed(answer)})
    assert ("117.31" in form.text) == (wait == timedelta(0))
    assert ("cannot be opened" in form.text) == (wait == KEPT_FOR)


@pytest.mark.parametrize("text", ["", "x", "ñ", "AAAA", "A" * 400])
def test_what_was_not_sealed_here_opens_nothing(closed: Service, text: str) -> None:
    form = clinician(closed).post("/triage/back", {"sealed": text})
    assert form.status_code == 200
    assert "cannot be opened" in form.text
    assert Clinician(closed).post("/triage/back", {"sealed": text}).status_code == 401


def test_another_site_opens_nothing(closed: Service) -> None:
    ana, _, answer = left_behind(closed)
    signed_in_again(ana)
    form = ana.post("/triage/back", {"sealed": sealed(answer)}, Origin="https://evil.example")
    assert form.status_code == 403
    assert "117.31" not in form.text


@pytest.mark.parametrize(
    "why", ["another origin", "no token", "nothing typed", "signed out", "no cookie"]
)
def test_what_is_not_a_form_of_that_session_is_not_kept(closed: Service, why: str) -> None:
    ana = clinician(closed)
    fields = ana.open() | TYPED
    headers = {}
    if why == "signed out":
        cookies = dict(ana.cookies)
        ana.post("/sign-out")
        ana.cookies = cookies
    later(closed, AWAY)
    if why == "another origin":
        headers["Origin"] = "https://evil.example"
    elif why == "no token":
        fields["csrf"] = "x"
    elif why == "nothing typed":
        fields = {name: fields[name] for name in ("number", "sent", "temperature_unit")}
    elif why == "no cookie":
        ana.cookies.clear()
    answer = ana.post("/triage", fields, **headers)
    assert answer.status_code == 401
    assert 'name="sealed"' not in answer.text
    assert "117.31" not in answer.text


def test_what_the_page_sends_by_itself_assesses_nothing_and_keeps_no_session(
    closed: Service,
) -> None:
    before = stored(closed, ASSESSMENTS)
    ana = clinician(closed)
    fields = ana.open() | TYPED
    later(closed, timedelta(minutes=10))
    assert ana.post("/triage/kept", fields).status_code == 204
    later(closed, timedelta(minutes=6))
    answer = ana.post("/triage/kept", fields)
    assert answer.status_code == 401
    assert sealed(answer) != ""
    assert stored(closed, ASSESSMENTS) == before


def test_it_is_said_in_spanish_too(closed: Service) -> None:
    ana = clinician(closed)
    fields = ana.open("/triage?lang=es") | TYPED
    later(closed, AWAY)
    answer = ana.post("/triage", fields)
    assert "Su sesión se cerró" in answer.text
    form = signed_in_again(ana).post("/triage/back", {"sealed": sealed(answer)})
    assert "aún no se ha evaluado" in form.text
    back = ana.get("/triage/back?lang=es")
    assert (back.status_code, back.headers["location"]) == (303, "/triage?lang=es")


def test_nothing_of_it_is_in_the_audit_trail(closed: Service) -> None:
    ana, _, answer = left_behind(closed)
    signed_in_again(ana).post("/triage/back", {"sealed": sealed(answer)})
    with closed.context.engine.connect() as connection:
        rows = [str(tuple(row)) for row in connection.execute(select(AUDIT_EVENTS))]
    assert rows != []
    assert [row for row in rows if any(mark in row for mark in MARKS)] == []


def test_a_measurement_said_to_be_right_is_asked_about_again(closed: Service) -> None:
    ana, _, answer = left_behind(closed, heart_rate="230", **{"again-heart_rate": "230"})
    form = signed_in_again(ana).post("/triage/back", {"sealed": sealed(answer)})
    assert 'value="230"' in form.text
    assert not re.search(r'id="again-heart_rate"[^>]*checked', form.text)
    asked = ana.post("/triage", hidden(form.text) | TYPED | {"heart_rate": "230"})
    assert asked.status_code == 422


def test_machines_get_an_outcome(closed: Service) -> None:
    ana = clinician(closed)
    fields = ana.open() | TYPED
    later(closed, AWAY)
    assert BROWSER["Accept"] != "application/json"
    answer = ana.post("/triage", fields, Accept="application/json")
    assert answer.status_code == 401
    assert answer.json()["resourceType"] == "OperationOutcome"
    assert "117.31" not in answer.text
