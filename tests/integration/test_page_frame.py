"""What all pages share: who is let in, forms, headers, languages, what goes wrong."""

import re
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
from fastapi import APIRouter

from cds_service.security.permissions import Permission
from cds_service.web.navigation import Entry
from tests.support.service import Service, new_context, running
from tests.support.try_pages import router, say

BROWSER = {"Accept": "text/html,application/xhtml+xml;q=0.9,*/*;q=0.8"}
FORM = "application/x-www-form-urlencoded"


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    context = new_context(tmp_path_factory.mktemp("frame"))
    with running(context, context.clock, router) as service:
        yield service


@pytest.fixture(scope="module")
def closed(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    """Outside development mode, where nobody has signed in."""
    folder: Path = tmp_path_factory.mktemp("closed")
    keys = '["' + "A" * 43 + '="]'
    context = new_context(
        folder, development=False, public_url="https://cds.example", secret_keys=keys
    )
    with running(context, context.clock, router) as service:
        yield service


def origin(service: Service) -> str:
    return str(service.http.base_url).rstrip("/")


def token(service: Service) -> str:
    return service.context.secrecy.sign("csrf", "development")


def test_in_development_everybody_is_the_developer(served: Service) -> None:
    page = served.http.get("/try/say", headers=BROWSER)
    assert page.status_code == 200
    assert "Signed in as development" in page.text
    assert "Development mode" in page.text
    assert "/sign-out" not in page.text


def test_in_development_a_foreign_name_for_this_machine_is_not_let_in(served: Service) -> None:
    response = served.http.get("/try/say", headers={"Host": "evil.example"})
    assert response.status_code == 401


def test_outside_development_nobody_is_let_in(closed: Service) -> None:
    assert closed.http.get("/try/say").status_code == 401
    assert closed.http.post("/try/do", data={"text": "x"}).status_code == 401
    page = closed.http.get("/nowhere", headers=BROWSER)
    assert "Development mode" not in page.text


def test_a_form_of_ours_is_taken(served: Service) -> None:
    sent = {"csrf": token(served), "text": "año & <b>"}
    response = served.http.post("/try/do", data=sent, headers={"Origin": origin(served)})
    assert response.json() == {"actor": "development", "text": "año & <b>"}


def test_a_form_brings_no_nul(served: Service) -> None:
    """PostgreSQL takes none, wherever the text goes to."""
    sent = {"csrf": token(served), "text": "a\0b"}
    response = served.http.post("/try/do", data=sent, headers={"Origin": origin(served)})
    assert response.json()["text"] == "ab"


def test_a_script_of_ours_sends_the_token_as_a_header(served: Service) -> None:
    headers = {"Origin": origin(served), "X-CSRF-Token": token(served)}
    response = served.http.post("/try/do", data={"text": "x"}, headers=headers)
    assert response.status_code == 200


@pytest.mark.parametrize("sender", [None, "null", "https://evil.example", "http://127.0.0.1:1"])
def test_a_form_from_elsewhere_is_refused(served: Service, sender: str | None) -> None:
    headers = {} if sender is None else {"Origin": sender}
    response = served.http.post("/try/do", data={"csrf": token(served)}, headers=headers)
    assert response.status_code == 403


@pytest.mark.parametrize("sent", [{}, {"csrf": ""}, {"csrf": "x" * 43}, {"csrf": "\udcff"}])
def test_a_form_without_the_token_of_the_session_is_refused(
    served: Service, sent: dict[str, str]
) -> None:
    fields = {key: value.encode("utf-8", "surrogateescape") for key, value in sent.items()}
    response = served.http.post("/try/do", data=fields, headers={"Origin": origin(served)})
    assert response.status_code in (400, 403)


def test_the_token_of_another_session_is_refused(served: Service) -> None:
    other = served.context.secrecy.sign("csrf", "another")
    response = served.http.post(
        "/try/do", data={"csrf": other}, headers={"Origin": origin(served)} | BROWSER
    )
    assert response.status_code == 403
    assert "This form is no longer valid" in response.text


@pytest.mark.parametrize(
    ("content", "media_type", "status"),
    [
        (b"text=x", "text/plain", 400),
        (b'{"text": "x"}', "application/json", 400),
        (b"text=%ff", FORM, 400),
        ("text=año".encode(), FORM, 400),
        (b"a=1&" * 1_001, FORM, 400),
        (b"text=" + b"x" * 200_000, FORM, 413),
    ],
)
def test_what_is_no_form_is_refused(
    served: Service, content: bytes, media_type: str, status: int
) -> None:
    response = served.http.post(
        "/try/do",
        content=content,
        headers={"Origin": origin(served), "Content-Type": media_type},
    )
    assert response.status_code == status


def test_headers_of_pages_let_nothing_in_from_elsewhere(served: Service) -> None:
    headers = served.http.get("/try/say", headers=BROWSER).headers
    policy = dict(part.split(" ", 1) for part in headers["content-security-policy"].split("; "))
    assert policy == {
        "default-src": "'none'",
        "script-src": "'self'",
        "style-src": "'self'",
        "img-src": "'self' data:",
        "connect-src": "'self'",
        "form-action": "'self'",
        "base-uri": "'none'",
        "frame-ancestors": "'none'",
    }
    assert headers["x-content-type-options"] == "nosniff"
    assert headers["x-frame-options"] == "DENY"
    assert headers["cache-control"] == "no-store"
    assert headers["referrer-policy"] == "same-origin"


def test_a_page_for_a_frame_names_who_may_show_it(served: Service) -> None:
    headers = served.http.get("/try/framed", headers=BROWSER).headers
    assert headers["content-security-policy"].endswith("frame-ancestors https://ehr.example")
    assert "x-frame-options" not in headers


@pytest.mark.parametrize("text", ["<script>alert(1)</script>", '"><img src=x onerror=alert(1)>'])
def test_text_from_outside_stays_text(served: Service, text: str) -> None:
    page = served.http.get("/try/say", params={"title": text}, headers=BROWSER).text
    assert "<script>alert" not in page
    assert "<img" not in page
    assert "&lt;" in page


def test_no_page_holds_script_or_style_of_its_own(served: Service) -> None:
    for path in ("/", "/try/say", "/nowhere"):
        page = served.http.get(path, headers=BROWSER).text
        assert not re.search(r"<style|style=|<script(?![^>]* src=)| on\w+=", page), path


def test_the_language_that_was_chosen_is_kept(served: Service) -> None:
    with httpx.Client(base_url=served.http.base_url, headers=BROWSER) as browser:
        assert 'lang="en"' in browser.get("/try/say", headers={"Accept-Language": "en"}).text
        chosen = browser.get("/try/say?lang=es&title=A%26B")
        assert '<html lang="es">' in chosen.text
        # The switch keeps the page and what was asked of it.
        assert 'href="?lang=en&amp;title=A%26B"' in chosen.text
        later = browser.get("/try/say", headers={"Accept-Language": "en"})
        assert '<html lang="es">' in later.text
        assert later.headers["content-language"] == "es"
    strange = served.http.get("/try/say?lang=xx", headers=BROWSER)
    assert "set-cookie" not in strange.headers


@pytest.mark.parametrize("language", ["en", "es"])
@pytest.mark.parametrize(
    ("path", "status", "words"),
    [
        ("/nowhere", 404, {"en": "There is no such page.", "es": "No existe esa página."}),
        ("/try/fail", 500, {"en": "The fault is logged.", "es": "El fallo ha quedado registrado."}),
        ("/try/do", 405, {"en": "Not like this", "es": "Así no"}),
    ],
)
def test_what_goes_wrong_is_a_page_for_people_and_an_outcome_for_machines(
    served: Service, path: str, status: int, words: dict[str, str], language: str
) -> None:
    page = served.http.get(path, headers=BROWSER | {"Accept-Language": language})
    assert page.status_code == status
    assert page.headers["content-type"] == "text/html; charset=utf-8"
    assert words[language] in page.text
    assert "hr=118" not in page.text
    for accept in ("*/*", "application/json", "application/fhir+json"):
        machine = served.http.get(path, headers={"Accept": accept})
        assert machine.status_code == status
        assert machine.json()["resourceType"] == "OperationOutcome"


@pytest.mark.parametrize("path", ["/fhir/Nothing/1", "/cds-services/nothing", "/health/nothing"])
def test_addresses_of_machines_never_answer_with_a_page(served: Service, path: str) -> None:
    response = served.http.get(path, headers=BROWSER)
    assert response.status_code in (404, 405)
    assert "json" in response.headers["content-type"]


def test_files_are_kept_by_their_content(served: Service) -> None:
    page = served.http.get("/try/say", headers=BROWSER).text
    for address in re.findall(r'href="(/static/[^"]+)"', page):
        file = served.http.get(address)
        assert file.status_code == 200
        assert file.headers["cache-control"] == "public, max-age=31536000, immutable"
        assert file.headers["content-type"] == "text/css; charset=utf-8"
        assert file.headers["x-content-type-options"] == "nosniff"
        other = served.http.get(re.sub(r"v=.*", "v=other", address))
        assert other.headers["cache-control"] == "no-cache"
    for name in ("nothing.css", "..%2Fpages.py", "%2e%2e/pages.py", "page.css%00"):
        assert served.http.get(f"/static/{name}").status_code == 404


def test_a_page_that_is_there_stands_in_the_navigation_and_the_first_is_the_start(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    entries = (
        Entry("/missing", "nav.review", Permission.REVIEW),
        Entry("/there", "nav.triage", Permission.TRIAGE),
    )
    monkeypatch.setattr("cds_service.web.pages.ENTRIES", entries)
    pages = APIRouter()
    pages.add_api_route("/there", say)
    pages.add_api_route("/missing/{case}", say)
    context = new_context(tmp_path, public_url="http://localhost/cds")
    with running(context, context.clock, pages) as service:
        start = service.http.get("/", headers=BROWSER)
        assert start.status_code == 303
        # Below the path that a proxy serves us under.
        assert start.headers["location"] == "/cds/there"
        page = service.http.get("/there", headers=BROWSER).text
        assert '<a href="/cds/there" aria-current="page">Triage</a>' in page
        assert "Review" not in page
        assert 'href="/cds/static/app.css?v=' in page
