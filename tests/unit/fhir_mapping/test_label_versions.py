"""C17: the version of the labels, and stored Conditions read again under another one."""

import json
import re
from pathlib import Path
from typing import Any

import pytest

from fhir_mapping.code_systems import ICD_10_CM, ICD_10_GM, SNOMED_CT
from fhir_mapping.label_versions import LABEL_RULE_VERSION
from fhir_mapping.labels import EVIDENCE_ONLY, classify, reclassify
from fhir_mapping.terminology import Terminology, load_terminology
from tests.support.conditions import condition
from tests.support.terminology import (
    concept_map,
    copied,
    disorder,
    family,
    listed,
    orphadata,
    value_set,
    write,
)

SHIPPED = load_terminology()
ACUTE = value_set("acute-event", family(ICD_10_CM, "J00"), listed(SNOMED_CT, "82272006"))


def test_the_shipped_terminology_is_version_1(tmp_path: Path) -> None:
    assert SHIPPED.label_version == LABEL_RULE_VERSION == "1"
    assert load_terminology(tmp_path).label_version == "1"
    assert classify(condition(icd="I21.4"), terminology=SHIPPED).stored()["label_version"] == "1"


def test_every_addition_of_a_site_makes_another_version(tmp_path: Path) -> None:
    write(tmp_path / "set", "a.json", ACUTE)
    write(tmp_path / "map", "a.json", concept_map("https://hospital.example/c", {"a": "mild"}))
    rare = orphadata(tmp_path / "p1.xml", [disorder("558", ("ICD-10", "Q87.4", "E"))])
    versions = [
        load_terminology(tmp_path / "set").label_version,
        load_terminology(tmp_path / "map").label_version,
        load_terminology(icd10_variants={ICD_10_GM: "icd-10"}).label_version,
        load_terminology(icd10_variants={ICD_10_GM: "icd-10-cm"}).label_version,
        load_terminology(orphadata=rare).label_version,
        load_terminology(orphadata=rare, orphadata_relations=("E", "BTNT")).label_version,
    ]
    assert all(re.fullmatch(r"1-[0-9a-f]{8}", version) for version in versions)
    assert len(set(versions)) == len(versions)


def test_the_version_is_of_what_decides_and_of_nothing_else(tmp_path: Path) -> None:
    def version_of(name: str, resource: dict[str, Any], file: str = "a.json") -> str:
        write(tmp_path / name, file, resource)
        return load_terminology(tmp_path / name).label_version

    same = version_of("same", ACUTE)
    reworded = ACUTE | {"title": "Other words", "publisher": "Somebody", "description": "x"}
    assert version_of("words", reworded, "other-name.json") == same
    lines = ACUTE["compose"]["include"]
    assert version_of("order", ACUTE | {"compose": {"include": lines[::-1]}}) == same
    assert version_of("version", ACUTE | {"version": "2"}) != same
    assert version_of("draft", ACUTE | {"status": "draft"}) != same
    more = [*lines, listed(ICD_10_CM, "J01.0")]
    assert version_of("codes", ACUTE | {"compose": {"include": more}}) != same
    out = {"include": lines, "exclude": [listed(ICD_10_CM, "J00")]}
    assert version_of("exclude", ACUTE | {"compose": out}) != same


def test_signing_the_metastatic_set_makes_another_version(tmp_path: Path) -> None:
    source = "value_sets/life-limiting-metastatic.json"
    copied(tmp_path / "a", source, lambda found: found.update(status="active"))

    def sign(found: dict[str, Any]) -> None:
        found["status"] = "active"
        signed = {"url": "https://x.example/reviewed-by", "valueString": "Dr A. Example"}
        found["extension"].append(signed)

    copied(tmp_path / "b", source, sign)
    unsigned, signed = load_terminology(tmp_path / "a"), load_terminology(tmp_path / "b")
    assert unsigned.label_version != signed.label_version


# Read again.


def stored(sent: dict[str, Any], terminology: Terminology, home: bool | None) -> dict[str, Any]:
    facts = classify(sent, encounter_ended_at_home=home, terminology=terminology).stored()
    return dict(json.loads(json.dumps(facts)))


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Terminology:
    """One that reads much otherwise."""
    folder = tmp_path_factory.mktemp("site")
    write(folder, "acute.json", ACUTE)
    write(folder, "mild.json", value_set("self-limiting", family(ICD_10_CM, "R51")))
    write(folder, "history.json", value_set("history", family(ICD_10_CM, "Z98")))
    write(
        folder,
        "map.json",
        concept_map("https://hospital.example/c", {"MI": "acute-event", "OLD": "history"}),
    )
    rare = orphadata(folder / "p1.xml", [disorder("558", ("ICD-10", "Q87.4", "E"))])
    return load_terminology(folder, icd10_variants={ICD_10_GM: "icd-10"}, orphadata=rare)


CONDITIONS = [
    condition(icd="J00"),
    condition(icd="I21.4", snomed="82272006"),
    condition(icd="R51"),
    condition(icd="Q87.4"),
    condition(icd="Z98.1"),
    condition(icd="Z86.73"),
    condition(icd="Z86.73", verification="refuted"),
    condition(icd="Z86.73", recorded=None),
    condition(icd="Z86.73", modifierExtension=[{"url": "https://x.example", "valueCode": "x"}]),
    condition(codings=[("https://hospital.example/c", "MI")]),
    condition(codings=[("https://hospital.example/c", "OLD")]),
    condition(codings=[(ICD_10_GM, "e119")], icd="R05"),
    condition(icd="S93.4", severity="255604002"),
    condition(snomed="999999", severity="255604002"),
    condition(text="a cold"),
    condition(icd="K59.0", category="health-concern"),
    {"resourceType": "Observation"},
]


@pytest.mark.parametrize("home", [None, True, False])
@pytest.mark.parametrize("sent", CONDITIONS, ids=range(len(CONDITIONS)))
def test_c17_a_stored_condition_is_read_again_as_if_it_came_now(
    sent: dict[str, Any], home: bool | None, site: Terminology
) -> None:
    for before, after in ((SHIPPED, site), (site, SHIPPED), (site, site)):
        again = reclassify(stored(sent, before, home), after)
        fresh = stored(sent, after, home)
        for spelled in (again, fresh):
            # A code of what is no variant of ICD-10 stays as its first reading spelled it.
            spelled["codings"] = [
                [s, c and c.upper().replace(".", "")] for s, c in spelled["codings"]
            ]
        assert again == fresh


def test_facts_stored_before_there_was_evidence_are_read_too(site: Terminology) -> None:
    for sent, home, expected in (
        (condition(icd="J00"), True, "acute-event"),
        (condition(icd="R51"), True, "undetermined"),
        (condition(icd="I21.4"), None, "chronic"),
        (condition(text="a cold"), None, "undetermined"),
    ):
        old = stored(sent, SHIPPED, home)
        for name in EVIDENCE_ONLY:
            del old[name]
        assert reclassify(old, site)["classification"] == expected
        assert reclassify(old, SHIPPED)["classification"] == old["classification"]
