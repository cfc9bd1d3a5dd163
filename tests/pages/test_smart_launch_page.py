"""SMART launch in a browser: from a chart to the explanation, in a tab and in the frame of a health
record, in both languages, at a desk and on a phone."""

from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, cast
from urllib.parse import quote

import pytest
from playwright.sync_api import Browser, Frame, Page, expect
from sqlalchemy import delete

from cds_service.security.permissions import Role
from cds_service.storage.tables import SESSIONS
from tests.pages.conftest import CHROMIUM
from tests.support.browsing import DESK, WIDTHS, Axe, Walk, assert_sound, walking
from tests.support.launches import add_hospital, assess, start
from tests.support.people import serving_closed
from tests.support.service import Service, release
from tests.support.smart_server import SmartEHR, smart_ehr

HEADING = {"en": "What was used", "es": "Lo que se usó"}
NONE = {"en": "No assessment yet", "es": "Aún no hay ninguna evaluación"}


@pytest.fixture(scope="module")
def both(
    tmp_path_factory: pytest.TempPathFactory, small_model: tuple[Path, str]
) -> Iterator[tuple[Service, SmartEHR]]:
    folder = tmp_path_factory.mktemp("launch")
    with serving_closed(folder, fhir_allow_private=True) as service:
        release(service.context, "1", *small_model)
        service.context.champion.refresh()
        service.clock.time = datetime.now(UTC)
        with smart_ehr(service.context.settings.base_url) as ehr:
            add_hospital(service.context, ehr)
            assess(service, heart_rate=131)
            yield service, ehr


@pytest.fixture(scope="module")
def strict_browser(browser: Browser) -> Iterator[Browser]:
    """One that keeps no cookie of a third party, unless it is partitioned."""
    started = browser.browser_type.launch(
        executable_path=CHROMIUM,
        args=[
            *("--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage"),
            "--test-third-party-cookie-phaseout",
        ],
    )
    yield started
    started.close()


def forget_the_way(walk: Walk, ehr: SmartEHR) -> None:
    """What the health record's own pages asked for is not ours."""
    walk.requests[:] = [url for url in walk.requests if not url.startswith(ehr.url)]


def app_in(page: Page, ehr: SmartEHR, service: Service, **chart: Any) -> Frame:
    """The frame in a chart in which the health record shows us."""
    base = str(service.http.base_url).rstrip("/")
    address = base + start(ehr, ehr.open_chart(**chart))
    page.goto(f"{ehr.url}/chart?app={quote(address, safe='')}")
    frame = page.frames[1]
    frame.get_by_role("button", name="Allow").click()
    frame.wait_for_url(f"{base}/**")
    return frame


@pytest.mark.parametrize("width", WIDTHS)
@pytest.mark.parametrize("language", ["en", "es"])
def test_a_chart_leads_to_its_explanation_in_a_tab(
    browser: Browser, both: tuple[Service, SmartEHR], axe: Axe, width: int, language: str
) -> None:
    service, ehr = both
    with walking(browser, service, width=width, language=language) as walk:
        page = walk.open(start(ehr, ehr.open_chart()))
        page.get_by_role("button", name="Allow").click()
        page.wait_for_url(f"{walk.base}/assessments/*")
        forget_the_way(walk, ehr)
        assert page.get_by_role("heading", name=HEADING[language], exact=True).is_visible()
        assert_sound(walk, language, axe)
        assert page.evaluate("document.cookie") == ""
        # Neither in the address nor in what the page knows of the way here.
        for word in ("launch", "code", "state", ehr.url):
            assert word not in page.url
        # Only this patient's explanation is open to whoever came like this.
        assert page.get_by_role("navigation").count() == 0
        page.locator(".who button").click()
        page.wait_for_url(f"{walk.base}/launch/told/out")
        assert_sound(walk, language, axe)


