"""From templates to responses: no script, nothing from elsewhere, nothing left to guess."""

import base64
from functools import cache
from hashlib import sha256
from importlib.resources import files
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup
from starlette.responses import HTMLResponse

from cds_service.web.words import LANGUAGE_NAMES, Words
from hooks.wording import LANGUAGES


def page(
    template: str, words: Words, *, title: str, code: int = 200, **values: Any
) -> HTMLResponse:
    """A page in the language of `words`; every value is escaped by the template engine."""
    languages = [
        {"code": code, "name": LANGUAGE_NAMES[code], "href": f"?lang={code}"} for code in LANGUAGES
    ]
    content = (
        _environment()
        .get_template(template)
        .render(
            language=words.language,
            languages=languages,
            say=words.say,
            style=Markup(_style()),  # noqa: S704  # Our own file, without anything from outside.
            title=title,
            **values,
        )
    )
    return HTMLResponse(content, code, headers=_headers() | {"Content-Language": words.language})


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
    return "\n" + files("cds_service.web").joinpath("page.css").read_text("utf-8")


def _headers() -> dict[str, str]:
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
