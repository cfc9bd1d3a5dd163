"""Comparing two versions on patients neither has learnt from."""

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import uuid4

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from sqlalchemy import Connection

from cds_service.context import ProcessContext
from cds_service.errors import ServiceError
from cds_service.services.floors import FloorFigure, floor_figures, raise_alerts
from cds_service.services.labelled import labelled
from cds_service.services.looks import Looks, Purpose, look
from cds_service.services.models import ModelService, fitted_at, histories_of
from cds_service.services.outcomes import OutcomeService
from cds_service.services.training import TrainingService
from cds_service.settings import Settings
from cds_service.storage.audit_store import AuditStore
from cds_service.storage.model_store import ModelStore
from cds_service.storage.session import reading
from model.errors import ModelError
from model.evaluation.metrics import evaluate
from model.evaluation.report import as_records
from model.population import ages_in_range
from model.scorer import Scorer
from model.severity import parse_severity
from model.training.cleaning import clean_history
from model.training.fingerprints import held_out_record
from model.training.gate_records import Margins
from model.training.gates import GateDecision, compare
from model.training.history import read_history
from model.training.splits import unseen_by

PAST = timedelta(days=365)
"""How long ago a version may have been live to be one that is not to be fallen behind."""
_FLOOR_REPLICATES = 20
"""Floors are compared with figures, not with their intervals."""


@dataclass(frozen=True, slots=True)
class Comparison:
    """What the gates say of two versions, and of the rows they say it of."""

    decision: GateDecision
    held_out: Mapping[str, Any]
    floors: tuple[FloorFigure, ...]
    """The challenger's figures that have a floor."""
    notes: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class CompareReport:
    """A comparison that was kept."""

    comparison: Comparison
    looks: Looks

    def as_json(self) -> dict[str, Any]:
        """JSON types, as `evaluations` keeps them."""
        return stored(self.comparison, self.looks)


def margins_of(settings: Settings) -> Margins:
    """How much worse a challenger may be at this site."""
    return Margins(
        log_loss=settings.gate_log_loss,
        category=settings.gate_category,
        sensitivity=settings.gate_sensitivity,
        fairness=settings.gate_fairness,
        latency_ratio=settings.gate_latency_ratio,
        latency_ms=settings.gate_latency_ms,
        minimum=settings.minimum_held_out,
    )


def stored(comparison: Comparison, looks: Looks) -> dict[str, Any]:
    """A comparison as JSON types."""
    return comparison.decision.as_json() | {
        "held_out": dict(comparison.held_out) | looks.as_json(),
        "floors": [str(figure) for figure in comparison.floors],
        "notes": list(comparison.notes),
    }


