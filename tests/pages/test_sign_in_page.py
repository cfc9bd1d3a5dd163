"""Signing in, in a real browser over https, and what surrounds every page."""

import re
from collections.abc import Iterator
from urllib.parse import quote

import pytest
from playwright.sync_api import Browser, expect

from cds_service.security.permissions import Role
from tests.support.browsing import (
    DESK,
    PHONE,
    WIDTHS,
    Axe,
    assert_sound,
    walking,
)
from tests.support.openid_provider import together
from tests.support.people import PASSWORD, add_account, serving_closed
from tests.support.service import Service
from tests.support.try_pages import router


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    with serving_closed(tmp_path_factory.mktemp("closed"), router) as service:
        add_account(service.context, "ana", Role.REVIEWER)
        yield service


@pytest.mark.parametrize("width", WIDTHS)
@pytest.mark.parametrize("language", ["en", "es"])
def test_somebody_signs_in_and_out(
    browser: Browser, served: Service, axe: Axe, width: int, language: str
) -> None:
    with walking(browser, served, width=width, language=language) as walk:
        page = walk.open("/try/say?title=Hello")
        # Led to the sign-in first.
        assert page.url.startswith(f"{walk.base}/sign-in?next=")
        assert_sound(walk, language, axe)
        page.get_by_label({"en": "Name", "es": "Nombre"}[language]).fill("ana")
        page.get_by_label({"en": "Password", "es": "Contraseña"}[language]).fill(PASSWORD)
        page.keyboard.press("Enter")
        page.wait_for_url(f"{walk.base}/try/say?title=Hello")
        assert_sound(walk, language, axe)
        said = {"en": "Signed in as ana (reviewer)", "es": "Sesión de ana (revisor)"}[language]
        assert said in " ".join(page.locator(".who").inner_text().split())
        # The cookie is there, and no script sees it.
        assert page.evaluate("document.cookie") == ""
        page.locator(".who button").click()
        page.wait_for_url(f"{walk.base}/sign-in?told=out")
        assert_sound(walk, language, axe)
        walk.open("/try/say")
        assert "/sign-in" in page.url


@pytest.mark.parametrize("language", ["en", "es"])
def test_a_wrong_password_is_told_to_eyes_and_ears(
    browser: Browser, served: Service, axe: Axe, language: str
) -> None:
    with walking(browser, served, width=PHONE, language=language) as walk:
        page = walk.open("/sign-in")
        page.locator("#name").fill("ana")
        page.locator("#password").fill("not the password")
        page.locator("main button").click()
        told = page.get_by_role("alert")
        expect(told).to_be_visible()
        assert page.locator("#password").input_value() == ""
        # Chromium itself mentions the status of the page, and nothing else is complained of.
        assert [one for one in walk.complaints if "status of 403" not in one] == []
        walk.complaints.clear()
        assert_sound(walk, language, axe)


def test_the_keyboard_walks_from_the_top_down(browser: Browser, served: Service) -> None:
    with walking(browser, served) as walk:
        page = walk.open("/sign-in")
        focused = []
        for _ in range(6):
            page.keyboard.press("Tab")
            focused.append(
                page.evaluate(
                    "document.activeElement.id || document.activeElement.textContent.trim()"
                )
            )
            outline = page.evaluate("getComputedStyle(document.activeElement).outlineStyle")
            assert outline != "none"
        assert focused == [
            "Skip to the content",
            "cds-service",
            "Español",
            "name",
            "password",
            "Sign in",
        ]


def test_it_works_without_script(browser: Browser, served: Service) -> None:
    context = browser.new_context(java_script_enabled=False, ignore_https_errors=True)
    page = context.new_page()
    page.goto(f"{str(served.http.base_url).rstrip('/')}/sign-in?next=/try/say")
    page.locator("#name").fill("ana")
    page.locator("#password").fill(PASSWORD)
    page.locator("main button").click()
    assert page.url.endswith("/try/say")
    page.get_by_role("link", name="Español").click()
    assert page.locator("html").get_attribute("lang") == "es"
    page.get_by_role("button", name="Cerrar sesión").click()
    assert "Ha cerrado la sesión." in page.locator("main").inner_text()
    context.close()


NASTY = (
    "<script>document.title='owned'</script>",
    '"><img src=x onerror="document.title=\'owned\'">',
    "<style>body{display:none}</style>",
    "javascript:document.title='owned'",
    "{{ 7 * 7 }}",
)


def test_text_from_data_never_runs(browser: Browser, served: Service) -> None:
    with walking(browser, served, roles=(Role.REVIEWER,)) as walk:
        page = walk.open("/sign-in")
        for text in NASTY:
            page.goto(f"{walk.base}/try/say?title={quote(text)}")
            assert page.locator("h1").inner_text() == text
            assert page.title() == f"{text} · cds-service"
            assert page.locator("body").is_visible()
        assert walk.complaints == []


