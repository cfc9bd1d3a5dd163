"""The pages of figures in a real browser, filled by the services themselves: both languages, at a
desk and on a telephone."""

import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, expect

from cds_service.security.permissions import Role
from cds_service.storage.run_store import RunStore
from tests.support.artefacts import small_model as other_model
from tests.support.browsing import WIDTHS, Axe, assert_sound, first_paint, walking
from tests.support.dashboard_data import (
    fill_inputs,
    fill_models,
    fill_quality,
    fill_runs,
)
from tests.support.service import Service, new_context, running

ROLES = (Role.ADMINISTRATOR,)
HEADINGS = {
    "/admin/quality": {"en": "Model quality", "es": "Calidad del modelo"},
    "/admin/inputs": {"en": "Inputs", "es": "Entradas"},
    "/admin/models": {"en": "Models", "es": "Modelos"},
    "/admin/runs": {"en": "Runs", "es": "Ejecuciones"},
}
CHARTED = ("/admin/quality", "/admin/inputs")


@pytest.fixture(scope="module")
def filled(
    tmp_path_factory: pytest.TempPathFactory, small_model: tuple[Path, str]
) -> Iterator[Service]:
    challenger = other_model(tmp_path_factory.mktemp("challenger"))
    folder = tmp_path_factory.mktemp("figures")
    context = new_context(
        folder, evaluation_chunk_rows=120, input_chunk_rows=300, reference_chunks=5
    )
    fill_quality(context, small_model, (challenger.path, challenger.checksum), rows=480)
    fill_inputs(context, start=context.clock())
    fill_models(context, (challenger.path, challenger.checksum))
    fill_runs(context)
    with running(context, context.clock) as service:
        yield service


