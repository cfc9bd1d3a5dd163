"""SIGKILL before the commits of every job, and again: the same state as without.

What each scenario does stands in `tests/support/kill_points.py`; a later job is one line there.
"""

import json
import shutil
import subprocess
import sys
from datetime import timedelta
from pathlib import Path
from typing import Any
from uuid import uuid4

import numpy as np
import pandas as pd
import pytest
from sqlalchemy import insert, update

from cds_service.context import ProcessContext
from cds_service.services.alerts import Finding, raise_alert
from cds_service.services.deliveries import Incoming
from cds_service.services.models import ModelService
from cds_service.services.outcomes import OutcomeService
from cds_service.storage.client_store import ClientStore
from cds_service.storage.model_store import ModelStore
from cds_service.storage.tables import ASSESSMENTS, REVIEW_ITEMS
from model.training.run import DataDescription, train
from tests.support.artefacts import small_settings
from tests.support.cohorts import small_cohort
from tests.support.conditions import condition
from tests.support.kill_points import SCENARIOS, STARTED
from tests.support.matured import cohort, store_matured
from tests.support.process import ROOT, environment
from tests.support.seen import seen
from tests.support.service import new_context, release
from tests.support.stored import BASE, set_time
from tests.support.webhook_receiver import SECRET, receiver

ROWS = 320
MOST = 2
"""Kills of a scenario; by hand all of them can be done (`tests/support/kill_points.py`)."""
START = STARTED - timedelta(days=50)
EXPECTED = {
    "alerts": {"alert_deliveries"},
    "outcomes-pull": set(),
    "shadow": {"shadow_scores"},
    "inputs": {"input_chunks"},
    "evaluate": {"evaluation_chunks", "shadow_scores"},
    "review": {"review_items"},
    "export": {"export_parts", "exported_rows", "files"},
    "answer": {"review_answers", "review_items", "outcomes", "rare_case_reviews"},
    "history": {"history_files", "watched_files"},
    "release": {"releases", "release_watches", "alerts"},
    "rare": {"releases", "model_versions"},
    "refresh": {"model_versions", "challengers", "evaluations"},
    "search": {"model_versions", "challengers", "evaluations"},
    "recalibrate": {"model_versions", "challengers", "evaluations"},
    "compare": {"comparison_requests", "evaluations", "held_out_looks"},
}
"""Tables that a scenario must have changed, so that the comparison compares something."""


@pytest.fixture(scope="module")
def compared(
    tmp_path_factory: pytest.TempPathFactory, small_model: tuple[Path, str]
) -> dict[str, dict[str, Any]]:
    """Each scenario, undisturbed and killed before some of its commits."""
    folder = tmp_path_factory.mktemp("kills")
    artefacts = {
        name: _trained(small_cohort(1_500, 3).assign(severity=mixed), folder / "models")
        for name, mixed in (("good", lambda rows: rows["severity"]), ("bad", _dealt_out))
    }
    registry = _registry(folder / "registry")
    _watched(folder / "watched", small_model, registry)
    _dropped(folder / "dropped")
    _worse(folder / "worse", artefacts, registry)
    _shifted(folder / "shifted", folder / "worse")
    _rare(folder / "rare", artefacts["good"], registry)
    with receiver() as webhook:
        ran = subprocess.run(
            [sys.executable, "-m", "tests.support.kill_points", str(folder), str(MOST)],
            env=environment(folder, WEBHOOK=webhook.url, WEBHOOK_SECRET=SECRET),
            cwd=ROOT,
            capture_output=True,
            text=True,
            check=False,
        )
    assert ran.returncode == 0, ran.stdout + ran.stderr
    found = [json.loads(line) for line in ran.stdout.splitlines()]
    return {one["scenario"]: one for one in found}


def _watched(folder: Path, model: tuple[Path, str], registry: Path) -> None:
    """Assessments that have matured, an open alert and a question."""
    context = _context(folder, registry)
    for version in ("0", "1"):
        release(context, version, *model)
    patients = cohort(2_000, 5)
    verified = np.random.default_rng(2).random(ROWS) < 0.7
    every = timedelta(minutes=6)
    stored = store_matured(
        context, model[0], patients.head(ROWS), verified=verified, start=START, every=every
    )
    (asked,) = store_matured(
        context,
        model[0],
        patients.tail(1),
        verified=np.zeros(1, dtype=bool),
        start=START,
        prefix="asked",
    )
    with context.engine.begin() as connection:
        connection.execute(
            update(ASSESSMENTS)
            .where(ASSESSMENTS.c.id.in_(stored[::7]))
            .values(prediction_set=["mild", "acute", "chronic"])
        )
        item = {
            "id": str(uuid4()),
            "assessment_id": asked,
            "reasons": ["rare"],
            "priority": 1.0,
            "queued_at": START,
            "state": "open",
        }
        connection.execute(insert(REVIEW_ITEMS), item)
        finding = Finding("input_drift", "input_drift:systolic_bp", "warning", "Pressures moved.")
        raise_alert(connection, finding, at=STARTED)
    context.engine.dispose()


