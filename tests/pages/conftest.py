"""A real browser for the pages."""

import shutil
from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, Error, Page, sync_playwright

from tests.support.browsing import Axe
from tests.support.node_packages import node_folder
from tests.support.require import unavailable

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser")


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """Debian's Chromium, without a screen."""
    if CHROMIUM is None:
        unavailable("browser", "Chromium is not installed")
    with sync_playwright() as playwright:
        try:
            started = playwright.chromium.launch(
                executable_path=CHROMIUM,
                args=["--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage"],
            )
        except Error as error:
            unavailable("browser", f"Chromium does not start ({type(error).__name__})")
        yield started
        started.close()


@pytest.fixture(scope="session")
def axe() -> Axe:
    """axe-core on a page: what it finds serious or critical, one line each."""
    source = (node_folder() / "node_modules/axe-core/axe.min.js").read_text("utf-8")

    def run(page: Page) -> list[str]:
        # Evaluated, not added to the page: its policy lets no script in from elsewhere.
        page.evaluate(source)
        found = page.evaluate("axe.run().then(result => result.violations)")
        return [
            f"{one['id']} ({one['impact']}): {node['html'][:160]}"
            for one in found
            if one["impact"] in ("serious", "critical")
            for node in one["nodes"]
        ]

    return run
