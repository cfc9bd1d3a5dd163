"""The explanation page in a browser: at a desk and on a phone, in both languages, on paper."""

from datetime import timedelta
from typing import Any

import pytest
from playwright.sync_api import Browser

from cds_service.security.permissions import Role
from tests.support.browsing import PHONE, WIDTHS, Axe, assert_sound, walking
from tests.support.service import Service

HEADINGS = {
    "en": ("Estimates", "What cannot be excluded", "What was used", "Readings over time"),
    "es": ("Estimaciones", "Lo que no se puede excluir", "Lo que se usó", "Lecturas en el tiempo"),
}
SHIFT = ((36.9, 82, 16, 97, 128, 78), (37.8, 104, 19, 96, 112, 70), (38.7, 126, 22, 94, 104, 62))
"""Of one patient, four hours apart: temperature, heart rate, respiratory rate, SpO2, pressures."""


def assessed(service: Service, *values: float) -> str:
    """Id of an assessment of these readings."""
    temperature, heart_rate, breaths, saturation, systolic, diastolic = values
    vitals = [
        *service.vitals(heart_rate, temperature, systolic, diastolic),
        service.observation("9279-1", breaths, "/min"),
        service.observation("59408-5", saturation, "%"),
    ]
    answered: dict[str, Any] = service.assess(service.request(vitals)).json()
    found: str = answered["extension"]["org.cds-service.assessment"]["assessment"]
    return found


@pytest.fixture(scope="module")
def identifier(here: Service) -> str:
    found = ""
    for values in SHIFT:
        here.clock.time += timedelta(hours=4)
        found = assessed(here, *values)
    return found


@pytest.mark.parametrize("width", WIDTHS)
@pytest.mark.parametrize("language", ["en", "es"])
def test_it_is_sound(
    browser: Browser, here: Service, identifier: str, axe: Axe, language: str, width: int
) -> None:
    with walking(browser, here, width=width, language=language) as walk:
        page = walk.open(f"/assessments/{identifier}?lang={language}")
        assert_sound(walk, language, axe)
        for heading in HEADINGS[language]:
            assert page.get_by_role("heading", name=heading, exact=True).is_visible()
        # Charts have names, and a table behind them that opens by keyboard.
        charts = page.get_by_role("img")
        assert charts.count() >= 6
        summary = page.locator(".lines summary").first
        summary.focus()
        page.keyboard.press("Enter")
        assert page.locator(".lines table").first.is_visible()
        assert page.locator(".lines table").first.get_by_role("row").count() == 4
        assert_sound(walk, language, axe)


def test_every_bar_says_its_direction_in_words(
    browser: Browser, here: Service, identifier: str
) -> None:
    with walking(browser, here) as walk:
        page = walk.open(f"/assessments/{identifier}?lang=en")
        rows = page.locator("table", has=page.locator("rect.for, rect.against")).first
        for row in rows.locator("tbody tr").all():
            bar = row.locator("svg rect").nth(1)
            says_for = "speaks for it" in row.inner_text()
            assert bar.get_attribute("class") == ("for" if says_for else "against")
            assert row.inner_text().count("+") == (1 if says_for else 0)
            # A bar for it lies right of the middle.
            assert (float(bar.get_attribute("x") or 0) >= 100) is says_for


def test_each_step_begins_where_the_one_before_ended(
    browser: Browser, here: Service, identifier: str
) -> None:
    with walking(browser, here) as walk:
        page = walk.open(f"/assessments/{identifier}?lang=en")
        table = page.locator("[aria-labelledby=build] table")
        place = 0.0
        for number, row in enumerate(table.locator("tbody tr").all()):
            bar = row.locator("svg rect").nth(1)
            left = float(bar.get_attribute("x") or 0)
            right = left + float(bar.get_attribute("width") or 0)
            kind = bar.get_attribute("class")
            if kind == "total":
                if number:
                    assert (left + right) / 2 == pytest.approx(place, abs=1.1)
                place = (left + right) / 2
                continue
            begins, ends = (left, right) if kind == "for" else (right, left)
            assert begins == pytest.approx(place, abs=1.1)
            place = ends


def test_whoever_may_not_see_changes_does_not(
    browser: Browser, here: Service, identifier: str
) -> None:
    for roles, there in (((Role.CLINICIAN,), 0), ((Role.REVIEWER,), 1)):
        with walking(browser, here, roles=roles, width=PHONE) as walk:
            page = walk.open(f"/assessments/{identifier}?lang=en")
            assert page.locator("#change").count() == there
            assert_sound(walk, "en")


def test_on_paper_it_is_whole(browser: Browser, here: Service, identifier: str) -> None:
    with walking(browser, here) as walk:
        page = walk.open(f"/assessments/{identifier}?lang=en")
        page.emulate_media(media="print")
        assert not page.locator(".top").is_visible()
        for selector in (".verdict", "#reasons", "#build", ".line", ".last"):
            assert page.locator(selector).first.is_visible(), selector
        assert page.pdf(format="A4").startswith(b"%PDF-")


def test_it_is_whole_without_script(browser: Browser, here: Service, identifier: str) -> None:
    context = browser.new_context(java_script_enabled=False)
    page = context.new_page()
    page.goto(f"{str(here.http.base_url).rstrip('/')}/assessments/{identifier}?lang=en")
    assert page.locator("#build").is_visible()
    assert page.locator("script").count() == 0
    context.close()