@pytest.fixture(scope="module")
def empty(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    context = new_context(tmp_path_factory.mktemp("nothing"))
    with running(context, context.clock) as service:
        yield service


def smallest_text(page: Page) -> float:
    """Pixels of the smallest letters of a chart as it is drawn."""
    return float(
        page.evaluate(
            "Math.min(...[...document.querySelectorAll('svg.chart text')].map(e =>"
            "parseFloat(getComputedStyle(e).fontSize) * e.getScreenCTM().a))"
        )
    )


@pytest.mark.parametrize("width", WIDTHS)
@pytest.mark.parametrize("language", ["en", "es"])
@pytest.mark.parametrize("path", HEADINGS)
def test_a_page_of_figures_is_sound(
    browser: Browser, filled: Service, axe: Axe, path: str, language: str, width: int
) -> None:
    with walking(browser, filled, width=width, language=language, roles=ROLES) as walk:
        page = walk.open(path)
        assert page.get_by_role("heading", level=1).inner_text() == HEADINGS[path][language]
        assert_sound(walk, language, axe)
        said = f"{path} {language} {width}: {walk.weight} bytes"
        print(f"{said}, first paint {first_paint(page):.0f} ms")  # noqa: T201
        if path in CHARTED:
            assert page.locator("svg.chart").count() >= 3
            assert smallest_text(page) >= 12.0
            # The numbers of each chart, unfolded.
            page.evaluate("document.querySelectorAll('details').forEach(e => e.open = true)")
            assert (
                page.locator("figure.chart-of table").count() == page.locator("svg.chart").count()
            )
            assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
            assert axe(page) == []


@pytest.mark.parametrize("path", HEADINGS)
def test_a_page_without_figures_says_so(
    browser: Browser, empty: Service, axe: Axe, path: str
) -> None:
    with walking(browser, empty, roles=ROLES) as walk:
        page = walk.open(path)
        assert page.locator("svg.chart").count() == 0
        assert page.get_by_role("heading", level=1).inner_text() == HEADINGS[path]["en"]
        assert_sound(walk, "en", axe)


def test_every_figure_of_quality_stands_beside_who_is_verified(
    browser: Browser, filled: Service
) -> None:
    with walking(browser, filled, roles=ROLES) as walk:
        page = walk.open("/admin/quality")
        heads = page.locator("#time ~ .charts tbody th").all_text_contents()
        assert heads
        assert all(re.fullmatch(r"\d{4}-\d\d-\d\d \(\d+ %\)", head) for head in heads)
        assert page.locator("#time ~ .charts .unit").count() == 4
        for text in page.locator("#time ~ .charts .unit").all_text_contents():
            assert re.search(r"\d+ % of assessments verified", text)
        legend = page.locator("#versions ~ .charts .keys-of").first.inner_text()
        assert "live: 2" in legend
        assert "champion before: 1" in legend
        assert "challenger: 3" in legend
        # The bounds, and both ways to count.
        legend = page.locator("#time ~ .charts .keys-of").nth(1).inner_text()
        assert [one for one in ("weighted", "naive", "at worst", "at best") if one in legend] == [
            *("weighted", "naive", "at worst", "at best")
        ]
        assert page.locator("#calibration ~ .charts svg.chart").count() >= 3


def test_another_category_can_be_chosen_without_script(browser: Browser, filled: Service) -> None:
    with walking(browser, filled, roles=ROLES, script=False) as walk:
        page = walk.open("/admin/quality")
        page.locator("#category").select_option("mild")
        page.get_by_role("button", name="Show").click()
        assert page.url.endswith("?category=mild")
        assert "predictive value are of: Mild illness" in page.locator("main").inner_text()
        page = walk.open("/admin/quality?before=2&category=%3Cscript%3E")
        assert page.get_by_role("link", name="To the newest chunks").is_visible()
        page = walk.open("/admin/quality?before=9999999999999999999999")
        assert page.get_by_role("heading", level=1).is_visible()


def test_inputs_show_what_moved_against_its_limit(browser: Browser, filled: Service) -> None:
    with walking(browser, filled, roles=ROLES) as walk:
        page = walk.open("/admin/inputs")
        rows = page.locator("#beyond ~ .table").first.locator("tbody tr").all_inner_texts()
        told = {row.split("\t")[0]: row.split("\t")[1] for row in rows}
        assert told["Systolic pressure: distribution (D)"] == "alarm"
        assert told["Temperature: impossible"] == "alarm"
        drift = page.locator("#drift-systolic_bp-caption").locator("..")
        assert "limit of the alarm" in drift.locator(".keys-of").inner_text()
        cells = drift.locator("tbody tr").last.locator("td").all_text_contents()
        assert float(cells[0]) > float(cells[1])
        # The population stability index is shown beside the histogram, and is no alarm.
        histogram = page.locator("#histogram-systolic_bp-caption").locator("..")
        assert re.search(r"now 14\d, reference 12\d; PSI 0\.\d\d", histogram.inner_text())
        assert not any("PSI" in name for name in told)
        # What came for the first time, and what training would compute otherwise.
        codes = page.locator("#codes ~ .table").inner_text()
        assert "8889-8" in codes
        assert "The newest chunk differs" in page.locator("#skew ~ .note").inner_text()
        rate = page.locator("#rate-body_temperature-caption").locator("..")
        missing, stale, implausible, unit = (
            float(text.removesuffix(" %"))
            for text in rate.locator("tbody tr").last.locator("td").all_text_contents()
        )
        assert missing > 20.0 < implausible
        assert stale == unit == 0.0


@pytest.mark.parametrize("width", WIDTHS)
@pytest.mark.parametrize("language", ["en", "es"])
def test_a_challenger_is_compared_and_asked_about(
    browser: Browser, filled: Service, axe: Axe, language: str, width: int
) -> None:
    with walking(browser, filled, width=width, language=language, roles=ROLES) as walk:
        page = walk.open("/admin/models")
        said = {"en": ("Approve", "Compare"), "es": ("Aprobar", "Comparar")}[language]
        page.get_by_role("link", name=re.compile(rf"{said[1]}\s*: 4")).first.click()
        assert_sound(walk, language, axe)
        assert page.locator("tbody tr").count() >= 8
        page = walk.open("/admin/models")
        page.get_by_role("link", name=re.compile(rf"{said[0]}\s*: 4")).click()
        assert_sound(walk, language, axe)
        # The browser asks for both before anything is sent.
        page.locator("form button.dangerous, form[method=post] button").last.click()
        assert page.locator("#reason:invalid").count() == 1
        assert page.locator("#sure:invalid").count() == 1


def test_progress_goes_on_without_a_reload_and_the_end_is_told(
    browser: Browser, filled: Service, axe: Axe
) -> None:
    context, at = filled.context, filled.context.clock()
    with walking(browser, filled, roles=ROLES) as walk:
        page = walk.open("/admin/runs")
        bar = page.get_by_role("progressbar", name="Searching for a better model (search)")
        expect(bar).to_have_js_property("value", 0.42)
        assert "tuning lightgbm, class weights" in page.locator("#runs-now").inner_text()
        hostile = "<img src=x onerror=alert(1)>"
        with context.engine.begin() as connection:
            RunStore(connection).see("r-now", {"step": hostile, "share": 0.81, "seen_at": at})
        expect(bar).to_have_js_property("value", 0.81, timeout=15_000)
        expect(page.locator("#runs-now")).to_contain_text(hostile)
        assert axe(page) == []
        with context.engine.begin() as connection:
            RunStore(connection).end("r-now", "done", at=at, result="Version 6 is in shadow.")
        expect(page.locator("#runs-told")).to_have_text("Nothing is under way.", timeout=15_000)
        assert walk.complaints == []
    with walking(browser, filled, roles=ROLES, script=False) as walk:
        page = walk.open("/admin/runs?kind=search")
        last = page.locator("#last ~ .table tbody tr").all_inner_texts()
        assert len(last) == 1
        assert "Version 6 is in shadow." in last[0]
        page.locator("#kind").select_option("")
        page.locator("#state").select_option("failed")
        page.get_by_role("button", name="Show").click()
        last = page.locator("#last ~ .table tbody tr").all_inner_texts()
        assert "too few outcomes" in " ".join(last)
