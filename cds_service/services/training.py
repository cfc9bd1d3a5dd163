"""Training: the simulated starter, and models from history files."""

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path

import pandas as pd
from sqlalchemy import Engine

from cds_service.context import Clock
from cds_service.security.secrecy import Secrecy
from cds_service.services.code_version import code_version
from cds_service.services.histories import read_kept, record_history, write_history
from cds_service.services.models import ModelService
from cds_service.services.rare_cases import without_rejected
from cds_service.services.releasing import ModelRuleError
from cds_service.services.site_terminology import site_terminology
from cds_service.settings import Settings, read_secret_keys
from cds_service.storage.model_store import ModelStore
from cds_service.storage.rare_case_store import RareCaseStore
from cds_service.storage.session import reading
from fhir_mapping.label_versions import LABEL_RULE_VERSION
from model.rare_codes import SEPARATOR, codes_of
from model.training.cleaning import clean_history
from model.training.cleaning_report import CleaningReport
from model.training.design import TrainingSettings
from model.training.history import read_history
from model.training.run import DataDescription, TrainingResult, train
from model.training.simulation import simulate_cohort

Progress = Callable[[str, float], None]

STARTER_ROWS = 24_000
"""Enough for every category to have hundreds of rows in each part; trained in under a minute."""
STARTER_SEED = 20_260_101


@dataclass(frozen=True, slots=True)
class HistoryFile:
    """A history file and how its columns are to be read."""

    path: Path
    columns: Mapping[str, str] = field(default_factory=dict)
    time_column: str | None = None
    timezone: str | None = None
    source: str | None = None
    label_version: str | None = None
    """Rules its categories were made by; versions are not pooled (C17). `None`: the present
    ones."""


@dataclass(frozen=True, slots=True)
class TrainReport:
    """What a training run came to."""

    version: str
    promoted: bool
    why: str
    result: TrainingResult
    cleaning: CleaningReport | None = None