@pytest.mark.parametrize("width", WIDTHS)
@pytest.mark.parametrize("language", ["en", "es"])
def test_a_chart_shows_the_explanation_in_its_frame(
    strict_browser: Browser, both: tuple[Service, SmartEHR], axe: Axe, width: int, language: str
) -> None:
    service, ehr = both
    with walking(strict_browser, service, width=width, language=language) as walk:
        frame = app_in(walk.page, ehr, service)
        expect(frame.get_by_role("heading", name=HEADING[language], exact=True)).to_be_visible()
        assert "/assessments/" in frame.url
        assert frame.evaluate("document.documentElement.lang") == language
        assert frame.evaluate("document.documentElement.scrollWidth <= innerWidth")
        assert axe(cast(Page, frame)) == []
        assert walk.complaints == []
        # It goes on inside the frame: another language, and the end.
        other = {"en": "Español", "es": "English"}[language]
        frame.get_by_role("link", name=other).click()
        expect(frame.locator("html")).not_to_have_attribute("lang", language)
        frame.locator(".who button").click()
        frame.wait_for_url("**/launch/told/out")
        assert frame.locator("h1").is_visible()


@pytest.mark.parametrize("width", WIDTHS)
@pytest.mark.parametrize("language", ["en", "es"])
def test_a_chart_without_assessment_says_so(
    strict_browser: Browser, both: tuple[Service, SmartEHR], axe: Axe, language: str, width: int
) -> None:
    service, ehr = both
    with walking(strict_browser, service, width=width, language=language) as walk:
        frame = app_in(walk.page, ehr, service, patient="somebody-else")
        expect(frame.locator("h1")).to_have_text(NONE[language])
        assert axe(cast(Page, frame)) == []
        frame.locator("main .button").click()
        expect(frame.locator("h1")).to_have_text(NONE[language])


@pytest.mark.parametrize("width", WIDTHS)
@pytest.mark.parametrize("language", ["en", "es"])
def test_whoever_says_no_is_told_so_in_the_frame(
    strict_browser: Browser, both: tuple[Service, SmartEHR], axe: Axe, language: str, width: int
) -> None:
    service, ehr = both
    said = {"en": "The health record said no", "es": "La historia clínica ha dicho que no"}
    with walking(strict_browser, service, width=width, language=language) as walk:
        address = walk.base + start(ehr, ehr.open_chart())
        walk.page.goto(f"{ehr.url}/chart?app={quote(address, safe='')}")
        frame = walk.page.frames[1]
        frame.get_by_role("button", name="Deny").click()
        expect(frame.locator("h1")).to_have_text(said[language])
        assert frame.url == f"{walk.base}/launch/told/refused"
        assert axe(cast(Page, frame)) == []


def test_no_other_site_frames_us(browser: Browser, both: tuple[Service, SmartEHR]) -> None:
    service, ehr = both
    with walking(browser, service, width=DESK) as walk:
        page = walk.open(start(ehr, ehr.open_chart()))
        page.get_by_role("button", name="Allow").click()
        page.wait_for_url(f"{walk.base}/assessments/*")
        opened = page.url
        with smart_ehr(walk.base) as stranger:
            page.goto(f"{stranger.url}/chart?app={quote(opened, safe='')}")
            assert any("frame-ancestors" in one for one in walk.complaints)
            assert page.frames[1].url.startswith("chrome-error:")
    with walking(browser, service, roles=(Role.CLINICIAN,)) as walk:
        # Nor does the health record itself frame whoever signed in.
        walk.page.goto(f"{ehr.url}/chart?app={quote(opened, safe='')}")
        assert any("frame-ancestors" in one for one in walk.complaints)


def test_a_screen_left_alone_in_a_frame_says_why_it_is_empty(
    strict_browser: Browser, both: tuple[Service, SmartEHR]
) -> None:
    service, ehr = both
    with walking(strict_browser, service) as walk:
        frame = app_in(walk.page, ehr, service)
        assert "/assessments/" in frame.url
        with service.context.engine.begin() as connection:
            connection.execute(delete(SESSIONS))
        # Asked for again when the session is over, and left by the page itself.
        frame.evaluate("location.reload()")
        frame.wait_for_url("**/launch/told/idle")
        assert "Go back to the chart" in frame.locator("main").inner_text()
