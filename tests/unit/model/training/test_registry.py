"""The registry on SQLite: versions, aliases, metrics, and nothing said aloud."""

import json
import os
import platform
from dataclasses import replace
from datetime import UTC, datetime
from importlib.metadata import version as version_of_package
from pathlib import Path

import pytest

from model.training.fingerprints import content_sha256
from model.training.gate_records import TITLES, Margins
from model.training.gates import compare
from model.training.registry import CHALLENGER, CHAMPION, Registry, RegistryError
from model.training.run import TrainingResult, train
from tests.support.artefacts import DESCRIPTION, small_settings
from tests.support.cohorts import small_cohort

AT = datetime(2026, 3, 1, 12, tzinfo=UTC)


@pytest.fixture(scope="module")
def result(tmp_path_factory: pytest.TempPathFactory) -> TrainingResult:
    data = replace(DESCRIPTION, code_version="commit", sources={"history.csv": "5" * 64})
    folder = tmp_path_factory.mktemp("models")
    return train(small_cohort(2_500, 3), small_settings(), artefact_root=folder, data=data)


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("registry")


@pytest.fixture(scope="module")
def registry(place: Path) -> Registry:
    return Registry(f"sqlite:///{place / 'registry.db'}", place / "artefacts")


def test_versions_are_numbered_and_aliases_follow(
    registry: Registry, result: TrainingResult
) -> None:
    assert registry.version_of(CHAMPION) is None
    first = registry.register(result, at=AT)
    second = registry.register(result, at=AT)
    assert int(second) == int(first) + 1
    registry.set_alias(CHAMPION, first)
    registry.set_alias(CHALLENGER, second)
    assert (registry.version_of(CHAMPION), registry.version_of(CHALLENGER)) == (first, second)
    registry.set_alias(CHAMPION, second)
    assert registry.version_of(CHAMPION) == second


def test_a_version_holds_artefact_settings_and_metrics(
    registry: Registry, result: TrainingResult, place: Path
) -> None:
    version = registry.register(result, at=AT)
    stored = registry._client.get_model_version("disease-severity", version)
    assert stored.tags["checksum"] == result.checksum
    copies = list((place / "artefacts").rglob("manifest.json"))
    assert {path.read_bytes() for path in copies} == {(result.path / "manifest.json").read_bytes()}
    run = registry._client.get_run(stored.run_id)
    assert run.data.params["estimator"] == '"logistic"'
    assert run.data.params["seed"] == "7"
    loss = next(m for m in result.metrics if m.name == "log_loss").value
    assert run.data.metrics["log_loss"] == pytest.approx(loss.value)
    assert run.data.metrics["log_loss.upper"] == pytest.approx(loss.upper)
    assert "recall/acute" in run.data.metrics
    assert "confusion/acute/mild" in run.data.metrics
    assert run.info.start_time == int(AT.timestamp() * 1000)
    assert run.info.status == "FINISHED"


def test_evaluations_are_added_to_the_run(registry: Registry, result: TrainingResult) -> None:
    version = registry.register(result, at=AT)
    later = datetime(2026, 4, 1, tzinfo=UTC)
    registry.log_evaluation(version, result.metrics, at=AT)
    registry.log_evaluation(version, result.metrics, at=later)
    run_id = registry._client.get_model_version("disease-severity", version).run_id
    history = registry._client.get_metric_history(run_id, "live/log_loss")
    assert [int(m.timestamp) for m in history] == [
        int(time.timestamp() * 1000) for time in (AT, later)
    ]


def test_a_registry_is_opened_again(place: Path, registry: Registry) -> None:
    again = Registry(f"sqlite:///{place / 'registry.db'}", place / "artefacts")
    assert again.version_of(CHAMPION) == registry.version_of(CHAMPION)


def test_an_unknown_version_is_refused(registry: Registry, result: TrainingResult) -> None:
    with pytest.raises(RegistryError, match="alias champion"):
        registry.set_alias(CHAMPION, "999")
    with pytest.raises(RegistryError, match="version 999"):
        registry.log_evaluation("999", result.metrics, at=AT)


@pytest.mark.parametrize("address", ["sqlite:///{folder}", "nonsense://user:{folder}@host/"])
def test_errors_are_quick_and_hold_no_address(tmp_path: Path, address: str) -> None:
    with pytest.raises(RegistryError, match="cannot be opened") as caught:
        Registry(address.format(folder=tmp_path), tmp_path)
    assert str(tmp_path) not in str(caught.value)


def test_nothing_is_said_or_sent(
    tmp_path: Path, result: TrainingResult, capfd: pytest.CaptureFixture[str]
) -> None:
    Registry(f"sqlite:///{tmp_path / 'r.db'}", tmp_path).register(result, at=AT)
    assert capfd.readouterr() == ("", "")
    assert os.environ["MLFLOW_DISABLE_TELEMETRY"] == "true"
    from mlflow.telemetry.utils import is_telemetry_disabled

    assert is_telemetry_disabled()


def test_a_run_can_be_made_again_from_what_is_kept(
    registry: Registry, result: TrainingResult, place: Path
) -> None:
    version = registry.register(result, at=AT)
    run_id = registry._client.get_model_version("disease-severity", version).run_id
    path = next((place / "artefacts" / run_id).rglob("provenance.json"))
    kept = json.loads(path.read_text())
    frame = small_cohort(2_500, 3)
    assert kept["data_sha256"] == content_sha256(frame)
    assert kept["seed"] == 7
    assert kept["design"] == result.scorer.artefact.design
    assert kept["checksum"] == result.checksum
    assert kept["held_out"]["rows"] == result.report["parts"]["held_out"]
    for name in ("numpy", "pandas", "scipy", "scikit-learn", "lightgbm", "optuna"):
        assert kept["environment"]["packages"][name] == version_of_package(name)
    assert kept["environment"]["python"] == platform.python_version()
    assert kept["environment"]["platform"]
    assert kept["code_version"] == "commit"
    assert kept["sources"] == {"history.csv": "5" * 64}
    run = registry._client.get_run(run_id)
    assert run.data.tags["data_sha256"] == kept["data_sha256"]
    assert run.data.tags["code_version"] == "commit"


def test_a_comparison_is_kept_with_the_run(
    registry: Registry, result: TrainingResult, place: Path
) -> None:
    version = registry.register(result, at=AT)
    scorer = result.scorer
    frame = small_cohort(600, 5)
    decision = compare(scorer, scorer, frame, seed=1, replicates=20, margins=Margins(minimum=100))
    registry.log_comparison(version, decision.as_json(), at=AT)
    run_id = registry._client.get_model_version("disease-severity", version).run_id
    run = registry._client.get_run(run_id)
    assert run.data.tags["gates"] == "promoted-ok"
    assert run.data.metrics["gate/log_loss"] == 1.0
    assert "gate/latency" not in run.data.metrics
    (path,) = (place / "artefacts" / run_id).rglob("comparisons/*.json")
    told = json.loads(path.read_text())
    assert [gate["name"] for gate in told["gates"]] == list(TITLES)
    assert told["reason"] == decision.reason
    with pytest.raises(RegistryError, match="version 999"):
        registry.log_comparison("999", decision.as_json(), at=AT)
