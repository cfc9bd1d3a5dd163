"""The class of the encounter and the look-back it sets (C7)."""

from typing import Any

import pytest

from fhir_mapping.bundles import Entry
from fhir_mapping.encounter_class import default_lookback_hours, read_encounters
from fhir_mapping.readings import Skipped
from fhir_mapping.references import PatientMatcher
from tests.support.builders import coding, encounter, operation_outcome, patient, raw


def read(*resources: object) -> tuple[str | None, list[Skipped]]:
    return read_encounters([Entry(raw(r)) for r in resources], PatientMatcher("p1", None))


@pytest.mark.parametrize(
    ("code", "name", "hours"),
    [
        ("EMER", "emergency", 12),
        ("IMP", "inpatient", 12),
        ("ACUTE", "inpatient", 12),
        ("NONAC", "inpatient", 12),
        ("OBSENC", "inpatient", 12),
        ("SS", "inpatient", 12),
        ("AMB", "ambulatory", 24),
        ("VR", "virtual", 24),
        ("HH", "home", 24),
    ],
)
def test_c7_class_and_look_back(code: str, name: str, hours: float) -> None:
    assert read(encounter(code)) == (name, [])
    assert default_lookback_hours(name) == hours


def test_c7_without_a_class_the_look_back_is_24_hours() -> None:
    assert read() == (None, [])
    assert default_lookback_hours(None) == 24


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"subject": "Patient/p2"}, "wrong_patient"),
        ({"subject": None}, "wrong_patient"),
        ({"status": "planned"}, "wrong_status"),
        ({"status": "cancelled"}, "wrong_status"),
        ({"status": "entered-in-error"}, "wrong_status"),
        ({"status": None}, "wrong_status"),
        ({"class_code": None}, "not_used"),
        ({"class_code": "13"}, "not_used"),
        ({"class_code": None, "class": coding("EMER", "urn:oid:1.2.840.114350")}, "not_used"),
        # R5 made the class a list.
        ({"class_code": None, "class": [{"coding": [{"code": "EMER"}]}]}, "malformed"),
    ],
)
def test_an_encounter_that_does_not_tell(change: dict[str, Any], reason: str) -> None:
    assert read(encounter(**change)) == (None, [Skipped("Encounter", "Encounter/e1", reason)])


@pytest.mark.parametrize(
    "system", [None, "http://hl7.org/fhir/v3/ActCode", "urn:oid:2.16.840.1.113883.5.4"]
)
def test_spellings_of_the_code_system(system: str | None) -> None:
    sent = encounter(None) | {"class": coding("IMP", system)}
    assert read(sent) == ("inpatient", [])


def test_the_encounter_under_way_then_the_newest() -> None:
    finished = encounter("EMER", id="a", status="finished", period={"start": "2026-03-07"})
    old = encounter("AMB", id="b", period={"start": "2026-03-01"})
    new = encounter("IMP", id="c", period={"start": "2026-03-02"})
    for order in ((finished, old, new), (new, finished, old)):
        name, skipped = read(*order)
        assert name == "inpatient"
        assert [(s.reference, s.reason) for s in skipped] == [
            ("Encounter/b", "superseded"),
            ("Encounter/a", "superseded"),
        ]


def test_other_resources_are_skipped() -> None:
    name, skipped = read(patient(), operation_outcome(), 5)
    assert name is None
    assert [s.reason for s in skipped] == ["wrong_type", "operation_outcome", "malformed"]
    outcome = Entry(raw(encounter()), outcome=True)
    assert read_encounters([outcome], PatientMatcher("p1", None))[0] is None
