"""The triage pages in a browser: filled in by keyboard, at a desk and on a phone, in both
languages, with and without script."""

import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, ViewportSize, expect

from cds_service.services.clients import ClientService
from tests.support.browsing import (
    WIDTHS,
    Axe,
    Walk,
    assert_sound,
    walking,
)
from tests.support.service import Service, new_context, release, running
from tests.support.triage_pages import ILL, clinician

VIEW: ViewportSize = {"width": 390, "height": 844}
LABELS = {
    "en": {"submit": "Assess", "result": "Result", "warning": "Warning", "wrong": "This was wrong"},
    "es": {"submit": "Evaluar", "result": "Resultado", "warning": "Advertencia",
           "wrong": "Esto no era correcto"},
}  # fmt: skip


@pytest.fixture(scope="module")
def served(
    tmp_path_factory: pytest.TempPathFactory, small_model: tuple[Path, str]
) -> Iterator[Service]:
    context = new_context(tmp_path_factory.mktemp("pages"))
    release(context, "1", *small_model)
    with running(context, context.clock) as service:
        clinician(service)
        yield service


@pytest.fixture
def desk(browser: Browser, served: Service) -> Iterator[Walk]:
    with walking(browser, served) as walk:
        yield walk


def fill(page: Page, **changes: str) -> None:
    """Type a form."""
    values = ILL | changes
    page.locator("#sex").select_option(values.pop("sex"))
    unit = values.pop("temperature_unit")
    page.locator(f'input[name=temperature_unit][value="{unit}"]').check()
    for name, text in values.items():
        page.locator(f"#{name}").fill(text)
        page.locator(f"#{name}").dispatch_event("change")


@pytest.mark.parametrize("width", WIDTHS)
@pytest.mark.parametrize("language", ["en", "es"])
def test_the_form_and_its_result_are_sound(
    browser: Browser, served: Service, axe: Axe, language: str, width: int
) -> None:
    said = LABELS[language]
    with walking(browser, served, width=width, language=language) as walk:
        page = walk.open(f"/triage?lang={language}")
        assert_sound(walk, language, axe)
        fill(page, systolic_bp="84", diastolic_bp="50")
        page.get_by_role("button", name=said["submit"], exact=True).click()
        result = page.locator("#result")
        # In place, below the form, which keeps what was typed.
        expect(result.get_by_role("heading", name=said["result"], exact=True)).to_be_focused()
        assert page.locator("#heart_rate").input_value() == "118"
        assert re.search(r"/triage/results/[0-9a-f-]{36}$", page.url)
        # Colour, icon and words: never colour alone.
        verdict = result.locator(".verdict")
        assert verdict.locator("svg").is_visible()
        assert verdict.locator(".kind").inner_text().strip() != ""
        assert "NEWS2" in verdict.inner_text()
        # What is said aloud.
        expect(page.locator("#waiting")).to_contain_text("NEWS2")
        assert_sound(walk, language, axe)
        # The page of the result, which is what a reload shows.
        page.reload()
        assert_sound(walk, language, axe)
        page.get_by_text(said["wrong"], exact=True).click()
        assert page.locator("#comment").is_visible()
        assert_sound(walk, language, axe)


@pytest.mark.parametrize("width", WIDTHS)
def test_the_policy_is_sound(browser: Browser, served: Service, axe: Axe, width: int) -> None:
    with walking(browser, served, width=width) as walk:
        walk.open("/triage/policy?lang=en")
        assert_sound(walk, "en", axe)


def test_it_is_filled_in_by_keyboard_alone(desk: Walk) -> None:
    page = desk.open("/triage?lang=en")
    page.locator("#age").focus()
    for keys in ("68", None, "F", None, "118", "38.6", None, "104", "62"):
        if keys is not None:
            page.keyboard.type(keys)
        page.keyboard.press("Tab")
    typed = {
        name: page.locator(f"#{name}").input_value()
        for name in ("age", "heart_rate", "body_temperature", "systolic_bp", "diastolic_bp")
    }
    assert typed == {name: ILL[name] for name in typed}
    page.keyboard.press("Enter")
    expect(page.locator("#result-title")).to_be_focused()


def test_what_is_not_possible_is_refused_while_it_is_typed(desk: Walk) -> None:
    page = desk.open("/triage?lang=en")
    fill(page, heart_rate="400", systolic_bp="62", body_temperature="101.3")
    for name, words in (
        ("heart_rate", "it must lie between 1 and 350 /min"),
        ("body_temperature", "it must lie between 20 and 46 °C"),
        ("systolic_bp", "must be higher than the diastolic"),
    ):
        assert words in page.locator(f"#{name}-error").inner_text()
        assert page.locator(f"#{name}").get_attribute("aria-invalid") == "true"
        assert page.locator(f"#{name}").get_attribute("aria-describedby") == f"{name}-error"
    # In degrees Fahrenheit that temperature is a fever.
    page.get_by_label("°F").check()
    assert not page.locator("#body_temperature-error").is_visible()
    before = len(desk.requests)
    page.get_by_role("button", name="Assess", exact=True).click()
    expect(page.locator("#heart_rate")).to_be_focused()
    assert len(desk.requests) == before


def test_an_extreme_value_is_asked_about_and_only_that_value(desk: Walk) -> None:
    page = desk.open("/triage?lang=en")
    fill(page, heart_rate="230")
    box = page.locator("#again-heart_rate")
    box.check()
    page.locator("#heart_rate").fill("240")
    page.locator("#heart_rate").press("Tab")
    assert not box.is_checked()
    page.get_by_role("button", name="Assess", exact=True).click()
    assert page.locator("#result").inner_text() == ""
    box.check()
    page.get_by_role("button", name="Assess", exact=True).click()
    expect(page.locator("#result")).to_contain_text("heart rate 240/min")


