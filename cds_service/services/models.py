"""The life of a model: registered, promoted, rolled back; every step audited."""

import os
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, Engine
from sqlalchemy.exc import IntegrityError

from cds_service.context import Clock
from cds_service.logs import LOGGER
from cds_service.services.floors import floor_figures, raise_alerts
from cds_service.services.looks import Purpose, look
from cds_service.services.model_reports import keep_report, report_folder
from cds_service.services.releasing import Action, ModelRuleError, make_live
from cds_service.settings import Settings
from cds_service.storage.audit_store import AuditStore
from cds_service.storage.challenger_store import ChallengerStore
from cds_service.storage.look_store import LookStore
from cds_service.storage.model_store import ModelStore
from cds_service.storage.session import reading
from model.errors import ArtefactError
from model.scorer import Scorer
from model.severity import Severity
from model.training.derived import DERIVED_FROM
from model.training.registry import CHALLENGER, CHAMPION, Registry, RegistryError
from model.training.run import TrainingResult

FITTED_AT = "fitted_at"
"""Name among the metrics of a version whose estimator is that of an earlier one."""
COMPARISONS = ("retrain", "compare")
"""Kinds of evaluations that hold the decision of the gates."""


class ModelService:
    """Registers versions and decides which one is live."""

    def __init__(self, engine: Engine, settings: Settings, clock: Clock) -> None:
        self._engine = engine
        self._settings = settings
        self._clock = clock
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
        row = {
            "version": version,
            "location": str(result.path.resolve()),
            "checksum": result.checksum,
            "kind": result.chosen.name,
            "simulated": result.scorer.facts.simulated,
            "created_at": at,
            "created_by": actor,
            "note": note,
            "history_id": history_id,
            "history_ids": _histories(history_id, history_ids),
            "metrics": {"held_out": report["metrics"], "held_out_part": report["held_out"]},
        }
        try:
            with self._engine.begin() as connection:
                ModelStore(connection).add_version(row)
                AuditStore(connection).add(
                    at=at, actor=actor, action="register", object_type="model", object_id=version
                )
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
        except IntegrityError:
            raise ModelRuleError(
                f"MLflow counts this model as version {version}, which the database has already: "
                "the two do not belong together (CDS_MLFLOW_TRACKING_URI, CDS_DATABASE_URL)."
            ) from None
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
        row = {
            "version": version,
            "location": str(result.path.resolve()),
            "checksum": result.checksum,
            "kind": parent["kind"],
            "simulated": parent["simulated"],
            "created_at": at,
            "created_by": actor,
            "note": note,
            "history_id": parent["history_id"],
            "history_ids": histories_of(parent),
            "metrics": dict(parent["metrics"]) | {DERIVED_FROM: parent["version"]} | dict(metrics),
        }
        with self._engine.begin() as connection:
            ModelStore(connection).add_version(row)
            AuditStore(connection).add(
                at=at,
                actor=actor,
                action="register",
                object_type="model",
                object_id=version,
                detail={DERIVED_FROM: parent["version"]},
            )
            within(connection, version)
        return version

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

    def comparisons(self, version: str) -> list[dict[str, Any]]:
        """Comparisons of a version as challenger, newest first: `at` and the decision."""
        with reading(self._engine) as connection:
            return [
                {"at": row["at"], "kind": row["kind"]} | row["result"]
                for row in ModelStore(connection).evaluations(version)
                if row["kind"] in COMPARISONS and "gates" in row["result"]
            ]

    def challenger(self, version: str) -> dict[str, Any] | None:
        """Where a version stands on its way; `None` for one that is no challenger."""
        with reading(self._engine) as connection:
            return ChallengerStore(connection).get(version)

    def looks(self, version: str) -> list[dict[str, Any]]:
        """Looks taken at held-out rows for a version, oldest first."""
        with reading(self._engine) as connection:
            return LookStore(connection).of_version(version)

    def versions(self) -> list[dict[str, Any]]:
        """Every version, oldest first, with `live` true for the champion."""
        with reading(self._engine) as connection:
            store = ModelStore(connection)
            champion = store.champion()
            live = None if champion is None else champion["version"]
            return [row | {"live": row["version"] == live} for row in store.versions()]

    def releases(self) -> list[dict[str, Any]]:
        """Who made which version live, newest first."""
        with reading(self._engine) as connection:
            return ModelStore(connection).releases()

    def champion(self) -> dict[str, Any] | None:
        """The live version."""
        with reading(self._engine) as connection:
            return ModelStore(connection).champion()

    def version(self, version: str) -> dict[str, Any]:
        """One version. Raises `ModelRuleError` if there is none of that number."""
        for row in self.versions():
            if row["version"] == version:
                return row
        raise ModelRuleError(f"There is no model version {version}; see cds-service models list.")

    def promote(
        self,
        version: str,
        *,
        actor: str,
        reason: str,
        allow_fewer_categories: bool = False,
        stages: Sequence[str] | None = None,
        detail: Mapping[str, Any] | None = None,
    ) -> None:
        """Make a version live; with `stages` only a challenger that is in one of them.

        `detail` goes into the audit trail beside the reason. Raises `ModelRuleError` without a
        reason, if it is live already or if a category would be lost (C19), and `ArtefactError` if
        its files are damaged.
        """
        _require_reason(reason)
        row = self.version(version)
        if row["live"]:
            raise ModelRuleError(f"Model version {version} is live already.")
        candidate = self.load(row)
        champion = self.champion()
        if champion is not None and not allow_fewer_categories:
            lost = self._covered_by_champion(champion) - _covered(candidate)
            if lost:
                raise ModelRuleError(
                    f"Model version {version} does not know {_words(lost)}, which the champion "
                    "does. Use --allow-fewer-categories if that is meant."
                )
        self._release(
            version,
            "promote",
            actor,
            reason,
            instead_of=None if champion is None else champion["version"],
            stages=stages,
            detail=detail,
        )

    def rollback(self, *, actor: str, reason: str) -> str:
        """Make the version live that was live before; returns it.

        Raises `ModelRuleError` without a reason or an earlier version, and `ArtefactError` if its
        files are damaged.
        """
        _require_reason(reason)
        live: list[str] = []
        for release in reversed(self.releases()):
            if release["action"] == "rollback":
                # More than one version, where the first of them were updates of rare diseases.
                while live and live[-1] != release["version"]:
                    live.pop()
            else:
                live.append(release["version"])
        if len(live) < 2:
            raise ModelRuleError("There is no earlier model version to go back to.")
        previous = live[-2]
        self.load(self.version(previous))
        self._release(previous, "rollback", actor, reason, instead_of=live[-1])
        return previous

    def roll_back_to(
        self,
        previous: str,
        instead_of: str,
        *,
        actor: str,
        reason: str,
        detail: Mapping[str, Any] | None = None,
        within: Callable[[Connection], None] | None = None,
    ) -> None:
        """Make an earlier version live again instead of the one that is live.

        `within` is done first in the same transaction; what it raises undoes all. Raises
        `ModelRuleError` if `instead_of` is not live any more, and `ArtefactError` if the files of
        `previous` are damaged.
        """
        self.load(self.version(previous))
        self._release(
            previous,
            "rollback",
            actor,
            reason,
            instead_of=instead_of,
            detail=detail,
            within=within,
        )

    @staticmethod
    def load(row: dict[str, Any]) -> Scorer:
        """The scorer of a version row. Raises `ArtefactError`."""
        return Scorer.load(
            Path(row["location"]), version=row["version"], expected_checksum=row["checksum"]
        )

    def _covered_by_champion(self, champion: dict[str, Any]) -> set[Severity]:
        try:
            return _covered(self.load(champion))
        except ArtefactError:
            raise ModelRuleError(
                f"The files of version {champion['version']}, which is live, cannot be read, so "
                "that nobody can say which categories would be lost. Use "
                "--allow-fewer-categories to replace it all the same."
            ) from None

    def _release(
        self,
        version: str,
        action: Action,
        actor: str,
        reason: str,
        *,
        instead_of: str | None,
        stages: Sequence[str] | None = None,
        detail: Mapping[str, Any] | None = None,
        within: Callable[[Connection], None] | None = None,
    ) -> None:
        at = self._clock()
        with self._engine.begin() as connection:
            if within is not None:
                within(connection)
            make_live(
                connection,
                version,
                action,
                at=at,
                actor=actor,
                reason=reason,
                instead_of=instead_of,
                stages=stages,
                detail=detail,
            )
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


def _require_reason(reason: str) -> None:
    if not reason.strip():
        raise ModelRuleError("A reason is needed; it is kept in the audit trail.")


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


def _covered(scorer: Scorer) -> set[Severity]:
    return set(scorer.facts.base_rates)


def _words(categories: Iterable[Severity]) -> str:
    return ", ".join(sorted(categories))
