"""What a chart says was known before: categories (C16) and rare diseases."""

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import msgspec
import pytest

from fhir_mapping.pre_existing import KnownBefore, known_before, stored_rare, with_stored
from fhir_mapping.readings import RareOnRecord
from fhir_mapping.references import PatientMatcher
from fhir_mapping.terminology import Terminology, load_terminology
from model.severity import Severity
from tests.support.conditions import TERMINOLOGY, condition
from tests.support.terminology import disorder, orphadata

ORPHANET = "https://www.orpha.net"
AT = datetime(2026, 3, 7, 12, tzinfo=UTC)
SHIPPED = load_terminology()


def read(*conditions: Any, terminology: Terminology = SHIPPED) -> KnownBefore:
    bundle = {
        "resourceType": "Bundle",
        "type": "searchset",
        "entry": [{"resource": one} for one in conditions],
    }
    raw = msgspec.Raw(json.dumps(bundle).encode())
    return known_before(raw, PatientMatcher("p1", None), terminology, AT)


def rare(display: object = None, system: str = ORPHANET, code: str = "558", **more: Any) -> Any:
    coding = {"system": system, "code": code} | ({} if display is None else {"display": display})
    text = more.pop("text", None)
    concept = {"coding": [coding]} | ({} if text is None else {"text": text})
    return condition(**more) | {"code": concept}


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        (rare("Marfan syndrome"), ("ORPHA:558", "Marfan syndrome")),
        (rare(" Marfan syndrome ", text="Marfan"), ("ORPHA:558", "Marfan syndrome")),
        (rare(text="Marfan, seen by us"), ("ORPHA:558", "Marfan, seen by us")),
        (rare(), ("ORPHA:558", None)),
        (rare(7), ("ORPHA:558", None)),
        (rare("x" * 5_000), ("ORPHA:558", "x" * 200)),
        (rare(code="ORPHA:558", system="http://www.orpha.net/ORDO"), ("ORPHA:558", None)),
        (rare("Marfan", "http://www.omim.org", "154700"), ("OMIM:154700", "Marfan")),
        # What stands in the chart now is known now, with a date or without.
        (rare(recorded=None), ("ORPHA:558", None)),
        (rare(recorded="2026-03-07"), ("ORPHA:558", None)),
        (rare(verification=None), ("ORPHA:558", None)),
    ],
)
def test_a_rare_disease_on_record_has_its_code_and_the_name_of_the_chart(
    given: Any, expected: tuple[str, str | None]
) -> None:
    (found,) = read(given).rare
    assert (found.code, found.name) == expected
    assert "Marfan" not in repr(found)


@pytest.mark.parametrize(
    "given",
    [
        condition(icd="I21.4"),
        # Exact maps of ICD-10 need Orphadata's file.
        condition(icd="Q87.4"),
        *(
            rare(verification=status)
            for status in ("provisional", "refuted", "entered-in-error", "differential")
        ),
        rare(category="health-concern"),
        rare() | {"subject": {"reference": "Patient/p2"}},
        rare() | {"subject": None},
        rare() | {"modifierExtension": [{"url": "https://example.org/not", "valueBoolean": True}]},
        rare()
        | {"meta": {"security": [{"system": f"{TERMINOLOGY}/v3-Confidentiality", "code": "R"}]}},
    ],
)
def test_what_is_no_rare_disease_of_the_patient_is_not_on_record(given: Any) -> None:
    assert read(given).rare == ()


def test_orphadata_maps_and_names(tmp_path: Path) -> None:
    marfan = disorder("558", ("ICD-10", "Q87.4", "E"))
    file = orphadata(tmp_path / "p1.xml", [marfan])
    terminology = load_terminology(orphadata=file)
    assert terminology.rare_diseases is not None
    name = terminology.rare_diseases.names["ORPHA:558"]
    assert name

    assert read(condition(icd="Q87.4"), terminology=terminology).rare == (
        RareOnRecord("ORPHA:558", name),
    )
    named = rare("As we call it", "http://hl7.org/fhir/sid/icd-10-cm", "Q87.4")
    assert read(named, terminology=terminology).rare[0].name == "As we call it"
    assert terminology.rare_name("ORPHA:1") is None
    assert SHIPPED.rare_name("ORPHA:558") is None


def test_each_is_named_once_with_the_name_there_is() -> None:
    found = read(rare(), rare("Marfan"), rare("Otherwise"), rare("Cystic fibrosis", code="586"))
    assert [(one.code, one.name) for one in found.rare] == [
        ("ORPHA:558", "Marfan"),
        ("ORPHA:586", "Cystic fibrosis"),
    ]


def test_c16_categories_are_still_those_known_by_then() -> None:
    found = read(condition(icd="I10"), condition(icd="I21.4", recorded="2026-03-08T10:00:00Z"))
    assert found == KnownBefore(frozenset({Severity.CHRONIC}), ())
    assert read().classes == frozenset()


def test_what_came_earlier_is_added_by_its_code() -> None:
    facts = [
        {"rare_code": "ORPHA:586", "restricted": False, "why_not": None},
        {"rare_code": "ORPHA:558", "restricted": False, "why_not": "unknown_date"},
        {"rare_code": "ORPHA:1", "restricted": True, "why_not": None},
        {"rare_code": "ORPHA:2", "restricted": False, "why_not": "refuted"},
        {"rare_code": None, "restricted": False, "why_not": None},
    ]
    stored = stored_rare(facts)
    assert stored == ["ORPHA:558", "ORPHA:586"]
    chart = (RareOnRecord("ORPHA:558", "Marfan"),)
    assert with_stored(chart, stored, SHIPPED) == (*chart, RareOnRecord("ORPHA:586"))
