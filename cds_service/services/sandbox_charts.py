"""Charts of the sandbox as FHIR R4, and the hook requests that a health record makes of them."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final
from uuid import uuid4

from cds_service.services.sandbox_patients import (
    UNITS,
    Problem,
    Quantity,
    Reading,
    SandboxPatient,
)
from fhir_mapping.codes import LOINC_OF, UCUM

Json = dict[str, Any]
USER: Final = "Practitioner/sandbox"
LOINC: Final = "http://loinc.org"
_TERMINOLOGY: Final = "http://terminology.hl7.org/CodeSystem"
_NAMES: Final[Mapping[Quantity, str]] = {
    "heart_rate": "Heart rate",
    "body_temperature": "Body temperature",
    "systolic_bp": "Systolic blood pressure",
    "diastolic_bp": "Diastolic blood pressure",
    "respiratory_rate": "Respiratory rate",
    "oxygen_saturation": "Oxygen saturation in Arterial blood",
}
"""LOINC's own names."""
_KNOWN_FOR: Final = timedelta(days=3 * 365)
_ANSWERED: Final = timedelta(days=30)


@dataclass(frozen=True, slots=True)
class Ids:
    """One stay of an invented patient: every opened chart is a new one, so that no earlier visit
    has a say in it."""

    patient: str
    encounter: str

    @classmethod
    def new(cls) -> "Ids":
        """Ids that were never used."""
        stay = uuid4().hex[:12]
        return cls(f"sandbox-{stay}", f"sandbox-{stay}-visit")


def patient_view(
    patient: SandboxPatient, readings: Mapping[Quantity, Reading], ids: Ids, now: datetime
) -> Json:
    """The `patient-view` request: the whole chart goes along as prefetch, as it stands at `now`."""
    return {
        "hook": "patient-view",
        "hookInstance": str(uuid4()),
        "context": {"userId": USER, "patientId": ids.patient, "encounterId": ids.encounter},
        "prefetch": chart(patient, readings, ids, now),
    }


def chart(
    patient: SandboxPatient, readings: Mapping[Quantity, Reading], ids: Ids, now: datetime
) -> Json:
    """What the templates of `hooks.prefetch` ask for, by key."""
    observations = [
        _observation(name, reading, ids, now)
        for name, reading in readings.items()
        if name not in ("systolic_bp", "diastolic_bp")
    ]
    observations += _pressures(readings, ids, now)
    if patient.pregnant:
        observations.append(_pregnant(ids, now - _ANSWERED))
    observations.sort(key=lambda one: str(one["effectiveDateTime"]), reverse=True)
    given, _, family = patient.name.partition(" ")
    return {
        "patient": {
            "resourceType": "Patient",
            "id": ids.patient,
            "name": [{"given": [given], "family": family}],
            "gender": patient.sex,
            # Half a year past the birthday, so that no time zone makes it another age.
            "birthDate": f"{_birthday(now, patient.age):%Y-%m-%d}",
        },
        "vitals": _bundle(observations),
        "encounter": {
            "resourceType": "Encounter",
            "id": ids.encounter,
            "status": "in-progress",
            "class": {"system": f"{_TERMINOLOGY}/v3-ActCode", "code": patient.encounter},
            "subject": _subject(ids),
            "period": {"start": _instant(now - timedelta(hours=1))},
        },
        "conditions": _bundle(
            [
                condition(problem, ids, now - _KNOWN_FOR, number=number, category=_PROBLEM)
                for number, problem in enumerate(patient.problems, 1)
            ]
        ),
    }


def problem_created(
    problem: Problem, ids: Ids, now: datetime, *, draft: Mapping[str, Any] | None = None
) -> Json:
    """The `problem-list-item-create` request of a diagnosis made at `now`.

    With the `draft` of an accepted suggestion the clinician completed that one: it keeps its tag,
    by which a diagnosis that a card prompted is told apart (C18).
    """
    made = condition(problem, ids, now, category=_DIAGNOSIS)
    made["encounter"] = {"reference": f"Encounter/{ids.encounter}"}
    if draft is not None and isinstance(draft.get("meta"), dict):
        made["meta"] = draft["meta"]
    return {
        "hook": "problem-list-item-create",
        "hookInstance": str(uuid4()),
        "context": {
            "userId": USER,
            "patientId": ids.patient,
            "encounterId": ids.encounter,
            "conditions": _bundle([made], kind="collection"),
        },
    }


