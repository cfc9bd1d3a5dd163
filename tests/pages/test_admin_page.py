"""The frame of the dashboard in a real browser."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, expect

from cds_service.security.permissions import Role
from cds_service.storage.client_store import ClientStore
from tests.integration.test_admin_exports import add_file, add_part
from tests.support.browsing import WIDTHS, Axe, assert_sound, first_paint, walking
from tests.support.dashboard import CLIENTS, EVIL, add_alert, fill_overview
from tests.support.people import serving_closed
from tests.support.service import Service

ROLES = (Role.ADMINISTRATOR,)


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    folder: Path = tmp_path_factory.mktemp("admin")
    with serving_closed(folder) as service:
        yield service


@pytest.fixture(scope="module")
def filled(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    """With thirty days of three clients, and one whose name is a script."""
    folder: Path = tmp_path_factory.mktemp("filled")
    with serving_closed(folder) as service:
        fill_overview(service.context, clients=CLIENTS | {EVIL: 0.1})
        add_alert(service.context, "k", severity="critical", message=EVIL)
        yield service


@pytest.mark.parametrize("width", WIDTHS)
@pytest.mark.parametrize("language", ["en", "es"])
def test_the_dashboard_opens_on_its_overview(
    browser: Browser, filled: Service, axe: Axe, width: int, language: str
) -> None:
    with walking(browser, filled, width=width, language=language, roles=ROLES) as walk:
        page = walk.open("/admin")
        assert_sound(walk, language, axe)
        painted = first_paint(page)
        said = f"/admin {language} {width} px: {walk.weight} bytes, first paint {painted:.0f} ms"
        print(said)  # noqa: T201  # What was measured.
        here = page.locator("nav.sections [aria-current]")
        assert here.all_inner_texts() == [{"en": "Overview", "es": "Resumen"}[language]]
        assert page.get_by_role("heading", level=1).inner_text() == here.inner_text()
        assert page.locator("figure.chart-of svg.chart").count() == 6
        # The table behind a chart opens without script.
        page.locator("figure.chart-of summary").first.click()
        expect(page.locator("figure.chart-of table").first.locator("tbody tr")).to_have_count(30)
        expect(page.locator("section:has(#clients)")).to_contain_text("<script>")
        assert_sound(walk, language, axe)
        walk.weight = 0  # Of a page with charts for each of ninety days.
        page.locator(".tabs a").nth(2).click()
        assert_sound(walk, language)
        assert page.title().startswith({"en": "Overview", "es": "Resumen"}[language])


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


@pytest.mark.parametrize("width", WIDTHS)
@pytest.mark.parametrize("language", ["en", "es"])
def test_a_client_is_paused_and_resumed_and_the_audit_trail_says_so(
    browser: Browser, served: Service, axe: Axe, width: int, language: str
) -> None:
    with served.context.engine.begin() as connection:
        store, name = ClientStore(connection), f"ehr-{width}-{language}"
        store.add(name, {}, served.context.clock())
        if store.client(EVIL) is None:
            store.add(EVIL, {}, served.context.clock())
    with walking(browser, served, width=width, language=language, roles=ROLES) as walk:
        page = walk.open("/admin/clients")
        assert_sound(walk, language, axe)
        page.get_by_role("link", name=name).click()
        assert_sound(walk, language, axe)
        page.locator("#reason").fill("Units of ward 3.")
        page.locator("form[action$=pause] button").click()
        expect(page.get_by_role("status")).to_be_visible()
        assert_sound(walk, language, axe)
        page.locator("form[action$=resume] button").click()
        expect(page.locator("#reason")).to_be_visible()
        page = walk.open("/admin/audit")
        assert_sound(walk, language, axe)
        page.locator("#id").fill(name)
        page.locator("form.search button").click()
        expect(page.locator("tbody tr")).to_have_count(2)
        expect(page.locator("tbody")).to_contain_text("reason: Units of ward 3.")
        assert_sound(walk, language, axe)
        assert "evil" not in page.title()


@pytest.mark.parametrize("width", WIDTHS)
@pytest.mark.parametrize("language", ["en", "es"])
def test_exports_and_watched_history_are_listed(
    browser: Browser, served: Service, axe: Axe, width: int, language: str
) -> None:
    for number in range(3):
        add_part(served.context, number, target=f"s3://bucket/{language}/{width}")
    add_part(served.context, 9, name=f"{EVIL}{language}{width}", target=EVIL)
    add_file(served.context, 1, name=EVIL, state="set_aside", report={"why": "not_readable"})
    with walking(browser, served, width=width, language=language, roles=ROLES) as walk:
        page = walk.open("/admin/exports")
        assert_sound(walk, language, axe)
        page.locator(".tabs a").nth(1).click()
        expect(page.locator(".tabs a").nth(1)).to_have_attribute("aria-current", "true")
        expect(page.locator(".row.warning").first).to_contain_text("<script>")
        assert_sound(walk, language, axe)
        assert "evil" not in page.title()
