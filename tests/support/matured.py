"""Assessments whose outcomes are in, stored in bulk: for tests of what is measured on them."""

from datetime import datetime, timedelta
from functools import cache
from pathlib import Path
from typing import Any
from uuid import NAMESPACE_URL, uuid5

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from sqlalchemy import insert

from cds_service.context import ProcessContext
from cds_service.storage.tables import ASSESSMENTS, CONDITIONS, OUTCOMES
from fhir_mapping.labels import SEVERITY_OF
from model.features import READINGS, ROW_NAMES
from model.scorer import Scorer
from model.training.simulation import simulate_cohort
from tests.support.stored import SEEN


@cache
def cohort(rows: int, seed: int) -> pd.DataFrame:
    """Simulated patients, the same object for the same arguments."""
    return simulate_cohort(rows, seed=seed).reset_index(drop=True)


def store_matured(
    context: ProcessContext,
    artefact: Path,
    patients: pd.DataFrame,
    *,
    verified: NDArray[np.bool_] | None = None,
    start: datetime = SEEN,
    every: timedelta = timedelta(hours=1),
    version: str = "1",
    prefix: str = "a",
) -> list[str]:
    """One assessment a row of `patients`, answered by `version`, and outcomes where `verified`
    (default: all), with the Conditions they rest on. Ids are `prefix-0` and on; every tenth
    patient comes twice."""
    scorer = Scorer.load(artefact, version=version)
    probabilities = scorer.probabilities(patients)
    categories = scorer.decide(probabilities)
    known = np.ones(len(patients), dtype=bool) if verified is None else verified
    label_version = context.terminology.label_version
    assessments: list[dict[str, Any]] = []
    outcomes: list[dict[str, Any]] = []
    conditions: list[dict[str, Any]] = []
    for i, row in enumerate(patients.to_dict("records")):
        at = start + every * i
        identifier = f"{prefix}-{i}"
        features: dict[str, Any] = {
            name: None if pd.isna(row.get(name)) else row[name] for name in ROW_NAMES
        }
        minutes = {name: 5.0 for name in READINGS if features[name] is not None}
        assessments.append(
            {
                "id": identifier,
                "client": "development",
                "service": "disease-severity",
                "hook_instance": str(uuid5(NAMESPACE_URL, identifier)),
                "request_hash": "hash",
                "prediction_time": at,
                "patient_key": f"{prefix}-patient-{i - i % 10 if i % 10 == 1 else i}",
                "encounter_key": f"visit-{identifier}",
                "encounter_class": "emergency",
                "situation": "scored",
                "features": features | {"minutes_before": minutes},
                "probabilities": {
                    code.value: float(p)
                    for code, p in zip(scorer.classes, probabilities[i], strict=True)
                },
                "category": str(categories[i]),
                "prediction_set": [str(categories[i])],
                "model_version": version,
                "indicator": "info",
                "suppressed": None if i % 2 else "silent",
                "identifiers": b"x",
                "response": b"x",
            }
        )
        if known[i]:
            outcomes.append(outcome_row(identifier, str(row["severity"]), label_version, at))
            conditions.append(_condition_row(assessments[-1], str(row["severity"]), label_version))
    with context.engine.begin() as connection:
        connection.execute(insert(ASSESSMENTS), assessments)
        if outcomes:
            connection.execute(insert(OUTCOMES), outcomes)
            connection.execute(insert(CONDITIONS), conditions)
    return [row["id"] for row in assessments]


def _condition_row(assessment: dict[str, Any], category: str, label_version: str) -> dict[str, Any]:
    """A Condition of the encounter that makes `category` its outcome, recorded a day later."""
    known = assessment["prediction_time"] + timedelta(days=1)
    says = {code.value: kind.value for kind, code in SEVERITY_OF.items()}
    return {
        "id": f"c-{assessment['id']}",
        "source_key": f"c-{assessment['id']}",
        "content_hash": "hash",
        "client": "development",
        "channel": "test",
        "patient_key": assessment["patient_key"],
        "encounter_key": assessment["encounter_key"],
        "received_at": known,
        "label_version": label_version,
        "facts": {
            "classification": says[category],
            "mild_if_home": False,
            "counts": True,
            "known_at": known.isoformat(),
            "rare_code": None,
            "prompted_by": None,
        },
    }


def outcome_row(
    assessment: str, category: str, label_version: str, at: datetime, **more: Any
) -> dict[str, Any]:
    """An outcome as it is stored, known a day after the assessment."""
    return {
        "id": f"o-{assessment}-{category}",
        "assessment_id": assessment,
        "label_version": label_version,
        "category": category,
        "classes": [category],
        "pre_existing": [],
        "known_at": at + timedelta(days=1),
        "after_diagnosis": False,
        "prompted": False,
        "needs_second_source": False,
        "rare_codes": [],
        "condition_ids": [],
        "decided_at": at + timedelta(days=1),
    } | more
