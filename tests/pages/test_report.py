"""The report of a model in a real browser."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page

from model.evaluation.html_report import html_report
from tests.support.studies import NASTY, studied


@pytest.fixture(scope="module")
def file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A report as a file, as an administrator opens it."""
    path = tmp_path_factory.mktemp("report") / "report.html"
    path.write_text(html_report(studied(tmp_path_factory.getbasetemp())), encoding="utf-8")
    return path


@pytest.fixture
def page(browser: Browser) -> Iterator[Page]:
    opened = browser.new_page(viewport={"width": 1000, "height": 900})
    yield opened
    opened.close()


def test_it_opens_without_a_complaint_or_a_request(page: Page, file: Path) -> None:
    said: list[str] = []
    asked: list[str] = []
    page.on("console", lambda message: said.append(message.text))
    page.on("pageerror", lambda error: said.append(str(error)))
    page.on("dialog", lambda dialog: said.append(dialog.message))
    page.on("request", lambda request: asked.append(request.url))
    page.goto(file.as_uri())
    assert said == []
    assert asked == [file.as_uri()]
    assert page.title() == "Model version 7: report"


def test_headings_and_pictures_are_there_to_see(page: Page, file: Path) -> None:
    page.goto(file.as_uri())
    assert page.get_by_role("heading", level=1).inner_text() == "Report on model version 7"
    headings = page.get_by_role("heading", level=2).all_inner_texts()
    assert headings[0] == "In short"
    for name in ("Meaning of the probabilities", "Prediction sets", "Sources", "Candidates"):
        assert name in headings
    pictures = page.get_by_role("figure").all()
    assert len(pictures) >= 12
    for picture in pictures:
        assert len(picture.get_attribute("aria-label") or "") > 30
        box = picture.locator("svg").bounding_box()
        assert box is not None
        assert box["width"] > 300
        assert box["height"] > 80
    # Lines that are drawn, and text that stays text.
    assert page.locator("figure svg path").count() > 300
    assert page.locator("figure svg text", has_text="NEWS2 and age").count() >= 2
    assert page.get_by_text(NASTY).first.is_visible()


@pytest.mark.parametrize("width", [1000, 390])
def test_only_tables_scroll_sideways(page: Page, file: Path, width: int) -> None:
    page.set_viewport_size({"width": width, "height": 800})
    page.goto(file.as_uri())
    assert page.evaluate("document.documentElement.scrollWidth") <= width


def test_it_prints(page: Page, file: Path) -> None:
    page.goto(file.as_uri())
    page.emulate_media(media="print")
    assert not page.get_by_role("navigation").is_visible()
    assert page.pdf(format="A4").startswith(b"%PDF-")
