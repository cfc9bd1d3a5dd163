"""What the pages of the dashboard share: their own navigation and words."""

from collections.abc import Mapping
from typing import Any
from urllib.parse import urlencode

from starlette.requests import Request
from starlette.responses import HTMLResponse, RedirectResponse

from cds_service.web import admin_en, admin_es
from cds_service.web.navigation import SECTIONS
from cds_service.web.pages import page, pages_for, prefix_of
from cds_service.web.words import Table, Words


def admin_words(english: Mapping[str, str], spanish: Mapping[str, str]) -> Table:
    """The words of a page, and those that all pages of the dashboard share."""
    return {"en": {**admin_en.ENGLISH, **english}, "es": {**admin_es.SPANISH, **spanish}}


def admin_page(
    template: str, words: Words, *, title: str, request: Request, code: int = 200, **values: Any
) -> HTMLResponse:
    """A page of the dashboard, whose template extends `admin.html`; see `page`."""
    prefix = prefix_of(request.app.state.context.settings)
    path = request.scope["path"]
    sections = [
        {
            "href": prefix + entry.path,
            "name": words.say(entry.words),
            # The overview is above all others, but only itself.
            "active": path == entry.path
            or (entry is not SECTIONS[0] and path.startswith(entry.path + "/")),
        }
        for entry in pages_for(request, SECTIONS)
    ]
    return page(
        template, words, title=title, request=request, code=code, sections=sections, **values
    )


def to_page(request: Request, path: str, told: str | None = None) -> RedirectResponse:
    """On to a page of ours after a form, with the key of what is told there."""
    prefix = prefix_of(request.app.state.context.settings)
    target = prefix + path + ("" if told is None else f"?told={told}")
    return RedirectResponse(target, 303, {"Cache-Control": "no-store"})


def to_page_of(request: Request, path: str) -> RedirectResponse:
    """On to the page whose form was sent to this address: somebody chose the other language on
    what a form led to."""
    prefix = prefix_of(request.app.state.context.settings)
    language = request.query_params.get("lang")
    query = "" if language is None else "?" + urlencode({"lang": language})
    return RedirectResponse(prefix + path + query, 303, {"Cache-Control": "no-store"})
