"""Judgements of chunks in MLflow, beside the training run they judge."""

import logging
from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import insert

from cds_service.context import ProcessContext
from cds_service.services import evaluation_runs
from cds_service.services.evaluating import EvaluatingService
from cds_service.services.evaluation_runs import record_runs
from cds_service.services.models import ModelService, open_registry
from cds_service.storage.evaluation_store import EvaluationChunkStore
from cds_service.storage.tables import OUTCOMES
from model.training.registry import MODEL_NAME, Registry, RegistryError
from tests.support.artefacts import small_model as trained
from tests.support.matured import cohort, outcome_row, store_matured
from tests.support.service import new_context
from tests.support.stored import SEEN, set_time


@pytest.fixture(scope="module")
def context(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ProcessContext]:
    """Version 1, registered in MLflow, has answered 110 charts; a chunk of 100 is judged."""
    folder = tmp_path_factory.mktemp("runs")
    made = new_context(folder, evaluation_chunk_rows=100)
    result = trained(folder / "models")
    models = ModelService(made.engine, made.settings, made.clock)
    version = models.register(result, actor="test", note="", history_id=None)
    models.promote(version, actor="test", reason="test")
    store_matured(made, result.path, cohort(110, 5), version=version)
    set_time(made, SEEN + timedelta(days=60))
    yield made
    made.engine.dispose()


def newest(context: ProcessContext) -> dict[str, Any]:
    return EvaluatingService(context).newest(1)[0]


def runs(context: ProcessContext) -> list[Any]:
    registry = open_registry(context.settings)
    found = registry._client.search_runs([registry._experiment], "tags.chunk_key != ''")
    return list(found)


def test_a_chunk_is_a_run_below_the_training_run(
    context: ProcessContext, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def away(_settings: object) -> Registry:
        raise RegistryError("The model registry cannot be opened (ConnectionError).")

    service = EvaluatingService(context, replicates=5)
    with monkeypatch.context() as patch, caplog.at_level(logging.WARNING):
        patch.setattr(evaluation_runs, "open_registry", away)
        assert service.run(actor="test", refresh=False).startswith("Judged 1 chunk")
    assert "told next time" in caplog.text
    assert newest(context)["run_id"] is None

    assert service.run(actor="test", refresh=False).startswith("Judged 0 chunks")
    chunk = newest(context)
    (run,) = runs(context)
    assert chunk["run_id"] == run.info.run_id
    assert run.info.status == "FINISHED"
    registry = open_registry(context.settings)
    training = registry._client.get_model_version(MODEL_NAME, "1").run_id
    assert run.data.tags["mlflow.parentRunId"] == training
    assert run.info.experiment_id == registry._client.get_run(training).info.experiment_id
    assert (run.data.tags["chunk"], run.data.tags["revision"]) == ("1", "1")
    assert run.data.tags["started_at"] == chunk["started_at"].isoformat()
    assert run.data.tags["label_version"] == chunk["label_version"]
    figures = chunk["result"]["versions"]["1"]
    loss = next(one for one in figures["metrics"] if one["metric"] == "log_loss")
    assert run.data.metrics["log_loss"] == pytest.approx(loss["value"])
    assert run.data.metrics["log_loss.lower"] == pytest.approx(loss["lower"])
    assert "weighted/log_loss" in run.data.metrics
    assert record_runs(context) == 0


def test_killed_before_it_was_noted_it_is_the_same_run(context: ProcessContext) -> None:
    before = [run.info.run_id for run in runs(context)]
    with context.engine.begin() as connection:
        EvaluationChunkStore(connection).set_run(newest(context)["id"], None)
    assert record_runs(context) == 1
    assert [run.info.run_id for run in runs(context)] == before
    assert newest(context)["run_id"] == before[0]


def test_each_revision_is_a_run(context: ProcessContext, monkeypatch: pytest.MonkeyPatch) -> None:
    def away(_settings: object) -> Registry:
        raise RegistryError("away")

    label_version = context.terminology.label_version
    with context.engine.begin() as connection:
        connection.execute(OUTCOMES.delete().where(OUTCOMES.c.assessment_id == "a-3"))
        connection.execute(insert(OUTCOMES), outcome_row("a-3", "acute", label_version, SEEN))
        connection.execute(OUTCOMES.delete().where(OUTCOMES.c.assessment_id == "a-4"))
    service = EvaluatingService(context, replicates=5)
    with monkeypatch.context() as patch:
        patch.setattr(evaluation_runs, "open_registry", away)
        service.run(actor="test", refresh=False)
    assert newest(context)["revision"] == 2
    # It is told of what it was not told in time, although another stands by now.
    with context.engine.begin() as connection:
        connection.execute(OUTCOMES.delete().where(OUTCOMES.c.assessment_id == "a-5"))
    service.run(actor="test", refresh=False)
    assert newest(context)["revision"] == 3
    assert {run.data.tags["revision"] for run in runs(context)} == {"1", "2", "3"}


def test_a_version_mlflow_does_not_know_has_a_run_of_its_own(context: ProcessContext) -> None:
    registry = open_registry(context.settings)
    run_id = registry.log_chunk(
        "77", "key/77", {"log_loss": 1.0}, {"scored": 1}, {}, name="chunk", at=context.clock()
    )
    tags = registry._client.get_run(run_id).data.tags
    assert "mlflow.parentRunId" not in tags
    assert tags["judged_version"] == "77"
