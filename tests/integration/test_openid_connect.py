"""Signing in with a provider of identities that nobody on this project wrote."""

import re
from collections.abc import Iterator
from contextlib import ExitStack
from datetime import timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest
from sqlalchemy import delete, select

from cds_service.security.permissions import Role
from cds_service.services import attempts
from cds_service.services.sessions import Sessions
from cds_service.storage.tables import AUDIT_EVENTS, SIGN_IN_ATTEMPTS
from tests.support.openid_provider import (
    RunningProvider,
    come_back,
    sign_in_there,
    together,
)
from tests.support.people import Visitor, add_account
from tests.support.service import Service, TestClock, new_context, running


@pytest.fixture(scope="module")
def both(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Service, RunningProvider]]:
    with together(tmp_path_factory.mktemp("openid")) as pair:
        yield pair


def visitor_of(service: Service) -> Visitor:
    visitor = Visitor(service)
    visitor.origin = service.context.settings.base_url
    return visitor


def last_event(service: Service) -> tuple[str, str, dict[str, Any]]:
    with service.context.engine.connect() as connection:
        query = select(AUDIT_EVENTS).order_by(AUDIT_EVENTS.c.id.desc()).limit(1)
        row = connection.execute(query).one()
    return row.actor, row.action, row.detail


def test_the_provider_says_who_somebody_is_and_what_they_do(
    both: tuple[Service, RunningProvider],
) -> None:
    service, _ = both
    visitor = visitor_of(service)
    done = come_back(visitor, "u-1", "/try/pages?a=b")
    assert done.status_code == 303
    assert done.headers["location"] == "/try/pages?a=b"
    page = visitor.get("/try/pages").text
    assert "Signed in as Ana Gil" in page
    assert "(clinician)" in page
    person = Sessions(service.context).person(visitor.cookies["cds_session"])
    assert person is not None
    assert (person.actor, person.roles) == ("oidc:u-1", frozenset({Role.CLINICIAN}))
    assert person.fhir_user == "Practitioner/1"
    actor, action, detail = last_event(service)
    assert (actor, action, detail["how"]) == ("oidc:u-1", "sign-in", "openid")
    assert "cds_provider" not in visitor.cookies


def test_somebody_may_have_several_roles(both: tuple[Service, RunningProvider]) -> None:
    service, _ = both
    visitor = visitor_of(service)
    come_back(visitor, "u-2")
    assert "(administrator, reviewer)" in visitor.get("/try/pages").text


@pytest.mark.parametrize("language", ["en", "es"])
def test_whoever_has_no_role_is_not_let_in(
    both: tuple[Service, RunningProvider], language: str
) -> None:
    service, _ = both
    visitor = visitor_of(service)
    visitor.get(f"/sign-in?lang={language}")
    page = come_back(visitor, "u-3")
    assert page.status_code == 403
    said = {"en": "you have no role in this service", "es": "no tiene ningún rol en este servicio"}
    assert said[language] in page.text
    assert "cds_session" not in visitor.cookies
    actor, action, detail = last_event(service)
    assert (actor, action, detail["reason"]) == ("oidc:u-3", "refuse-sign-in", "no role")


def test_an_answer_counts_once_and_in_the_browser_that_asked(
    both: tuple[Service, RunningProvider],
) -> None:
    service, _ = both
    visitor, stranger = visitor_of(service), visitor_of(service)
    away = visitor.get("/sign-in/provider")
    kept = dict(visitor.cookies)
    with httpx.Client(timeout=30) as browser:
        back = sign_in_there(away.headers["location"], "u-1", browser)
    path = back.removeprefix(visitor.origin)
    # Somebody else is made to open it, to work under the name of the first.
    assert stranger.get(path).status_code == 403
    stranger.get("/sign-in/provider")
    assert stranger.get(path).status_code == 403
    assert "cds_session" not in stranger.cookies
    assert visitor.get(re.sub("iss=[^&]*", "iss=https%3A%2F%2Fevil.example", path)).status_code == (
        403
    )
    visitor.cookies = dict(kept)
    assert visitor.get(re.sub("&?iss=[^&]*", "", path)).status_code == 403
    visitor.cookies = dict(kept)
    assert visitor.get(path).status_code == 303
    visitor.cookies = dict(kept)
    again = visitor.get(path)
    assert again.status_code == 403
    assert "did not let you in" in again.text


def test_answers_that_nobody_was_sent_for_are_limited(
    both: tuple[Service, RunningProvider], monkeypatch: pytest.MonkeyPatch
) -> None:
    service, _ = both
    monkeypatch.setattr(attempts, "ADDRESS_FREE", 8)
    forget = delete(SIGN_IN_ATTEMPTS)
    with service.context.engine.begin() as connection:
        connection.execute(forget)
    codes = [
        visitor_of(service).get("/sign-in/callback?code=x&state=y").status_code for _ in range(10)
    ]
    with service.context.engine.begin() as connection:
        connection.execute(forget)
    assert codes == [403] * 8 + [429] * 2
    assert come_back(visitor_of(service), "u-1").status_code == 303


