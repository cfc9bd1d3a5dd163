"""What every page weighs over the wire, with everything it loads, and how soon it is seen.

The figures are printed: `make pages`. How soon a page is seen is not asserted, since a test must
not depend on what else the machine does; under a second is what an old hospital PC needs.
"""

from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser

from cds_service.services.sandbox_patients import PATIENTS
from cds_service.web.navigation import ENTRIES, SECTIONS
from tests.support.browsing import DESK, MAX_WEIGHT, first_paint, walking
from tests.support.review_pages import ask
from tests.support.service import Service, new_context, release, running
from tests.support.triage_pages import clinician

OFFERED = [entry.path for entry in (*ENTRIES, *SECTIONS)]
EXAMPLES = ("explanation", "triage result", "sandbox chart")
OTHERS = (
    "/sign-in",
    "/triage/policy",
    "/review/case",
    "/models/champion/card",
    "/launch/told/unknown",
)


@pytest.fixture(scope="module")
def served(
    tmp_path_factory: pytest.TempPathFactory, small_model: tuple[Path, str]
) -> Iterator[tuple[Service, dict[str, str]]]:
    """A service with something on every page, and where the pages of one case are."""
    context = new_context(tmp_path_factory.mktemp("pages"))
    release(context, "1", *small_model)
    with running(context, context.clock) as service:
        for hours in range(3):
            service.clock.time += timedelta(hours=1)
            vitals = service.vitals(heart_rate=100 + 12 * hours, systolic=110)
            answered: dict[str, Any] = service.assess(service.request(vitals)).json()
        for number in range(3):
            ask(context, patient=f"q{number}")
        identifier = answered["extension"]["org.cds-service.assessment"]["assessment"]
        cases = {
            "explanation": f"/assessments/{identifier}",
            "triage result": clinician(service).assessed()[0],
            "sandbox chart": f"/sandbox/patients/{PATIENTS[0].key}",
        }
        yield service, cases


def on_the_wire(browser: Browser, service: Service, path: str) -> tuple[int, int, float]:
    """Status of a page, bytes that came for it, headers too, and the first paint in ms; by a
    browser that has kept nothing."""
    with walking(browser, service, width=DESK) as walk:
        session = walk.page.context.new_cdp_session(walk.page)
        session.send("Network.enable")
        came: list[float] = []
        session.on("Network.loadingFinished", lambda event: came.append(event["encodedDataLength"]))
        response = walk.page.goto(walk.base + path, wait_until="networkidle")
        assert response is not None
        assert walk.page.url == walk.base + path, "another page than the one that was asked for"
        return response.status, int(sum(came)), first_paint(walk.page)


@pytest.mark.parametrize("name", [*EXAMPLES, *OTHERS, *dict.fromkeys(OFFERED)])
def test_a_page_is_light(
    browser: Browser, served: tuple[Service, dict[str, str]], name: str
) -> None:
    service, cases = served
    path = cases.get(name, name)
    status, weight, paint = on_the_wire(browser, service, path)
    print(f"{name}: {weight / 1000:.0f} kB, first paint {paint:.0f} ms")  # noqa: T201
    assert status == (403 if name == "/launch/told/unknown" else 200)
    assert 1_000 < weight < MAX_WEIGHT