def _dropped(folder: Path) -> None:
    """Two files of history, and one that is none."""
    _context(folder).engine.dispose()
    (folder / "drop").mkdir()
    for week in (1, 2):
        rows = small_cohort(60, week, dated=True).drop_duplicates(["patient_id", "recorded_at"])
        rows.to_csv(folder / "drop" / f"week-{week}.csv", index=False)
    (folder / "drop" / "other.csv").write_text("a,b\n1,2\n")


def _worse(folder: Path, models: dict[str, tuple[Path, str]], registry: Path) -> None:
    """A good version was replaced by a bad one, whose outcomes are in."""
    context = _context(folder, registry)
    for version, name in (("a", "good"), ("b", "bad")):
        _live(context, version, models[name])
    # Keys are drawn anew, and with them the parts: enough for every draw to train on.
    frame = small_cohort(850, 8)
    seen(context, frame, start=START, every=timedelta(minutes=15), prefix="p", version="b")
    context.engine.dispose()


def _shifted(folder: Path, worse: Path) -> None:
    """The same, and an alert asks for other priors."""
    shutil.copytree(worse, folder)
    context = new_context(folder)
    with context.engine.begin() as connection:
        finding = Finding("prevalence_shift", "prevalence_shift", "warning", "Shares moved.")
        raise_alert(connection, finding, at=STARTED - timedelta(days=1))
    context.engine.dispose()


def _rare(folder: Path, model: tuple[Path, str], registry: Path) -> None:
    """Five patients of a rare disease, confirmed by two sources, among others."""
    context = _context(folder, registry)
    _live(context, "a", model)
    common = small_cohort(400, 8)
    seen(context, common, start=START, every=timedelta(minutes=5), prefix="c", version="a")
    odd = pd.DataFrame(
        {
            "age": 50.0,
            "heart_rate": 185.0 + np.arange(8),
            "body_temperature": 41.0,
            "systolic_bp": 95.0,
            "diastolic_bp": 55.0,
            "severity": "acute",
        }
    )
    seen(context, odd, start=START, every=timedelta(hours=1), prefix="r", version="a")
    for client in ("development", "second"):
        incoming = [
            Incoming(
                resource=condition(
                    icd="I21.4",
                    codings=[("https://www.orpha.net", "ORPHA:423")],
                    id=f"{client}-{number}",
                    subject={"reference": f"Patient/r{number}"},
                    recordedDate=(START + timedelta(hours=number + 2)).isoformat(),
                ),
                base=BASE,
                patient_id=f"r{number}",
            )
            for number in range(len(odd))
        ]
        OutcomeService(context).receive(incoming, client=client, channel="test", actor="test")
    context.engine.dispose()


def _context(folder: Path, registry: Path | None = None) -> ProcessContext:
    folder.mkdir()
    if registry is not None:
        shutil.copy(registry, folder)
    context = new_context(folder)
    set_time(context, START)
    with context.engine.begin() as connection:
        for name in ("development", "second"):
            ClientStore(connection).add(name, {"allow_retraining": True}, START)
    return context


def _registry(folder: Path) -> Path:
    """An empty one: MLflow takes seconds to make it."""
    context = _context(folder)
    ModelService(context.engine, context.settings, context.clock)
    context.engine.dispose()
    return folder / "mlflow.sqlite3"


def _trained(frame: pd.DataFrame, folder: Path) -> tuple[Path, str]:
    data = DataDescription(simulated=False, description="Invented rows.", label_version="1")
    result = train(frame, small_settings(), artefact_root=folder, data=data)
    return result.path, result.checksum


def _dealt_out(frame: pd.DataFrame) -> "np.ndarray[Any, Any]":
    return np.random.default_rng(1).permutation(frame["severity"].to_numpy())


def _live(context: ProcessContext, version: str, artefact: tuple[Path, str]) -> None:
    with context.engine.begin() as connection:
        ModelStore(connection).add_version(
            {
                "version": version,
                "location": str(artefact[0]),
                "checksum": artefact[1],
                "kind": "logistic + none",
                "simulated": False,
                "created_at": START,
                "created_by": "test",
                "note": "",
                "history_id": None,
                "history_ids": [],
                "metrics": {},
            }
        )
    models = ModelService(context.engine, context.settings, context.clock)
    models.promote(version, actor="test", reason="test")


@pytest.mark.parametrize("scenario", SCENARIOS)
def test_killed_anywhere_and_started_again_it_ends_the_same(
    compared: dict[str, dict[str, Any]], scenario: str
) -> None:
    found = compared[scenario]
    assert found["different"] == []
    # Of a job: taken, its work, its end.
    assert found["killed"] == min(found["commits"], MOST)
    assert found["commits"] >= (1 if scenario == "answer" else 3)
    assert EXPECTED[scenario] <= set(found["changed"])
