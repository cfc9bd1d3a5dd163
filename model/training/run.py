"""One training run: rows in, an artefact folder and a report out."""

import sys
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from threadpoolctl import threadpool_limits  # type: ignore[import-untyped]  # has no types

from model.artefact import Artefact, write
from model.evaluation.metrics import Metric, evaluate
from model.evaluation.report import as_records
from model.explanation import Calibration
from model.features import (
    EXTRA_INPUTS,
    MODEL_COLUMNS,
    READINGS,
    FloatArray,
    extra_inputs_of,
)
from model.operating import OperatingPoint, decide
from model.prediction_sets import PredictionSets, fit_prediction_sets
from model.rarity import Rarity, fit_rarity
from model.scorer import Scorer, frame_matrix
from model.severity import SEVERITIES, Severity
from model.training.balancing import balance
from model.training.calibration import fit_calibration
from model.training.candidates import Candidate, Fitted, compare, fit, select
from model.training.design import TrainingSettings
from model.training.selection import Eligible, covered_categories, eligible_rows, usable_columns
from model.training.splits import CALIBRATION, HELD_OUT, RULE, TRAIN, TUNING, Split, split
from model.training.thresholds import fit_operating_points

Progress = Callable[[str, float], None]
"""Told the step in words and the share of the run that is done, 0 to 1."""
LEARNT_FROM: tuple[str, ...] = (TRAIN, TUNING, CALIBRATION)


@dataclass(frozen=True, slots=True)
class DataDescription:
    """Where the rows come from; becomes part of the artefact."""

    simulated: bool
    description: str
    """One sentence for cards of the model and reports."""
    label_version: str
    """Version of the rules that made the categories (C17); versions are not pooled."""
    sources: Mapping[str, str] = field(default_factory=dict)
    """SHA-256 of each source by its name."""
    cleaning: Mapping[str, Any] = field(default_factory=dict)
    """Report of the cleaning, JSON types."""
    code_version: str | None = None
    """Commit of the program, where it is known."""


@dataclass(frozen=True, slots=True)
class TrainingResult:
    """A trained model on disk, and what there is to say of it."""

    path: Path
    checksum: str
    scorer: Scorer
    """The model as it was written, under the version `unregistered`."""
    chosen: Candidate
    candidates: tuple[Candidate, ...]
    metrics: tuple[Metric, ...]
    """On the held-out part."""
    report: dict[str, Any]
    """Everything a report shows, JSON types."""


def train(
    frame: pd.DataFrame,
    settings: TrainingSettings,
    *,
    artefact_root: Path,
    data: DataDescription,
    progress: Progress | None = None,
) -> TrainingResult:
    """Train a model on cleaned rows (columns of history) and write its artefact.

    The same rows, settings and package versions give the same artefact. Raises `TrainingError`,
    in a sentence, if it cannot be done honestly, and `OSError` if the folder cannot be written.
    """
    # Idle threads of linear algebra spin: beside other work two are slower than one by far.
    with threadpool_limits(settings.threads):
        return _train(frame, settings, artefact_root, data, progress or _say_nothing)


def _train(
    frame: pd.DataFrame,
    settings: TrainingSettings,
    artefact_root: Path,
    data: DataDescription,
    say: Progress,
) -> TrainingResult:
    say("selecting rows", 0.0)
    eligible = eligible_rows(frame, settings, simulated=data.simulated)
    parts = split(eligible.frame)
    classes = covered_categories(eligible.severity, parts, settings)
    rows = _Rows.of(eligible, parts, classes, settings.extra_inputs)
    columns = usable_columns(rows.matrix[rows.part(TRAIN)])

    step = rows.part(TRAIN)
    chosen, table = compare(
        rows.matrix[step],
        columns,
        rows.outcome[step],
        rows.patient[step],
        len(classes),
        settings,
        lambda done: say("comparing candidates", 0.02 + 0.78 * done),
    )
    say("fitting the chosen candidate", 0.80)
    balanced = balance(
        chosen.balancing, rows.matrix[step], rows.outcome[step], len(classes), settings.seed
    )
    fitted = fit(chosen.estimator, balanced, columns, settings, rounds=chosen.rounds)
    say("calibrating", 0.86)
    finish = _finish(rows, fitted, columns, classes, settings)
    say("evaluating on the held-out part", 0.90)
    metrics = _held_out_metrics(rows, finish, classes, settings)
    say("writing the model", 0.98)
    report = _report(eligible, parts, rows, classes) | {
        "extra_inputs": list(extra_inputs_of(columns)),
        "columns": list(columns),
        "columns_not_used": [c.name for c in MODEL_COLUMNS if c.name not in columns],
        "chosen": chosen.name,
        "candidates": [{"name": candidate.name} | asdict(candidate) for candidate in table],
        "temperature": finish.calibration.temperature,
        "operating_points": {code.value: asdict(p) for code, p in finish.points.items()},
        "metrics": as_records(metrics),
    }
    report["notes"] += _unused_extras(eligible.frame, settings, columns)
    artefact = Artefact(
        estimator=fitted.estimator,
        columns=columns,
        classes=classes,
        calibration=finish.calibration,
        operating_points=finish.points,
        sets=finish.sets,
        rarity=finish.rarity,
        design=settings.as_json(),
        metrics={"held_out": report["metrics"], "candidates": report["candidates"]},
        attributes=_attributes(report, rows, classes, settings, data),
    )
    path, checksum = write(artefact, artefact_root)
    report |= {"path": str(path), "checksum": checksum}
    scorer = Scorer.load(path, version="unregistered", expected_checksum=checksum)
    say("done", 1.0)
    return TrainingResult(path, checksum, scorer, chosen, tuple(table), tuple(metrics), report)


