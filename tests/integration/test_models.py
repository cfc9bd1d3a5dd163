"""The life of models on a real database and a real MLflow: registered, live, back, and served."""

import shutil
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import select

from cds_service.context import ProcessContext
from cds_service.errors import ServiceError
from cds_service.services import champion as champion_module
from cds_service.services.champion import Champion
from cds_service.services.kept_reports import ModelReportService
from cds_service.services.models import ModelService
from cds_service.services.releasing import ModelRuleError
from cds_service.storage import session
from cds_service.storage.model_store import SAME_ANSWERS_AS, ModelStore
from cds_service.storage.tables import AUDIT_EVENTS, MODEL_VERSIONS, RELEASES
from model.errors import ArtefactError
from model.training.registry import CHALLENGER, CHAMPION, Registry, RegistryError
from model.training.run import TrainingResult
from tests.support.artefacts import small_model
from tests.support.service import new_context


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> dict[str, TrainingResult]:
    """A model of five categories, another, and one that knows four."""
    root = tmp_path_factory.mktemp("trained")
    return {
        "five": small_model(root, seed=3),
        "other": small_model(root, seed=4),
        "four": small_model(root, seed=5, categories=4),
    }


@pytest.fixture(scope="module")
def registry_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An empty registry: MLflow takes seconds to make one."""
    folder = tmp_path_factory.mktemp("registry")
    Registry(f"sqlite:///{folder / 'mlflow.sqlite3'}", folder / "runs")
    return folder / "mlflow.sqlite3"


@pytest.fixture
def context(tmp_path: Path, registry_file: Path) -> Iterator[ProcessContext]:
    shutil.copy(registry_file, tmp_path / "mlflow.sqlite3")
    context = new_context(tmp_path)
    yield context
    context.champion.stop()
    context.engine.dispose()


@pytest.fixture
def models(context: ProcessContext) -> ModelService:
    return ModelService(context.engine, context.settings, context.clock)


@pytest.fixture
def copies(trained: dict[str, TrainingResult], tmp_path: Path) -> dict[str, Path]:
    """The artefact folders, copied, so that a test may damage them."""
    return {
        name: Path(shutil.copytree(result.path, tmp_path / name))
        for name, result in trained.items()
    }


def register(
    models: ModelService,
    trained: dict[str, TrainingResult],
    name: str,
    copies: dict[str, Path] | None = None,
) -> str:
    result = trained[name]
    if copies is not None:
        result = replace(result, path=copies[name])
    return models.register(result, actor="test", note=name, history_id=None)


def alias(context: ProcessContext, name: str) -> str | None:
    settings = context.settings
    return Registry(settings.tracking_uri, settings.data_dir / "mlflow").version_of(name)


def stored(context: ProcessContext, table: Any) -> list[Any]:
    with session.reading(context.engine) as connection:
        return list(connection.execute(select(table)).all())


def damage(folder: Path) -> None:
    path = folder / "calibration.json"
    path.write_text(path.read_text().replace("0.", "0.1", 1) + " ")


def test_a_registered_model_is_the_challenger_and_not_live(
    context: ProcessContext, models: ModelService, trained: dict[str, TrainingResult]
) -> None:
    version = register(models, trained, "five")
    assert version == "1"
    assert alias(context, CHALLENGER) == "1"
    assert alias(context, CHAMPION) is None
    assert models.champion() is None
    (row,) = models.versions()
    assert not row["live"]
    assert row["checksum"] == trained["five"].checksum
    assert row["metrics"]["held_out"]
    (event,) = stored(context, AUDIT_EVENTS)
    assert (event.action, event.actor, event.object_id) == ("register", "test", "1")


def test_a_promotion_is_a_release_audited_with_its_reason(
    context: ProcessContext, models: ModelService, trained: dict[str, TrainingResult]
) -> None:
    for name in ("five", "other"):
        version = register(models, trained, name)
        models.promote(version, actor="anna", reason=f"because {name}")
    champion = models.champion()
    assert champion is not None
    assert champion["version"] == "2"
    assert alias(context, CHAMPION) == alias(context, CHALLENGER) == "2"
    assert [row["live"] for row in models.versions()] == [False, True]
    releases = [(r["version"], r["action"], r["actor"], r["reason"]) for r in models.releases()]
    assert releases == [
        ("2", "promote", "anna", "because other"),
        ("1", "promote", "anna", "because five"),
    ]
    promotions = [e for e in stored(context, AUDIT_EVENTS) if e.action == "promote"]
    assert [(e.object_id, e.detail) for e in promotions] == [
        ("1", {"reason": "because five"}),
        ("2", {"reason": "because other"}),
    ]


def test_other_priors_do_not_answer_as_the_version_before_the_champion(
    context: ProcessContext, models: ModelService, trained: dict[str, TrainingResult]
) -> None:
    first = register(models, trained, "five")
    keep = {"actor": "test", "note": "", "within": lambda _connection, _version: None}
    heads = models.register_derived(
        trained["other"], models.version(first), metrics={SAME_ANSWERS_AS: first}, **keep
    )
    priors = models.register_derived(trained["four"], models.version(heads), metrics={}, **keep)
    with session.reading(context.engine) as connection:
        store = ModelStore(connection)
        assert store.alike(heads) == [heads, first]
        assert store.alike(priors) == [priors]
    reports = ModelReportService(context.engine, context.settings, context.clock)
    with pytest.raises(ServiceError, match=f"made from version {heads} without training"):
        reports.page(priors, actor="test")


def test_what_cannot_be_promoted_is_refused_and_changes_nothing(
    context: ProcessContext, models: ModelService, trained: dict[str, TrainingResult]
) -> None:
    version = register(models, trained, "five")
    with pytest.raises(ModelRuleError, match="no model version 9"):
        models.promote("9", actor="test", reason="r")
    for reason in ("", "  "):
        with pytest.raises(ModelRuleError, match="reason"):
            models.promote(version, actor="test", reason=reason)
    assert stored(context, RELEASES) == []
    models.promote(version, actor="test", reason="r")
    with pytest.raises(ModelRuleError, match="live already"):
        models.promote(version, actor="test", reason="r")
    with pytest.raises(ModelRuleError, match="reason"):
        models.rollback(actor="test", reason=" ")
    assert len(stored(context, RELEASES)) == 1


def test_c19_no_champion_loses_a_category_unless_that_is_meant(
    models: ModelService, trained: dict[str, TrainingResult]
) -> None:
    models.promote(register(models, trained, "five"), actor="test", reason="r")
    fewer = register(models, trained, "four")
    with pytest.raises(ModelRuleError, match=r"terminal.*--allow-fewer-categories"):
        models.promote(fewer, actor="test", reason="r")
    champion = models.champion()
    assert champion is not None
    assert champion["version"] == "1"
    models.promote(fewer, actor="test", reason="r", allow_fewer_categories=True)
    champion = models.champion()
    assert champion is not None
    assert champion["version"] == fewer
    models.promote("1", actor="test", reason="one more category is no loss")


def test_a_damaged_model_is_not_promoted(
    context: ProcessContext,
    models: ModelService,
    trained: dict[str, TrainingResult],
    copies: dict[str, Path],
) -> None:
    version = register(models, trained, "five", copies)
    damage(copies["five"])
    with pytest.raises(ArtefactError, match="changed"):
        models.promote(version, actor="test", reason="r")
    shutil.rmtree(copies["five"])
    with pytest.raises(ArtefactError, match="no model"):
        models.promote(version, actor="test", reason="r")
    assert stored(context, RELEASES) == []


def test_a_damaged_champion_can_be_replaced_by_whoever_says_so(
    models: ModelService, trained: dict[str, TrainingResult], copies: dict[str, Path]
) -> None:
    models.promote(register(models, trained, "five", copies), actor="test", reason="r")
    other = register(models, trained, "other", copies)
    damage(copies["five"])
    with pytest.raises(ModelRuleError, match=r"version 1.*--allow-fewer-categories"):
        models.promote(other, actor="test", reason="r")
    models.promote(other, actor="test", reason="r", allow_fewer_categories=True)
    champion = models.champion()
    assert champion is not None
    assert champion["version"] == other


def test_an_alias_that_cannot_be_set_makes_no_release_undone(
    models: ModelService,
    trained: dict[str, TrainingResult],
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    def fail(_registry: Registry, alias: str, _version: str) -> None:
        raise RegistryError(f"The alias {alias} cannot be set (OSError).")

    monkeypatch.setattr(Registry, "set_alias", fail)
    models.promote(register(models, trained, "five"), actor="test", reason="r")
    champion = models.champion()
    assert champion is not None
    assert champion["version"] == "1"
    told = [record.getMessage() for record in caplog.records]
    assert [("challenger" in text, "champion" in text) for text in told] == [
        (True, False),
        (False, True),
    ]


def test_a_registry_of_another_installation_is_refused_in_a_sentence(
    context: ProcessContext,
    models: ModelService,
    trained: dict[str, TrainingResult],
    registry_file: Path,
    tmp_path: Path,
) -> None:
    register(models, trained, "five")
    fresh = tmp_path / "fresh.sqlite3"
    shutil.copy(registry_file, fresh)
    settings = context.settings.model_copy(update={"mlflow_tracking_uri": f"sqlite:///{fresh}"})
    other = ModelService(context.engine, settings, context.clock)
    with pytest.raises(ModelRuleError, match="version 1"):
        register(other, trained, "other")
    assert len(stored(context, MODEL_VERSIONS)) == 1


@pytest.mark.parametrize(
    ("steps", "live"),
    [
        ("1 2 back", "1"),
        ("1 2 3 back back", "1"),
        ("1 2 back 3 back", "1"),
        ("1 2 1 back", "2"),
        ("1 2 1 back back", "1"),
        ("1 2 back 2 back", "1"),
    ],
)
def test_a_rollback_goes_back_one_release_each_time(
    models: ModelService, trained: dict[str, TrainingResult], steps: str, live: str
) -> None:
    for name in ("five", "other", "five"):
        register(models, trained, name)
    for step in steps.split():
        if step == "back":
            models.rollback(actor="test", reason="r")
        else:
            models.promote(step, actor="test", reason="r")
    champion = models.champion()
    assert champion is not None
    assert champion["version"] == live
    assert champion["action"] == "rollback"


@pytest.mark.parametrize("steps", ["", "1", "1 2 back", "1 2 back 2 back"])
def test_a_rollback_with_nothing_earlier_is_refused(
    context: ProcessContext, models: ModelService, trained: dict[str, TrainingResult], steps: str
) -> None:
    for name in ("five", "other"):
        register(models, trained, name)
    for step in steps.split():
        if step == "back":
            models.rollback(actor="test", reason="r")
        else:
            models.promote(step, actor="test", reason="r")
    before = len(stored(context, RELEASES))
    with pytest.raises(ModelRuleError, match="no earlier model version"):
        models.rollback(actor="test", reason="r")
    assert len(stored(context, RELEASES)) == before


def test_a_rollback_to_a_damaged_model_is_refused(
    models: ModelService, trained: dict[str, TrainingResult], copies: dict[str, Path]
) -> None:
    for name in ("five", "other"):
        version = register(models, trained, name, copies)
        models.promote(version, actor="test", reason="r")
    damage(copies["five"])
    with pytest.raises(ArtefactError, match="damaged"):
        models.rollback(actor="test", reason="r")
    champion = models.champion()
    assert champion is not None
    assert champion["version"] == "2"


def version_of(champion: Champion) -> str | None:
    return None if champion.scorer is None else champion.scorer.facts.version


def test_every_process_takes_up_a_release_once(
    context: ProcessContext, models: ModelService, trained: dict[str, TrainingResult]
) -> None:
    here, there = Champion(context.engine), Champion(context.engine)
    assert not here.refresh()
    assert version_of(here) is None
    for name in ("five", "other"):
        version = register(models, trained, name)
        assert not here.refresh()
        models.promote(version, actor="test", reason="r")
        assert here.refresh()
        scorer = here.scorer
        assert not here.refresh()
        assert here.scorer is scorer
        assert version_of(here) == version
    assert version_of(there) is None
    assert there.refresh()
    assert version_of(there) == "2"
    models.rollback(actor="test", reason="r")
    assert here.refresh()
    assert version_of(here) == "1"
    assert version_of(there) == "2"
    assert there.refresh()
    assert version_of(there) == "1"


@pytest.mark.parametrize("how", ["changed", "gone", "not readable"])
def test_a_damaged_release_leaves_the_old_model_until_it_is_repaired(
    context: ProcessContext,
    models: ModelService,
    trained: dict[str, TrainingResult],
    copies: dict[str, Path],
    tmp_path: Path,
    caplog: pytest.LogCaptureFixture,
    how: str,
) -> None:
    champion = Champion(context.engine)
    models.promote(register(models, trained, "five", copies), actor="test", reason="r")
    assert champion.refresh()
    scorer = champion.scorer
    models.promote(register(models, trained, "other", copies), actor="test", reason="r")
    folder, whole = copies["other"], tmp_path / "whole"
    shutil.copytree(folder, whole)
    if how == "changed":
        damage(folder)
    elif how == "gone":
        shutil.rmtree(folder)
    else:
        (folder / "manifest.json").unlink()
        (folder / "manifest.json").symlink_to("manifest.json")
    for _ in range(3):
        assert not champion.refresh()
        assert champion.scorer is scorer
    errors = [r.getMessage() for r in caplog.records if r.levelname == "ERROR"]
    assert errors == ["model not loaded"]
    shutil.rmtree(folder, ignore_errors=True)
    shutil.copytree(whole, folder)
    assert champion.refresh()
    assert version_of(champion) == "2"


def wait_for(condition: Any) -> None:
    deadline = time.monotonic() + 10
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.01)


def test_the_look_out_survives_faults_and_can_be_started_again(
    context: ProcessContext,
    models: ModelService,
    trained: dict[str, TrainingResult],
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    monkeypatch.setattr(champion_module, "POLL_SECONDS", 0.01)
    champion = context.champion
    champion.start()
    faults = iter([OSError("no such disk"), RuntimeError("unheard of")])
    refresh = champion.refresh

    def sometimes() -> bool:
        for fault in faults:
            raise fault
        return refresh()

    monkeypatch.setattr(champion, "refresh", sometimes)
    wait_for(lambda: len(caplog.records) == 2)
    models.promote(register(models, trained, "five"), actor="test", reason="r")
    wait_for(lambda: version_of(champion) == "1")
    champion.stop()
    models.promote(register(models, trained, "other"), actor="test", reason="r")
    champion.start()
    assert version_of(champion) == "2"
    models.rollback(actor="test", reason="r")
    wait_for(lambda: version_of(champion) == "1")
