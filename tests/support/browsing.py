"""Pages in a real browser, and what is asked of every one of them."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

from playwright.sync_api import Browser, Page, Request, Response, expect

from cds_service.security.permissions import Role
from tests.support.people import session_of
from tests.support.service import Service

DESK, PHONE = 1280, 390
WIDTHS = (DESK, PHONE)
HEIGHTS = {DESK: 900, PHONE: 844}
MAX_WEIGHT = 300_000
"""Bytes of a page with everything it loads, without charts."""
Axe = Callable[[Page], list[str]]


@dataclass
class Walk:
    """A page, what it complained of, what it asked for and what that weighed."""

    page: Page
    base: str
    complaints: list[str] = field(default_factory=list)
    requests: list[str] = field(default_factory=list)
    weight: int = 0

    def open(self, path: str) -> Page:
        """Go to a page of the service."""
        self.page.goto(self.base + path)
        return self.page


@contextmanager
def walking(
    browser: Browser,
    service: Service,
    *,
    width: int = DESK,
    language: str = "en",
    roles: tuple[Role, ...] | None = None,
    script: bool = True,
) -> Iterator[Walk]:
    """A browser in this language and at this width, with or without script, signed in with `roles`:
    in development mode without them as the developer, elsewhere as nobody."""
    base = str(service.http.base_url).rstrip("/")
    context = browser.new_context(
        viewport={"width": width, "height": HEIGHTS[width]},
        locale={"en": "en-GB", "es": "es-ES"}[language],
        ignore_https_errors=True,
        java_script_enabled=script,
    )
    if roles is not None:
        for name, value in session_of(service.context, *roles).items():
            context.add_cookies(
                [
                    {
                        "name": name,
                        "value": value,
                        "url": base,
                        "secure": (not service.context.settings.development),
                    }
                ]
            )
    walk = Walk(context.new_page(), base)

    def note_weight(response: Response) -> None:
        walk.weight += int(response.headers.get("content-length", "0"))

    def note_request(request: Request) -> None:
        if not request.url.startswith("data:"):
            walk.requests.append(request.url)

    walk.page.on("console", lambda message: walk.complaints.append(message.text))
    walk.page.on("pageerror", lambda error: walk.complaints.append(str(error)))
    walk.page.on("dialog", lambda dialog: walk.complaints.append(dialog.message))
    walk.page.on("request", note_request)
    walk.page.on("response", note_weight)
    yield walk
    context.close()


def assert_sound(walk: Walk, language: str, axe: Axe | None = None) -> None:
    """What holds for every page: it complains of nothing, loads nothing from elsewhere, does not
    scroll sideways, has its landmarks and one first heading, targets that a thumb hits, and no
    serious finding of axe."""
    page = walk.page
    # After a click the next page may have begun and not be there yet.
    page.wait_for_load_state()
    expect(page.locator("html")).to_have_attribute("lang", language)
    assert walk.complaints == []
    assert [url for url in walk.requests if not url.startswith(walk.base + "/")] == []
    assert walk.weight < MAX_WEIGHT
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    assert page.get_by_role("banner").count() == 1
    assert page.get_by_role("main").count() == 1
    assert page.get_by_role("contentinfo").count() == 1
    assert page.locator("h1").count() == 1
    small = page.evaluate(
        "[...document.querySelectorAll('button, .button, select, nav a, .bar a, "
        "input:not([type=hidden]):not([type=checkbox]):not([type=radio])')]"
        ".filter(e => e.checkVisibility() && e.getBoundingClientRect().height < 44)"
        ".map(e => e.outerHTML.slice(0, 120))"
    )
    assert small == []
    if axe is not None:
        assert axe(page) == []


def first_paint(page: Page) -> float:
    """Milliseconds from the start of the navigation to the first paint."""
    first = "performance.getEntriesByName('first-contentful-paint')[0]"
    # On a busy machine the network is idle before anything is painted.
    page.wait_for_function(f"{first} !== undefined")
    return float(page.evaluate(f"{first}.startTime"))
