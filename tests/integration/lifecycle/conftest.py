"""Models of different worth, and sites that release them."""

import shutil
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from cds_service.context import ProcessContext
from model.training.run import train
from tests.support.artefacts import small_settings
from tests.support.challengers import (
    DATA,
    Artefacts,
    add,
    models,
)
from tests.support.cohorts import small_cohort
from tests.support.service import new_context
from tests.support.stored import SEEN, set_time


@pytest.fixture(scope="session")
def artefacts(tmp_path_factory: pytest.TempPathFactory) -> Artefacts:
    """A good model, another good one, and one that learnt from categories dealt out at random."""
    root = tmp_path_factory.mktemp("models")
    found: Artefacts = {}
    for name, seed in (("good", 3), ("other", 4), ("bad", 5)):
        frame = small_cohort(2_500, seed)
        if name == "bad":
            rng = np.random.default_rng(1)
            frame["severity"] = rng.permutation(frame["severity"].to_numpy())
        result = train(frame, small_settings(), artefact_root=root, data=DATA)
        found[name] = (result.path, result.checksum)
    return found


@pytest.fixture(scope="session")
def registry(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An empty registry: MLflow takes seconds to make one."""
    empty = new_context(tmp_path_factory.mktemp("registry"))
    models(empty)
    empty.engine.dispose()
    return empty.settings.data_dir / "mlflow.sqlite3"


@pytest.fixture
def context(tmp_path: Path, database_url: str, registry: Path) -> Iterator[ProcessContext]:
    shutil.copy(registry, tmp_path)
    context = new_context(
        tmp_path,
        database_url,
        minimum_held_out=100,
        shadow_outcomes=150,
        watch_outcomes=150,
        # Of so few rows chance alone is more.
        gate_category=0.2,
        gate_sensitivity=0.5,
        gate_fairness=1.0,
    )
    set_time(context, SEEN)
    yield context
    context.engine.dispose()


@pytest.fixture
def quiet(tmp_path: Path, artefacts: Artefacts, registry: Path) -> Iterator[ProcessContext]:
    """Version 1 is live, 2 is registered; on SQLite alone."""
    shutil.copy(registry, tmp_path)
    context = new_context(tmp_path, shadow_outcomes=150, watch_outcomes=150)
    set_time(context, SEEN)
    add(context, "1", artefacts["good"])
    add(context, "2", artefacts["other"])
    models(context).promote("1", actor="test", reason="first")
    yield context
    context.engine.dispose()
