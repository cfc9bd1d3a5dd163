"""Fixtures every kind of test shares."""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings
from sqlalchemy import Engine, text

from cds_service.context import ProcessContext
from cds_service.storage import session
from model.training.design import TrainingSettings
from model.training.run import DataDescription, train
from model.training.simulation import simulate_cohort
from tests.support.people import closed_context
from tests.support.postgresql import cluster
from tests.support.service import Service, new_context, release, running

# How fast a machine is decides no test, nor does chance: the same tree gives the same result.
# `make properties` looks further, elsewhere each time.
settings.register_profile(
    "cds", derandomize=True, deadline=None, suppress_health_check=[HealthCheck.too_slow]
)
settings.register_profile(
    "search",
    max_examples=1_000,
    print_blob=True,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow],
)
settings.load_profile(os.environ.get("CDS_TEST_PROPERTIES", "cds"))

SHARED_DATA = Path(__file__).resolve().parents[2] / "shared" / "data"


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """Real data kept beside the checkout; never part of the project."""
    if not SHARED_DATA.is_dir():
        pytest.skip("the real data are not beside this checkout (../shared/data)")
    return SHARED_DATA


@pytest.fixture(scope="session")
def postgresql() -> Iterator[str]:
    """URL of an empty PostgreSQL."""
    with cluster() as url:
        yield url


@pytest.fixture(params=["sqlite", "postgresql"])
def database_url(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    """URL of an empty database, once on each engine."""
    if request.param == "sqlite":
        yield f"sqlite:///{tmp_path / 'cds.sqlite3'}"
        return
    url = request.getfixturevalue("postgresql")
    yield url
    engine = session.create_database_engine(url)
    with engine.begin() as connection:
        connection.execute(text("DROP SCHEMA public CASCADE"))
        connection.execute(text("CREATE SCHEMA public"))
    engine.dispose()


@pytest.fixture
def engine(database_url: str) -> Iterator[Engine]:
    """A migrated database, once on each engine."""
    engine = session.create_database_engine(database_url)
    session.upgrade(engine)
    yield engine
    engine.dispose()


@pytest.fixture(scope="session")
def small_model(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, str]:
    """Folder and checksum of a model trained on a small simulated cohort."""
    result = train(
        simulate_cohort(6_000, seed=1),
        TrainingSettings(
            estimators=("xgboost",), balancings=("none",), folds=2, bootstrap_replicates=20
        ),
        artefact_root=tmp_path_factory.mktemp("artefacts"),
        data=DataDescription(simulated=True, description="simulated", label_version="1"),
    )
    return result.path, result.checksum


@pytest.fixture
def context(tmp_path: Path, database_url: str) -> Iterator[ProcessContext]:
    """A process in development mode, once on each engine, without a model."""
    context = new_context(tmp_path, database_url)
    yield context
    context.engine.dispose()


@pytest.fixture
def closed(tmp_path: Path) -> Iterator[Service]:
    """The service on SQLite outside development mode, where people sign in, without a model."""
    context = closed_context(tmp_path)
    with running(context, context.clock) as started:
        yield started


@pytest.fixture
def service(tmp_path: Path, small_model: tuple[Path, str]) -> Iterator[Service]:
    """The service on SQLite, with version "1" live."""
    context = new_context(tmp_path)
    release(context, "1", *small_model)
    with running(context, context.clock) as started:
        yield started


@pytest.fixture(scope="module")
def here(
    tmp_path_factory: pytest.TempPathFactory, small_model: tuple[Path, str]
) -> Iterator[Service]:
    """The service on SQLite, with version "1" live, one for all tests of a module."""
    context = new_context(tmp_path_factory.mktemp("here"))
    release(context, "1", *small_model)
    with running(context, context.clock) as started:
        yield started
