"""The review pages in a real browser: by keys, by buttons, and without script."""

import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, expect

from cds_service.security.permissions import Role
from tests.support.browsing import DESK, PHONE, WIDTHS, Axe, assert_sound, walking
from tests.support.people import serving_closed
from tests.support.review_pages import ask
from tests.support.service import Service

ROLES = (Role.REVIEWER,)
CONFIRM = {"en": "Confirm", "es": "Confirmar"}


@pytest.fixture
def served(tmp_path: Path) -> Iterator[Service]:
    with serving_closed(tmp_path) as service:
        for number in range(4):
            ask(service.context, patient=f"p{number}", priority=10.0 - number)
        yield service


@pytest.mark.parametrize("width", WIDTHS)
@pytest.mark.parametrize("language", ["en", "es"])
def test_a_case_is_answered_by_button_and_corrected(
    browser: Browser, served: Service, axe: Axe, width: int, language: str
) -> None:
    with walking(browser, served, width=width, language=language, roles=ROLES) as walk:
        page = walk.open("/review")
        assert_sound(walk, language, axe)
        page.locator("main .button").first.click()
        page.wait_for_url(f"{walk.base}/review/case")
        assert_sound(walk, language, axe)
        assert page.locator(".tile").count() == 6
        page.get_by_role("radio").nth(2).check()
        page.locator("#rare summary").click()
        page.locator("#rare-code").fill("558")
        expect(page.locator("#rare-name")).to_contain_text("ORPHA:558: ")
        assert_sound(walk, language, axe)
        page.get_by_role("button", name=CONFIRM[language]).click()
        page.wait_for_url(f"{walk.base}/review/last")
        said = page.locator(".beside").inner_text()
        assert {"en": "Acute illness; ORPHA:558", "es": "Enfermedad aguda; ORPHA:558"}[
            language
        ] in said
        assert_sound(walk, language, axe)
        page.locator("#correct > summary").click()
        page.get_by_role("radio").nth(5).check()
        page.locator("#rare-code").fill("")
        page.locator("#correct button[type=submit]").click()
        page.wait_for_url(f"{walk.base}/review/last?told=corrected")
        expect(page.get_by_role("status").first).to_be_visible()
        assert_sound(walk, language, axe)
        assert "terminal" not in page.locator("body").inner_text().lower()
        # Nothing of anybody in an address.
        paths = [url.removeprefix(walk.base) for url in walk.requests]
        assert not [path for path in paths if re.search(r"ORPHA|\b558\b", path)]


def answer_of(page: Page) -> str:
    return " ".join(page.locator(".beside").inner_text().split())


def test_a_reviewer_works_with_keys_alone(browser: Browser, served: Service) -> None:
    with walking(browser, served, roles=ROLES) as walk:
        page = walk.open("/review")
        press = page.keyboard.press
        press("n")
        page.wait_for_url(f"{walk.base}/review/case")
        # Enter without an answer sends nothing.
        press("Enter")
        expect(page.get_by_role("radio").first).to_be_focused()
        assert page.url == f"{walk.base}/review/case"
        press("2")
        expect(page.get_by_role("radio").nth(1)).to_be_checked()
        press("3")
        expect(page.get_by_role("radio").nth(2)).to_be_checked()
        press("r")
        expect(page.locator("#rare-code")).to_be_focused()
        # In a field letters are letters.
        page.keyboard.type("ORPHA:586 s")
        press("Backspace")
        press("Backspace")
        assert page.locator("#rare-code").input_value() == "ORPHA:586"
        press("Enter")
        page.wait_for_url(f"{walk.base}/review/last")
        assert "Acute illness; ORPHA:586" in answer_of(page)
        press("c")
        expect(page.get_by_role("radio").nth(2)).to_be_focused()
        press("r")
        # Folded away, the code is not sent.
        expect(page.locator("#rare-code")).not_to_be_visible()
        press("4")
        press("Enter")
        page.wait_for_url(f"{walk.base}/review/last?told=corrected")
        assert "You said Chronic illness Predicted Acute illness ≠ Not the same" in answer_of(page)
        press("n")
        page.wait_for_url(f"{walk.base}/review/case")
        press("s")
        page.wait_for_url(f"{walk.base}/review/case?told=skipped")
        press("b")
        page.wait_for_url(f"{walk.base}/review/last")
        assert page.locator(".beside").count() == 0
        press("u")
        press("Enter")
        page.wait_for_url(f"{walk.base}/review/last")
        assert "You said It cannot be told" in answer_of(page)
        press("n")
        page.wait_for_url(f"{walk.base}/review/case")
        press("5")
        press("p")
        expect(page.locator("#patient")).to_be_focused()
        assert "p2" in page.locator(".note").inner_text()
        expect(page.get_by_role("radio").nth(4)).to_be_checked()
        assert walk.complaints == []


