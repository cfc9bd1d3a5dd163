"""The triage form on a screen that was left alone: what was typed goes off it, and comes back to
whoever typed it."""

from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, Page, expect

from cds_service.security.people import Person
from cds_service.security.permissions import Role
from cds_service.services.triage import TriageService
from cds_service.web.triage_policy import VERSION
from tests.support.browsing import DESK, PHONE, Axe, assert_sound, walking
from tests.support.people import PASSWORD, add_account, serving_closed, session_of
from tests.support.service import Service

ROLES = (Role.CLINICIAN,)
TYPED = {"age": "67", "heart_rate": "117.31", "systolic_bp": "103", "diastolic_bp": "61"}
SAID = {
    "en": {"title": "You were signed out", "sign_in": "Sign in (in a new tab)", "name": "Name",
           "password": "Password", "back": "I have signed in: back to the form",
           "told": "it is not assessed yet", "there": "You are signed in"},
    "es": {"title": "Su sesión se cerró", "sign_in": "Iniciar sesión (en otra pestaña)",
           "name": "Nombre", "password": "Contraseña",
           "back": "Ya he iniciado sesión: volver al formulario",
           "told": "aún no se ha evaluado", "there": "Ha iniciado sesión"},
}  # fmt: skip


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    with serving_closed(tmp_path_factory.mktemp("kept"), session_minutes=0.2) as service:
        add_account(service.context, "ana", *ROLES)
        ana = Person("ana", "user:ana", frozenset(ROLES), session="", csrf="")
        TriageService(service.context).agree(ana, VERSION)
        yield service


def fill(page: Page) -> None:
    for name, text in TYPED.items():
        page.locator(f"#{name}").fill(text)


@pytest.mark.parametrize(("language", "width"), [("en", DESK), ("es", PHONE)])
def test_what_was_typed_leaves_the_screen_and_comes_back(
    browser: Browser, served: Service, axe: Axe, language: str, width: int
) -> None:
    said = SAID[language]
    with walking(browser, served, width=width, language=language, roles=ROLES) as walk:
        page = walk.open("/triage")
        fill(page)
        # Nobody does anything: first it is asked whether somebody is there.
        expect(page.get_by_role("dialog")).to_be_visible(timeout=12_000)
        title = page.get_by_role("heading", name=said["title"])
        expect(title).to_be_focused(timeout=12_000)
        assert [one for one in walk.complaints if "401" not in one] == []
        walk.complaints.clear()
        assert_sound(walk, language, axe)
        content = page.content()
        assert [text for text in TYPED.values() if f'"{text}"' in content] == []
        assert page.locator("input:not([type=hidden])").count() == 0
        assert page.evaluate("localStorage.length + sessionStorage.length") == 0
        assert page.url == f"{walk.base}/triage"
        with page.expect_popup() as opened:
            page.get_by_role("link", name=said["sign_in"]).click()
        tab = opened.value
        tab.get_by_label(said["name"], exact=True).fill("ana")
        tab.get_by_label(said["password"]).fill(PASSWORD)
        tab.keyboard.press("Enter")
        expect(tab.get_by_role("heading", name=said["there"])).to_be_visible()
        page.get_by_role("button", name=said["back"]).click()
        expect(page.locator("#told")).to_contain_text(said["told"])
        assert {name: page.locator(f"#{name}").input_value() for name in TYPED} == TYPED
        assert_sound(walk, language, axe)


def test_an_empty_form_is_left_as_ever(browser: Browser, served: Service) -> None:
    with walking(browser, served, roles=ROLES) as walk:
        page = walk.open("/triage")
        page.wait_for_url(f"{walk.base}/sign-in?told=idle&next=%2Ftriage", timeout=20_000)
        assert page.locator("#kept").count() == 0


def test_whoever_signed_in_anew_meanwhile_sends_the_form_all_the_same(
    browser: Browser, served: Service
) -> None:
    with walking(browser, served, roles=ROLES) as walk:
        page = walk.open("/triage")
        fill(page)
        page.locator("#sex").select_option("female")
        ((name, value),) = session_of(served.context, *ROLES).items()
        page.context.add_cookies([{"name": name, "value": value, "url": walk.base, "secure": True}])
        button = page.get_by_role("button", name="Assess", exact=True)
        button.click()
        expect(page.locator("#waiting")).to_contain_text("Press the button again")
        assert page.locator("#heart_rate").input_value() == "117.31"
        with page.expect_response(f"{walk.base}/triage") as sent:
            button.click()
        # No model is in use here: it was let through, and that is what is missing.
        assert sent.value.status == 503
        # Another person's form it stays.
        ((name, value),) = session_of(served.context, *ROLES, name="eva").items()
        page.context.add_cookies([{"name": name, "value": value, "url": walk.base, "secure": True}])
        with page.expect_navigation():
            button.click()
        assert "no longer valid" in page.locator("main").inner_text()
