"""The link on a card, followed in a browser by whoever signs in with a provider that nobody on this
project wrote: it leads to the explanation of the same assessment, once."""

import re
from collections.abc import Iterator
from contextlib import ExitStack
from datetime import UTC, datetime
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page
from sqlalchemy import select

from cds_service.services.clients import ClientService
from cds_service.storage.tables import ASSESSMENTS
from tests.support.browsing import WIDTHS, Axe, assert_sound, walking
from tests.support.certificates import own_certificate
from tests.support.launches import assess
from tests.support.openid_provider import RunningProvider, provider
from tests.support.people import free_port, serving_closed
from tests.support.service import Service, release

PROVIDER = {
    "en": "Sign in with your organisation’s account",
    "es": "Entrar con la cuenta de su organización",
}


@pytest.fixture(scope="module")
def both(
    tmp_path_factory: pytest.TempPathFactory, small_model: tuple[Path, str]
) -> Iterator[tuple[Service, RunningProvider]]:
    """A service outside development mode and its provider, both over https."""
    folder, port = tmp_path_factory.mktemp("closed"), free_port()
    certificate = own_certificate(tmp_path_factory.mktemp("provider"))
    with ExitStack() as stack:
        known = stack.enter_context(
            provider(certificate.parent, f"https://localhost:{port}", certificate=certificate)
        )
        environment = stack.enter_context(pytest.MonkeyPatch.context())
        environment.setenv("SSL_CERT_FILE", str(certificate))
        service = stack.enter_context(serving_closed(folder, port=port, **known.settings()))
        context = service.context
        release(context, "1", *small_model)
        context.champion.refresh()
        service.clock.time = datetime.now(UTC)
        ClientService(context.engine, context.settings, context.clock).add(
            "ehr", {"sandbox": True}, actor="test"
        )
        context.directory.refresh()
        yield service, known


def card_of(service: Service, heart_rate: float) -> tuple[str, str]:
    """The address of a card's link, and the assessment that was made for it."""
    (card,) = assess(service, "ehr", heart_rate=heart_rate, systolic=88)["cards"]
    with service.context.engine.connect() as connection:
        query = select(ASSESSMENTS.c.id).order_by(ASSESSMENTS.c.prediction_time.desc()).limit(1)
        identifier: str = connection.execute(query).scalar_one()
    assert card["links"][0]["type"] == "absolute"
    return card["links"][0]["url"], identifier


def sign_in(page: Page, known: RunningProvider, account: str, language: str) -> None:
    """From our sign-in page through the provider's."""
    # The provider's own pages ask for a font from elsewhere.
    page.route(re.compile(r"^https://(?!localhost)"), lambda route: route.abort())
    page.get_by_role("link", name=PROVIDER[language]).click()
    page.wait_for_url(f"{known.issuer}/**")
    page.locator("[name=login]").fill(account)
    page.locator("[name=password]").fill("x")
    page.locator("[type=submit]").click()


@pytest.mark.parametrize("width", WIDTHS)
@pytest.mark.parametrize("language", ["en", "es"])
def test_a_card_leads_through_the_provider_to_its_own_explanation(
    browser: Browser,
    both: tuple[Service, RunningProvider],
    axe: Axe,
    width: int,
    language: str,
) -> None:
    service, known = both
    url, identifier = card_of(service, 121)
    newer, _ = card_of(service, 134)
    assert url != newer
    with walking(browser, service, width=width, language=language) as walk:
        page = walk.page
        page.goto(url)
        assert page.url.startswith(f"{walk.base}/sign-in?next=")
        assert_sound(walk, language, axe)
        sign_in(page, known, "u-1", language)
        page.wait_for_url(f"{walk.base}/assessments/{identifier}")
        assert "121" in page.locator("main").inner_text()
        said = {"en": "Signed in as Ana Gil", "es": "Sesión de Ana Gil"}[language]
        assert said in page.locator(".who").inner_text()
        # Of the provider's pages; ours is opened again.
        walk.complaints.clear()
        walk.requests.clear()
        page.reload()
        assert_sound(walk, language, axe)
        # Once.
        assert page.goto(url) is not None
        told = {"en": "no longer good", "es": "ya no vale"}[language]
        assert told in page.locator("h1").inner_text()


def test_another_user_of_the_health_record_is_told_nothing(
    browser: Browser, both: tuple[Service, RunningProvider]
) -> None:
    service, known = both
    url, identifier = card_of(service, 127)
    with walking(browser, service) as walk:
        page = walk.page
        page.goto(url)
        sign_in(page, known, "u-4", "en")
        page.wait_for_url(url)
        assert "no longer good" in page.locator("h1").inner_text()
        assert "127" not in page.locator("main").inner_text()
    # It was not used up by that.
    with walking(browser, service) as walk:
        page = walk.page
        page.goto(url)
        sign_in(page, known, "u-1", "en")
        page.wait_for_url(f"{walk.base}/assessments/{identifier}")