def test_keys_are_shown_and_can_be_turned_off(browser: Browser, served: Service, axe: Axe) -> None:
    with walking(browser, served, roles=ROLES) as walk:
        page = walk.open("/review/case")
        page.keyboard.press("?")
        dialog = page.get_by_role("dialog")
        expect(dialog).to_be_visible()
        for words in ("choose a category", "it cannot be told", "skip", "confirm"):
            assert words in dialog.inner_text()
        assert axe(page) == []
        # While it is open, keys choose nothing.
        page.keyboard.press("1")
        assert page.locator("[name=answer]:checked").count() == 0
        page.get_by_label("Use keys on these pages").uncheck()
        page.keyboard.press("Escape")
        expect(dialog).not_to_be_visible()
        page.keyboard.press("1")
        page.keyboard.press("s")
        assert page.locator("[name=answer]:checked").count() == 0
        # It is remembered, and the button brings them back.
        page.reload()
        page.keyboard.press("3")
        assert page.locator("[name=answer]:checked").count() == 0
        page.get_by_role("button", name="Keys").click()
        page.get_by_label("Use keys on these pages").check()
        page.get_by_role("button", name="Close").click()
        page.keyboard.press("3")
        assert page.locator("[name=answer]:checked").count() == 1
        assert page.url == f"{walk.base}/review/case"


def test_without_script_everything_works(browser: Browser, served: Service) -> None:
    with walking(browser, served, width=PHONE, roles=ROLES, script=False) as walk:
        page = walk.open("/review/case")
        assert not page.get_by_role("button", name="Keys").is_visible()
        page.get_by_role("radio").nth(3).check()
        page.locator("#rare summary").click()
        page.locator("#rare-code").fill("x")
        page.get_by_role("button", name="Confirm").click()
        expect(page.get_by_role("alert")).to_contain_text("Enter an ORPHAcode")
        page.locator("#rare-code").fill("ORPHA:586")
        page.get_by_role("button", name="Confirm").click()
        page.wait_for_url(f"{walk.base}/review/last")
        assert "Chronic illness; ORPHA:586" in answer_of(page)
        page.get_by_role("link", name="Next case").click()
        page.get_by_role("button", name="Skip").click()
        page.wait_for_url(f"{walk.base}/review/case?told=skipped")


def test_the_case_fits_on_a_screen(browser: Browser, served: Service) -> None:
    """Readings and answers are seen at once: nobody scrolls up and down for each case."""
    with walking(browser, served, width=DESK, roles=ROLES) as walk:
        page = walk.open("/review/case")
        confirm = page.get_by_role("button", name="Confirm").bounding_box()
        assert confirm is not None
        assert confirm["y"] + confirm["height"] < 900


@pytest.mark.parametrize("language", ["en", "es"])
def test_on_a_phone_the_readings_stand_below_each_other(
    browser: Browser, served: Service, axe: Axe, language: str
) -> None:
    fits = "e => e.scrollWidth <= e.clientWidth"
    with walking(browser, served, width=PHONE, language=language, roles=ROLES) as walk:
        page = walk.open("/review/case")
        rows = page.locator(".readings tbody tr")
        assert rows.count() >= 4
        for part in ("html", ".table:has(.readings)", ".readings"):
            assert page.locator(part).evaluate(fits), part
        # Each value says what it is, since its column's name is out of sight.
        words = {"en": ("Usual at this age:", "Taken before:"), "es": ("Habitual", "Antes:")}
        first = rows.first.inner_text()
        assert [word for word in words[language] if word not in first] == []
        assert_sound(walk, language, axe)
        # Without the rule it is as wide as its columns: what is measured here can fail.
        page.locator(".readings").evaluate("e => e.classList.remove('stack')")
        assert not page.locator(".table:has(.readings)").evaluate(fits)
    with walking(browser, served, language=language, roles=ROLES) as walk:
        page = walk.open("/review/case")
        assert page.locator(".readings .label").first.is_hidden()
        assert page.locator(".readings thead").evaluate("e => e.clientHeight") > 20