def test_whoever_takes_too_long_begins_again(both: tuple[Service, RunningProvider]) -> None:
    service, _ = both
    visitor = visitor_of(service)
    away = visitor.get("/sign-in/provider")
    with httpx.Client(timeout=30) as browser:
        back = sign_in_there(away.headers["location"], "u-1", browser)
    service.clock.time += timedelta(minutes=11)
    try:
        assert visitor.get(back.removeprefix(visitor.origin)).status_code == 403
        assert last_event(service)[2]["reason"] == "too late"
    finally:
        service.clock.time -= timedelta(minutes=11)


def test_whoever_cancels_there_is_told_so_here(both: tuple[Service, RunningProvider]) -> None:
    service, known = both
    visitor = visitor_of(service)
    away = visitor.get("/sign-in/provider")
    with httpx.Client(timeout=30, follow_redirects=True) as browser:
        page = browser.get(away.headers["location"])
        abort = re.search(r'href="([^"]*/abort)"', page.text)
        assert abort is not None
        answer = browser.get(
            known.issuer + abort[1] if abort[1].startswith("/") else abort[1],
            follow_redirects=False,
        )
        while "/sign-in/callback" not in answer.headers["location"]:
            answer = browser.get(answer.headers["location"], follow_redirects=False)
    page = visitor.get(answer.headers["location"].removeprefix(visitor.origin))
    assert page.status_code == 403
    assert "did not let you in" in page.text
    assert last_event(service)[2]["reason"] == "the provider said no"


def test_signing_out_may_end_the_session_there_too(both: tuple[Service, RunningProvider]) -> None:
    service, known = both
    visitor = visitor_of(service)
    away = visitor.get("/sign-in/provider")
    with httpx.Client(timeout=30) as browser:
        back = sign_in_there(away.headers["location"], "u-1", browser)
        visitor.get(back.removeprefix(visitor.origin))
        visitor.get("/try/pages")
        left = visitor.post("/sign-out")
        assert "cds_session" not in visitor.cookies
        page = visitor.get(left.headers["location"])
        assert "may still be open" in page.text
        assert 'href="/sign-in/provider/out"' in page.text
        out = visitor.get("/sign-in/provider/out")
        assert out.headers["location"].startswith(f"{known.issuer}/session/end?")
        # No token of anybody stands in an address.
        assert "eyJ" not in out.headers["location"]
        confirm = browser.get(out.headers["location"])
        secret = re.search(r'name="xsrf" value="([^"]+)"', confirm.text)
        target = re.search(r'action="([^"]+)"', confirm.text)
        assert secret is not None
        assert target is not None
        ended = browser.post(target[1], data={"xsrf": secret[1], "logout": "yes"})
        assert ended.headers["location"] == f"{visitor.origin}/sign-in"
        # There, too, nobody is signed in any more.
        again = visitor.get("/sign-in/provider")
        answer = browser.get(again.headers["location"], follow_redirects=True)
        assert 'name="login"' in answer.text


def test_local_accounts_are_not_used_beside_a_provider(
    both: tuple[Service, RunningProvider],
) -> None:
    service, _ = both
    add_account(service.context, "luz", Role.REVIEWER)
    visitor = visitor_of(service)
    page = visitor.get("/sign-in")
    assert 'type="password"' not in page.text
    assert 'href="/sign-in/provider?next=/"' in page.text
    visitor.token = service.context.secrecy.sign("csrf", f"form:{visitor.cookies['cds_form']}")
    assert visitor.sign_in("luz").status_code == 404


@pytest.mark.parametrize(
    ("client", "settings"),
    [
        ({"token_endpoint_auth_method": "client_secret_post"}, {}),
        (
            {"token_endpoint_auth_method": "none", "client_secret": None},
            {"oidc_client_secret": None},
        ),
    ],
)
def test_other_ways_to_show_who_we_are(
    tmp_path: Path, client: dict[str, Any], settings: dict[str, Any]
) -> None:
    ways = [str(client["token_endpoint_auth_method"])]
    given = {key: value for key, value in client.items() if value is not None}
    changes = {"clientAuthMethods": ways, "conformIdTokenClaims": False}
    with ExitStack() as stack:
        service, _ = stack.enter_context(
            together(tmp_path, settings=settings, client=given, **changes)
        )
        visitor = visitor_of(service)
        assert come_back(visitor, "u-2").status_code == 303
        assert "Signed in as Rita Sol" in visitor.get("/try/pages").text


@pytest.mark.parametrize("language", ["en", "es"])
def test_a_provider_that_is_down_is_a_sentence(tmp_path: Path, language: str) -> None:
    said = {"en": "does not answer", "es": "no responde"}[language]
    with together(tmp_path) as (service, known):
        visitor = visitor_of(service)
        visitor.get(f"/sign-in?lang={language}")
        away = visitor.get("/sign-in/provider")
        with httpx.Client(timeout=30) as browser:
            back = sign_in_there(away.headers["location"], "u-1", browser)
        known.process.terminate()
        known.process.wait(10)
        page = visitor.get(back.removeprefix(visitor.origin))
        assert page.status_code == 503
        assert said in page.text
        assert "cds_session" not in visitor.cookies
    settings = known.settings(public_url=visitor.origin)
    context = new_context(tmp_path, **settings)
    assert isinstance(context.clock, TestClock)
    with running(context, context.clock) as service:
        page = visitor_of(service).get(f"/sign-in/provider?lang={language}")
        assert page.status_code == 503
        assert said in page.text
        assert known.issuer not in page.text
