"""Invented patients of a hospital, as FHIR: their visits and the diagnoses that come back."""

from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import Any
from uuid import NAMESPACE_URL, uuid5

import numpy as np
import pandas as pd

DIAGNOSES = {
    "not-ill": "Z00.00",
    "mild": "J00",
    "acute": "I21.9",
    "chronic": "I10",
    "terminal": "Z51.5",
}
"""One ICD-10-CM code a category."""

_CODES = (
    ("heart_rate", "8867-4", "/min"),
    ("body_temperature", "8310-5", "Cel"),
    ("systolic_bp", "8480-6", "mm[Hg]"),
    ("diastolic_bp", "8462-4", "mm[Hg]"),
    ("respiratory_rate", "9279-1", "/min"),
    ("oxygen_saturation", "59408-5", "%"),
)


def visits(cohort: pd.DataFrame) -> Iterator[tuple[str, pd.Series]]:
    """Each row as the first visit of a patient of its own."""
    for number, (_, row) in enumerate(cohort.iterrows()):
        yield f"patient-{number}", row


def visit(patient: str, row: "pd.Series[Any]", at: datetime) -> dict[str, Any]:
    """The `patient-view` request of an ambulatory visit at `at`."""
    born = at - timedelta(days=float(row["age"]) * 365.25)
    vitals = [
        {
            "resourceType": "Observation",
            "id": f"{patient}-{code}",
            "status": "final",
            "code": {"coding": [{"system": "http://loinc.org", "code": code}]},
            "subject": {"reference": f"Patient/{patient}"},
            "effectiveDateTime": (at - timedelta(minutes=10)).isoformat(),
            "valueQuantity": {
                "value": float(row[name]),
                "system": "http://unitsofmeasure.org",
                "code": unit,
            },
        }
        for name, code, unit in _CODES
        if not np.isnan(row[name])
    ]
    return {
        "hook": "patient-view",
        "hookInstance": str(uuid5(NAMESPACE_URL, patient)),
        "context": {
            "userId": "Practitioner/1",
            "patientId": patient,
            "encounterId": f"visit-{patient}",
        },
        "prefetch": {
            "patient": {
                "resourceType": "Patient",
                "id": patient,
                "gender": row["sex"] if isinstance(row["sex"], str) else "unknown",
                "birthDate": born.date().isoformat(),
            },
            "vitals": {
                "resourceType": "Bundle",
                "type": "searchset",
                "entry": [{"resource": resource} for resource in vitals],
            },
            "encounter": {
                "resourceType": "Encounter",
                "id": f"visit-{patient}",
                "status": "in-progress",
                "class": {
                    "system": "http://terminology.hl7.org/CodeSystem/v3-ActCode",
                    "code": "AMB",
                },
                "subject": {"reference": f"Patient/{patient}"},
            },
        },
    }


def diagnosis(patient: str, severity: str, at: datetime) -> dict[str, Any]:
    """The `problem-list-item-create` request that brings the diagnosis two hours later."""
    condition = {
        "resourceType": "Condition",
        "id": f"diagnosis-{patient}",
        "clinicalStatus": {
            "coding": [
                {
                    "system": "http://terminology.hl7.org/CodeSystem/condition-clinical",
                    "code": "active",
                }
            ]
        },
        "code": {
            "coding": [{"system": "http://hl7.org/fhir/sid/icd-10-cm", "code": DIAGNOSES[severity]}]
        },
        "subject": {"reference": f"Patient/{patient}"},
        "encounter": {"reference": f"Encounter/visit-{patient}"},
        "recordedDate": (at + timedelta(hours=2)).isoformat(),
    }
    return {
        "hook": "problem-list-item-create",
        "hookInstance": str(uuid5(NAMESPACE_URL, f"diagnosis {patient}")),
        "context": {
            "userId": "Practitioner/1",
            "patientId": patient,
            "encounterId": f"visit-{patient}",
            "conditions": {
                "resourceType": "Bundle",
                "type": "collection",
                "entry": [{"resource": condition}],
            },
        },
    }