@dataclass(frozen=True, slots=True)
class _Rows:
    """Rows of covered categories."""

    matrix: FloatArray
    outcome: NDArray[np.intp]
    patient: NDArray[np.intp]
    parts: NDArray[np.str_]
    times: "pd.Series[pd.Timestamp] | None"

    @classmethod
    def of(
        cls,
        eligible: Eligible,
        parts: Split,
        classes: tuple[Severity, ...],
        extra_inputs: tuple[str, ...],
    ) -> "_Rows":
        """Rows of the covered categories; extra inputs not asked for count as missing."""
        covered = np.asarray([code in classes for code in eligible.severity], dtype=bool)
        unasked = [name for name in EXTRA_INPUTS if name not in extra_inputs]
        frame = eligible.frame[covered].drop(columns=unasked, errors="ignore")
        outcome = [classes.index(code) for code in eligible.severity[covered]]
        return cls(
            frame_matrix(frame),
            np.asarray(outcome, dtype=np.intp),
            parts.patient[covered],
            parts.part[covered],
            frame.get("recorded_at"),
        )

    def part(self, name: str) -> NDArray[np.bool_]:
        return np.asarray(self.parts == name)

    def learnt_through(self) -> str | None:
        """Newest time among the rows learnt from, ISO 8601; rounded up so that it is not less."""
        if self.times is None:
            return None
        newest = self.times[np.isin(self.parts, LEARNT_FROM)].max()
        return None if pd.isna(newest) else newest.ceil("us").isoformat()


@dataclass(frozen=True, slots=True)
class _Finished:
    """What the tuning and calibration parts add to a fitted estimator."""

    probabilities: FloatArray
    """Of all rows, (n, K)."""
    calibration: Calibration
    points: dict[Severity, OperatingPoint]
    sets: PredictionSets
    rarity: Rarity
    decisions: NDArray[np.intp]
    members: NDArray[np.bool_]


def _finish(
    rows: _Rows,
    fitted: Fitted,
    columns: tuple[str, ...],
    classes: tuple[Severity, ...],
    settings: TrainingSettings,
) -> _Finished:
    margins = fitted.estimator.margins(select(rows.matrix, columns))
    tuning, calibrating = rows.part(TUNING), rows.part(CALIBRATION)
    calibration = fit_calibration(margins[tuning], rows.outcome[tuning], fitted.class_bias)
    probabilities = calibration.probabilities(margins)
    points = fit_operating_points(
        probabilities[tuning], rows.outcome[tuning], classes, settings.flag_rates
    )
    sets = fit_prediction_sets(
        probabilities[calibrating], rows.outcome[calibrating], settings.coverage
    )
    # Atypicality is about measurements: days of exercise are no reason to measure again.
    names = tuple(name for name in columns if name in ("age", *READINGS))
    inputs = select(rows.matrix, names)
    rarity = fit_rarity(names, inputs[rows.part(TRAIN)], inputs[calibrating])
    thresholds = {code: point.threshold for code, point in points.items()}
    decisions = decide(probabilities, classes, thresholds)
    members = sets.members(probabilities)
    members[np.arange(len(members)), decisions] = True
    return _Finished(probabilities, calibration, points, sets, rarity, decisions, members)


