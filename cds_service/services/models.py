"""The life of a model: registered, promoted, rolled back; every step audited."""

import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Engine
from sqlalchemy.exc import IntegrityError

from cds_service.context import Clock
from cds_service.logs import LOGGER
from cds_service.services.floors import floor_figures, raise_alerts
from cds_service.services.kept_reports import report_folder
from cds_service.services.looks import Purpose, look
from cds_service.services.model_reports import keep_report
from cds_service.services.promoting import Promotions
from cds_service.services.releasing import ModelRuleError
from cds_service.settings import Settings
from cds_service.storage.audit_store import AuditStore
from cds_service.storage.challenger_store import ChallengerStore
from cds_service.storage.model_store import DERIVED_FROM, SAME_ANSWERS_AS, ModelStore
from model.training.registry import CHALLENGER, CHAMPION, Registry, RegistryError
from model.training.run import TrainingResult

FITTED_AT = "fitted_at"
"""Name among the metrics of a version whose estimator is that of an earlier one."""


class ModelService(Promotions):
    """Registers versions, and decides which one is live; MLflow's aliases follow."""

    def __init__(self, engine: Engine, settings: Settings, clock: Clock) -> None:
        super().__init__(engine, clock)
        self._settings = settings
        self._registry = open_registry(settings)

    def register(
        self,
        result: TrainingResult,
        *,
        actor: str,
        note: str,
        history_id: str | None,
        history_ids: Sequence[str] | None = None,
        purpose: Purpose = "train",
        challenger: Mapping[str, Any] | None = None,
    ) -> str:
        """Record a trained artefact, in MLflow and here, with its report; returns its version.

        `history_ids` are all histories it learnt from; by default `history_id` alone. With it go
        the look at its held-out part and alerts for figures below a floor; both are added to
        `result.report` (`held_out`, `floors`). `challenger` sends it on its way in the same
        transaction: `origin`, `stage`, `champion`, `detail`.
        """
        at = self._clock()
        report = result.report
        figures = floor_figures(self._settings, report["metrics"])
        version = self._registry.register(result, at=at)
        with self._recording(
            result,
            version,
            at=at,
            actor=actor,
            note=note,
            kind=result.chosen.name,
            simulated=result.scorer.facts.simulated,
            history_id=history_id,
            history_ids=_histories(history_id, history_ids),
            metrics={"held_out": report["metrics"], "held_out_part": report["held_out"]},
        ) as connection:
            looks = look(
                connection,
                report["held_out"],
                at=at,
                actor=actor,
                purpose=purpose,
                model_version=version,
            )
            raise_alerts(connection, figures, at=at, found_by=purpose, model_version=version)
            if challenger is not None:
                ChallengerStore(connection).add(
                    {"version": version, "created_at": at, "reason": ""} | dict(challenger)
                )
        report["held_out"] |= looks.as_json() | {"said": str(looks)}
        report["floors"] = [str(figure) for figure in figures]
        self._keep_report(version, result, at, looks.before + 1)
        self._follow(CHALLENGER, version)
        return version

    def register_derived(
        self,
        result: TrainingResult,
        parent: Mapping[str, Any],
        *,
        actor: str,
        note: str,
        metrics: Mapping[str, Any],
        within: Callable[[Connection, str], None],
    ) -> str:
        """Record a model made from `parent` without fitting it again; returns its version.

        No held-out part was looked at. `within` is given the version and is done in the same
        transaction; what it raises undoes all. `metrics` are added to those of the parent.
        """
        at = self._clock()
        version = self._registry.register(result, at=at)
        # Whether it answers as another version does is for `metrics` to say.
        known = {name: one for name, one in parent["metrics"].items() if name != SAME_ANSWERS_AS}
        with self._recording(
            result,
            version,
            at=at,
            actor=actor,
            note=note,
            detail={DERIVED_FROM: parent["version"]},
            kind=parent["kind"],
            simulated=parent["simulated"],
            history_id=parent["history_id"],
            history_ids=histories_of(parent),
            metrics=known | {DERIVED_FROM: parent["version"]} | dict(metrics),
        ) as connection:
            within(connection, version)
        return version

    @contextmanager
    def _recording(
        self,
        result: TrainingResult,
        version: str,
        *,
        at: datetime,
        actor: str,
        note: str,
        detail: Mapping[str, Any] | None = None,
        **columns: Any,
    ) -> Iterator[Connection]:
        """A transaction that records a version, for what goes with it."""
        row = {
            "version": version,
            "location": str(result.path.resolve()),
            "checksum": result.checksum,
            "created_at": at,
            "created_by": actor,
            "note": note,
        }
        try:
            with self._engine.begin() as connection:
                ModelStore(connection).add_version(row | columns)
                AuditStore(connection).add(
                    at=at,
                    actor=actor,
                    action="register",
                    object_type="model",
                    object_id=version,
                    detail=detail,
                )
                yield connection
        except IntegrityError:
            raise ModelRuleError(
                f"MLflow counts this model as version {version}, which the database has already: "
                "the two do not belong together (CDS_MLFLOW_TRACKING_URI, CDS_DATABASE_URL)."
            ) from None

    def _keep_report(self, version: str, result: TrainingResult, at: datetime, looks: int) -> None:
        """Write the report of a version; a model without one is no less registered."""
        folder = report_folder(self._settings, version)
        try:
            if keep_report(result, folder, version=version, at=at, looks=looks):
                self._registry.log_report(version, folder)
        except OSError as error:
            LOGGER.warning(
                "The report of version %s cannot be written (%s).", version, type(error).__name__
            )
        except RegistryError as error:
            LOGGER.warning("%s It is kept in the data folder.", error)

    def log_comparison(self, version: str, comparison: Mapping[str, Any]) -> None:
        """Add a comparison to the run of a version; the database has it already."""
        try:
            self._registry.log_comparison(version, comparison, at=self._clock())
        except RegistryError as error:
            LOGGER.warning("%s Nothing else depends on it.", error)

    def released(self, version: str) -> None:
        """Let MLflow know too."""
        self.follow_champion(version)

    def follow_champion(self, version: str) -> None:
        """Let MLflow's alias name the version that is live."""
        self._follow(CHAMPION, version)

    def _follow(self, alias: str, version: str) -> None:
        """Let MLflow's alias follow what our database says, which alone decides what is live."""
        try:
            self._registry.set_alias(alias, version)
        except RegistryError as error:
            LOGGER.warning("%s Nothing else depends on it.", error)


