"""Real charts of other makers: what is read equals what plain Python finds in them."""

import gzip
import json
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime, timedelta
from itertools import islice
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from fhir_mapping.extract import extract
from fhir_mapping.readings import Extraction, MissingReason
from model.features import READINGS
from tests.support.builders import Json, bundle, raw

TEN_MINUTES = timedelta(minutes=10)
PREDICTION_TIME = datetime(2026, 3, 7, 12, 0, tzinfo=UTC)
CODES = {
    "8867-4": "heart_rate",
    "8310-5": "body_temperature",
    "8331-1": "body_temperature",
    "8480-6": "systolic_bp",
    "8462-4": "diastolic_bp",
    "9279-1": "respiratory_rate",
}
UNITS = {
    "heart_rate": "/min",
    "body_temperature": "Cel",
    "systolic_bp": "mm[Hg]",
    "diastolic_bp": "mm[Hg]",
    "respiratory_rate": "/min",
}
DATES = ("effectiveDateTime", "issued", "birthDate")


def shift(value: Any, by: timedelta) -> Any:
    """The same resource with all its dates moved."""
    if isinstance(value, list):
        return [shift(item, by) for item in value]
    if not isinstance(value, dict):
        return value
    moved = {}
    for name, inner in value.items():
        if name in DATES and isinstance(inner, str):
            at = datetime.fromisoformat(inner) + by
            moved[name] = at.date().isoformat() if name == "birthDate" else at.isoformat()
        else:
            moved[name] = shift(inner, by)
    return moved


class Value(NamedTuple):
    """One vital sign of a chart."""

    time: datetime
    value: float
    unit: str | None
    reference: str


def values(observations: Iterable[Json]) -> dict[str, list[Value]]:
    """The vital signs of each input, the newest last (these charts hold no tie)."""
    found: dict[str, list[Value]] = {}
    for resource in observations:
        at = datetime.fromisoformat(resource["effectiveDateTime"])
        for item in resource.get("component", [resource]):
            name = CODES.get(item["code"]["coding"][0]["code"])
            if name is not None:
                quantity = item["valueQuantity"]
                reference = f"Observation/{resource['id']}"
                value = Value(at, quantity["value"], quantity.get("code"), reference)
                found.setdefault(name, []).append(value)
    return {name: sorted(entries) for name, entries in found.items()}


def assert_read(found: Extraction, observations: list[Json]) -> None:
    """Every value, unit, time and missing reason, against plain Python.

    In these charts a value is valid if it has a unit and is not older than 24 hours.
    """
    earliest = PREDICTION_TIME - timedelta(hours=24)
    used: dict[str, Value] = {}
    reasons: dict[str, str] = {}
    for name, entries in values(observations).items():
        valid = [e for e in entries if e.unit is not None and e.time >= earliest]
        if valid:
            used[name] = valid[-1]
        else:
            reasons[name] = "stale" if entries[-1].time < earliest else "unknown_unit"
    assert [r.feature for r in found.readings] == [n for n in READINGS if n in used]
    for reading in found.readings:
        at, value, unit, reference = used[reading.feature]
        assert (reading.time, reading.value, reading.reference) == (at, value, reference)
        assert (reading.received_value, reading.received_unit) == (value, unit)
        assert unit == UNITS[reading.feature]
        minutes = (PREDICTION_TIME - at) / timedelta(minutes=1)
        assert reading.minutes_before == pytest.approx(minutes)
        assert found.row.value(reading.feature) == value
        assert found.row.minutes_before[reading.feature] == reading.minutes_before
        assert (reading.status, reading.flags) == ("final", ())
    assert {m.feature: m.reason.value for m in found.missing} == {
        name: reasons.get(name, "no_observation") for name in READINGS if name not in used
    }
    told = {r.reference for r in found.readings} | {s.reference for s in found.skipped}
    assert {f"Observation/{o['id']}" for o in observations} <= told


@pytest.mark.parametrize(
    ("name", "years", "sex"),
    [
        ("Adolfo777_Braun514", 1, "male"),
        ("Adrian111_Wunsch504", 66, "male"),
        ("Cher186_Crooks415", 14, "female"),
        ("Debora709_Mayer370", 60, "female"),
    ],
)
def test_charts_with_a_heart_rate(shared_data: Path, name: str, years: int, sex: str) -> None:
    resources = json.loads((shared_data / "synthea" / f"{name}.json").read_text())["data"]
    newest = max(
        datetime.fromisoformat(r["effectiveDateTime"])
        for r in resources
        if r["resourceType"] == "Observation" and r["code"]["coding"][0]["code"] == "8867-4"
    )
    by = PREDICTION_TIME - TEN_MINUTES - newest
    resources = [shift(r, by) for r in resources]
    (person,) = (r for r in resources if r["resourceType"] == "Patient")
    observations = [r for r in resources if r["resourceType"] == "Observation"]
    found = extract(
        {"patient": raw(person), "vitals": raw(bundle(*observations))},
        patient_id=person["id"],
        fhir_server="https://ehr.example/fhir",
        prediction_time=PREDICTION_TIME,
    )
    assert_read(found, observations)
    assert found.row.minutes_before["heart_rate"] == 10.0
    assert {"systolic_bp", "diastolic_bp", "respiratory_rate"} <= {
        r.feature for r in found.readings
    }
    days = (PREDICTION_TIME.date() - datetime.fromisoformat(person["birthDate"]).date()).days
    assert found.row.age == pytest.approx(days / 365.2425, abs=0.01)
    assert int(found.row.age or -1) == years
    assert not found.patient.age_is_approximate
    assert (found.row.sex, found.patient.sex) == (sex, sex)
    assert not found.patient.deceased
    assert not found.pregnant


