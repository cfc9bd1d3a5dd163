"""Retraining: a challenger on history and confirmed outcomes, held against the champion."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any
from uuid import uuid4

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from sqlalchemy import Connection

from cds_service.context import ProcessContext
from cds_service.errors import ServiceError
from cds_service.services.code_version import code_version
from cds_service.services.comparing import Comparing, Comparison, stored
from cds_service.services.looks import Looks
from cds_service.services.models import ModelService
from cds_service.services.training import TrainingService
from cds_service.services.training_rows import TrainingRows, training_rows
from cds_service.storage.audit_store import AuditStore
from cds_service.storage.model_store import ModelStore
from model.scorer import Scorer
from model.severity import Severity
from model.training.design import BALANCINGS, ESTIMATORS, TrainingSettings, Way
from model.training.run import DataDescription, TrainingResult, train
from model.training.selection import eligible_rows
from model.training.splits import HELD_OUT, split

Progress = Callable[[str, float], None]


@dataclass(frozen=True, slots=True)
class RetrainReport:
    """Which way it went, and why."""

    version: str
    champion: str
    """The version that is live afterwards."""
    promoted: bool
    reason: str
    notes: tuple[str, ...]
    gates: tuple[Mapping[str, Any], ...]
    """Every gate, as `GateDecision.as_json` has it."""
    looks: Looks
    """At the rows of the comparison."""
    floors: tuple[str, ...]
    """The challenger's figures that have a floor, in words."""


class RetrainingService:
    """Trains a challenger and lets it replace the champion only if it is shown not to be worse."""

    def __init__(self, context: ProcessContext) -> None:
        self._context = context
        self._training = TrainingService(context.engine, context.settings, context.clock)
        self._models = self._training.models
        self._comparing = Comparing(context, self._training)

    def retrain(
        self,
        *,
        actor: str,
        progress: Progress,
        promote: bool = True,
        include_open: bool = False,
        allow_fewer_categories: bool = False,
        seed: int = 20_260,
        with_report: bool = True,
    ) -> RetrainReport:
        """Train, compare, and promote if the comparison allows it.

        Raises `ServiceError` without a champion, `TrainingError` if there is not enough to learn
        from.
        """
        row = self._models.champion()
        if row is None:
            raise ServiceError("There is no champion to compare with: run cds-service train.")
        progress("joining outcomes", 0.0)
        champion = ModelService.load(row)
        now = self._context.clock()
        rows = training_rows(self._context, self._training, row, now=now, include_open=include_open)
        design = like_champion(champion, seed)
        version, result = self.train(
            row,
            rows,
            design,
            actor=actor,
            note="retrain",
            progress=lambda step, share: progress(step, 0.05 + 0.87 * share),
            with_report=with_report,
        )
        progress("comparing with the champion", 0.92)
        comparison = self.judge(
            row, version, rows, seed=seed, allow_fewer_categories=allow_fewer_categories
        )
        decision = comparison.decision
        reason = decision.reason
        if decision.promote and promote:
            self._models.promote(
                version,
                actor=actor,
                reason=reason,
                allow_fewer_categories=allow_fewer_categories,
            )
        elif decision.promote:
            reason = f"{reason} Held as challenger (--no-promote)."
        at = self._context.clock()
        with self._context.engine.begin() as connection:
            looks = self.keep(
                connection, version, comparison, reason, rows.counts, at=at, actor=actor
            )
        self.log(version, comparison, looks, reason, rows.counts)
        promoted = decision.promote and promote
        return RetrainReport(
            version,
            version if promoted else str(row["version"]),
            promoted,
            reason,
            (*rows.notes, *comparison.notes, *result.report["notes"]),
            tuple(decision.as_json()["gates"]),
            looks,
            tuple(map(str, comparison.floors)),
        )

    def train(
        self,
        champion: Mapping[str, Any],
        rows: TrainingRows,
        design: TrainingSettings,
        *,
        actor: str,
        note: str,
        progress: Progress,
        with_report: bool,
        challenger: Mapping[str, Any] | None = None,
        out_of_time: Callable[[], bool] | None = None,
    ) -> tuple[str, TrainingResult]:
        """Fit from scratch and register; with `challenger` it is on its way from here on.

        Raises `TrainingError` if there is not enough to learn from.
        """
        sources = ModelService.load(dict(champion)).artefact.attributes["sources"]
        result = train(
            rows.frame,
            design,
            artefact_root=self._training.artefacts,
            data=DataDescription(
                simulated=False,
                description=f"{rows.history_rows} rows of history and {rows.outcome_rows} "
                "outcomes.",
                label_version=self._context.terminology.label_version,
                sources=sources if rows.history_rows else {},
                code_version=code_version(),
            ),
            progress=progress,
            with_study=with_report,
            out_of_time=out_of_time,
        )
        version = self._models.register(
            result,
            actor=actor,
            note=note,
            history_id=champion["history_id"],
            history_ids=rows.history_ids,
            purpose="retrain",
            challenger=challenger,
        )
        return version, result

    def judge(
        self,
        champion_row: Mapping[str, Any],
        version: str,
        rows: TrainingRows,
        *,
        seed: int,
        allow_fewer_categories: bool = False,
    ) -> Comparison:
        """Hold a challenger against the champion on what neither has learnt from."""
        row = self._models.version(version)
        champion, challenger = ModelService.load(dict(champion_row)), ModelService.load(row)
        frame, held_out = _held_out(rows.frame, challenger)
        return self._comparing.compare(
            champion_row,
            row,
            frame,
            held_out & self._comparing.unseen_by_version(frame, champion_row, champion, rows.older),
            seed=seed,
            allow_fewer_categories=allow_fewer_categories,
            scorers=(champion, challenger),
            also=rows.older,
        )

    def keep(
        self,
        connection: Connection,
        version: str,
        comparison: Comparison,
        reason: str,
        counts: Mapping[str, int],
        *,
        at: datetime,
        actor: str,
    ) -> Looks:
        """The comparison with the look it took, in the caller's transaction."""
        looks = self._comparing.keep(connection, comparison, at=at, actor=actor, purpose="retrain")
        ModelStore(connection).add_evaluation(
            {
                "id": str(uuid4()),
                "at": at,
                "kind": "retrain",
                "model_version": version,
                "result": _told(comparison, looks, reason, counts),
            }
        )
        AuditStore(connection).add(
            at=at,
            actor=actor,
            action="retrain",
            object_type="model",
            object_id=version,
            detail={"outcome": comparison.decision.outcome, "reason": reason},
        )
        return looks

    def log(
        self,
        version: str,
        comparison: Comparison,
        looks: Looks,
        reason: str,
        counts: Mapping[str, int],
    ) -> None:
        """Add a comparison that was kept to the run of its version in MLflow."""
        self._models.log_comparison(version, _told(comparison, looks, reason, counts))


