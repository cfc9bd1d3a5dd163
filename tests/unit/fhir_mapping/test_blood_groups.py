"""The ABO group that an Observation names."""

from typing import Any

import msgspec
import pytest

from fhir_mapping.blood_groups import BloodGroup, read_blood_group
from fhir_mapping.codes import ABO_ANSWERS, ABO_FINDINGS
from fhir_mapping.elements import Measured
from fhir_mapping.readings import MissingReason
from model.features import ABO_GROUPS
from tests.support.builders import SNOMED, coding, concept, ucum


def read(**value: Any) -> BloodGroup | MissingReason:
    return read_blood_group(msgspec.convert(value, Measured))


def test_each_group_has_its_answers_and_findings() -> None:
    for table in (ABO_ANSWERS, ABO_FINDINGS):
        assert {group: list(table.values()).count(group) for group in ABO_GROUPS} == dict.fromkeys(
            ABO_GROUPS, 3
        )


@pytest.mark.parametrize("code", ABO_ANSWERS)
def test_loinc_answers(code: str) -> None:
    assert read(valueCodeableConcept=concept(code)) == BloodGroup(ABO_ANSWERS[code], code)


@pytest.mark.parametrize("code", ABO_FINDINGS)
def test_snomed_findings(code: str) -> None:
    for system in (SNOMED, "urn:oid:2.16.840.1.113883.6.96"):
        found = read(valueCodeableConcept=concept(code, system=system))
        assert found == BloodGroup(ABO_FINDINGS[code], code)


@pytest.mark.parametrize(
    ("value", "group"),
    [
        ({"valueString": "O Rh-"}, "O"),
        ({"valueString": " AB pos "}, "AB"),
        ({"valueCodeableConcept": {"text": "B positive"}}, "B"),
        # A local coding says nothing of ours; the text beside it does.
        (
            {"valueCodeableConcept": {"coding": [coding("7", "urn:lab")], "text": "Group A"}},
            "A",
        ),
        # Codes that agree.
        (
            {"valueCodeableConcept": concept("LA19710-5", coding("278152006", SNOMED))},
            "A",
        ),
        # A code outweighs the text beside it.
        ({"valueCodeableConcept": concept("LA19708-9") | {"text": "see report"}}, "O"),
    ],
)
def test_what_is_read(value: dict[str, Any], group: str) -> None:
    found = read(**value)
    assert isinstance(found, BloodGroup)
    assert found.value == group


@pytest.mark.parametrize(
    ("value", "reason"),
    [
        ({}, "data_absent"),
        ({"dataAbsentReason": {"text": "x"}, "valueString": "A"}, "data_absent"),
        ({"valueCodeableConcept": {"coding": [coding("7", "urn:lab")]}}, "data_absent"),
        ({"modifierExtension": [{"url": "x"}], "valueString": "A"}, "malformed"),
        ({"valueString": "A or B"}, "malformed"),
        ({"valueString": 5}, "malformed"),
        ({"valueCodeableConcept": "A"}, "malformed"),
        ({"valueCodeableConcept": {"text": ["A"]}}, "malformed"),
        ({"valueCodeableConcept": concept("LA19710-5", "LA19709-7")}, "malformed"),
        ({"valueCodeableConcept": concept("LA19710-5", coding("58460004", SNOMED))}, "malformed"),
        # A code of no group, whatever stands beside it.
        ({"valueCodeableConcept": concept("LA11884-6") | {"text": "A"}}, "malformed"),
        ({"valueCodeableConcept": concept("LA19710-5", "LA11884-6")}, "malformed"),
        ({"valueQuantity": ucum(1, "1")}, "malformed"),
        ({"valueInteger": 1}, "malformed"),
        ({"valueBoolean": True}, "malformed"),
    ],
)
def test_c5_what_is_not_read(value: dict[str, Any], reason: str) -> None:
    assert read(**value) == MissingReason(reason)
