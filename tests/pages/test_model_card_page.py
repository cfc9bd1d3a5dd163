"""The model card in a browser: what it says aloud, how it is walked through, what it asks for."""

from collections.abc import Iterator
from itertools import pairwise

import pytest
from playwright.sync_api import Browser, Page

from tests.support.service import Service

PHONE = {"width": 360, "height": 740}
DESK = {"width": 1100, "height": 900}


class Walk:
    """A page that notes what it complained of and what it asked for."""

    def __init__(self, page: Page, service: Service) -> None:
        self.page = page
        self.base = str(service.http.base_url).rstrip("/")
        self.complaints: list[str] = []
        self.requests: list[str] = []
        page.on("console", lambda message: self.complaints.append(message.text))
        page.on("pageerror", lambda error: self.complaints.append(str(error)))
        page.on("request", lambda request: self.requests.append(request.url))

    def open(self, path: str) -> Page:
        self.page.goto(self.base + path)
        return self.page


@pytest.fixture
def walk(browser: Browser, here: Service) -> Iterator[Walk]:
    page = browser.new_page(viewport=DESK)
    yield Walk(page, here)
    page.close()


@pytest.mark.parametrize("language", ["en", "es"])
def test_nothing_is_complained_of_and_nothing_comes_from_elsewhere(
    walk: Walk, language: str
) -> None:
    walk.open(f"/models/1/card?lang={language}")

    assert walk.complaints == []
    assert [url for url in walk.requests if not url.startswith("data:")] == [
        f"{walk.base}/models/1/card?lang={language}"
    ]
    # The style of the page itself is let through by the policy of the page.
    assert walk.page.evaluate("getComputedStyle(document.querySelector('.skip')).position") == (
        "absolute"
    )


@pytest.mark.parametrize("language", ["en", "es"])
def test_a_screen_reader_finds_its_way(walk: Walk, language: str) -> None:
    page = walk.open(f"/models/1/card?lang={language}")

    assert page.evaluate("document.documentElement.lang") == language
    for landmark in ("banner", "navigation", "main", "contentinfo"):
        assert page.get_by_role(landmark).count() == 1, landmark  # type: ignore[arg-type]  # a role
    levels = page.evaluate(
        "[...document.querySelectorAll('h1,h2,h3,h4')].map(h => Number(h.tagName[1]))"
    )
    assert levels.count(1) == 1
    assert levels[0] == 1
    assert all(after <= before + 1 for before, after in pairwise(levels))
    tables = page.evaluate(
        "[...document.querySelectorAll('table')].map(t => [!!t.caption?.textContent.trim(),"
        " [...t.querySelectorAll('thead th')].every(h => h.scope == 'col'),"
        " [...t.querySelectorAll('tbody tr')].every(r => r.querySelector('th[scope=row]'))])"
    )
    assert len(tables) >= 8
    assert all(all(table) for table in tables)
    ids = page.evaluate("[...document.querySelectorAll('[id]')].map(e => e.id)")
    assert len(ids) == len(set(ids))


def test_the_keyboard_goes_from_the_top_down_and_past_the_top(walk: Walk) -> None:
    page = walk.open("/models/1/card?lang=en")
    focused = "document.activeElement.textContent.trim()"
    page.keyboard.press("Tab")
    assert page.evaluate(focused) == "Skip to the content"
    page.keyboard.press("Tab")
    assert page.evaluate(focused) == "Español"
    page.keyboard.press("Tab")
    assert page.evaluate(focused) == "At a glance"
    assert page.evaluate("getComputedStyle(document.activeElement).outlineStyle") == "solid"
    page.keyboard.press("Shift+Tab")
    page.keyboard.press("Shift+Tab")
    page.keyboard.press("Enter")
    assert page.evaluate("document.activeElement.id") == "content"
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.className") == "table"


def test_links_of_the_page_lead_somewhere(walk: Walk) -> None:
    page = walk.open("/models/1/card?lang=en")
    page.get_by_role("link", name="Español").click()
    assert page.evaluate("document.documentElement.lang") == "es"
    missing = page.evaluate(
        "[...document.querySelectorAll('nav a')].map(a => a.getAttribute('href'))"
        ".filter(h => !document.querySelector(h))"
    )
    assert missing == []
    page.get_by_role("link", name="Lo mismo como JSON").click()
    assert page.url == f"{walk.base}/models/1/card.json"


@pytest.mark.parametrize("language", ["en", "es"])
def test_a_phone_shows_it_without_scrolling_sideways(walk: Walk, language: str) -> None:
    walk.page.set_viewport_size(PHONE)  # type: ignore[arg-type]  # a plain dict
    page = walk.open(f"/models/1/card?lang={language}")

    assert page.evaluate("document.documentElement.scrollWidth") <= PHONE["width"]
    cut = page.evaluate(
        "[...document.querySelectorAll('h1,h2,h3,h4,p,dd,dt,caption,a')]"
        ".filter(e => !e.closest('.table') && !e.classList.contains('skip')"
        " && e.getBoundingClientRect().right > innerWidth + 1).map(e => e.textContent)"
    )
    assert cut == []


def test_text_stands_out_from_its_ground(walk: Walk) -> None:
    """WCAG 2.2, 1.4.3: a contrast of 4.5 for text."""
    page = walk.open("/models/1/card?lang=en")
    found = page.evaluate(
        """() => {
          const parse = c => c.match(/[\\d.]+/g).map(Number);
          const lum = c => { const [r, g, b] = c.slice(0, 3).map(v => { v /= 255;
            return v <= .03928 ? v / 12.92 : ((v + .055) / 1.055) ** 2.4; });
            return .2126 * r + .7152 * g + .0722 * b; };
          const ground = e => { for (; e; e = e.parentElement) {
            const c = parse(getComputedStyle(e).backgroundColor);
            if (c.length < 4 || c[3] > 0) return c; } return [255, 255, 255]; };
          return [...document.querySelectorAll('h1,h2,h3,h4,p,dt,dd,th,td,a,caption,span,strong')]
            .map(e => { const [a, b] = [lum(parse(getComputedStyle(e).color)), lum(ground(e))];
              return [(Math.max(a, b) + .05) / (Math.min(a, b) + .05), e.className, e.tagName]; })
            .filter(([ratio]) => ratio < 4.5);
        }"""
    )
    assert found == []


def test_on_paper_only_what_is_read_is_left(walk: Walk) -> None:
    page = walk.open("/models/1/card?lang=en")
    page.emulate_media(media="print")

    for selector in ("nav", ".bar", ".skip"):
        assert not page.locator(selector).is_visible()
    assert page.locator("h1").is_visible()
