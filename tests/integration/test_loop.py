"""The main loop over HTTP: a chart opens, a card answers, the diagnosis comes back, the model
learns, and a running server answers with the new champion (or keeps the old)."""

import json
import time
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from cds_service.security.clients import DEVELOPMENT_CLIENT
from cds_service.services.assessing import AssessingService
from cds_service.services.monitoring import MonitoringService
from cds_service.services.problems import ProblemService
from cds_service.services.retraining import RetrainingService, RetrainReport
from model.training.design import TrainingSettings
from model.training.run import DataDescription, train
from model.training.simulation import simulate_cohort
from tests.support.hospital import diagnosis, visit, visits
from tests.support.service import Service, new_context, release, running

PATIENTS = 1_500
QUICK = TrainingSettings(
    estimators=("logistic",), balancings=("none",), folds=2, bootstrap_replicates=20
)


def model(cohort: pd.DataFrame, folder: Path) -> tuple[Path, str]:
    data = DataDescription(simulated=False, description="test", label_version="1")
    result = train(cohort, QUICK, artefact_root=folder, data=data)
    return result.path, result.checksum


def hospital(tmp_path: Path, champion: pd.DataFrame, patients: pd.DataFrame) -> Iterator[Service]:
    """A service whose champion was trained on `champion`, after some weeks of visits."""
    context = new_context(tmp_path, minimum_held_out=150)
    release(context, "0", *model(champion, tmp_path / "champion"))
    clock = context.clock
    context.champion.refresh()
    assessing, problems = AssessingService(context), ProblemService(context)
    # Not over HTTP: client and server in one process would spend their time handing it over.
    for patient, row in visits(patients):
        clock.time += timedelta(minutes=20)
        opened = json.dumps(visit(patient, row, clock.time)).encode()
        assert b'"cards"' in assessing.patient_view(opened, DEVELOPMENT_CLIENT)
        found = json.dumps(diagnosis(patient, str(row["severity"]), clock.time)).encode()
        assert problems.record(found, DEVELOPMENT_CLIENT) == b'{"cards":[]}'
    clock.time += timedelta(days=40)
    with running(context, clock) as service:
        yield service


def retrain(service: Service, **options: bool) -> RetrainReport:
    return RetrainingService(service.context).retrain(
        actor="test", progress=lambda _step, _share: None, with_report=False, **options
    )


def next_card(service: Service) -> str:
    (card,) = service.assess(service.request(service.vitals())).json()["cards"]
    return str(card["detail"])


@pytest.fixture(scope="module")
def badly_served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    """The champion learnt from other patients with the categories dealt out at random."""
    cohort = simulate_cohort(4_000, seed=3)
    rng = np.random.default_rng(3)
    shuffled = cohort.assign(severity=rng.permutation(cohort["severity"].to_numpy()))
    seen = simulate_cohort(6_000, seed=7)
    acute = seen["severity"] == "acute"
    # Every third patient is acutely ill, so that finding them can be told from chance.
    patients = pd.concat([seen[acute], seen[~acute].head(2 * int(acute.sum()))])
    yield from hospital(
        tmp_path_factory.mktemp("bad"), shuffled, patients.sample(frac=1.0, random_state=1)
    )


def test_a_better_model_is_promoted_and_answers_without_a_restart(badly_served: Service) -> None:
    service = badly_served
    assert "Model 0" in next_card(service)

    evaluation = MonitoringService(service.context).evaluate(actor="test")
    assert evaluation.counts["assessments"] > 1_200
    assert evaluation.share_without_outcome == 0.0
    (version,) = evaluation.versions
    assert version.version == "0"
    named = {(m.name, m.category): m.value for m in version.metrics if m.decided is None}
    assert named["log_loss", None].value is not None

    held = retrain(service, promote=False)
    assert not held.promoted
    assert "Held as challenger" in held.reason
    assert "Model 0" in next_card(service)

    report = retrain(service)
    assert report.promoted, report.reason
    assert report.version == "2"
    deadline = time.monotonic() + 10
    while f"Model {report.version}" not in next_card(service):
        assert time.monotonic() < deadline, "the running server kept the old model"
        time.sleep(0.2)

    ready = service.http.get("/health/ready").json()
    assert ready == {"status": "ready", "model_version": "2"}


def test_a_worse_model_is_refused_and_the_old_one_keeps_answering(tmp_path: Path) -> None:
    for service in hospital(
        tmp_path, simulate_cohort(12_000, seed=11), simulate_cohort(PATIENTS, seed=7)
    ):
        report = retrain(service)
        assert not report.promoted
        assert report.champion == "0"
        assert "Refused" in report.reason
        assert not service.context.champion.refresh()
        assert "Model 0" in next_card(service)


def test_too_few_outcomes_are_not_enough_to_decide(badly_served: Service) -> None:
    context = badly_served.context
    strict = context.settings.model_copy(update={"minimum_held_out": 2_000})
    object.__setattr__(context, "settings", strict)
    live = context.champion.scorer
    report = retrain(badly_served)
    assert not report.promoted
    assert "Not enough to decide" in report.reason
    assert context.champion.scorer is live


def test_c18_open_windows_are_counted_but_not_used(badly_served: Service) -> None:
    context, clock = badly_served.context, badly_served.clock
    now = clock.time
    clock.time = now - timedelta(days=30)
    report = MonitoringService(context).evaluate(actor="test")
    early = MonitoringService(context).evaluate(actor="test", include_open=True)
    clock.time = now
    assert report.counts["window_open"] > 0
    assert early.counts.get("window_open", 0) == 0
    assert early.counts["with_outcome"] > report.counts.get("with_outcome", 0)
