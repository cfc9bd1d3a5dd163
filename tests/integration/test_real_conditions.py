"""Conditions of public examples and synthetic patients, and our sets beside HCUP's table."""

import csv
import gzip
import json
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from fhir_mapping.codings import ICD_10_CM, NormalCoding, normal_code
from fhir_mapping.labels import ConditionClass, classify
from fhir_mapping.resources import parse_resource
from fhir_mapping.terminology import ACUTE_EVENT, NO_DISEASE, SELF_LIMITING, load_terminology

TERMINOLOGY = load_terminology()


def conditions_in(value: Any) -> Iterator[dict[str, Any]]:
    if isinstance(value, dict):
        if value.get("resourceType") == "Condition":
            yield value
        for inner in value.values():
            yield from conditions_in(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from conditions_in(inner)


def test_every_condition_of_the_specification_is_valid_and_classified(shared_data: Path) -> None:
    classes: Counter[str] = Counter()
    why_not: Counter[str | None] = Counter()
    for path in sorted((shared_data / "fhir_r4_examples").glob("*.json")):
        for resource in conditions_in(json.loads(path.read_text())):
            assert parse_resource("Condition", resource) == resource, path
            found = classify(resource, terminology=TERMINOLOGY)
            classes[found.classification] += 1
            why_not[found.why_not] += 1
    assert sum(classes.values()) >= 12
    # Ischaemic stroke, sepsis, abscess; lung cancer, valve disorder, malignant disease.
    assert classes[ConditionClass.ACUTE_EVENT] >= 3
    assert classes[ConditionClass.CHRONIC] >= 3
    assert why_not["differential"] == 2
    assert why_not["history"] == 2


def test_every_condition_of_synthetic_patients_is_classified(shared_data: Path) -> None:
    classes: Counter[str] = Counter()
    at_home: Counter[str] = Counter()
    uncounted: Counter[str | None] = Counter()
    with gzip.open(shared_data / "synthea" / "slim.ndjson.gz", "rt") as lines:
        for line in lines:
            if '"resourceType": "Condition"' not in line and '"Condition"' not in line:
                continue
            resource = json.loads(line)
            if resource["resourceType"] != "Condition":
                continue
            found = classify(resource, terminology=TERMINOLOGY)
            classes[found.classification] += 1
            uncounted[found.why_not] += 1
            home = classify(resource, encounter_ended_at_home=True, terminology=TERMINOLOGY)
            at_home[home.classification] += 1
    total = sum(classes.values())
    assert total > 4000
    assert classes[ConditionClass.MILD] == 0  # Where an encounter ended is not in the file.
    assert 0.25 < at_home[ConditionClass.MILD] / total < 0.45
    assert 0.25 < classes[ConditionClass.CHRONIC] / total < 0.45
    assert 0.02 < classes[ConditionClass.ACUTE_EVENT] / total < 0.10
    assert at_home[ConditionClass.UNDETERMINED] / total < 0.35
    assert uncounted["history"] > 50
    assert uncounted[None] + uncounted["history"] == total


@pytest.fixture(scope="module")
def hcup(shared_data: Path) -> dict[str, str]:
    """ICD-10-CM code → Acute, Chronic, Both or Not Applicable (HCUP 2021.1 beta)."""
    path = shared_data / "classification" / "cci_icd10cm_v2021-1.csv.gz"
    with gzip.open(path, "rt") as lines:
        return {row["I10_DX"]: row["CCI"] for row in csv.DictReader(lines)}


def members(name: str, codes: dict[str, str]) -> Counter[tuple[str, str]]:
    """(category, what HCUP says) of the codes in one of our sets."""
    found: Counter[tuple[str, str]] = Counter()
    for code, said in codes.items():
        coding = NormalCoding(ICD_10_CM, normal_code(ICD_10_CM, code))
        if TERMINOLOGY.contains(name, coding):
            found[code[:3], said] += 1
    return found


def test_c15_no_self_limiting_code_is_chronic_to_hcup(hcup: dict[str, str]) -> None:
    found = members(SELF_LIMITING, hcup)
    assert sum(found.values()) > 1000
    assert {said for _, said in found} == {"Acute"}
    assert not any(
        TERMINOLOGY.is_chronic(coding)
        for code in hcup
        if TERMINOLOGY.contains(
            SELF_LIMITING, coding := NormalCoding(ICD_10_CM, normal_code(ICD_10_CM, code))
        )
    )


DISEASE_CHRONIC_EVENT_ACUTE = {
    # Diabetic, hypoglycaemic, adrenal and thyrotoxic emergencies; coagulation.
    *("E05", "E08", "E09", "E10", "E11", "E13", "E15", "E27", "D65"),
    # Status epilepticus, transient ischaemia, brain oedema.
    *("G40", "G45", "G93"),
    # Heart and vessels.
    *("I16", "I20", "I21", "I22", "I23", "I24", "I25", "I26", "I46", "I47", "I49", "I60", "I61"),
    *("I62", "I63", "I71", "I74"),
    # Status asthmaticus; hypostatic pneumonia.
    *("J45", "J18"),
    # Ulcers and diverticula that bleed or perforate; gallstones with acute inflammation.
    *("K25", "K26", "K27", "K28", "K57", "K80"),
}
"""Where the table calls chronic what is an acute event: the reason for the order of C15."""


def test_c15_acute_events_are_acute_or_both_to_hcup_except_where_it_means_the_disease(
    hcup: dict[str, str],
) -> None:
    found = members(ACUTE_EVENT, hcup)
    assert sum(found.values()) > 2000
    assert {said for _, said in found} <= {"Acute", "Both", "Chronic"}
    assert {category for category, said in found if said == "Chronic"} == (
        DISEASE_CHRONIC_EVENT_ACUTE
    )


def test_c15_no_disease_codes_are_no_disease_to_hcup(hcup: dict[str, str]) -> None:
    found = members(NO_DISEASE, hcup)
    assert {said for _, said in found} == {"Not Applicable"}
    assert {category for category, _ in found} == {"Z00", "Z02", "Z03", "Z04", "Z05"}