def test_what_only_the_server_notices_is_listed_and_leads_to_its_field(
    desk: Walk, axe: Axe
) -> None:
    page = desk.open("/triage?lang=en")
    fill(page, age="")
    page.get_by_role("button", name="Assess", exact=True).click()
    errors = page.get_by_role("alert")
    expect(errors).to_be_focused()
    # The browser notes the refusal in its console; the page itself complains of nothing.
    assert [one for one in desk.complaints if "422" not in one] == []
    assert axe(page) == []
    errors.get_by_role("link").first.click()
    expect(page.locator("#age")).to_be_focused()
    page.keyboard.type("68")
    page.keyboard.press("Tab")
    # Put right is not wrong any more.
    assert page.locator("#age").get_attribute("aria-invalid") is None
    assert not page.locator("#age-error").is_visible()
    page.get_by_role("button", name="Assess", exact=True).click()
    expect(page.locator("#result-title")).to_be_focused()


def test_the_form_below_a_result_is_for_the_same_patient(desk: Walk, axe: Axe) -> None:
    page = desk.open("/triage?lang=en")
    fill(page, heart_rate="230")
    assert not page.locator("#case-next").is_visible()
    page.locator("#again-heart_rate").check()
    page.get_by_role("button", name="Assess", exact=True).click()
    expect(page.locator("#result-title")).to_be_focused()
    number = page.locator(".case-number strong").first.inner_text()
    assert page.locator("#case-hint").inner_text() == "The same case, measured again."
    # A value is measured twice for each assessment.
    assert not page.locator("#again-heart_rate").is_checked()
    page.locator("#again-heart_rate").check()
    page.locator("#age").fill("31")
    page.get_by_role("button", name="Assess", exact=True).click()
    expect(page.get_by_role("alert")).to_contain_text("another age or sex")
    assert axe(page) == []
    page.emulate_media(media="print")
    assert page.locator("#errors").is_visible()
    page.emulate_media(media="screen")
    page.get_by_role("link", name="Another patient: begin a new case").click()
    assert page.locator("#age").input_value() == ""
    assert page.locator(".case-number strong").inner_text() != number


def test_without_script_the_form_and_its_result_are_pages(
    browser: Browser, served: Service
) -> None:
    context = browser.new_context(java_script_enabled=False, viewport=VIEW)
    page = context.new_page()
    base = str(served.http.base_url).rstrip("/")
    page.goto(f"{base}/triage?lang=en")
    for name, text in ILL.items():
        if name not in ("sex", "temperature_unit"):
            page.locator(f"#{name}").fill(text)
    page.locator("#sex").select_option("female")
    page.locator("#heart_rate").fill("230")
    page.get_by_role("button", name="Assess", exact=True).click()
    page.locator("#again-heart_rate").check()
    page.get_by_role("button", name="Assess", exact=True).click()
    assert "/triage/results/" in page.url
    assert page.get_by_role("heading", name="Result", exact=True).is_visible()
    number = page.locator(".case-number strong").inner_text()
    assert not page.get_by_role("button", name="Print").is_visible()
    page.get_by_text("What it turned out to be", exact=True).first.click()
    page.get_by_label("Chronic illness").check()
    page.get_by_role("button", name="Confirm").click()
    assert page.get_by_text("The confirmed category is kept.").is_visible()
    page.goto(f"{base}/triage")
    page.locator("#find-number").fill(number.lower())
    page.get_by_role("button", name="Find", exact=True).click()
    assert page.get_by_text("Confirmed: Chronic illness, by development").is_visible()
    context.close()


def test_what_is_held_back_is_said_aloud_too(browser: Browser, served: Service) -> None:
    context = served.context
    clients = ClientService(context.engine, context.settings, context.clock)
    clients.pause("triage", actor="test")
    context.directory.refresh()
    try:
        with walking(browser, served) as walk:
            page = walk.open("/triage?lang=en")
            assert page.get_by_text("The answer will not be shown").is_visible()
            fill(page)
            page.get_by_role("button", name="Assess", exact=True).click()
            expect(page.locator("#waiting")).to_contain_text("the service is paused")
            assert page.locator(".verdict").count() == 0
    finally:
        clients.resume("triage", actor="test")
        context.directory.refresh()


def test_text_that_was_typed_runs_no_script(desk: Walk) -> None:
    page = desk.open("/triage?lang=en")
    fill(page)
    page.evaluate("document.getElementById('age').removeAttribute('maxlength')")
    page.locator("#age").fill('"><img src=x onerror=alert(1)>')
    page.get_by_role("button", name="Assess", exact=True).click()
    expect(page.get_by_role("alert")).to_be_visible()
    assert page.locator("#age").input_value() == '"><img src=x onerror=alert(1)>'
    assert page.locator("img").count() == 0
    assert [one for one in desk.complaints if "422" not in one] == []


def test_on_paper_only_the_result_is_left(desk: Walk) -> None:
    page = desk.open("/triage?lang=en")
    fill(page)
    page.get_by_role("button", name="Assess", exact=True).click()
    expect(page.locator("#result-title")).to_be_focused()
    page.emulate_media(media="print")
    for selector in ("form#triage", "#find", "#feedback", "#outcome", ".top", "button"):
        assert not page.locator(selector).first.is_visible(), selector
    for selector in (".verdict", ".verdict svg", "#result .case-number", "#result .last"):
        assert page.locator(selector).is_visible(), selector
    assert page.pdf(format="A4").startswith(b"%PDF-")
