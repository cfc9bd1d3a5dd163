"""The service beside a FHIR server of its own, for tests that do not bring another."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.jwts import add_client
from tests.support.service import Service
from tests.support.site import Site
from tests.support.site import running_site as site_running


@pytest.fixture(scope="module")
def running_site(
    tmp_path_factory: pytest.TempPathFactory, small_model: tuple[Path, str]
) -> Iterator[Site]:
    with site_running(tmp_path_factory.mktemp("requests"), small_model) as site:
        add_client(site.service.context, "development", extra_inputs=["abo_group", "exercise_days"])
        yield site


@pytest.fixture
def site(running_site: Site) -> Site:
    running_site.reset()
    return running_site


@pytest.fixture
def service(site: Site) -> Service:
    return site.service