_PROBLEM: Final = "problem-list-item"
_DIAGNOSIS: Final = "encounter-diagnosis"


def condition(
    problem: Problem, ids: Ids, recorded: datetime, *, category: str, number: int | None = None
) -> Json:
    """A confirmed Condition; with a `number` it is one that was on record before."""
    ending = uuid4().hex[:8] if number is None else str(number)
    return {
        "resourceType": "Condition",
        "id": f"{ids.patient}-c-{ending}",
        "clinicalStatus": _concept(f"{_TERMINOLOGY}/condition-clinical", "active"),
        "verificationStatus": _concept(f"{_TERMINOLOGY}/condition-ver-status", "confirmed"),
        "category": [_concept(f"{_TERMINOLOGY}/condition-category", category)],
        "code": _concept(problem.system, problem.code, problem.display) | {"text": problem.display},
        "subject": _subject(ids),
        "recordedDate": _instant(recorded),
    }


def _observation(name: Quantity, reading: Reading, ids: Ids, now: datetime) -> Json:
    return _measured(LOINC_OF[name][0], _NAMES[name], ids, now, reading.minutes) | {
        "valueQuantity": _quantity(reading)
    }


def _pressures(readings: Mapping[Quantity, Reading], ids: Ids, now: datetime) -> list[Json]:
    """One panel, as a cuff gives both."""
    pair: tuple[Quantity, ...] = ("systolic_bp", "diastolic_bp")
    parts = [(name, readings[name]) for name in pair if name in readings]
    if not parts:
        return []
    panel = _measured(
        LOINC_OF["blood_pressure"][0],
        "Blood pressure panel with all children optional",
        ids,
        now,
        parts[0][1].minutes,
    )
    panel["component"] = [
        {
            "code": _concept(LOINC, LOINC_OF[name][0], _NAMES[name]),
            "valueQuantity": _quantity(reading),
        }
        for name, reading in parts
    ]
    return [panel]


def _pregnant(ids: Ids, at: datetime) -> Json:
    return {
        "resourceType": "Observation",
        "id": f"{ids.patient}-82810-3",
        "status": "final",
        "code": _concept(LOINC, "82810-3", "Pregnancy status"),
        "subject": _subject(ids),
        "effectiveDateTime": _instant(at),
        "valueCodeableConcept": _concept("http://snomed.info/sct", "77386006", "Pregnancy"),
    }


def _measured(code: str, display: str, ids: Ids, now: datetime, minutes: float) -> Json:
    return {
        "resourceType": "Observation",
        "id": f"{ids.patient}-{code}",
        "status": "final",
        "category": [_concept(f"{_TERMINOLOGY}/observation-category", "vital-signs")],
        "code": _concept(LOINC, code, display),
        "subject": _subject(ids),
        "encounter": {"reference": f"Encounter/{ids.encounter}"},
        "effectiveDateTime": _instant(now - timedelta(minutes=minutes)),
    }


def _quantity(reading: Reading) -> Json:
    """With its unit in UCUM; where the unit was left out, the bare value."""
    value = float(reading.value)
    value = int(value) if value.is_integer() else value
    if not reading.unit:
        return {"value": value}
    return {"value": value, "unit": UNITS[reading.unit], "system": UCUM, "code": reading.unit}


def _birthday(now: datetime, age: int) -> datetime:
    return now - timedelta(days=365.25 * (age + 0.5))


def _concept(system: str, code: str, display: str | None = None) -> Json:
    coding = {"system": system, "code": code}
    return {"coding": [coding if display is None else coding | {"display": display}]}


def _subject(ids: Ids) -> Json:
    return {"reference": f"Patient/{ids.patient}"}


def _bundle(resources: list[Json], kind: str = "searchset") -> Json:
    """FHIR R4 allows no empty list: a Bundle of nothing has no `entry`."""
    bundle: Json = {"resourceType": "Bundle", "type": kind}
    if kind == "searchset":
        bundle["total"] = len(resources)
    return bundle | ({"entry": [{"resource": one} for one in resources]} if resources else {})


def _instant(moment: datetime) -> str:
    # A diagnosis may be made in the second in which the chart was opened.
    return moment.isoformat(timespec="milliseconds")
