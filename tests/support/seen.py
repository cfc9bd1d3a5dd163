"""Many assessments with diagnoses in a database, quickly: for tests of what is learnt from them."""

import json
from datetime import datetime, timedelta
from typing import Any
from uuid import uuid4

import pandas as pd

from cds_service.context import ProcessContext
from cds_service.services.deliveries import Incoming
from cds_service.services.outcomes import OutcomeService
from cds_service.storage.assessment_store import AssessmentStore
from model.features import ROW_NAMES
from tests.support.conditions import condition
from tests.support.hospital import DIAGNOSES
from tests.support.stored import BASE


def seen(
    context: ProcessContext,
    frame: pd.DataFrame,
    *,
    start: datetime,
    every: timedelta,
    prefix: str,
    version: str = "0",
    situation: str = "scored",
) -> None:
    """Assess each row of `frame` as an ambulatory patient of its own, diagnosed an hour later."""
    incoming: list[Incoming] = []
    with context.engine.begin() as connection:
        store = AssessmentStore(connection)
        for number, row in enumerate(frame.to_dict("records")):
            patient, at = f"{prefix}{number}", start + number * every
            store.add(_assessment(context, patient, row, at, version, situation), None)
            incoming.append(
                Incoming(
                    resource=condition(
                        icd=DIAGNOSES[row["severity"]],
                        id=f"c-{patient}",
                        subject={"reference": f"Patient/{patient}"},
                        recordedDate=(at + timedelta(hours=1)).isoformat(),
                    ),
                    base=BASE,
                    patient_id=patient,
                )
            )
    OutcomeService(context).receive(incoming, client="development", channel="test", actor="test")


def _assessment(
    context: ProcessContext,
    patient: str,
    row: dict[Any, Any],
    at: datetime,
    version: str,
    situation: str,
) -> dict[str, Any]:
    named = {"user": "Practitioner/1", "base": BASE, "patient": patient, "encounter": None}
    features = {name: row[name] for name in ROW_NAMES if not pd.isna(row.get(name))}
    scored = situation == "scored"
    return {
        "id": str(uuid4()),
        "client": "development",
        "service": "disease-severity",
        "hook_instance": str(uuid4()),
        "request_hash": "hash",
        "prediction_time": at,
        "patient_key": context.secrecy.patient_keys(BASE, patient)[0],
        "encounter_key": None,
        "encounter_class": "ambulatory",
        "situation": situation,
        "features": features | {"minutes_before": {}},
        "provenance": None,
        "probabilities": {"mild": 0.6, "acute": 0.4} if scored else None,
        "category": "mild" if scored else None,
        "prediction_set": ["mild", "acute"] if scored else None,
        "contributions": None,
        "atypicality": 0.5 if scored else None,
        "model_version": version,
        "indicator": "info",
        "suppressed": None,
        "identifiers": context.secrecy.encrypt(json.dumps(named).encode()),
        "response": b"x",
    }