def examples(shared_data: Path) -> list[Json]:
    folder = shared_data / "fhir_r4_examples"
    return [
        json.loads(path.read_text())
        for kind in ("Observation", "Patient", "Condition")
        for path in sorted(folder.glob(f"{kind}-*.json"))
    ]


@pytest.mark.parametrize(
    ("patient_id", "at", "expected"),
    [
        (
            "example",
            datetime(1999, 7, 2, 12, tzinfo=UTC),
            {"heart_rate": 44, "body_temperature": 36.5, "respiratory_rate": 26},
        ),
        (
            "example",
            datetime(2012, 9, 17, 12, tzinfo=UTC),
            {"systolic_bp": 107, "diastolic_bp": 60},
        ),
        ("example", datetime(2014, 12, 5, 12, tzinfo=UTC), {"oxygen_saturation": 95}),
        # Its only temperature was entered in error.
        ("f201", datetime(2013, 4, 4, 13, tzinfo=UTC), {}),
    ],
)
def test_the_examples_of_the_specification(
    shared_data: Path, patient_id: str, at: datetime, expected: dict[str, float]
) -> None:
    resources = examples(shared_data)
    assert len(resources) == 98
    own = next(r for r in resources if r["resourceType"] == "Patient" and r["id"] == patient_id)
    found = extract(
        {
            "patient": raw(own),
            "vitals": raw(bundle(*resources)),
            "conditions": raw(bundle(*(r for r in resources if r["resourceType"] == "Condition"))),
        },
        patient_id=patient_id,
        fhir_server=None,
        prediction_time=at,
    )
    assert {r.feature: r.value for r in found.readings} == expected
    told = {r.reference for r in found.readings} | {s.reference for s in found.skipped}
    assert {f"{r['resourceType']}/{r['id']}" for r in resources} == told
    assert all(s.reason for s in found.skipped)
    assert not found.pregnant


def test_every_example_alone_is_used_or_skipped_with_a_reason(shared_data: Path) -> None:
    for resource in examples(shared_data):
        subject = resource.get("subject", {}).get("reference", "Patient/nobody")
        found = extract(
            {"vitals": raw(resource), "conditions": raw(resource)},
            patient_id=subject.rpartition("/")[2],
            fhir_server=None,
            prediction_time=PREDICTION_TIME,
        )
        reference = f"{resource['resourceType']}/{resource['id']}"
        assert found.readings == ()
        assert [s.reason for s in found.skipped if s.reference == reference]


def charts(path: Path) -> Iterator[list[Json]]:
    """Resources of one patient after another."""
    of_patient: dict[str, list[Json]] = {}
    with gzip.open(path, "rt", encoding="utf-8") as lines:
        for line in lines:
            resource = json.loads(line)
            own_id = resource.get("subject", {}).get("reference", "").removeprefix("urn:uuid:")
            of_patient.setdefault(own_id or resource["id"], []).append(resource)
    yield from of_patient.values()


def test_charts_of_an_older_generator(shared_data: Path) -> None:
    """Blood pressure as 55284-4, at times without a unit (C5); oral temperature; no heart rate."""
    used = unknown = 0
    for resources in islice(charts(shared_data / "synthea" / "slim.ndjson.gz"), 0, None, 6):
        people = [r for r in resources if r["resourceType"] == "Patient"]
        observations = [r for r in resources if r["resourceType"] == "Observation"]
        if not people or not observations:
            continue
        newest = max(datetime.fromisoformat(r["effectiveDateTime"]) for r in observations)
        by = PREDICTION_TIME - TEN_MINUTES - newest
        moved = [shift(r, by) for r in observations]
        found = extract(
            {"patient": raw(people[0]), "vitals": raw(bundle(*moved))},
            patient_id=people[0]["id"],
            fhir_server=None,
            prediction_time=PREDICTION_TIME,
        )
        assert_read(found, moved)
        used += bool(found.readings)
        unknown += any(m.reason is MissingReason.UNKNOWN_UNIT for m in found.missing)
    assert used > 90
    assert unknown > 0


def test_the_request_of_the_sandbox(shared_data: Path) -> None:
    recorded = json.loads((shared_data / "requests" / "sandbox.json").read_text())
    (body,) = (r["body"] for r in recorded if (r["body"] or {}).get("hook") == "patient-view")
    found = extract(
        {key: raw(value) for key, value in body["prefetch"].items()},
        patient_id=body["context"]["patientId"],
        fhir_server=body["fhirServer"],
        prediction_time=datetime(2026, 3, 5, 7, 30, tzinfo=UTC),
    )
    assert {r.reference: r.value for r in found.readings} == {
        "Observation/hr-new": 118,
        "Observation/temp": 38.5,
        "Observation/bp": 58,
    }
    assert (found.row.systolic_bp, found.row.diastolic_bp) == (92, 58)
    assert (found.row.age, found.row.sex) == (pytest.approx(68.92, abs=0.01), "female")
    assert {s.reference: s.reason for s in found.skipped} == {
        "Observation/sys-alone": "future",
        "Observation/bp-absent": "future",
        "Observation/temp-err": "wrong_status",
        "Observation/hr-old": "stale",
    }
