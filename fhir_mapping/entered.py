"""What somebody typed into a form, as the FHIR resources a health record would have sent.

The form goes the way of every other request: nothing is converted or decided here.
"""

from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import Any, Final

import msgspec

from fhir_mapping.codes import LOINC_OF, UCUM

_LOINC: Final = "http://loinc.org"
_PREGNANT: Final = "LA15173-0"
_GROUP_ANSWERS = {"A": "LA19710-5", "B": "LA19709-7", "AB": "LA28449-9", "O": "LA19708-9"}
"""LOINC answer list LL2419-1, of 883-9."""

Resources = dict[str, msgspec.Raw]
"""Prefetch key → the JSON of its value."""


@dataclass(frozen=True, slots=True)
class Quantity:
    """A number in a unit."""

    value: float
    unit: str
    """UCUM."""


@dataclass(frozen=True, slots=True)
class Entered:
    """One filled-in form; `None` is what was left empty."""

    birth_date: date | None = None
    age: int | None = None
    """Whole years, where the birth date is not known."""
    sex: str | None = None
    """One of `model.features.SEXES`."""
    heart_rate: Quantity | None = None
    body_temperature: Quantity | None = None
    systolic_bp: Quantity | None = None
    diastolic_bp: Quantity | None = None
    respiratory_rate: Quantity | None = None
    oxygen_saturation: Quantity | None = None
    exercise_days: Quantity | None = None
    abo_group: str | None = None
    """One of `model.features.ABO_GROUPS`."""
    pregnant: bool = False
    """Known to be pregnant (C1)."""


def entered_resources(entered: Entered, *, patient_id: str, at: datetime) -> Resources:
    """A Patient and a Bundle of Observations taken at `at` (aware), under their prefetch keys.

    Blood pressure is one panel, so that both values are of one time (C4). An age in whole years
    is sent as the birth date it has its birthday on: the age that is read is the age that was
    typed, and never one that is not reached yet.
    """
    patient: dict[str, Any] = {"resourceType": "Patient", "id": patient_id}
    born = entered.birth_date
    if born is None and entered.age is not None:
        born = birth_date_of(entered.age, at)
    if born is not None:
        patient["birthDate"] = born.isoformat()
    if entered.sex is not None:
        patient["gender"] = entered.sex
    vitals = {
        "resourceType": "Bundle",
        "type": "searchset",
        "entry": [{"resource": one} for one in _observations(entered, patient_id, at)],
    }
    return {name: _raw(one) for name, one in {"patient": patient, "vitals": vitals}.items()}


def birth_date_of(age: int, at: datetime) -> date:
    """A day on which somebody of `age` whole years had their birthday today (UTC).

    On 29 February of a year that the year of birth does not share, the day before: on 1 March the
    age would not be reached yet.
    """
    today = at.astimezone(UTC).date()
    try:
        return today.replace(year=today.year - age)
    except ValueError:
        return (today - timedelta(days=1)).replace(year=today.year - age)


def _observations(entered: Entered, patient_id: str, at: datetime) -> list[dict[str, Any]]:
    def observation(name: str, **value: Any) -> dict[str, Any]:
        return {
            "resourceType": "Observation",
            "status": "final",
            "code": _code(name),
            "subject": {"reference": f"Patient/{patient_id}"},
            "effectiveDateTime": at.isoformat(),
        } | value

    found = [
        observation(name, valueQuantity=_quantity(quantity))
        for name in (
            "heart_rate",
            "body_temperature",
            "respiratory_rate",
            "oxygen_saturation",
            "exercise_days",
        )
        if (quantity := getattr(entered, name)) is not None
    ]
    pressures = [
        {"code": _code(name), "valueQuantity": _quantity(quantity)}
        for name in ("systolic_bp", "diastolic_bp")
        if (quantity := getattr(entered, name)) is not None
    ]
    if pressures:
        found.append(observation("blood_pressure", component=pressures))
    if entered.abo_group is not None:
        answer = {"coding": [{"system": _LOINC, "code": _GROUP_ANSWERS[entered.abo_group]}]}
        found.append(observation("abo_group", valueCodeableConcept=answer))
    if entered.pregnant:
        answer = {"coding": [{"system": _LOINC, "code": _PREGNANT}]}
        found.append(observation("pregnancy_status", valueCodeableConcept=answer))
    return found


def _code(name: str) -> dict[str, Any]:
    """The preferred LOINC code of an input."""
    return {"coding": [{"system": _LOINC, "code": LOINC_OF[name][0]}]}


def _quantity(quantity: Quantity) -> dict[str, Any]:
    return {
        "value": quantity.value,
        "unit": quantity.unit,
        "system": UCUM,
        "code": quantity.unit,
    }


def _raw(resource: dict[str, Any]) -> msgspec.Raw:
    return msgspec.Raw(msgspec.json.encode(resource))
