"""Plain-dict FHIR R4 resources for tests: small, valid, and changed by keyword.

Every builder returns a new dict. A keyword given as `None` leaves the element out, so a test
says `observation(unit=None)` for a value without a unit.
"""

import json
from collections.abc import Mapping
from datetime import datetime
from typing import Any

LOINC = "http://loinc.org"
UCUM = "http://unitsofmeasure.org"
ICD_10_CM = "http://hl7.org/fhir/sid/icd-10-cm"
SNOMED = "http://snomed.info/sct"

Json = dict[str, Any]


def raw(resource: object) -> bytes:
    """A JSON value as it would arrive under a prefetch key."""
    return json.dumps(resource).encode()


def prefetch(**values: object) -> dict[str, bytes]:
    """Prefetch keys with their values as JSON bytes; `None` is sent as `null`."""
    return {key: raw(value) for key, value in values.items()}


def coding(code: str | None, system: str | None = LOINC, **more: object) -> Json:
    """A Coding."""
    return _given({"system": system, "code": code, **more})


def concept(*codes: str | Json, system: str = LOINC) -> Json:
    """A CodeableConcept of several codings; a bare string is a code of `system`."""
    return {"coding": [c if isinstance(c, dict) else coding(c, system) for c in codes]}


def quantity(
    value: object,
    unit: str | None = None,
    *,
    code: str | None = None,
    system: str | None = None,
    comparator: str | None = None,
) -> Json:
    """A Quantity; `unit` is the text shown to people, `code` the coded unit."""
    return _given(
        {"value": value, "comparator": comparator, "unit": unit, "system": system, "code": code}
    )


def ucum(value: object, code: str, **more: Any) -> Json:
    """A Quantity coded in UCUM, with the code as its text too."""
    return quantity(value, code, code=code, system=UCUM, **more)


def patient(
    id: str | None = "p1",  # noqa: A002 - the name FHIR gives the element.
    *,
    birth_date: object = "1957-04-02",
    gender: object = "female",
    **more: object,
) -> Json:
    """A Patient; further elements by their FHIR names."""
    return _given(
        {"resourceType": "Patient", "id": id, "gender": gender, "birthDate": birth_date, **more}
    )


def observation(
    code: str | Json = "8867-4",
    value: object = 80,
    unit: str | None = "/min",
    *,
    at: str | datetime | None = "2026-03-07T11:50:00Z",
    id: str | None = None,  # noqa: A002 - the name FHIR gives the element.
    subject: str | None = "Patient/p1",
    status: str | None = "final",
    **more: object,
) -> Json:
    """A vital-sign Observation with a UCUM quantity; further elements by their FHIR names.

    `code` is a LOINC code or a whole CodeableConcept; `value=None` leaves out `valueQuantity`;
    `unit=None` leaves the quantity without any unit.
    """
    measured = quantity(value) if unit is None else ucum(value, unit)
    return _given(
        {
            "resourceType": "Observation",
            "id": id,
            "status": status,
            "category": [vital_signs_category()],
            "code": code if isinstance(code, dict) else concept(code),
            "subject": None if subject is None else {"reference": subject},
            "effectiveDateTime": _text(at),
            "valueQuantity": None if value is None else measured,
            **more,
        }
    )


def component(code: str | Json, value: object, unit: str = "mm[Hg]", **more: object) -> Json:
    """A component of an Observation; `value=None` leaves out the value."""
    return _given(
        {
            "code": code if isinstance(code, dict) else concept(code),
            "valueQuantity": None if value is None else ucum(value, unit),
            **more,
        }
    )


def blood_pressure(
    systolic: object = 120,
    diastolic: object = 80,
    *,
    code: str | Json = "85354-9",
    unit: str = "mm[Hg]",
    at: str | datetime | None = "2026-03-07T11:50:00Z",
    id: str | None = None,  # noqa: A002 - the name FHIR gives the element.
    **more: Any,
) -> Json:
    """A blood-pressure panel; a pressure given as `None` has no component."""
    parts = (("8480-6", systolic), ("8462-4", diastolic))
    return observation(
        code,
        None,
        at=at,
        id=id,
        component=[component(c, v, unit) for c, v in parts if v is not None],
        **more,
    )


def condition(
    *codes: str | Json,
    system: str = ICD_10_CM,
    id: str | None = None,  # noqa: A002 - the name FHIR gives the element.
    subject: str | None = "Patient/p1",
    clinical: str | None = "active",
    verification: str | None = "confirmed",
    recorded: str | None = "2026-03-01",
    **more: object,
) -> Json:
    """A Condition; a bare string is a code of `system`."""
    ver = "http://terminology.hl7.org/CodeSystem/condition-ver-status"
    clin = "http://terminology.hl7.org/CodeSystem/condition-clinical"
    return _given(
        {
            "resourceType": "Condition",
            "id": id,
            "clinicalStatus": None if clinical is None else concept(clinical, system=clin),
            "verificationStatus": (
                None if verification is None else concept(verification, system=ver)
            ),
            "code": concept(*codes, system=system),
            "subject": None if subject is None else {"reference": subject},
            "recordedDate": recorded,
            **more,
        }
    )


def encounter(
    class_code: str | None = "EMER",
    *,
    id: str | None = "e1",  # noqa: A002 - the name FHIR gives the element.
    subject: str | None = "Patient/p1",
    status: str | None = "in-progress",
    **more: object,
) -> Json:
    """An Encounter with its class from v3-ActCode."""
    system = "http://terminology.hl7.org/CodeSystem/v3-ActCode"
    return _given(
        {
            "resourceType": "Encounter",
            "id": id,
            "status": status,
            "class": None if class_code is None else coding(class_code, system),
            "subject": None if subject is None else {"reference": subject},
            **more,
        }
    )


def operation_outcome(severity: str = "warning", code: str = "processing") -> Json:
    """An OperationOutcome with one issue."""
    return {"resourceType": "OperationOutcome", "issue": [{"severity": severity, "code": code}]}


def bundle(
    *resources: object,
    next_url: str | None = None,
    full_urls: Mapping[int, str] | None = None,
    **more: object,
) -> Json:
    """A searchset Bundle; `full_urls` maps the position of a resource to its fullUrl.

    An OperationOutcome gets `search.mode = outcome`, as servers send it.
    """
    urls = full_urls or {}
    entries = [_entry(r, urls.get(i)) for i, r in enumerate(resources)]
    links = [] if next_url is None else [{"relation": "next", "url": next_url}]
    return _given(
        {
            "resourceType": "Bundle",
            "type": "searchset",
            "total": len(resources),
            "link": links or None,
            "entry": entries or None,
            **more,
        }
    )


def epic_empty_search() -> Json:
    """How Epic answers a search without results: total 0 and one OperationOutcome entry."""
    return bundle(operation_outcome(), total=0)


def vital_signs_category() -> Json:
    """The category every vital-sign Observation carries."""
    return concept(
        "vital-signs", system="http://terminology.hl7.org/CodeSystem/observation-category"
    )


def _entry(resource: object, full_url: str | None) -> Json:
    outcome = isinstance(resource, dict) and resource.get("resourceType") == "OperationOutcome"
    return _given(
        {
            "fullUrl": full_url,
            "resource": resource,
            "search": {"mode": "outcome" if outcome else "match"},
        }
    )


def _text(at: str | datetime | None) -> str | None:
    return at.isoformat() if isinstance(at, datetime) else at


def _given(elements: Json) -> Json:
    return {name: value for name, value in elements.items() if value is not None}
