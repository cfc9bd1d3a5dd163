"""The model registry: MLflow runs, metrics and numbered versions with aliases.

What is live is a row of our own database; MLflow's alias follows it. Only this module imports
MLflow, and only when a registry is opened. Nothing leaves the machine unless the tracking
address names another: MLflow's telemetry is switched off before it loads.
"""

import json
import logging
import os
import platform
import sqlite3
import warnings
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import datetime
from importlib.metadata import PackageNotFoundError
from importlib.metadata import version as installed_version
from pathlib import Path
from typing import Any

from model.errors import ModelError
from model.evaluation.metrics import Metric
from model.evaluation.report import as_records
from model.training.run import TrainingResult

MODEL_NAME = "disease-severity"
CHAMPION, CHALLENGER = "champion", "challenger"
_LONGEST_PARAMETER = 6_000
_ARTEFACT = "artefact"
_PROVENANCE = "provenance.json"
_PACKAGES = (
    *("cds-service", "numpy", "pandas", "scipy", "scikit-learn", "imbalanced-learn", "optuna"),
    *("xgboost", "xgboost-cpu", "lightgbm", "mlflow-skinny"),
)
"""What decides the numbers of a model, by the names of the distributions."""
_SQLITE = "sqlite:///"


class RegistryError(ModelError):
    """The registry refused or cannot be reached; the message holds no address or password."""


