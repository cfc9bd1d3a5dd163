"""Evaluation of what was predicted against what became known."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any
from uuid import uuid4

import numpy as np
import pandas as pd

from cds_service.context import ProcessContext
from cds_service.services.floors import FloorFigure, floor_figures, raise_alerts
from cds_service.services.labelled import labelled
from cds_service.services.outcomes import OutcomeService
from cds_service.storage.alert_store import AlertStore
from cds_service.storage.assessment_store import AssessmentStore
from cds_service.storage.audit_store import AuditStore
from cds_service.storage.model_store import ModelStore
from cds_service.storage.session import reading
from model.evaluation.metrics import Metric, evaluate
from model.evaluation.report import as_records
from model.features import EXTRA_INPUTS, FEATURE, ROW_NAMES
from model.severity import Severity

SEED = 20_260


@dataclass(frozen=True, slots=True)
class VersionReport:
    """Figures of one model version."""

    version: str
    with_outcome: int
    metrics: tuple[Metric, ...]
    """Empty below the minimum."""
    not_covered: Mapping[str, int]
    """Outcomes of categories the version does not know (C19), which no figure counts."""


@dataclass(frozen=True, slots=True)
class EvaluationReport:
    """What `evaluate` says."""

    counts: Mapping[str, int]
    share_without_outcome: float | None
    """Of the index assessments whose window has passed; `None` without any."""
    minimum: int
    versions: tuple[VersionReport, ...]
    readings: pd.DataFrame
    """Mean and share missing of each input, with and without outcome (C18)."""
    shown: int
    """Assessments with outcome whose card was shown (C18)."""
    suppressed: Mapping[str, int]
    """Answers without a card, by reason (C12)."""
    floors: Mapping[str, tuple[FloorFigure, ...]]
    """By version, its figures that have a floor at this site."""
    alerts: tuple[str, ...] = ()
    """What is open, of every kind, oldest first."""


class MonitoringService:
    """Measures the service on its own assessments."""

    def __init__(self, context: ProcessContext) -> None:
        self._context = context

    def evaluate(
        self, *, actor: str, since: datetime | None = None, include_open: bool = False
    ) -> EvaluationReport:
        """Join, measure each version by itself, store the figures."""
        OutcomeService(self._context).refresh()
        now = self._context.clock()
        with reading(self._context.engine) as connection:
            found = labelled(
                connection,
                now=now,
                label_version=self._context.terminology.label_version,
                since=since,
                include_open=include_open,
            )
            suppressed = AssessmentStore(connection).suppressed_counts(since)
        minimum = self._context.settings.minimum_outcomes
        versions: list[VersionReport] = []
        if len(found.frame):
            for version, rows in found.frame.groupby("model_version", sort=True):
                versions.append(_measure(str(version), rows, minimum))
        decided = len(found.frame) + len(found.unverified)
        report = EvaluationReport(
            counts=found.counts,
            share_without_outcome=len(found.unverified) / decided if decided else None,
            minimum=minimum,
            versions=tuple(versions),
            readings=_readings(found.frame, found.unverified),
            shown=int(found.frame["card_shown"].sum()) if len(found.frame) else 0,
            suppressed=suppressed,
            floors={
                one.version: floor_figures(self._context.settings, as_records(one.metrics))
                for one in versions
            },
        )
        alerts = self._keep(report, actor=actor, since=since, include_open=include_open)
        return replace(report, alerts=alerts)

    def _keep(
        self, report: EvaluationReport, *, actor: str, since: datetime | None, include_open: bool
    ) -> tuple[str, ...]:
        """Store the figures and raise alerts; returns the alerts that are open then."""
        at = self._context.clock()
        common: dict[str, Any] = {
            "counts": dict(report.counts),
            "share_without_outcome": report.share_without_outcome,
            "suppressed": dict(report.suppressed),
            "minimum": report.minimum,
            "label_version": self._context.terminology.label_version,
            "since": None if since is None else since.isoformat(),
            "include_open": include_open,
        }
        with self._context.engine.begin() as connection:
            store = ModelStore(connection)
            for version in report.versions or (None,):
                result = common
                if version is not None:
                    result = common | {
                        "with_outcome": version.with_outcome,
                        "metrics": as_records(version.metrics),
                        "not_covered": dict(version.not_covered),
                    }
                store.add_evaluation(
                    {
                        "id": str(uuid4()),
                        "at": at,
                        "kind": "evaluate",
                        "model_version": None if version is None else version.version,
                        "result": result,
                    }
                )
            for name, figures in report.floors.items():
                raise_alerts(connection, figures, at=at, found_by="evaluate", model_version=name)
            AuditStore(connection).add(
                at=at,
                actor=actor,
                action="evaluate",
                object_type="model",
                object_id="all",
                detail=common,
            )
            return tuple(
                f"{alert['at']:%Y-%m-%d %H:%M}  {alert['message']}"
                for alert in AlertStore(connection).unresolved()
            )


def _measure(version: str, rows: pd.DataFrame, minimum: int) -> VersionReport:
    """Figures of what this version answered at the time, from the stored probabilities."""
    known = [Severity(code) for code in rows["probabilities"].iloc[0]]
    covered = rows["severity"].isin([code.value for code in known])
    not_covered = rows.loc[~covered, "severity"].value_counts()
    rows = rows[covered]
    lost = {str(code): int(count) for code, count in not_covered.items()}
    if len(rows) < minimum:
        return VersionReport(version, len(rows), (), lost)
    position = {code.value: i for i, code in enumerate(known)}
    metrics = evaluate(
        np.array([[p[code.value] for code in known] for p in rows["probabilities"]]),
        np.array([position[code] for code in rows["severity"]], dtype=np.intp),
        np.array([position[code] for code in rows["category"]], dtype=np.intp),
        rows["patient_id"].to_numpy(dtype=object),
        tuple(known),
        seed=SEED,
    )
    return VersionReport(version, len(rows), tuple(metrics), lost)


def _readings(verified: pd.DataFrame, unverified: pd.DataFrame) -> pd.DataFrame:
    """Inputs with and without outcome, side by side: selected truth shows here (C18)."""
    rows = []
    for name in ROW_NAMES:
        if name not in FEATURE:
            continue
        if name in EXTRA_INPUTS and not any(
            len(frame) and frame[name].notna().any() for frame in (verified, unverified)
        ):
            continue
        row: dict[str, Any] = {"input": name}
        for label, frame in (("with outcome", verified), ("without outcome", unverified)):
            values = frame[name] if len(frame) else pd.Series(dtype="float64")
            row[f"mean, {label}"] = values.mean()
            row[f"missing, {label}"] = values.isna().mean()
        rows.append(row)
    return pd.DataFrame(rows)
