"""A hospital's files are checked when they are read: faults by file and element, notes beside."""

import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from fhir_mapping.code_systems import ICD_10, ICD_10_CM, ICD_10_GM, SNOMED_CT
from fhir_mapping.compositions import TerminologyError
from fhir_mapping.labels import ConditionClass, classify
from fhir_mapping.terminology import contradictions, inspect_terminology, load_terminology
from tests.support.conditions import condition
from tests.support.terminology import concept_map, family, listed, value_set, write

OURS = "https://hospital.example/codes"


@pytest.mark.parametrize(
    ("resource", "element", "message"),
    [
        (value_set("acute-event", family(ICD_10_CM, "J00"), title=7), "ValueSet.title", "text"),
        (
            value_set("acute-event", family(ICD_10_CM, "J00"), expansion="x"),
            "ValueSet.expansion",
            "object",
        ),
        (
            value_set("acute-event", family(ICD_10_CM, "J00"), experimental="perhaps"),
            "ValueSet.experimental",
            "true or false",
        ),
        (
            value_set("acute-event", family(ICD_10_CM, "J00"), surprise=1),
            "ValueSet",
            "does not have here",
        ),
        (
            concept_map(OURS, {"a": "mild"}, date="last week"),
            "ConceptMap.date",
            "not valid in FHIR R4",
        ),
        (
            value_set("acute-event", listed("our own codes", "a")),
            "ValueSet.compose.include[0].system",
            "neither a URI nor an OID",
        ),
        (concept_map("ours", {"a": "mild"}), "ConceptMap.group[0].source", "neither a URI"),
        (
            value_set("acute-event", family(ICD_10_CM, "J00"), modifierExtension=[{"url": OURS}]),
            "ValueSet.modifierExtension",
            "not understood",
        ),
    ],
)
def test_what_is_no_fhir_or_not_understood_is_a_fault_of_an_element(
    tmp_path: Path, resource: dict[str, Any], element: str, message: str
) -> None:
    path = write(tmp_path, "own.json", resource)
    with pytest.raises(TerminologyError, match=message) as error:
        load_terminology(tmp_path)
    assert str(error.value).startswith(f"{path}: {element} ")
    assert error.value.element == element


def test_a_member_given_twice_is_a_fault(tmp_path: Path) -> None:
    (tmp_path / "own.json").write_text('{"resourceType": "ValueSet", "url": "a", "url": "b"}')
    with pytest.raises(TerminologyError, match="url is given twice"):
        load_terminology(tmp_path)


def test_every_fault_of_every_file_is_found_at_once(tmp_path: Path) -> None:
    write(tmp_path, "a.json", value_set("acute-event"))
    write(tmp_path, "b.json", concept_map(OURS, {"a": "severe"}))
    write(tmp_path, "c.json", [])
    inspection = inspect_terminology(
        tmp_path, icd10_variants={SNOMED_CT: "icd-10"}, orphadata=tmp_path / "none.xml"
    )
    assert inspection.terminology is None
    assert [Path(fault.file).name for fault in inspection.faults] == [
        "CDS_ICD10_VARIANTS",
        "a.json",
        "b.json",
        "c.json",
        "none.xml",
    ]
    with pytest.raises(TerminologyError, match=r"4 more: cds-service terminology check"):
        load_terminology(
            tmp_path, icd10_variants={SNOMED_CT: "icd-10"}, orphadata=tmp_path / "none.xml"
        )


def test_what_may_not_be_meant_is_a_note_and_no_fault(tmp_path: Path) -> None:
    without = concept_map(OURS, {"a": "mild"})
    del without["group"][0]["element"][0]["target"][0]["equivalence"]
    without["group"][0]["element"] *= 2
    write(tmp_path, "map.json", without)
    lines = [listed(SNOMED_CT, "82272006", "82272006"), family(ICD_10_CM, "J00")]
    write(tmp_path, "set.json", value_set("self-limiting", *lines, family(ICD_10_CM, "J00")))
    inspection = inspect_terminology(tmp_path)
    assert inspection.terminology is not None
    assert [(Path(n.file).name, n.element, n.message.split(",")[0]) for n in inspection.notes] == [
        ("map.json", "ConceptMap.group[0].element[1]", "lists a code again"),
        ("map.json", "ConceptMap", f"uses {OURS}"),
        ("map.json", "ConceptMap.group[0].element[0].target[0].equivalence", "is missing"),
        ("map.json", "ConceptMap.group[0].element[1].target[0].equivalence", "is missing"),
        ("set.json", "ValueSet.compose.include[0].concept[1]", "lists a code again"),
        ("set.json", "ValueSet.compose.include[2]", "lists a code again"),
    ]