class Registry:
    """Versions of the one registered model, `MODEL_NAME`."""

    def __init__(self, tracking_uri: str, artifact_root: Path) -> None:
        """Open the registry, creating its tables, experiment and model where they are missing.

        `tracking_uri` is `sqlite:///…` or that of a tracking server; `artifact_root` is where a
        registry on this machine keeps copies of artefacts (a server decides for itself). Raises
        `RegistryError`.
        """
        with _quiet("The model registry cannot be opened"):
            from mlflow.exceptions import MlflowException
            from mlflow.tracking import MlflowClient

            _check_file(tracking_uri)
            self._client: Any = MlflowClient(tracking_uri=tracking_uri, registry_uri=tracking_uri)
            experiment = self._client.get_experiment_by_name(MODEL_NAME)
            if experiment is None:
                remote = tracking_uri.startswith(("http://", "https://"))
                place = None if remote else artifact_root.resolve().as_uri()
                self._experiment = self._client.create_experiment(MODEL_NAME, place)
            else:
                self._experiment = experiment.experiment_id
            try:
                self._client.create_registered_model(MODEL_NAME)
            except MlflowException as error:
                if error.error_code != "RESOURCE_ALREADY_EXISTS":
                    raise

    def register(self, result: TrainingResult, *, at: datetime) -> str:
        """Record a training run with its settings, metrics and artefact; returns its version.

        Versions are "1", "2", … `at` is the time of the run (aware). Raises `RegistryError`.
        """
        moment = _milliseconds(at)
        attributes = result.scorer.artefact.attributes
        with _quiet("The model cannot be registered"):
            run = self._client.create_run(self._experiment, start_time=moment)
            self._log(run.info.run_id, result.metrics, moment, _parameters(result))
            self._client.log_artifacts(run.info.run_id, str(result.path), _ARTEFACT)
            origin = provenance(result)
            self._client.log_dict(run.info.run_id, origin, _PROVENANCE)
            for name in ("data_sha256", "code_version", "label_version"):
                self._client.set_tag(run.info.run_id, name, str(origin[name]))
            self._client.set_terminated(run.info.run_id, end_time=moment)
            version = self._client.create_model_version(
                MODEL_NAME,
                source=f"{run.info.artifact_uri}/{_ARTEFACT}",
                run_id=run.info.run_id,
                tags={
                    "checksum": result.checksum,
                    "artefact": str(result.path),
                    "simulated": str(bool(attributes["simulated"])).lower(),
                },
            )
        return str(version.version)

    def set_alias(self, alias: str, version: str) -> None:
        """Let `champion` or `challenger` name a version; raises `RegistryError`."""
        with _quiet(f"The alias {alias} cannot be set"):
            self._client.set_registered_model_alias(MODEL_NAME, alias, version)

    def version_of(self, alias: str) -> str | None:
        """The version an alias names, or `None`; raises `RegistryError`."""
        with _quiet("The model registry cannot be read"):
            model = self._client.get_registered_model(MODEL_NAME)
        found = model.aliases.get(alias)
        return None if found is None else str(found)

    def log_evaluation(self, version: str, metrics: Sequence[Metric], *, at: datetime) -> None:
        """Add metrics on real outcomes, under `live/…`, to the run of a version.

        Earlier evaluations stay as history. Raises `RegistryError`, also for a version that is
        not registered.
        """
        with _quiet(f"The evaluation of version {version} cannot be recorded"):
            run_id = self._client.get_model_version(MODEL_NAME, version).run_id
            self._log(run_id, metrics, _milliseconds(at), {}, prefix="live/")

    def log_report(self, version: str, folder: Path) -> None:
        """Keep a copy of the report files of `folder` with the run of a version.

        Raises `RegistryError`, also for a version that is not registered.
        """
        with _quiet(f"The report of version {version} cannot be recorded"):
            run_id = self._client.get_model_version(MODEL_NAME, version).run_id
            self._client.log_artifacts(run_id, str(folder), "report")

    def log_comparison(self, version: str, comparison: Mapping[str, Any], *, at: datetime) -> None:
        """Add what the gates said (`GateDecision.as_json`) to the run of a version.

        The whole goes into a file of its own time; the outcome and each gate (1 passed, 0
        refused; none where it was not judged) beside it. Raises `RegistryError`.
        """
        with _quiet(f"The comparison of version {version} cannot be recorded"):
            from mlflow.entities import Metric as LoggedMetric

            run_id = self._client.get_model_version(MODEL_NAME, version).run_id
            moment = _milliseconds(at)
            self._client.log_dict(run_id, dict(comparison), f"comparisons/{moment}.json")
            self._client.set_tag(run_id, "gates", str(comparison["outcome"]))
            gates = [
                LoggedMetric(f"gate/{gate['name']}", float(gate["passed"]), moment, 0)
                for gate in comparison["gates"]
                if gate["passed"] is not None
            ]
            self._client.log_batch(run_id, gates)

    def log_chunk(
        self,
        version: str,
        key: str,
        figures: Mapping[str, float],
        document: Mapping[str, Any],
        tags: Mapping[str, str],
        *,
        name: str,
        at: datetime,
    ) -> str:
        """Record how a version was judged on a chunk, as a run below its training run.

        `key` tells this judgement from every other: the same again is the same run, completed if
        it was cut short. `figures` become metrics, `document` (JSON types) a file. A version that
        is not registered here has a run of its own. Returns its id. Raises `RegistryError`.
        """
        with _quiet(f"The evaluation of version {version} cannot be recorded"):
            from mlflow.entities import Metric as LoggedMetric
            from mlflow.exceptions import MlflowException

            moment = _milliseconds(at)
            known = self._client.search_runs(
                [self._experiment], f"tags.chunk_key = '{key}'", max_results=1
            )
            if known:
                run_id = str(known[0].info.run_id)
            else:
                told = dict(tags) | {"chunk_key": key, "judged_version": version}
                try:
                    parent = self._client.get_model_version(MODEL_NAME, version).run_id
                    told["mlflow.parentRunId"] = str(parent)
                except MlflowException as error:
                    if error.error_code != "RESOURCE_DOES_NOT_EXIST":
                        raise
                run = self._client.create_run(
                    self._experiment, start_time=moment, tags=told, run_name=name
                )
                run_id = str(run.info.run_id)
            logged = [LoggedMetric(name, value, moment, 0) for name, value in figures.items()]
            for start in range(0, len(logged), 1_000):
                self._client.log_batch(run_id, logged[start : start + 1_000])
            self._client.log_dict(run_id, dict(document), "chunk.json")
            self._client.set_terminated(run_id, end_time=moment)
        return run_id

    def _log(
        self,
        run_id: str,
        metrics: Sequence[Metric],
        moment: int,
        parameters: Mapping[str, str],
        prefix: str = "",
    ) -> None:
        from mlflow.entities import Metric as LoggedMetric
        from mlflow.entities import Param

        logged = [
            LoggedMetric(prefix + name, value, moment, 0) for name, value in _flat(metrics).items()
        ]
        pairs = [Param(name, value) for name, value in parameters.items()]
        # A tracking server takes at most 1,000 metrics in one call.
        for start in range(0, max(len(logged), 1), 1_000):
            self._client.log_batch(
                run_id, logged[start : start + 1_000], pairs if start == 0 else []
            )


