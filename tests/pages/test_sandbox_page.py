"""The sandbox in a real browser: from the list to what became of a diagnosis."""

from datetime import timedelta

import pytest
from playwright.sync_api import Browser, Page, expect

from cds_service.services import sandbox
from cds_service.services.sandbox_wire import Exchange, laid_out
from tests.support.browsing import DESK, PHONE, WIDTHS, Axe, assert_sound, walking
from tests.support.service import Service

OPEN = {"en": "Open the chart", "es": "Abrir la historia"}
AGAIN = {"en": "Open the chart again", "es": "Abrir la historia otra vez"}
HEART_RATE = {"en": "Heart rate", "es": "Frecuencia cardiaca"}
ACCEPT = {"en": "Accept", "es": "Aceptar"}
OVERRIDE = {"en": "Override", "es": "Descartar"}
SEND = {"en": "Send the diagnosis", "es": "Enviar el diagnóstico"}
WARNING = {"en": "Warning", "es": "Advertencia"}
CRITICAL = {"en": "Critical", "es": "Crítico"}
BECAME = {
    "en": "The outcome of this assessment: acute illness.",
    "es": "El desenlace de esta evaluación: enfermedad aguda.",
}


@pytest.mark.parametrize("width", WIDTHS)
@pytest.mark.parametrize("language", ["en", "es"])
def test_a_visitor_plays_the_health_record(
    browser: Browser, here: Service, axe: Axe, width: int, language: str
) -> None:
    with walking(browser, here, width=width, language=language) as walk:
        page = walk.open("/")
        assert page.url == f"{walk.base}/sandbox"
        assert_sound(walk, language, axe)
        page.get_by_role("link", name="Carmen Ruiz").click()
        assert_sound(walk, language, axe)
        walk.weight = 0
        page.get_by_role("button", name=OPEN[language]).click()
        card = page.get_by_role("article")
        expect(card).to_be_in_viewport()
        # Colour, picture and word; and the card is in the reader's language.
        assert WARNING[language] in card.inner_text()
        expect(card.locator("svg.icon")).to_be_visible()
        assert card.get_attribute("lang") == language
        assert_sound(walk, language, axe)

        # A faster heart, and the card is another one.
        page.get_by_label(HEART_RATE[language], exact=True).fill("135")
        page.get_by_role("button", name=AGAIN[language]).click()
        assert CRITICAL[language] in page.get_by_role("article").inner_text()
        assert "135/min" in page.get_by_role("article").inner_text()

        page.get_by_role("button", name=ACCEPT[language]).click()
        expect(page.locator("#told")).to_be_in_viewport()
        here.clock.time += timedelta(seconds=20)
        page.locator("#code").select_option("A41.9")
        page.get_by_role("button", name=SEND[language]).click()
        expect(page.get_by_text(BECAME[language])).to_be_in_viewport()
        for wire in page.locator("details").all():
            if wire.get_attribute("open") is None:
                wire.locator("summary").click()
        assert_sound(walk, language, axe)
        # What is newest stands first; all that was sent is there to read.
        names = page.locator("#wire ~ details.wire summary code").all_inner_texts()
        assert names == [
            "POST /cds-services/record-problem",
            "POST /cds-services/disease-severity/feedback",
            "POST /cds-services/disease-severity",
        ]


def tab_to(page: Page, wanted: str, most: int = 60) -> None:
    """Press the key until an element is reached; everything on the way shows that it is."""
    for _ in range(most):
        page.keyboard.press("Tab")
        assert page.evaluate("getComputedStyle(document.activeElement).outlineStyle") != "none"
        if page.evaluate(f"document.activeElement.matches({wanted!r})"):
            return
    raise AssertionError(f"{wanted} is not reached by the keyboard")


def test_the_keyboard_does_it_all(browser: Browser, here: Service) -> None:
    with walking(browser, here) as walk:
        page = walk.open("/sandbox")
        tab_to(page, ".patients a[href$=septic]")
        page.keyboard.press("Enter")
        page.wait_for_url("**/patients/septic")
        tab_to(page, "[name=heart_rate]")
        page.keyboard.press("Control+A")
        page.keyboard.type("120")
        page.keyboard.press("Enter")
        page.wait_for_url("**/visits/*#card")
        # The way goes on at the card, not at the top of the page.
        tab_to(page, ".cds-card .source a", most=2)
        tab_to(page, ".override summary")
        page.keyboard.press("Enter")
        tab_to(page, ".override select")
        page.keyboard.press("ArrowDown")
        tab_to(page, ".override button")
        page.keyboard.press("Enter")
        page.wait_for_url("**#told")
        assert "Overridden." in page.locator("#told").inner_text()