def like_champion(champion: Scorer, seed: int) -> TrainingSettings:
    """The champion's population, flag rates and inputs: a comparison of like with like.

    Its kind of model, remedy and parameters are among the candidates, whatever found them.
    """
    design = champion.artefact.design
    chosen = design.get("chosen")
    return TrainingSettings(
        seed=seed,
        min_age=design["min_age"],
        max_age=design["max_age"],
        flag_rates={Severity(code): rate for code, rate in design["flag_rates"].items()},
        # A model from before there were any does not name them.
        extra_inputs=tuple(design.get("extra_inputs", ())),
        rare_flag_rate=design.get("rare_flag_rate", TrainingSettings().rare_flag_rate),
        learn_newest=True,
        known=() if chosen is None else (Way.of_json(chosen),),
    )


def as_champion(champion: Scorer, seed: int) -> TrainingSettings:
    """The same kind, remedy and parameters, and nothing else: a refresh.

    A champion of an earlier version, which does not name them, is compared with the quick kinds.
    """
    design = like_champion(champion, seed)
    return replace(design, only_known=bool(design.known))


def full_search(champion: Scorer, seed: int) -> TrainingSettings:
    """Every kind of model and remedy, and the best tuned."""
    return replace(
        like_champion(champion, seed), estimators=ESTIMATORS, balancings=BALANCINGS, search=True
    )


def _held_out(frame: pd.DataFrame, challenger: Scorer) -> tuple[pd.DataFrame, NDArray[np.bool_]]:
    """Rows of its population, and which of them a challenger of these rows did not learn from.

    Where outcomes came since, the newest window may begin elsewhere now; rows from before the one
    it was trained by were learnt from.
    """
    attributes = challenger.artefact.attributes
    population = TrainingSettings(min_age=attributes["min_age"], max_age=attributes["max_age"])
    eligible = eligible_rows(frame, population, simulated=False).frame.reset_index(drop=True)
    shared = bool(challenger.artefact.design.get("learn_newest"))
    held_out = split(eligible, learn_newest=shared).rows(HELD_OUT)
    start = attributes["held_out_from"]
    if start is not None:
        times = pd.to_datetime(eligible["recorded_at"], utc=True)
        held_out = held_out & np.asarray(times.isna() | (times >= pd.Timestamp(start)), dtype=bool)
    return eligible, held_out


def _told(
    comparison: Comparison, looks: Looks, reason: str, counts: Mapping[str, int]
) -> dict[str, Any]:
    return stored(comparison, looks) | {"reason": reason, "counts": dict(counts)}