def _check_file(tracking_uri: str) -> None:
    """Open an SQLite file once: MLflow would try one that cannot be opened for minutes."""
    if tracking_uri.startswith(_SQLITE):
        path = Path(tracking_uri.removeprefix(_SQLITE).partition("?")[0])
        path.parent.mkdir(parents=True, exist_ok=True)
        sqlite3.connect(path).close()


def _flat(metrics: Sequence[Metric]) -> dict[str, float]:
    """`recall/acute`, `recall/acute.lower`, `confusion/acute/mild` and alike; no empty ones."""
    found: dict[str, float] = {}
    for record in as_records(metrics):
        keys = (record["metric"], record["category"], record["decided"])
        name = "/".join(key for key in keys if key is not None)
        for suffix, part in (("", "value"), (".lower", "lower"), (".upper", "upper")):
            if record[part] is not None:
                found[name + suffix] = float(record[part])
        found[name + ".n"] = float(record["n"])
    return found


def provenance(result: TrainingResult) -> dict[str, Any]:
    """All that is needed to make the same model again, JSON types."""
    artefact = result.scorer.artefact
    attributes = artefact.attributes
    kept = ("data_sha256", "sources", "code_version", "label_version", "seed", "trained_through")
    return {
        # A model of an earlier version does not name all of them.
        **{name: attributes.get(name) for name in kept},
        "derived_from": attributes.get("derived_from"),
        "held_out": result.report["held_out"],
        "checksum": result.checksum,
        "design": artefact.design,
        "environment": {
            "platform": platform.platform(),
            "python": platform.python_version(),
            "packages": {name: _installed(name) for name in _PACKAGES},
        },
    }


def _installed(package: str) -> str | None:
    try:
        return installed_version(package)
    except PackageNotFoundError:
        return None


def _parameters(result: TrainingResult) -> dict[str, str]:
    artefact = result.scorer.artefact
    values: dict[str, object] = {
        **artefact.design,
        "estimator": result.chosen.estimator,
        "balancing": result.chosen.balancing,
        "rounds": result.chosen.rounds,
        "columns": list(artefact.columns),
        "label_version": artefact.attributes["label_version"],
        "trained_through": artefact.attributes["trained_through"],
    }
    return {name: json.dumps(value)[:_LONGEST_PARAMETER] for name, value in values.items()}


def _milliseconds(at: datetime) -> int:
    return round(at.timestamp() * 1000)


@contextmanager
def _quiet(failure: str) -> Iterator[None]:
    """MLflow without telemetry, chatter and its own deprecation warnings; errors in a sentence."""
    os.environ["MLFLOW_DISABLE_TELEMETRY"] = "true"
    # MLflow tries a server that is away for minutes; an administrator is waiting.
    os.environ.setdefault("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "2")
    os.environ.setdefault("MLFLOW_HTTP_REQUEST_TIMEOUT", "20")
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", module=r"(mlflow|sqlalchemy|alembic)(\.|$)")
        warnings.filterwarnings("ignore", message="The ``noload`` loader strategy is deprecated")
        from mlflow.exceptions import MlflowException
        from sqlalchemy.exc import SQLAlchemyError

        for name in ("mlflow", "alembic"):
            logging.getLogger(name).setLevel(logging.ERROR)
        try:
            yield
        except (MlflowException, SQLAlchemyError, sqlite3.Error, OSError) as error:
            # Messages of these hold addresses, which may hold a password.
            raise RegistryError(f"{failure} ({type(error).__name__}).") from None
