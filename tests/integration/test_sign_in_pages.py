"""Signing in and out over HTTP: cookies, forms, what is shown and what is not."""

import json
import re
from collections.abc import Iterator
from datetime import timedelta

import pytest
from sqlalchemy import select

from cds_service.routes.people import own_cookie
from cds_service.routes.sign_in import PROVIDER_COOKIE
from cds_service.security.permissions import Role
from cds_service.services import attempts as rules
from cds_service.storage.tables import AUDIT_EVENTS
from tests.support.people import (
    PASSWORD,
    PUBLIC,
    Visitor,
    add_account,
    closed_context,
    session_of,
)
from tests.support.service import Service, new_context, running
from tests.support.try_pages import router


@pytest.fixture(scope="module")
def closed(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    context = closed_context(tmp_path_factory.mktemp("closed"))
    add_account(context, "ana", Role.CLINICIAN)
    add_account(context, "rita", Role.REVIEWER)
    with running(context, context.clock, router) as service:
        yield service


def refusals(service: Service) -> list[tuple[str, str, str]]:
    with service.context.engine.connect() as connection:
        query = select(AUDIT_EVENTS).where(AUDIT_EVENTS.c.action == "refuse")
        rows = connection.execute(query.order_by(AUDIT_EVENTS.c.id)).all()
    return [(row.actor, row.object_id, row.detail["wanted"]) for row in rows]


def test_a_page_leads_to_the_sign_in_and_back(closed: Service) -> None:
    visitor = Visitor(closed)
    first = visitor.get("/try/say?title=A%26B")
    assert first.status_code == 303
    assert first.headers["location"] == "/sign-in?next=%2Ftry%2Fsay%3Ftitle%3DA%2526B"
    page = visitor.get(first.headers["location"])
    wanted = re.search(r'name="next" value="([^"]*)"', page.text)
    assert wanted is not None
    assert wanted[1] == "/try/say?title=A%26B"
    done = visitor.post("/sign-in", {"name": "rita", "password": PASSWORD, "next": wanted[1]})
    assert done.status_code == 303
    assert done.headers["location"] == "/try/say?title=A%26B"
    page = visitor.get(done.headers["location"])
    assert page.status_code == 200
    assert "Signed in as rita" in page.text
    assert "(reviewer)" in page.text


def test_the_cookie_is_for_this_host_over_https_and_no_script(closed: Service) -> None:
    done = Visitor(closed).sign_in("ana")
    (line,) = [one for one in done.headers.get_list("set-cookie") if "session" in one]
    assert re.fullmatch(
        r"__Host-cds_session=[\w-]{43}\.[\w-]{43}; HttpOnly; Max-Age=46800; Path=/; "
        r"SameSite=lax; Secure",
        line,
    )
    assert done.headers["cache-control"] == "no-store"


def test_no_other_host_of_the_domain_can_set_what_a_sign_in_is_checked_by(closed: Service) -> None:
    """Else it could sign somebody in as another person: what they enter would be that one's."""
    form = Visitor(closed).get("/sign-in").headers["set-cookie"]
    assert re.fullmatch(r"__Host-cds_form=[\w-]{43}; HttpOnly; Path=/; SameSite=lax; Secure", form)
    assert own_cookie(closed.context.settings, PROVIDER_COOKIE) == "__Host-cds_provider"


def test_in_development_the_cookie_goes_over_http(tmp_path_factory: pytest.TempPathFactory) -> None:
    context = new_context(tmp_path_factory.mktemp("open"), public_url="http://localhost/cds")
    add_account(context, "ana", Role.CLINICIAN)
    with running(context, context.clock, router) as service:
        visitor = Visitor(service)
        done = visitor.sign_in("ana")
        (line,) = [one for one in done.headers.get_list("set-cookie") if "session" in one]
        assert line.startswith("cds_session=")
        assert "Path=/cds;" in line
        assert "Secure" not in line
        # Whoever signs in has the roles of that account, not those of the developer.
        assert visitor.get("/try/say").status_code == 403
        assert "Signed in as ana" in visitor.get("/try/pages").text


@pytest.mark.parametrize("language", ["en", "es"])
def test_a_wrong_password_is_said_and_nothing_is_kept_of_it(closed: Service, language: str) -> None:
    visitor = Visitor(closed)
    visitor.get("/sign-in")
    headers = {"Accept-Language": language}
    page = visitor.post("/sign-in", {"name": "ana", "password": "wrong one"}, **headers)
    assert page.status_code == 403
    said = {"en": "Name or password is not right.", "es": "El nombre o la contraseña no son"}
    assert said[language] in page.text
    assert "wrong one" not in page.text
    assert 'role="alert"' in page.text
    assert not any("session" in name for name in visitor.cookies)
    visitor.sign_in("ana")


def test_too_many_are_told_how_long_to_wait(closed: Service) -> None:
    visitor = Visitor(closed)
    for _ in range(rules.ACCOUNT_FREE):
        visitor.sign_in("nobody", "wrong one")
    page = visitor.sign_in("nobody", "wrong one")
    assert page.status_code == 429
    assert page.headers["retry-after"] == "61"
    assert "Try again in 2 min." in page.text


@pytest.mark.parametrize(
    "target",
    ["https://evil.example", "//evil.example", "/\\evil.example", "evil", "", "/a\nb", "/a b"],
)
def test_nobody_is_sent_elsewhere_after_signing_in(closed: Service, target: str) -> None:
    done = Visitor(closed).sign_in("ana", next=target)
    assert done.headers["location"] == "/"


def test_a_sign_in_form_from_elsewhere_is_refused(closed: Service) -> None:
    fields = {"name": "ana", "password": PASSWORD}
    visitor = Visitor(closed)
    visitor.get("/sign-in")
    assert visitor.post("/sign-in", fields, Origin="https://evil.example").status_code == 403
    # The token of another browser, as an attacker has one.
    other = Visitor(closed)
    other.get("/sign-in")
    assert visitor.post("/sign-in", fields | {"csrf": other.token}).status_code == 403
    assert not any("session" in name for name in visitor.cookies)
    assert Visitor(closed).post("/sign-in", fields).status_code == 403


def test_signing_out_ends_it(closed: Service) -> None:
    visitor = Visitor(closed)
    visitor.sign_in("ana")
    before = dict(visitor.cookies)
    visitor.get("/try/pages")
    done = visitor.post("/sign-out")
    assert done.headers["location"] == "/sign-in?told=out"
    assert "You are signed out." in visitor.get("/sign-in?told=out").text
    assert not any("session" in name for name in visitor.cookies)
    old = Visitor(closed, before)
    assert old.get("/try/pages").headers["location"] == "/sign-in?next=%2Ftry%2Fpages&told=idle"


def test_signing_out_needs_a_page_of_ours(closed: Service) -> None:
    visitor = Visitor(closed, session_of(closed.context, Role.CLINICIAN))
    assert visitor.post("/sign-out").status_code == 403
    assert visitor.get("/try/pages").status_code == 200


def test_whoever_lacks_a_role_is_told_so_and_it_is_written_down(closed: Service) -> None:
    visitor = Visitor(closed, session_of(closed.context, Role.CLINICIAN, name="berta"))
    page = visitor.get("/try/say?title=x")
    assert page.status_code == 403
    assert "Your role does not include it." in page.text
    assert "Signed in as berta" in page.text
    assert refusals(closed)[-1] == ("user:berta", "/try/say", "review")
    visitor.post("/try/do", Origin="https://evil.example")
    assert refusals(closed)[-1] == ("user:berta", "/try/do", "form")


def test_a_form_of_another_session_is_refused(closed: Service) -> None:
    one = Visitor(closed, session_of(closed.context, Role.REVIEWER, name="one"))
    other = Visitor(closed, session_of(closed.context, Role.REVIEWER, name="other"))
    one.get("/try/say")
    other.token = one.token
    assert other.post("/try/do").status_code == 403
    assert one.post("/try/do").json()["actor"] == "user:one"


def test_a_page_asks_how_long_the_session_goes_on(closed: Service) -> None:
    visitor = Visitor(closed, session_of(closed.context, Role.CLINICIAN))
    visitor.get("/try/pages")
    closed.clock.time += timedelta(minutes=5)
    assert visitor.get("/session").json() == {"seconds": 600}
    assert visitor.get("/session").headers["cache-control"] == "no-store"
    assert visitor.post("/session").json() == {"seconds": 900}
    closed.clock.time += timedelta(minutes=15)
    assert visitor.get("/session").json() == {"seconds": 0}
    machine = closed.http.post("/session", headers={"Origin": PUBLIC})
    assert machine.status_code == 401
    assert json.loads(machine.text)["resourceType"] == "OperationOutcome"
    lost = visitor.post("/try/do", {"text": "x"})
    assert lost.status_code == 401
    assert "Please sign in" in lost.text


def test_pages_of_people_are_kept_by_nobody(closed: Service) -> None:
    visitor = Visitor(closed)
    assert visitor.get("/sign-in").headers["cache-control"] == "no-store"
    visitor = Visitor(closed, session_of(closed.context, Role.CLINICIAN))
    page = visitor.get("/try/pages")
    assert page.headers["cache-control"] == "no-store"
    assert "/static/session.js?v=" in page.text
