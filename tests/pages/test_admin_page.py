"""The frame of the dashboard in a real browser."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, expect

from cds_service.security.permissions import Role
from tests.support.browsing import WIDTHS, Axe, assert_sound, first_paint, walking
from tests.support.dashboard import EVIL, add_alert
from tests.support.people import serving_closed
from tests.support.service import Service

ROLES = (Role.ADMINISTRATOR,)


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    folder: Path = tmp_path_factory.mktemp("admin")
    with serving_closed(folder) as service:
        yield service


@pytest.mark.parametrize("width", WIDTHS)
@pytest.mark.parametrize("language", ["en", "es"])
def test_the_dashboard_opens_on_its_overview(
    browser: Browser, served: Service, axe: Axe, width: int, language: str
) -> None:
    with walking(browser, served, width=width, language=language, roles=ROLES) as walk:
        page = walk.open("/admin")
        assert_sound(walk, language, axe)
        assert first_paint(page) < 1_000
        here = page.locator("nav.sections [aria-current]")
        assert here.all_inner_texts() == [{"en": "Overview", "es": "Resumen"}[language]]
        assert page.get_by_role("heading", level=1).inner_text() == here.inner_text()


@pytest.mark.parametrize("width", WIDTHS)
@pytest.mark.parametrize("language", ["en", "es"])
def test_an_alert_is_acknowledged_and_resolved(
    browser: Browser, served: Service, axe: Axe, width: int, language: str
) -> None:
    add_alert(served.context, f"other {EVIL} {width} {language}", severity="critical", message=EVIL)
    key = f"{width} {language}"
    add_alert(served.context, key, message=f"Temperatures of {key} have moved.")
    with walking(browser, served, width=width, language=language, roles=ROLES) as walk:
        page = walk.open("/admin/alerts")
        assert_sound(walk, language, axe)
        page.locator(".row", has_text=key).get_by_role("link").click()
        assert_sound(walk, language, axe)
        page.locator("form[action$=acknowledge] button").click()
        expect(page.get_by_role("status")).to_be_visible()
        page.locator("#note").fill("Thermometers replaced.")
        page.locator("form[action$=resolve] button").click()
        expect(page.locator("dl")).to_contain_text("Thermometers replaced.")
        assert_sound(walk, language, axe)
        assert "evil" not in page.title()