def test_the_policy_stops_what_a_mistake_would_let_in(browser: Browser, served: Service) -> None:
    with walking(browser, served, roles=(Role.REVIEWER,)) as walk:
        page = walk.open("/try/say")
        page.evaluate(
            """() => {
              const script = document.createElement("script");
              script.textContent = "document.title = 'owned'";
              document.body.append(script);
              const there = document.createElement("script");
              there.src = "https://evil.example/x.js";
              document.body.append(there);
              const image = document.createElement("img");
              image.setAttribute("onerror", "document.title = 'owned'");
              image.src = "data:,";
              document.body.append(image);
              document.body.setAttribute("style", "display: none");
            }"""
        )
        page.wait_for_function("document.images[0].complete")
        assert page.title() == "Title · cds-service"
        assert page.locator("body").is_visible()
        assert any("evil.example" in one and "script-src" in one for one in walk.complaints)
        assert len([one for one in walk.complaints if "Content Security Policy" in one]) >= 4


def test_on_paper_only_what_is_read_is_left(browser: Browser, served: Service) -> None:
    with walking(browser, served, roles=(Role.REVIEWER,)) as walk:
        page = walk.open("/try/say")
        page.emulate_media(media="print")
        for selector in (".top", ".skip", "button"):
            assert not page.locator(selector).first.is_visible()
        assert page.locator("h1").is_visible()
        assert page.locator("footer").is_visible()


@pytest.mark.parametrize("language", ["en", "es"])
def test_the_warning_of_the_end_can_be_read_by_everybody(
    browser: Browser, served: Service, axe: Axe, language: str
) -> None:
    with walking(browser, served, width=PHONE, language=language, roles=(Role.REVIEWER,)) as walk:
        page = walk.open("/try/say")
        page.evaluate("document.getElementById('session-ends').showModal()")
        assert_sound(walk, language, axe)
        assert page.evaluate("document.activeElement.tagName") == "BUTTON"


def test_a_screen_left_alone_is_left_by_the_page(
    browser: Browser, tmp_path_factory: pytest.TempPathFactory
) -> None:
    folder = tmp_path_factory.mktemp("idle")
    with (
        serving_closed(folder, router, session_minutes=0.3) as service,
        walking(browser, service, width=DESK, roles=(Role.REVIEWER,)) as walk,
    ):
        page = walk.open("/try/say")
        dialog = page.get_by_role("dialog")
        expect(dialog).to_be_visible(timeout=18_000)
        page.get_by_role("button", name="Stay signed in").click()
        expect(dialog).to_be_hidden()
        page.wait_for_timeout(1_500)
        assert page.url == f"{walk.base}/try/say"
        # Nobody does anything any more.
        page.wait_for_url(f"{walk.base}/sign-in?told=idle&next=%2Ftry%2Fsay", timeout=27_000)
        assert "You were signed out" in page.locator("main").inner_text()
        assert [one for one in walk.complaints if "401" not in one] == []


def test_a_tab_that_was_left_behind_is_left_by_the_page_after_signing_out(
    browser: Browser, served: Service
) -> None:
    with walking(browser, served, roles=(Role.REVIEWER,)) as walk:
        page = walk.open("/try/say")
        other = page.context.new_page()
        other.goto(f"{walk.base}/try/say")
        back = "document.dispatchEvent(new Event('visibilitychange'))"
        with other.expect_response("**/session"):
            other.evaluate(back)
        assert other.url == f"{walk.base}/try/say"
        page.get_by_role("button", name="Sign out").click()
        page.wait_for_url(f"{walk.base}/sign-in?told=out")
        other.evaluate(back)
        other.wait_for_url(f"{walk.base}/sign-in?told=idle&next=%2Ftry%2Fsay", timeout=5_000)


def test_the_way_to_the_provider_and_back(
    browser: Browser, tmp_path_factory: pytest.TempPathFactory, axe: Axe
) -> None:
    with (
        together(tmp_path_factory.mktemp("provider")) as (service, known),
        walking(browser, service, width=PHONE, language="es") as walk,
    ):
        page = walk.page
        # The provider's own pages ask for a font from elsewhere.
        page.route(re.compile(r"^https:"), lambda route: route.abort())
        walk.open("/sign-in?next=/try/pages")
        assert_sound(walk, "es", axe)
        page.get_by_role("link", name="Entrar con la cuenta de su organización").click()
        page.wait_for_url(f"{known.issuer}/**")
        page.locator("[name=login]").fill("u-2")
        page.locator("[name=password]").fill("x")
        page.locator("[type=submit]").click()
        page.wait_for_url(f"{walk.base}/try/pages")
        assert "Sesión de Rita Sol" in page.locator(".who").inner_text()
        page.get_by_role("button", name="Cerrar sesión").click()
        page.get_by_role("link", name="Cerrarlo allí también").click()
        page.wait_for_url(f"{known.issuer}/session/end?**")
        page.locator("[value=yes]").click()
        page.wait_for_url(f"{walk.base}/sign-in")
