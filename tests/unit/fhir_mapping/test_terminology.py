"""C15: value sets are our own FHIR JSON with source, version and review status."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from fhir_mapping import terminology
from fhir_mapping.codings import ICD_10, ICD_10_CM, SNOMED_CT, NormalCoding
from fhir_mapping.compositions import TerminologyError
from fhir_mapping.labels import ConditionClass, classify
from fhir_mapping.resources import parse_resource
from fhir_mapping.terminology import (
    ACUTE_EVENT,
    HISTORY,
    LIFE_LIMITING,
    METASTATIC,
    NO_DISEASE,
    SELF_LIMITING,
    load_terminology,
)
from tests.support.conditions import condition

FOLDER = Path(terminology.__file__).parent
FILES = sorted([*FOLDER.glob("value_sets/*.json"), *FOLDER.glob("concept_maps/*.json")])
REVIEW = "https://cds-service.example/fhir/StructureDefinition/review-status"
SHIPPED = load_terminology()


def icd(code: str) -> NormalCoding:
    return NormalCoding(ICD_10_CM, code)


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_c15_a_shipped_file_is_valid_fhir_and_says_where_it_is_from(path: Path) -> None:
    resource = json.loads(path.read_text())
    parsed = parse_resource(resource["resourceType"], path.read_bytes())
    assert parsed == resource, parsed
    for element in ("url", "version", "status", "publisher", "title", "copyright"):
        assert resource[element], element
    assert "Source: " in resource["description"]
    review = [e["valueString"] for e in resource["extension"] if e["url"] == REVIEW]
    assert len(review) == 1
    assert review[0].startswith("Not reviewed by a clinician")
    assert resource["url"].endswith(path.stem)


def test_c15_every_line_of_a_shipped_value_set_says_what_it_is() -> None:
    for path in FOLDER.glob("value_sets/*.json"):
        compose = json.loads(path.read_text())["compose"]
        for part in (*compose["include"], *compose.get("exclude", ())):
            for entry in part.get("concept", ()):
                assert entry["display"]
            filters = part.get("filter", ())
            texts = [e["valueString"] for f in filters for e in f.get("extension", ())]
            assert len(texts) == (1 if filters else 0), part


def test_c15_no_code_is_in_two_sets_that_decide() -> None:
    """The order of the sets decides between codings, never within one code."""
    sets = (ACUTE_EVENT, LIFE_LIMITING, METASTATIC, SELF_LIMITING, NO_DISEASE, HISTORY)
    codes = terminology._chronic_indicator().icd10_to_ccir
    for code in codes:
        coding = icd(code if len(code) == 3 else f"{code[:3]}.{code[3:]}")
        holding = [name for name in sets if coding in SHIPPED.value_sets[name]]
        assert len(holding) <= 1, (code, holding)


def test_is_a_is_a_code_and_its_subdivisions_and_never_a_neighbour() -> None:
    for code in ("I21", "I21.4", "I21.A1"):
        assert SHIPPED.contains(ACUTE_EVENT, icd(code))
    assert not SHIPPED.contains(ACUTE_EVENT, icd("I2"))
    assert not SHIPPED.contains(ACUTE_EVENT, icd("I25.2"))
    assert not SHIPPED.contains(ACUTE_EVENT, NormalCoding(SNOMED_CT, "21"))
    assert not SHIPPED.contains(ACUTE_EVENT, NormalCoding(ICD_10_CM, None))


def test_a_pattern_is_held_against_the_whole_code(tmp_path: Path) -> None:
    pattern = {"property": "code", "op": "regex", "value": r"I2\d"}
    line = {"system": ICD_10_CM, "filter": [pattern]}
    site_file(tmp_path, ACUTE_FILE, put("compose", {"include": [line]}))
    site = load_terminology(tmp_path)
    assert site.contains(ACUTE_EVENT, icd("I21"))
    assert not site.contains(ACUTE_EVENT, icd("I21.4"))


def test_excluded_codes_are_not_in_the_set() -> None:
    assert SHIPPED.contains(ACUTE_EVENT, icd("I62.01"))
    assert not SHIPPED.contains(ACUTE_EVENT, icd("I62.03"))


def test_the_chronic_indicator_speaks_of_icd_10_only() -> None:
    assert SHIPPED.is_chronic(icd("E11.9")) is True
    assert SHIPPED.is_chronic(NormalCoding(ICD_10, "E11.9")) is True
    assert SHIPPED.is_chronic(icd("J00")) is False
    assert SHIPPED.is_chronic(icd("Z51.5")) is None
    assert SHIPPED.is_chronic(icd("X99.999")) is None
    assert SHIPPED.is_chronic(NormalCoding(SNOMED_CT, "44054006")) is None


def test_c17_the_versions_of_everything_used_are_named() -> None:
    versions = SHIPPED.versions()
    assert versions["https://cds-service.example/fhir/ValueSet/acute-event"] == "1.0.0"
    assert versions["HCUP CCIR for ICD-10-CM"] == "v2023.1"
    assert len(versions) == len(FILES) + 1


# A site's own files.

Change = Callable[[dict[str, Any]], object]


def site_file(folder: Path, source: str, change: Change, name: str = "own.json") -> Path:
    resource = json.loads((FOLDER / source).read_text())
    change(resource)
    path = folder / name
    path.write_text(json.dumps(resource))
    return path


def sign(resource: dict[str, Any]) -> None:
    resource["status"] = "active"
    url = "https://hospital.example/StructureDefinition/reviewed-by"
    resource["extension"].append({"url": url, "valueString": "Dr A. Example, 2026-12-01"})


METASTATIC_FILE = "value_sets/life-limiting-metastatic.json"


def test_c15_metastatic_disease_is_life_limiting_once_a_clinician_has_signed(
    tmp_path: Path,
) -> None:
    site_file(tmp_path, METASTATIC_FILE, sign)
    signed = load_terminology(tmp_path)
    for elements in ({"icd": "C78.7"}, {"snomed": "94260004"}):
        found = classify(condition(**elements), terminology=signed)
        assert found.classification is ConditionClass.LIFE_LIMITING


@pytest.mark.parametrize("keep", ["status", "reviewer"])
def test_c15_half_a_signature_is_none(tmp_path: Path, keep: str) -> None:
    def half(resource: dict[str, Any]) -> None:
        sign(resource)
        if keep == "status":
            resource["extension"].pop()
        else:
            resource["status"] = "draft"

    site_file(tmp_path, METASTATIC_FILE, half)
    found = classify(condition(icd="C78.7"), terminology=load_terminology(tmp_path))
    assert found.classification is ConditionClass.CHRONIC


def test_c15_a_sites_map_is_asked_first_and_may_map_local_codes(tmp_path: Path) -> None:
    def own(resource: dict[str, Any]) -> None:
        resource["url"] = "https://hospital.example/fhir/ConceptMap/ours"
        resource["group"] = [
            {
                "source": "https://hospital.example/codes",
                "target": "https://cds-service.example/fhir/CodeSystem/condition-class",
                "element": [{"code": "MI", "target": [{"code": "acute-event"}]}],
            },
            {
                "source": "http://snomed.info/sct",
                "target": "https://cds-service.example/fhir/CodeSystem/condition-class",
                "element": [{"code": "38341003", "target": [{"code": "undetermined"}]}],
            },
        ]

    site_file(tmp_path, "concept_maps/snomed-condition-class.json", own)
    site = load_terminology(tmp_path)
    local = condition(codings=[("https://hospital.example/codes", "MI")])
    assert classify(local, terminology=site).classification is ConditionClass.ACUTE_EVENT
    hypertension = condition(snomed="38341003")
    taken_back = classify(hypertension, terminology=site)
    assert taken_back.reason == "mapped_undetermined"
    assert classify(hypertension, terminology=SHIPPED).reason == "concept_map"
    diabetes = condition(snomed="44054006")
    assert classify(diabetes, terminology=site).classification is ConditionClass.CHRONIC


def put(path: str, value: object) -> Change:
    """A change of the element at a path of names and indexes."""

    def change(resource: dict[str, Any]) -> None:
        target: Any = resource
        *steps, last = path.split(".")
        for step in steps:
            target = target[int(step) if step.isdigit() else step]
        target[int(last) if last.isdigit() else last] = value

    return change


ACUTE_FILE = "value_sets/acute-event.json"
MAP_FILE = "concept_maps/snomed-condition-class.json"


@pytest.mark.parametrize(
    ("source", "change", "element"),
    [
        (ACUTE_FILE, put("version", None), "ValueSet.version"),
        (ACUTE_FILE, put("publisher", ""), "ValueSet.publisher"),
        (ACUTE_FILE, put("status", "final"), "ValueSet.status"),
        (ACUTE_FILE, put("extension", []), "ValueSet.extension"),
        (ACUTE_FILE, put("url", "https://x.example/ValueSet/acute"), "ValueSet.url"),
        (ACUTE_FILE, put("compose", []), "ValueSet.compose"),
        (ACUTE_FILE, put("compose.include", []), "ValueSet.compose.include"),
        (ACUTE_FILE, put("compose.include.1", "I21"), "ValueSet.compose.include[1]"),
        (ACUTE_FILE, put("compose.include.0.system", None), "ValueSet.compose.include[0].system"),
        (ACUTE_FILE, put("compose.include.0.filter", []), "ValueSet.compose.include[0]"),
        (
            ACUTE_FILE,
            put("compose.include.0.filter.0.op", "descendent-of"),
            "ValueSet.compose.include[0].filter[0]",
        ),
        (
            ACUTE_FILE,
            put("compose.include.0.filter.0.value", "infarct"),
            "ValueSet.compose.include[0].filter[0].value",
        ),
        (
            ACUTE_FILE,
            put("compose.include.0.filter.0", {"property": "code", "op": "regex", "value": "("}),
            "ValueSet.compose.include[0].filter[0].value",
        ),
        (
            ACUTE_FILE,
            put("compose.include.0.system", "http://snomed.info/sct"),
            "ValueSet.compose.include[0].filter[0]",
        ),
        (
            ACUTE_FILE,
            put("compose.include.0.valueSet", ["http://x.example/ValueSet/y"]),
            "ValueSet.compose.include[0].valueSet",
        ),
        (
            "value_sets/life-limiting.json",
            put("compose.include.2.concept.1.code", "terminal"),
            "ValueSet.compose.include[2].concept[1].code",
        ),
        (MAP_FILE, put("group.0.source", None), "ConceptMap.group[0].source"),
        (MAP_FILE, put("group.0.element.3.code", "x"), "ConceptMap.group[0].element[3].code"),
        (
            MAP_FILE,
            put("group.0.element.3.target", [{"code": "severe"}]),
            "ConceptMap.group[0].element[3].target",
        ),
        (
            MAP_FILE,
            # Once acute by the shipped line, once mild.
            put("group.0.element.0", {"code": "230690007", "target": [{"code": "mild"}]}),
            "ConceptMap.group[0].element[9].code",
        ),
        (ACUTE_FILE, put("resourceType", "CodeSystem"), "resourceType"),
    ],
)
def test_an_error_names_file_and_element(
    tmp_path: Path, source: str, change: Change, element: str
) -> None:
    path = site_file(tmp_path, source, change)
    with pytest.raises(TerminologyError) as error:
        load_terminology(tmp_path)
    assert str(path) in str(error.value)
    assert element in str(error.value)
    assert error.value.element == element


def test_a_file_that_is_not_json_and_a_missing_folder_are_named(tmp_path: Path) -> None:
    with pytest.raises(TerminologyError, match="nowhere"):
        load_terminology(tmp_path / "nowhere")
    broken = tmp_path / "broken.json"
    broken.write_text('{"resourceType":\n oops}')
    with pytest.raises(TerminologyError, match=r"broken\.json: not readable as JSON in line 2"):
        load_terminology(tmp_path)
    broken.write_text("[]")
    with pytest.raises(TerminologyError, match=r"broken\.json: holds no JSON object"):
        load_terminology(tmp_path)


def test_two_site_files_of_one_value_set_are_refused(tmp_path: Path) -> None:
    site_file(tmp_path, ACUTE_FILE, lambda _: None, "a.json")
    site_file(tmp_path, ACUTE_FILE, lambda _: None, "b.json")
    with pytest.raises(TerminologyError, match=r"b\.json: ValueSet\.url is that of another file"):
        load_terminology(tmp_path)