def open_registry(settings: Settings) -> Registry:
    """The registry; a file of its own that does not exist yet is made whole or not at all.

    Raises `RegistryError`.

    MLflow makes its tables in some seventy steps that SQLite commits one by one. If the first
    start is killed among them, no later one could go on, so they are made under another name.
    """
    runs = settings.data_dir / "mlflow"
    path = settings.data_dir / "mlflow.sqlite3"
    if settings.mlflow_tracking_uri is None and not path.exists():
        unfinished = path.with_name(f".{path.name}.unfinished-{os.getpid()}")
        unfinished.unlink(missing_ok=True)
        Registry(f"sqlite:///{unfinished}", runs)
        if path.exists():  # Another process was faster.
            unfinished.unlink()
        else:
            unfinished.replace(path)
    return Registry(settings.tracking_uri, runs)


def _histories(history_id: str | None, history_ids: Sequence[str] | None) -> list[str]:
    if history_ids is not None:
        return list(history_ids)
    return [] if history_id is None else [history_id]


def histories_of(row: Mapping[str, Any]) -> list[str]:
    """Every history file a version learnt from; rows of earlier versions name one."""
    return _histories(row["history_id"], row["history_ids"] or None)


def fitted_at(row: Mapping[str, Any]) -> datetime:
    """Until when the estimator of a version can have learnt: when it, or the one it was made
    from, was registered."""
    text = row["metrics"].get(FITTED_AT)
    made: datetime = row["created_at"]
    return made if text is None else datetime.fromisoformat(text)
