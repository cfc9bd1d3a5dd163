"""Where a model comes from: its data, counts of rows, what it does not cover, its versions."""

import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from importlib.metadata import version
from typing import Any

import numpy as np
import pandas as pd

from model.features import EXTRA_INPUTS, extra_inputs_of
from model.severity import SEVERITIES, Severity
from model.training.design import TrainingSettings
from model.training.fingerprints import content_sha256, held_out_record
from model.training.people import people
from model.training.rows import LEARNT_FROM, Rows
from model.training.selection import Eligible
from model.training.splits import HELD_OUT, RULE, SHARED_RULE, TRAIN, TUNING, Split


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


def counts_and_notes(
    eligible: Eligible, parts: Split, rows: Rows, classes: tuple[Severity, ...]
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
    elif parts.shared:
        notes.append(
            "The held-out part is half of the patients of the newest window; the other half was "
            "learnt from. So its figures do not show how the model does on days after those it "
            "learnt from: the shadow and the evaluation over time do."
        )
    return {
        "rows": dict(eligible.counts),
        "parts": parts.counts(),
        "patients": len(np.unique(parts.patient)),
        "rows_by_category": by_category,
        "rows_of_missing_categories": dropped,
        "held_out_from": None if parts.cutoff is None else parts.cutoff.isoformat(),
        "shared_from": parts.cutoff.isoformat() if parts.cutoff and parts.shared else None,
        "rows_without_patient": parts.rows_without_patient,
        "people": people(eligible),
        "held_out": held_out_record(eligible.frame, parts.rows(HELD_OUT), parts.cutoff),
        "data_sha256": content_sha256(eligible.frame),
        "notes": notes,
    }


def unused_extras(
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


def attributes(
    report: Mapping[str, Any],
    rows: Rows,
    classes: tuple[Severity, ...],
    settings: TrainingSettings,
    data: DataDescription,
) -> dict[str, Any]:
    """What the artefact says of its own origin."""
    # The calibration part is for guarantees alone.
    reference = np.isin(rows.parts, (TRAIN, TUNING))
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
        "patient_parts": f"{RULE}; {SHARED_RULE}" if report["shared_from"] else RULE,
        "shared_from": report["shared_from"],
        **{name: report[name] for name in ("rows", "parts", "rows_by_category", "held_out_from")},
        "rows_without_patient": report["rows_without_patient"],
        "rows_of_missing_categories": report["rows_of_missing_categories"],
        "patients": report["patients"],
        "people": report["people"],
        "data_sha256": report["data_sha256"],
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
        **{name: version(name) for name in ("lightgbm", "optuna", "cds-service")},
    }