def _held_out_metrics(
    rows: _Rows, finish: _Finished, classes: tuple[Severity, ...], settings: TrainingSettings
) -> list[Metric]:
    held_out = rows.part(HELD_OUT)
    return evaluate(
        finish.probabilities[held_out],
        rows.outcome[held_out],
        finish.decisions[held_out],
        rows.patient[held_out],
        classes,
        sets=finish.members[held_out],
        replicates=settings.bootstrap_replicates,
        seed=settings.seed,
    )


def _report(
    eligible: Eligible, parts: Split, rows: _Rows, classes: tuple[Severity, ...]
) -> dict[str, Any]:
    """Counts of rows and patients, what is not covered, and what a reader must know."""
    by_category = {
        code.value: {
            part: int((rows.part(part) & (rows.outcome == i)).sum())
            for part in (*LEARNT_FROM, HELD_OUT)
        }
        for i, code in enumerate(classes)
    }
    missing = [code for code in SEVERITIES if code not in classes]
    dropped = {code.value: int((eligible.severity == code).sum()) for code in missing}
    notes = []
    if parts.rows_without_patient:
        notes.append(
            f"{parts.rows_without_patient} rows have no patient_id: each counts as a patient of "
            "its own, so that rows of one person may be in two parts and intervals may be too "
            "narrow."
        )
    if missing:
        notes.append(
            "Not covered, for want of enough patients: "
            + ", ".join(f"{code} ({count} rows)" for code, count in dropped.items())
            + ". Their probability is empty, not 0."
        )
    if parts.cutoff is None:
        notes.append("The held-out part is chosen by patient alone: there are no dates to use.")
    return {
        "rows": dict(eligible.counts),
        "parts": parts.counts(),
        "patients": len(np.unique(parts.patient)),
        "rows_by_category": by_category,
        "rows_of_missing_categories": dropped,
        "held_out_from": None if parts.cutoff is None else parts.cutoff.isoformat(),
        "rows_without_patient": parts.rows_without_patient,
        "notes": notes,
    }


def _unused_extras(
    frame: pd.DataFrame, settings: TrainingSettings, columns: tuple[str, ...]
) -> list[str]:
    """What is to be said of extra inputs that are there or asked for, and not learnt from."""
    used, notes = extra_inputs_of(columns), []
    for name in EXTRA_INPUTS:
        if name in settings.extra_inputs and name not in used:
            notes.append(
                f"{name} was asked for and is not used: too few rows have it, or all have the same."
            )
        elif name not in used and name in frame and frame[name].notna().any():
            notes.append(
                f"{name} is there and not used, for it was not asked for (--extra-input {name})."
            )
    return notes


def _attributes(
    report: Mapping[str, Any],
    rows: _Rows,
    classes: tuple[Severity, ...],
    settings: TrainingSettings,
    data: DataDescription,
) -> dict[str, Any]:
    """What the artefact says of its own origin."""
    reference = np.isin(rows.parts, (TUNING, CALIBRATION))
    rates = np.bincount(rows.outcome[reference], minlength=len(classes)) / reference.sum()
    return {
        "simulated": data.simulated,
        "description": data.description,
        "sources": dict(data.sources),
        "label_version": data.label_version,
        "code_version": data.code_version,
        "versions": package_versions(),
        "seed": settings.seed,
        "min_age": settings.min_age,
        "max_age": settings.max_age,
        "base_rates": {code.value: float(rates[i]) for i, code in enumerate(classes)},
        "missing_categories": [code.value for code in SEVERITIES if code not in classes],
        "trained_through": rows.learnt_through(),
        "patient_parts": RULE,
        **{name: report[name] for name in ("rows", "parts", "rows_by_category", "held_out_from")},
        "rows_without_patient": report["rows_without_patient"],
        "extra_inputs": report["extra_inputs"],
        "notes": report["notes"],
        "cleaning": dict(data.cleaning),
    }


def package_versions() -> dict[str, str]:
    """Versions of what decides the numbers of a model."""
    import sklearn
    import xgboost

    return {
        "python": ".".join(map(str, sys.version_info[:3])),
        **{m.__name__: m.__version__ for m in (np, pd, sklearn, xgboost)},
    }


def _say_nothing(_step: str, _done: float) -> None:
    """Progress for nobody."""
