"""Comparisons and jobs that an administrator asks for, in a real browser: both languages, at a desk
and on a telephone."""

import re
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest
from playwright.sync_api import Browser, expect

from cds_service.context import ProcessContext
from cds_service.security.permissions import Role
from cds_service.services.schedule import JOBS, Schedule
from cds_service.storage.client_store import ClientStore
from cds_service.storage.job_store import JobStore
from tests.support.browsing import WIDTHS, Axe, assert_sound, walking
from tests.support.cohorts import small_cohort
from tests.support.people import serving_closed
from tests.support.seen import seen
from tests.support.service import Service, release

ROLES = (Role.ADMINISTRATOR,)
PAIR = "/admin/models/compare?first=1&second=2"


@pytest.fixture(scope="module")
def served(
    tmp_path_factory: pytest.TempPathFactory, small_model: tuple[Path, str]
) -> Iterator[Service]:
    """Two versions and outcomes to judge them by; nobody runs the schedule."""
    with serving_closed(tmp_path_factory.mktemp("asking"), minimum_held_out=40) as service:
        context, start = service.context, service.clock() - timedelta(days=120)
        for version in ("1", "2"):
            release(context, version, *small_model)
        with context.engine.begin() as connection:
            store = ClientStore(connection)
            store.add("development", {"allow_retraining": True}, start)
        seen(context, small_cohort(300, 8), start=start, every=timedelta(hours=1), prefix="p")
        yield service


def run_schedule(context: ProcessContext, *names: str) -> list[str]:
    """What a process that runs the schedule does of these when it looks."""
    jobs = tuple(job for job in JOBS if job.name in names)
    return [f"{ran.name} {ran.end}" for ran in Schedule(context, jobs=jobs).once()]


@pytest.mark.parametrize("width", WIDTHS)
@pytest.mark.parametrize("language", ["en", "es"])
def test_two_versions_are_compared_from_the_page(
    browser: Browser, served: Service, axe: Axe, width: int, language: str
) -> None:
    said = {
        "en": (r"Compare (again )?now", "Look again", "Asked for at", "not worse: may be promoted"),
        "es": ("Comparar ahora", "Volver a mirar", "La pidió", "no es peor: puede activarse"),
    }[language]
    with walking(browser, served, width=width, language=language, roles=ROLES) as walk:
        page = walk.open(PAIR)
        assert_sound(walk, language, axe)
        page.get_by_role("button", name=re.compile(said[0])).click()
        expect(page.get_by_role("status")).to_contain_text(said[2])
        assert page.locator("section:has(#ask) button").count() == 0
        assert_sound(walk, language, axe)
        assert run_schedule(served.context, "compare") == ["compare done"]
        page.get_by_role("link", name=said[1]).click()
        expect(page.locator("section:has(#gates) tbody tr").nth(5)).to_be_visible()
        expect(page.locator("section:has(#gates)")).to_contain_text(said[3])
        expect(page.get_by_role("button", name=re.compile(said[0]))).to_be_visible()
        assert_sound(walk, language, axe)


@pytest.mark.parametrize("width", WIDTHS)
@pytest.mark.parametrize("language", ["en", "es"])
def test_a_job_is_run_now_and_a_long_one_has_to_be_meant(
    browser: Browser, served: Service, axe: Axe, width: int, language: str
) -> None:
    context, at = served.context, served.context.clock()
    with walking(browser, served, width=width, language=language, roles=ROLES) as walk:
        page = walk.open("/admin/runs")
        assert_sound(walk, language, axe)
        page.locator("#start-alerts").click()
        expect(page.locator("#told")).to_be_visible()
        expect(page.locator("#job-alerts")).to_contain_text("user:ana")
        assert page.locator("#start-alerts").count() == 0
        assert_sound(walk, language, axe)
        # Who is at the table by keyboard stays there when it is looked at again.
        page.locator("#start-review").focus()
        assert run_schedule(context, "alerts") == ["alerts done"]
        expect(page.locator("#start-alerts")).to_be_visible(timeout=15_000)
        expect(page.locator("#start-review")).to_be_focused()

        page.locator("#start-search").click()
        assert_sound(walk, language, axe)
        page.locator("form button").last.click()
        assert page.locator("#sure:invalid").count() == 1
        page.locator("#sure").check()
        page.locator("form button").last.click()
        expect(page.locator("#job-search")).to_contain_text("user:ana")
        assert_sound(walk, language, axe)
    with context.engine.begin() as connection:
        store, until = JobStore(connection), at + timedelta(minutes=2)
        assert store.take("search", "x", at=at, lease_until=until, early=True)
        assert store.finish("search", "x", {"finished_at": at, "due_at": at + timedelta(days=9)})


def test_without_script_it_is_the_same(browser: Browser, served: Service) -> None:
    with walking(browser, served, roles=ROLES, script=False) as walk:
        page = walk.open("/admin/quality")
        page.get_by_role("link", name="Judge now").click()
        page.locator("#start-evaluate").click()
        expect(page.locator("#told")).to_be_visible()
        expect(page.locator("#job-evaluate")).to_contain_text("now, asked for by user:ana")
