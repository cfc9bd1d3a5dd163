"""Plain-dict FHIR R4 Conditions for tests, as a hospital sends them."""

from collections.abc import Mapping, Sequence
from typing import Any

ICD_10_CM = "http://hl7.org/fhir/sid/icd-10-cm"
ICD_10 = "http://hl7.org/fhir/sid/icd-10"
SNOMED_CT = "http://snomed.info/sct"
TERMINOLOGY = "http://terminology.hl7.org/CodeSystem"


def concept(code: str, system: str) -> dict[str, Any]:
    """A CodeableConcept of one coding."""
    return {"coding": [{"system": system, "code": code}]}


def condition(
    *,
    icd: str | Sequence[str] = (),
    snomed: str | Sequence[str] = (),
    codings: Sequence[tuple[str, str]] = (),
    text: str | None = None,
    verification: str | None = "confirmed",
    clinical: str | None = "active",
    category: str | None = "encounter-diagnosis",
    severity: str | None = None,
    recorded: str | None = "2026-03-02T10:00:00Z",
    encounter: str | None = None,
    **others: Any,
) -> dict[str, Any]:
    """A valid Condition: ICD-10-CM codings first, then SNOMED CT, then others as (system, code).

    `None` leaves an element out; other elements go in as they are and win.
    """
    listed = [
        *({"system": ICD_10_CM, "code": code} for code in _several(icd)),
        *({"system": SNOMED_CT, "code": code} for code in _several(snomed)),
        *({"system": system, "code": code} for system, code in codings),
    ]
    code: dict[str, Any] = {"coding": listed} if listed else {}
    elements: Mapping[str, Any] = {
        "resourceType": "Condition",
        "id": "c1",
        "clinicalStatus": clinical and concept(clinical, f"{TERMINOLOGY}/condition-clinical"),
        "verificationStatus": verification
        and concept(verification, f"{TERMINOLOGY}/condition-ver-status"),
        "category": category and [concept(category, f"{TERMINOLOGY}/condition-category")],
        "severity": severity and concept(severity, SNOMED_CT),
        "code": code | ({"text": text} if text else {}),
        "subject": {"reference": "Patient/p1"},
        "encounter": encounter and {"reference": encounter},
        "recordedDate": recorded,
    }
    return {name: value for name, value in (elements | others).items() if value}


def _several(codes: str | Sequence[str]) -> Sequence[str]:
    return [codes] if isinstance(codes, str) else codes