class Comparing:
    """Selects the rows that two versions, and the champions of the past year, may be judged by."""

    def __init__(self, context: ProcessContext, training: TrainingService) -> None:
        self._context = context
        self._training = training
        self._models = training.models

    def compare_versions(
        self,
        first: str,
        second: str,
        *,
        actor: str,
        seed: int,
        history: Path | None = None,
        columns: Mapping[str, str] | None = None,
        time_column: str | None = None,
        timezone: str | None = None,
        include_open: bool = False,
        allow_fewer_categories: bool = False,
        also: Callable[[Connection, Comparison], None] | None = None,
    ) -> CompareReport:
        """Hold version `second` against `first` and keep what the gates say; `also` is called in
        the transaction that keeps it, which what it raises undoes.

        On the rows of the file `history`, else on the kept histories of both and the confirmed
        outcomes; of them on patients neither has learnt from. Raises `ServiceError`, also for a
        version that does not exist, `ArtefactError` for a damaged one and `HistoryError`.
        """
        rows = [self._models.version(name) for name in (first, second)]
        if first == second:
            raise ServiceError("A version cannot be compared with itself.")
        scorers = [ModelService.load(row) for row in rows]
        if history is not None:
            raw = read_history(
                history, column_map=columns or {}, time_column=time_column, timezone=timezone
            )
            frame = clean_history(
                raw,
                min_age=max(scorer.facts.min_age for scorer in scorers),
                max_age=min(scorer.facts.max_age for scorer in scorers),
            ).frame
        else:
            frame = self._kept(rows, include_open=include_open)
        frame = _of_both(frame, scorers)
        unseen = self._unseen(frame, rows, scorers)
        comparison = self.compare(
            rows[0],
            rows[1],
            frame,
            unseen,
            seed=seed,
            allow_fewer_categories=allow_fewer_categories,
            scorers=(scorers[0], scorers[1]),
        )
        at = self._context.clock()
        with self._context.engine.begin() as connection:
            looks = self.keep(connection, comparison, at=at, actor=actor, purpose="compare")
            ModelStore(connection).add_evaluation(
                {
                    "id": str(uuid4()),
                    "at": at,
                    "kind": "compare",
                    "model_version": second,
                    "result": stored(comparison, looks),
                }
            )
            AuditStore(connection).add(
                at=at,
                actor=actor,
                action="compare",
                object_type="model",
                object_id=second,
                detail={
                    "with": first,
                    "outcome": comparison.decision.outcome,
                    "reason": comparison.decision.reason,
                },
            )
            if also is not None:
                also(connection, comparison)
        report = CompareReport(comparison, looks)
        self._models.log_comparison(second, report.as_json())
        return report

    def compare(
        self,
        champion_row: Mapping[str, Any],
        challenger_row: Mapping[str, Any],
        frame: pd.DataFrame,
        chosen: NDArray[np.bool_],
        *,
        seed: int,
        allow_fewer_categories: bool,
        scorers: tuple[Scorer, Scorer],
        also: pd.DataFrame | None = None,
    ) -> Comparison:
        """Judge by the `chosen` rows of `frame`, which neither version has learnt from.

        `also` are rows outside `frame` that versions may have learnt from.

        Champions of the past year take part where enough of the rows are left that they have not
        learnt from either; then only these rows count, so that all are judged by the same.
        """
        minimum = self._context.settings.minimum_held_out
        past: list[Scorer] = []
        notes: list[str] = []
        for row in self._past_champions(champion_row, challenger_row):
            try:
                scorer = ModelService.load(dict(row))
                fresh = chosen & self._unseen(frame, [row], [scorer], also)
            except (ModelError, ServiceError):
                notes.append(
                    f"Version {row['version']}, live within the past year, took no part: its files "
                    "or its history cannot be read."
                )
                continue
            if fresh.sum() < min(minimum, int(chosen.sum())):
                notes.append(
                    f"Version {row['version']}, live within the past year, took no part: it has "
                    "learnt from too many of these patients."
                )
                continue
            chosen = fresh
            past.append(scorer)
        decision = compare(
            scorers[0],
            scorers[1],
            frame[chosen],
            seed=seed,
            margins=margins_of(self._context.settings),
            allow_fewer_categories=allow_fewer_categories,
            past=past,
            timer=time.perf_counter,
        )
        start = frame.loc[chosen, "recorded_at"].min() if "recorded_at" in frame else pd.NaT
        held_out = held_out_record(
            frame, chosen, None if pd.isna(start) else start.to_pydatetime(warn=False)
        )
        floors = floor_figures(self._context.settings, _figures(scorers[1], frame[chosen], seed))
        return Comparison(decision, held_out, floors, tuple(notes))

    def keep(
        self,
        connection: Connection,
        comparison: Comparison,
        *,
        at: datetime,
        actor: str,
        purpose: Purpose,
    ) -> Looks:
        """The look at the rows and the alerts of a comparison, in the caller's transaction."""
        version = comparison.decision.figures["challenger"]
        looks = look(
            connection,
            comparison.held_out,
            at=at,
            actor=actor,
            purpose=purpose,
            model_version=version,
        )
        raise_alerts(
            connection, comparison.floors, at=at, found_by="compare", model_version=version
        )
        return looks

    def unseen_by_version(
        self,
        frame: pd.DataFrame,
        row: Mapping[str, Any],
        scorer: Scorer,
        also: pd.DataFrame | None = None,
    ) -> NDArray[np.bool_]:
        """Rows of `frame` of patients a version has not learnt from; `also` as in `_unseen`."""
        return self._unseen(frame, [row], [scorer], also)

    def _unseen(
        self,
        frame: pd.DataFrame,
        rows: Sequence[Mapping[str, Any]],
        scorers: Sequence[Scorer],
        also: pd.DataFrame | None = None,
    ) -> NDArray[np.bool_]:
        """Rows of patients that none of the versions has learnt from.

        `also` are more rows that they may have learnt from, such as those of before the window.

        The simulated starter learnt from nobody real. A model whose history had no times cannot
        have learnt from what was recorded after it was made. The kept history of each is looked
        through too: a patient of `frame` may have earlier rows there.
        """
        found = np.ones(len(frame), dtype=bool)
        for row, scorer in zip(rows, scorers, strict=True):
            if scorer.facts.simulated or not len(frame):
                continue
            learnt = [
                self._training.history_frame(one, any_rules=True) for one in histories_of(row)
            ]
            # First the rows in question: those without patient id keep their key so.
            more = [rest for rest in (also, *learnt) if rest is not None and len(rest)]
            known = pd.concat([frame, *more], ignore_index=True) if more else frame
            newest = scorer.trained_through or fitted_at(row)
            unseen = unseen_by(known, newest, shared_from=scorer.shared_from)
            found &= unseen[: len(frame)]
        return found

    def _kept(self, rows: Sequence[Mapping[str, Any]], *, include_open: bool) -> pd.DataFrame:
        """The kept histories of the versions and the confirmed outcomes, by the present rules."""
        OutcomeService(self._context).refresh()
        with reading(self._context.engine) as connection:
            confirmed = labelled(
                connection,
                now=self._context.clock(),
                label_version=self._context.terminology.label_version,
                include_open=include_open,
                for_training=True,
            )
        ids = dict.fromkeys(history_id for row in rows for history_id in histories_of(row))
        frames = [self._training.history_frame(history_id) for history_id in ids]
        frames = [frame for frame in (*frames, confirmed.frame) if len(frame)]
        if not frames:
            raise ServiceError(
                "There is nothing to compare on: no kept history by the present label rules, and "
                "no confirmed outcome. Give a file with --history."
            )
        return pd.concat(frames, ignore_index=True)

    def _past_champions(
        self, champion: Mapping[str, Any], challenger: Mapping[str, Any]
    ) -> list[dict[str, Any]]:
        """Versions that were live within `PAST`, newest first, other than the two."""
        start = self._context.clock() - PAST
        found: dict[str, dict[str, Any]] = {}
        ended: datetime | None = None
        for release in self._models.releases():
            # A release lasts until the next one; the newest lasts.
            if ended is None or ended >= start:
                found.setdefault(release["version"], release)
            ended = release["at"]
        for row in (champion, challenger):
            found.pop(row["version"], None)
        return list(found.values())


def _of_both(frame: pd.DataFrame, scorers: Sequence[Scorer]) -> pd.DataFrame:
    """Rows with a category, of the population of every model (C1)."""
    age = frame["age"].to_numpy(dtype=np.float64, na_value=np.nan)
    kept = np.asarray([parse_severity(value) is not None for value in frame["severity"]])
    for scorer in scorers:
        kept &= ages_in_range(age, scorer.facts.min_age, scorer.facts.max_age)
    return frame[kept].reset_index(drop=True)


def _figures(scorer: Scorer, rows: pd.DataFrame, seed: int) -> list[dict[str, Any]]:
    """Figures of a model on rows, as records."""
    known = [code.value for code in scorer.classes]
    rows = rows[rows["severity"].isin(known)]
    if not len(rows):
        return []
    probabilities = scorer.probabilities(rows)
    decided = scorer.decide(probabilities)
    return as_records(
        evaluate(
            probabilities,
            np.asarray([known.index(code) for code in rows["severity"]], dtype=np.intp),
            np.asarray([known.index(code) for code in decided], dtype=np.intp),
            np.arange(len(rows)),
            scorer.classes,
            replicates=_FLOOR_REPLICATES,
            seed=seed,
        )
    )
