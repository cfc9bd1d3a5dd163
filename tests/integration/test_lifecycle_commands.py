"""The commands of a challenger's way, and the histories that a refresh learns from."""

import json
from datetime import UTC, datetime
from hashlib import sha256
from pathlib import Path

import numpy as np
import pytest

from cds_service.context import ProcessContext
from cds_service.services.comparing import Comparing
from cds_service.services.lifecycle import LifecycleService
from cds_service.services.models import ModelService
from cds_service.services.training import TrainingService
from cds_service.services.training_rows import line_of
from cds_service.storage.model_store import ModelStore
from model.training.design import TrainingSettings
from model.training.splits import HELD_OUT, part_of
from tests.support.cohorts import small_cohort
from tests.support.commands import COLUMNS, done, history, run
from tests.support.service import new_context

FEW = {"CDS_MINIMUM_HELD_OUT": "100", "CDS_SHADOW_DAYS": "0"}
WIDE = {"CDS_GATE_LOG_LOSS": "1", "CDS_GATE_CATEGORY": "9", "CDS_GATE_SENSITIVITY": "1"}


@pytest.fixture(scope="module")
def var(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Version 1 of a history is live; another history was brought without training on it."""
    folder = tmp_path_factory.mktemp("var")
    done(folder, "db", "upgrade")
    file = history(folder / "history-3.csv", seed=3)
    done(folder, "train", "--no-report", "--history", file, *COLUMNS)
    context = new_context(folder)
    path = folder / "brought.parquet"
    small_cohort(600, 4).assign(patient_id=[f"other{n}" for n in range(600)]).to_parquet(path)
    with context.engine.begin() as connection:
        ModelStore(connection).add_history(
            {
                "id": "brought",
                "sha256": sha256(path.read_bytes()).hexdigest(),
                "location": str(path),
                "label_version": context.terminology.label_version,
                "rows": 600,
                "added_at": datetime.now(UTC),
                "report": {},
            }
        )
    context.engine.dispose()
    return folder


def test_the_way_by_commands(var: Path) -> None:
    assert done(var, "models", "challengers") == "There is no challenger.\n"
    assert done(var, "models", "advance") == "Nothing to do.\n"
    assert done(var, "rare", "update") == "The heads of rare diseases stay as they are.\n"
    said = done(var, "retrain", "--shadow", "--no-report", **FEW, **WIDE)
    assert said.startswith("Version 2 is waiting for an approver. Not inferior")
    listed = done(var, "models", "challengers")
    assert "waiting" in listed
    assert "refresh" in listed
    shown = json.loads(done(var, "models", "show", "2"))
    first = json.loads(done(var, "models", "show", "1"))
    assert set(shown["history_ids"]) == {first["history_id"], "brought"}
    assert shown["history_id"] == first["history_id"]
    assert (shown["challenger"]["stage"], first["challenger"]) == ("waiting", None)

    done(var, "models", "approve", "2", "--reason", "the figures are good")
    assert "does not wait" in run(var, "models", "approve", "2", "--reason", "r").sentence()
    assert "end of its way" in run(var, "models", "withdraw", "2", "--reason", "r").sentence()
    text = done(var, "models", "digest")
    assert text.startswith("Version 2 took the place of 1 on ")
    assert "Why: the figures are good" in text
    assert json.loads(done(var, "models", "digest", "2", "--json"))["data"]["histories"] == 2
    assert "no digest" in run(var, "models", "digest", "1").sentence()

    said = done(var, "retrain", "--shadow", "--no-report", **FEW | {"CDS_SHADOW_DAYS": "3"}, **WIDE)
    assert said.startswith("Version 3 is in shadow.")
    done(var, "models", "withdraw", "3", "--reason", "not now")
    assert "withdrawn" in done(var, "models", "challengers")
    assert "recent outcomes" in run(var, "retrain", "--recalibrate").sentence()
    assert done(var, "retrain", "--if-asked") == "Nothing to do.\n"

    # Patients of every history that a version learnt from are told.
    context = new_context(var)
    training = TrainingService(context.engine, context.settings, context.clock)
    row = training.models.version("2")
    frame = small_cohort(600, 4).assign(patient_id=[f"other{n}" for n in range(600)])
    unseen = Comparing(context, training).unseen_by_version(frame, row, ModelService.load(row))
    held_out = [part_of(name) == HELD_OUT for name in frame["patient_id"]]
    np.testing.assert_array_equal(unseen, held_out)
    context.engine.dispose()


def test_options_that_do_not_go_together(var: Path) -> None:
    assert run(var, "retrain", "--shadow", "--search").code == 2
    assert run(var, "retrain", "--shadow", "--no-promote").code == 2
    assert run(var, "retrain", "--recalibrate", "--seed", "3").code == 2


def test_a_search_compares_every_kind_within_its_time(
    var: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("cds_service.services.retraining.ESTIMATORS", ("logistic", "svm"))
    monkeypatch.setattr("cds_service.services.retraining.BALANCINGS", ("none",))
    quick = TrainingSettings(folds=2, bootstrap_replicates=20, trials=1, threads=1)
    monkeypatch.setattr(
        "cds_service.services.retraining.like_champion", lambda _champion, _seed: quick
    )
    context: ProcessContext = new_context(var, search_minutes=0.0001, minimum_held_out=100)
    try:
        said = LifecycleService(context).search(actor="s", asked=True, with_report=False)
        version = said.split()[1]
        made = ModelService.load(
            ModelService(context.engine, context.settings, context.clock).version(version)
        )
    finally:
        context.engine.dispose()
    assert made.artefact.design["search"] is True
    assert made.artefact.design["estimators"] == ["logistic", "svm"]


def test_whose_histories_belong_to_the_line() -> None:
    champion = {"history_id": "a", "history_ids": ["a", "b"]}
    versions = [champion, {"history_id": "tried", "history_ids": ["tried"]}]
    histories = [{"id": name} for name in ("a", "tried", "b", "brought")]
    assert line_of(champion, versions, histories) == ["a", "b", "brought"]
    # A version of before there could be several names one.
    old = {"history_id": "tried", "history_ids": []}
    assert line_of(old, versions, histories) == ["tried", "b", "brought"]
