"""Retraining: a challenger on history and confirmed outcomes, held against the champion."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any
from uuid import uuid4

import pandas as pd

from cds_service.context import ProcessContext
from cds_service.errors import ServiceError
from cds_service.services.code_version import code_version
from cds_service.services.comparing import Comparing, Comparison, stored
from cds_service.services.labelled import labelled
from cds_service.services.looks import Looks
from cds_service.services.models import ModelService
from cds_service.services.outcomes import OutcomeService
from cds_service.services.training import TrainingService
from cds_service.storage.audit_store import AuditStore
from cds_service.storage.model_store import ModelStore
from cds_service.storage.session import reading
from model.scorer import Scorer
from model.severity import Severity
from model.training.design import TrainingSettings, Way
from model.training.run import DataDescription, train
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
        champion = ModelService.load(row)
        progress("joining outcomes", 0.0)
        OutcomeService(self._context).refresh()
        now = self._context.clock()
        with reading(self._context.engine) as connection:
            confirmed = labelled(
                connection,
                now=now,
                label_version=self._context.terminology.label_version,
                include_open=include_open,
                for_training=True,
            )
        history = pd.DataFrame()
        if row["history_id"] is not None:
            history = self._training.history_frame(row["history_id"])
        frames = [frame for frame in (history, confirmed.frame) if len(frame)]
        if not frames:
            raise ServiceError(
                "There is nothing to learn from: no history of the champion by the present label "
                f"rules, and no confirmed outcome ({_words(confirmed.counts)})."
            )
        frame = pd.concat(frames, ignore_index=True)
        design = _design(champion, seed)
        result = train(
            frame,
            design,
            artefact_root=self._training.artefacts,
            data=DataDescription(
                simulated=False,
                description=f"{len(history)} rows of history and {len(confirmed.frame)} outcomes.",
                label_version=self._context.terminology.label_version,
                sources=champion.artefact.attributes["sources"] if len(history) else {},
                code_version=code_version(),
            ),
            progress=lambda step, share: progress(step, 0.05 + 0.85 * share),
            with_study=with_report,
        )
        version = self._models.register(
            result, actor=actor, note="retrain", history_id=row["history_id"], purpose="retrain"
        )
        progress("comparing with the champion", 0.92)
        challenger = ModelService.load(self._models.version(version))
        eligible = eligible_rows(frame, design, simulated=False).frame.reset_index(drop=True)
        comparison = self._comparing.compare(
            row,
            self._models.version(version),
            eligible,
            # The held-out part is none the challenger learnt from.
            split(eligible).rows(HELD_OUT)
            & self._comparing.unseen_by_version(eligible, row, champion),
            seed=seed,
            allow_fewer_categories=allow_fewer_categories,
            scorers=(champion, challenger),
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
        looks = self._keep(version, comparison, reason, confirmed.counts, actor)
        promoted = decision.promote and promote
        left_out = (
            ("The history of the champion was labelled by other rules, so it was not learnt from.",)
            if row["history_id"] is not None and not len(history)
            else ()
        )
        outcomes = f"Outcomes: {_words(confirmed.counts)}."
        notes = (outcomes, *left_out, *comparison.notes, *result.report["notes"])
        live = version if promoted else str(row["version"])
        return RetrainReport(
            version,
            live,
            promoted,
            reason,
            notes,
            tuple(decision.as_json()["gates"]),
            looks,
            tuple(map(str, comparison.floors)),
        )

    def _keep(
        self,
        version: str,
        comparison: Comparison,
        reason: str,
        counts: Mapping[str, int],
        actor: str,
    ) -> Looks:
        """The comparison with the look it took, and in MLflow with the version's run."""
        at = self._context.clock()
        outcome = comparison.decision.outcome
        with self._context.engine.begin() as connection:
            looks = self._comparing.keep(
                connection, comparison, at=at, actor=actor, purpose="retrain"
            )
            result = stored(comparison, looks) | {"reason": reason, "counts": dict(counts)}
            ModelStore(connection).add_evaluation(
                {
                    "id": str(uuid4()),
                    "at": at,
                    "kind": "retrain",
                    "model_version": version,
                    "result": result,
                }
            )
            AuditStore(connection).add(
                at=at,
                actor=actor,
                action="retrain",
                object_type="model",
                object_id=version,
                detail={"outcome": outcome, "reason": reason},
            )
        self._models.log_comparison(version, result)
        return looks


def _design(champion: Scorer, seed: int) -> TrainingSettings:
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
        known=() if chosen is None else (Way.of_json(chosen),),
    )


def _words(counts: object) -> str:
    assert isinstance(counts, dict)  # noqa: S101  # as `labelled` gives it
    return ", ".join(f"{name.replace('_', ' ')} {count}" for name, count in counts.items())