def test_it_works_without_script(browser: Browser, here: Service) -> None:
    context = browser.new_context(java_script_enabled=False, locale="en-GB")
    page = context.new_page()
    page.goto(f"{str(here.http.base_url).rstrip('/')}/")
    page.get_by_role("link", name="Leo Martín").click()
    page.get_by_role("button", name=OPEN["en"]).click()
    assert "No category" in page.get_by_role("article").inner_text()
    page.locator(".override button").click()
    assert "Overridden." in page.locator("#told").inner_text()
    # The language changes on the page of the visit too; the card stays as it came.
    page.get_by_role("link", name="Español").click()
    assert page.locator("html").get_attribute("lang") == "es"
    assert page.get_by_role("article").get_attribute("lang") == "en"
    # Only what a script would do is not offered.
    page.locator("details.wire summary").first.click()
    assert page.locator(".copy:visible").count() == 0
    context.close()


def test_json_is_copied(browser: Browser, here: Service) -> None:
    with walking(browser, here) as walk:
        walk.page.context.grant_permissions(["clipboard-read", "clipboard-write"])
        page = walk.open("/sandbox")
        page.locator(".offer summary").click()
        page.locator(".offer .copy").click()
        expect(page.locator(".offer .copy")).to_have_text("Copied")
        copied = page.evaluate("navigator.clipboard.readText()")
        assert copied == page.locator("#wire-0-received").text_content()
        assert '"id": "disease-severity"' in copied


@pytest.mark.parametrize("width", WIDTHS)
def test_a_wrong_number_is_told_where_it_is(
    browser: Browser, here: Service, axe: Axe, width: int
) -> None:
    with walking(browser, here, width=width) as walk:
        page = walk.open("/sandbox/patients/mild")
        page.get_by_label("Heart rate", exact=True).fill("<script>x")
        page.get_by_role("button", name=OPEN["en"]).click()
        assert page.get_by_role("alert").is_visible()
        field = page.get_by_label("Heart rate", exact=True)
        assert field.input_value() == "<script>x"
        assert field.get_attribute("aria-invalid") == "true"
        # Chromium itself mentions the status of the page, and nothing else is complained of.
        assert [one for one in walk.complaints if "status of 422" not in one] == []
        walk.complaints.clear()
        assert_sound(walk, "en", axe)


def test_nothing_that_came_over_the_wire_runs(
    browser: Browser, here: Service, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A card is data: another service could answer anything."""
    nasty = "<img src=x onerror=\"document.title='owned'\"><script>document.title='owned'</script>"
    card = {
        "uuid": nasty,
        "summary": nasty,
        "indicator": nasty,
        "detail": f"**{nasty}** [x](javascript:document.title='owned')\n\n- {nasty}\n\n{nasty}",
        "source": {"label": nasty, "url": "javascript:document.title='owned'"},
        "links": [{"label": nasty, "url": "data:text/html,x"}],
        "suggestions": [{"label": nasty, "actions": [{"resource": {"a": nasty}}]}],
        "overrideReasons": [{"code": "x", "display": nasty}],
    }

    def answered(base: str, path: str, **sent: object) -> Exchange:
        text = laid_out({"cards": [card], "services": [{"id": nasty, "title": nasty}]})
        name = str(sent["name"])
        return Exchange(name, "POST", base + path, (("A", nasty),), nasty, 200, text, 1.0)

    monkeypatch.setattr(sandbox, "call", answered)
    with walking(browser, here) as walk:
        page = walk.open("/sandbox")
        assert page.title() == "Sandbox · cds-service"
        page.get_by_role("link", name="Jonas Weber").click()
        page.get_by_role("button", name=OPEN["en"]).click()
        page.get_by_role("button", name=ACCEPT["en"]).click()
        assert page.title().startswith("Jonas Weber")
        assert page.locator("main img, main script, article a").count() == 0
        assert nasty in page.get_by_role("article").inner_text()
        assert walk.complaints == []


def test_on_paper_the_card_is_left(browser: Browser, here: Service) -> None:
    with walking(browser, here, width=PHONE) as walk:
        page = walk.open("/sandbox/patients/septic")
        page.get_by_role("button", name=OPEN["en"]).click()
        page.set_viewport_size({"width": DESK, "height": 900})
        page.emulate_media(media="print")
        assert page.get_by_role("article").is_visible()
        assert not page.locator(".top").is_visible()
        assert not page.locator(".override").is_visible()
