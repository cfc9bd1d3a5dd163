"""From templates to responses: nothing from elsewhere, no script in the page, nothing to guess."""

import base64
from collections.abc import Sequence
from functools import cache
from hashlib import sha256
from http import HTTPStatus
from typing import Any
from urllib.parse import urlencode, urlsplit

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import HTMLResponse, RedirectResponse, Response
from starlette.routing import Match

from cds_service.security.people import Person
from cds_service.security.permissions import Permission
from cds_service.settings import Settings
from cds_service.web.navigation import ENTRIES, Entry, is_active, offered
from cds_service.web.static_files import static_file
from cds_service.web.words import LANGUAGE_NAMES, Words
from hooks.wording import LANGUAGES

LANGUAGE_COOKIE = "cds_language"
_A_YEAR = 365 * 24 * 3600


def page(
    template: str,
    words: Words,
    *,
    title: str,
    code: int = 200,
    request: Request | None = None,
    frames: Sequence[str] = (),
    **values: Any,
) -> HTMLResponse:
    """A page in the language of `words`; every value is escaped by the template engine.

    With `request` it is a page of the application: its template extends `app.html`, it has
    navigation, may have forms and our own scripts, and is kept by nobody. Without, it is a document
    that anybody may read, without form or script (`page.html`). `frames` are the origins that may
    show a page of the application inside their own; whoever a health record sent sees every page
    inside its.
    """
    shared: dict[str, Any] = {"language": words.language, "say": words.say, "title": title}
    if request is None:
        shared |= {
            "style": Markup(_style()),  # noqa: S704  # Our own file, without anything from outside.
            "languages": _languages(""),
        }
        headers = _document_headers()
    else:
        shared |= _application(request, words, code)
        person: Person | None = getattr(request.state, "person", None)
        launch = None if person is None else person.launch
        headers = _application_headers(frames or (launch.frames if launch else ()))
    content = _environment().get_template(template).render(**shared | values)
    headers["Content-Language"] = words.language
    response = HTMLResponse(content, code, headers=headers)
    if request is not None and request.query_params.get("lang") == words.language:
        _remember_language(response, request, words.language)
    return response


def prefix_of(settings: Settings) -> str:
    """The path in front of all of ours where a proxy serves us below one, else nothing."""
    return urlsplit(settings.base_url).path.rstrip("/")


def see_other(settings: Settings, path: str) -> RedirectResponse:
    """To a page of ours, by GET, whatever was asked; kept by nobody."""
    return RedirectResponse(prefix_of(settings) + path, 303, {"Cache-Control": "no-store"})


def pages_for(request: Request, entries: Sequence[Entry] | None = None) -> list[Entry]:
    """The pages that are there and that whoever is signed in may use."""
    person: Person | None = getattr(request.state, "person", None)
    app: Starlette = request.app
    wanted = ENTRIES if entries is None else entries
    return offered(person, lambda path: _is_routed(app, path), wanted)


def _is_routed(app: Starlette, path: str) -> bool:
    # Routers keep their routes to themselves, so they are asked as for a request.
    scope = {"type": "http", "method": "GET", "path": path, "root_path": "", "headers": []}
    return any(route.matches(scope)[0] is Match.FULL for route in app.routes)


def _application(request: Request, words: Words, code: int) -> dict[str, Any]:
    """What every page of the application knows: `href` and `static` make addresses, `can` tells
    whether the reader has a permission, `csrf` goes into each form."""
    settings: Settings = request.app.state.context.settings
    person: Person | None = getattr(request.state, "person", None)
    prefix = prefix_of(settings)
    path = request.scope["path"]
    # What goes wrong repeats nothing of what was sent.
    asked = [] if code >= HTTPStatus.BAD_REQUEST else request.query_params.multi_items()
    query = [(key, value) for key, value in asked if key != "lang"]
    return {
        "href": lambda target: prefix + target,
        "static": lambda name: prefix + static_file(name).address,
        "can": lambda name: person is not None and person.may(Permission(name)),
        "person": person,
        "csrf": "" if person is None else person.csrf,
        "navigation": [
            {
                "href": prefix + entry.path,
                "name": words.say(entry.words),
                "active": is_active(entry, path),
            }
            for entry in pages_for(request)
        ],
        "languages": _languages(urlencode(query)),
        "development": settings.development,
        # A developer is never signed out, and nobody else stays on the screen for ever.
        "idle_seconds": None
        if person is None or person.development
        else int(settings.session_minutes * 60),
        "leave": prefix + _leave(person, path),
    }


def _leave(person: Person | None, path: str) -> str:
    """Where a page goes by itself when its session is over."""
    if person is not None and person.launch is not None:
        return "/launch/told/idle"
    return "/sign-in?" + urlencode({"told": "idle", "next": path})


def _remember_language(response: Response, request: Request, language: str) -> None:
    settings: Settings = request.app.state.context.settings
    response.set_cookie(
        LANGUAGE_COOKIE,
        language,
        max_age=_A_YEAR,
        path=prefix_of(settings) or "/",
        secure=not settings.development,
        httponly=True,
        samesite="lax",
    )


def _languages(query: str) -> list[dict[str, str]]:
    """Links to this page in each language."""
    rest = f"&{query}" if query else ""
    return [
        {"code": code, "name": LANGUAGE_NAMES[code], "href": f"?lang={code}{rest}"}
        for code in LANGUAGES
    ]


@cache
def _environment() -> Environment:
    return Environment(
        loader=PackageLoader("cds_service.web"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )


@cache
def _style() -> str:
    return "\n" + static_file("page.css").content.decode("utf-8")


def _document_headers() -> dict[str, str]:
    """No script at all, and styles only from the page's own element (by its hash).

    Whoever shows the page inside a health record may do so (no `frame-ancestors`): it has nothing
    to click but links.
    """
    digest = base64.b64encode(sha256(_style().encode()).digest()).decode()
    policy = (
        f"default-src 'none'; style-src 'sha256-{digest}'; img-src data:; "
        "base-uri 'none'; form-action 'none'"
    )
    return {
        "Content-Security-Policy": policy,
        "X-Content-Type-Options": "nosniff",
        "Referrer-Policy": "no-referrer",
        "Cache-Control": "no-cache",
        "Vary": "Accept-Language",
    }


def _application_headers(frames: Sequence[str]) -> dict[str, str]:
    """Scripts, styles and calls of our own origin alone; nothing inline."""
    ancestors = " ".join(frames) or "'none'"
    policy = (
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; "
        "connect-src 'self'; form-action 'self'; base-uri 'none'; "
        f"frame-ancestors {ancestors}"
    )
    headers = {
        "Content-Security-Policy": policy,
        "X-Content-Type-Options": "nosniff",
        # With `no-referrer` browsers would send no origin with forms, which we ask for.
        "Referrer-Policy": "same-origin",
        "Cross-Origin-Opener-Policy": "same-origin",
        "Cache-Control": "no-store",
        "Vary": "Accept-Language, Cookie",
    }
    return headers if frames else headers | {"X-Frame-Options": "DENY"}