class TrainingService:
    """Trains models and registers them; promotes only what replaces nothing real."""

    def __init__(self, engine: Engine, settings: Settings, clock: Clock) -> None:
        self._engine = engine
        self._settings = settings
        self._clock = clock
        self.models = ModelService(engine, settings, clock)

    @cached_property
    def label_version(self) -> str:
        """Version of the label rules as they are set up now. Raises `ConfigurationError`."""
        return site_terminology(self._settings).label_version

    @property
    def artefacts(self) -> Path:
        """Where artefact folders are written."""
        return self._settings.data_dir / "models"

    def train_starter(
        self, *, actor: str, progress: Progress, with_report: bool = True
    ) -> TrainReport:
        """Train on the simulated cohort."""
        progress("simulating patients", 0.0)
        result = train(
            simulate_cohort(STARTER_ROWS, STARTER_SEED),
            # On simulated patients a remedy for imbalance would prove nothing, and takes a while.
            TrainingSettings(balancings=("none",)),
            artefact_root=self.artefacts,
            data=DataDescription(
                simulated=True,
                description="Simulated patients, built from published physiology.",
                label_version=LABEL_RULE_VERSION,
                code_version=code_version(),
            ),
            progress=progress,
            with_study=with_report,
        )
        return self._settle(result, actor=actor, note="simulated starter", history_id=None)

    def train_history(
        self,
        history: HistoryFile,
        design: TrainingSettings,
        *,
        actor: str,
        progress: Progress,
        allow_fewer_categories: bool = False,
        with_report: bool = True,
        workers: int = 1,
        search_minutes: float | None = None,
    ) -> TrainReport:
        """Clean a history file, keep what is left of it for retraining, and train on it.

        A search runs in `workers` processes and ends after `search_minutes`. Raises
        `HistoryError` or `TrainingError`, in words for the user.
        """
        progress("reading history", 0.0)
        raw = read_history(
            history.path,
            column_map=history.columns,
            time_column=history.time_column,
            timezone=history.timezone,
            source=history.source,
        )
        progress("cleaning history", 0.02)
        cleaned = clean_history(raw, min_age=design.min_age, max_age=design.max_age)
        result = train(
            self._without_rejected(cleaned.frame),
            design,
            artefact_root=self.artefacts,
            data=DataDescription(
                simulated=False,
                description=f"History file {history.path.name}.",
                label_version=history.label_version or self.label_version,
                sources={history.path.name: raw.sha256},
                cleaning=cleaned.report.to_dict(),
                code_version=code_version(),
            ),
            progress=lambda step, share: progress(step, 0.05 + 0.95 * share),
            with_study=with_report,
            workers=workers,
            out_of_time=None if search_minutes is None else after_minutes(search_minutes),
        )
        history_id = self._keep(cleaned.frame, history, cleaned.report, actor)
        return self._settle(
            result,
            actor=actor,
            note=f"history {history.path.name}",
            history_id=history_id,
            cleaning=cleaned.report,
            allow_fewer_categories=allow_fewer_categories,
        )

    def _settle(
        self,
        result: TrainingResult,
        *,
        actor: str,
        note: str,
        history_id: str | None,
        cleaning: CleaningReport | None = None,
        allow_fewer_categories: bool = False,
    ) -> TrainReport:
        """Register; promote where there is no champion or only the simulated starter."""
        version = self.models.register(result, actor=actor, note=note, history_id=history_id)
        champion = self.models.champion()
        if champion is not None and not champion["simulated"]:
            why = (
                f"Registered as challenger: version {champion['version']} is live and was trained "
                f"on history. Compare, then: cds-service models promote {version} --reason …"
            )
            return TrainReport(version, False, why, result, cleaning)
        reason = (
            "There was no champion."
            if champion is None
            else f"It replaces version {champion['version']}, trained on simulated patients."
        )
        if champion is not None and result.scorer.facts.simulated:
            reason = f"It replaces the simulated version {champion['version']}."
        try:
            self.models.promote(
                version,
                actor=actor,
                reason=reason,
                allow_fewer_categories=allow_fewer_categories,
            )
        except ModelRuleError as error:
            return TrainReport(
                version, False, f"Registered as challenger: {error}", result, cleaning
            )
        return TrainReport(version, True, f"Promoted. {reason}", result, cleaning)

    def _keep(
        self, frame: pd.DataFrame, history: HistoryFile, report: CleaningReport, actor: str
    ) -> str:
        """Store the cleaned rows, each file once, so that `retrain` can learn from them again."""
        written = write_history(
            self._settings.data_dir / "history",
            frame,
            history.label_version or self.label_version,
        )
        with self._engine.begin() as connection:
            return record_history(connection, written, report, at=self._clock(), actor=actor)

    def history_frame(self, history_id: str, *, any_rules: bool = False) -> pd.DataFrame:
        """Cleaned rows of a history file made by the present label rules, else none (C17).

        With `any_rules` in any case: whom a model has learnt from does not depend on the rules.

        Raises `ServiceError` if the stored rows are gone or were changed.
        """
        with reading(self._engine) as connection:
            row = ModelStore(connection).history(history_id)
        if row["label_version"] != self.label_version and not any_rules:
            return pd.DataFrame()
        frame = read_kept(row)
        if "rare_code" in frame:
            # Rows kept by earlier versions have ORPHAcodes without their prefix.
            codes = frame["rare_code"].map(lambda cell: SEPARATOR.join(codes_of(cell)) or None)
            frame["rare_code"] = codes.astype("str")
        return self._without_rejected(frame)

    def _without_rejected(self, frame: pd.DataFrame) -> pd.DataFrame:
        """Without the rows of rare cases that a reviewer rejected (C20)."""
        with reading(self._engine) as connection:
            reviews = RareCaseStore(connection).newest()
        if not reviews:
            return frame
        return without_rejected(frame, reviews, Secrecy(read_secret_keys(self._settings)))


def after_minutes(minutes: float) -> Callable[[], bool]:
    """Whether so many minutes have passed since now."""
    end = time.monotonic() + 60.0 * minutes
    return lambda: time.monotonic() >= end