def test_a_code_in_two_sets_is_told_and_the_order_of_the_rules_decides(tmp_path: Path) -> None:
    write(
        tmp_path,
        "mild.json",
        value_set("self-limiting", family(ICD_10_CM, "I21.4"), listed(ICD_10_CM, "E11.9", "J00")),
    )
    site = load_terminology(tmp_path)
    told = [str(fault) for fault in contradictions(site)]
    assert len(told) == 2
    assert "holds I21.4, which acute-event holds too; acute-event decides" in told[0]
    assert "holds E11.9, I21.4, which the chronic indicator calls chronic; it decides" in told[1]
    found = classify(condition(icd="I21.4"), encounter_ended_at_home=True, terminology=site)
    assert found.classification is ConditionClass.ACUTE_EVENT
    found = classify(condition(icd="E11.9"), encounter_ended_at_home=True, terminology=site)
    assert found.classification is ConditionClass.CHRONIC


def test_the_shipped_sets_do_not_contradict_each_other() -> None:
    assert list(contradictions(load_terminology())) == []


GERMAN = "http://fhir.de/CodeSystem/dimdi/icd-10-gm"


def test_a_national_variant_is_read_by_its_rules_and_keeps_its_system() -> None:
    variant = load_terminology(icd10_variants={GERMAN: "icd-10"})
    for code, expected in (
        ("i214", ConditionClass.ACUTE_EVENT),
        ("E11.90", ConditionClass.CHRONIC),
        ("I10.00", ConditionClass.CHRONIC),
        ("J00.9", ConditionClass.UNDETERMINED),
        ("Z51.5", ConditionClass.LIFE_LIMITING),
    ):
        sent = condition(codings=[(GERMAN, code)])
        found = classify(sent, terminology=variant)
        assert found.classification is expected, code
        assert found.decided_by is not None
        assert found.decided_by.system == ICD_10_GM
        unread = classify(sent, terminology=load_terminology())
        assert (unread.classification, unread.reason) == ("undetermined", "unknown_system")
    wrong = classify(condition(codings=[(GERMAN, "grippe")]), terminology=variant)
    assert wrong.reason == "malformed_code"


def test_rules_of_icd_10_cm_and_of_icd_10_differ_for_a_variant() -> None:
    """R65.2 is severe sepsis in ICD-10-CM, and not in the WHO's ICD-10."""
    sent = condition(codings=[(ICD_10, "R65.2")])
    said = {
        rules: classify(sent, terminology=load_terminology(icd10_variants={ICD_10: rules}))
        for rules in ("icd-10", "icd-10-cm")
    }
    assert said["icd-10-cm"].classification is ConditionClass.ACUTE_EVENT
    assert said["icd-10"].classification is not ConditionClass.ACUTE_EVENT


def test_lines_about_the_variant_itself_go_first(tmp_path: Path) -> None:
    write(tmp_path, "map.json", concept_map(ICD_10_GM, {"E11.90": "mild"}))
    write(tmp_path, "set.json", value_set("history", family(GERMAN, "Z98")))
    site = load_terminology(tmp_path, icd10_variants={GERMAN: "icd-10"})
    sent = condition(codings=[(ICD_10_GM, "E1190")])
    found = classify(sent, encounter_ended_at_home=True, terminology=site)
    assert (found.classification, found.reason) == (ConditionClass.MILD, "concept_map")
    assert (
        classify(condition(codings=[(ICD_10_GM, "Z98.1")]), terminology=site).why_not == "history"
    )


def test_the_models_of_fhir_are_loaded_only_for_a_sites_own_files() -> None:
    code = (
        "import sys; from fhir_mapping.terminology import load_terminology; load_terminology();"
        "sys.exit('fhir_mapping.resources' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
