"""The labels a hospital owns, as its commands and the start of the service show them."""

import asyncio
import json
import re
from pathlib import Path

import pytest

from cds_service.app import create_app
from cds_service.errors import ConfigurationError
from cds_service.services.site_terminology import site_terminology
from cds_service.services.training import HistoryFile, TrainingService
from cds_service.settings import Settings
from cds_service.storage.tables import HISTORY_FILES
from fhir_mapping.code_systems import ICD_10_CM, ICD_10_GM
from fhir_mapping.terminology import load_terminology
from model.training.cleaning import clean_history
from model.training.history import read_history
from tests.support.commands import COLUMNS, done, history, run
from tests.support.service import new_context
from tests.support.terminology import (
    SHIPPED,
    concept_map,
    copied,
    disorder,
    family,
    listed,
    orphadata,
    value_set,
    write,
)

ROOT = Path(__file__).resolve().parents[4]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A hospital's own files."""
    path = tmp_path / "terminology"
    write(path, "acute.json", value_set("acute-event", family(ICD_10_CM, "J00"), version="7"))
    write(path, "map.json", concept_map("https://hospital.example/codes", {"MI": "acute-event"}))
    return path


def test_check_says_what_is_in_use(tmp_path: Path, folder: Path) -> None:
    rare = orphadata(
        tmp_path / "p1.xml",
        [disorder("558", ("ICD-10", "Q87.4", "E")), disorder("1", ("ICD-10", "E70.1", "NTBT"))],
    )
    out = done(
        tmp_path,
        "terminology",
        "check",
        CDS_TERMINOLOGY_DIR=str(folder),
        CDS_ORPHADATA_FILE=str(rare),
        CDS_ICD10_VARIANTS=json.dumps({ICD_10_GM: "icd-10"}),
    )
    assert re.search(r"^Label version 1-[0-9a-f]{8}$", out, re.MULTILINE)
    assert "Value set acute-event 7: active, in use, 0 codes, 1 codes with their subd" in out
    assert "Value set life-limiting-metastatic 1.0.0: draft, not in use" in out
    assert "reviewed by: nobody (Reviewed.)" in out
    assert str(folder / "acute.json") in out
    assert "ConceptMap/ours 1: active, asked as number 1, 1 codes" in out
    assert "snomed-condition-class 1.0.0: active, asked as number 2" in out
    assert f"ICD-10 variant {ICD_10_GM}: read by the rules of" in out
    assert "1 codes of ICD-10 and OMIM mark a rare disease (relations E)" in out
    assert "1 cross-references left out: relation NTBT" in out
    assert "Look at: " in out
    assert "J00, which acute-event holds too; acute-event decides" in out


def test_check_looks_at_a_folder_before_it_is_used_and_names_every_fault(
    tmp_path: Path, folder: Path
) -> None:
    write(folder, "bad.json", {"resourceType": "ValueSet"})
    write(folder, "worse.json", value_set("acute-event", listed("our codes", "a")))
    ran = run(tmp_path, "terminology", "check", folder)
    assert ran.code == 1
    assert f"Error: {folder / 'bad.json'}: url is missing" in ran.out
    assert f"Error: {folder / 'worse.json'}: ValueSet.url is that of another file" in ran.out
    assert "Label version" not in ran.out
    assert "Traceback" not in ran.out + ran.err
    assert done(tmp_path, "terminology", "check").startswith("Label version 1\n")


def test_who_signed_is_printed(tmp_path: Path) -> None:
    def sign(found: dict[str, object]) -> None:
        found["status"] = "active"
        signed = {"url": "https://x.example/reviewed-by", "valueString": "Dr A. Example"}
        extension = found["extension"]
        assert isinstance(extension, list)
        extension.append(signed)

    copied(tmp_path / "t", "value_sets/life-limiting-metastatic.json", sign)
    out = done(tmp_path, "terminology", "check", tmp_path / "t")
    assert "life-limiting-metastatic 1.0.0: active, in use" in out
    assert "reviewed by: Dr A. Example" in out


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("I21.4",), f"{ICD_10_CM} I21.4\n  acute-event: value set acute-event, version 1.0.0"),
        (("e119",), f"{ICD_10_CM} E11.9\n  chronic: HCUP's chronic condition indicator"),
        (("J06.9",), "mild: value set self-limiting"),
        (("R51",), "undetermined: HCUP's chronic condition indicator calls it not chronic"),
        (("C78.7",), "life-limiting-metastatic would say life-limiting: not in use"),
        (("38341003",), "chronic: concept map https://cds-service.example/fhir/ConceptMap/"),
        (("558", "--system", "http://www.orpha.net"), "rare disease ORPHA:558"),
        (("a", "--system", "1.2.3.4"), "undetermined: no set or map holds a code of this system"),
    ],
)
def test_explain_says_what_decides_and_why(
    tmp_path: Path, arguments: tuple[str, ...], said: str
) -> None:
    assert said in done(tmp_path, "terminology", "explain", *arguments)


def test_explain_names_a_sites_own_map(tmp_path: Path, folder: Path) -> None:
    system = ("--system", "https://hospital.example/codes")
    out = done(tmp_path, "terminology", "explain", "MI", *system, CDS_TERMINOLOGY_DIR=str(folder))
    assert "acute-event: concept map https://hospital.example/fhir/ConceptMap/ours" in out
    assert str(folder / "map.json") in out


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("?",), "does not have the form of a code of ICD-10-CM, ICD-10 or SNOMED CT"),
        (("Marfan", "--system", "https://www.orpha.net"), "a code of that system"),
        (("MI", "--system", "ours"), "neither a URI nor an OID"),
    ],
)
def test_explain_refuses_in_a_sentence(
    tmp_path: Path, arguments: tuple[str, ...], said: str
) -> None:
    assert said in run(tmp_path, "terminology", "explain", *arguments).sentence()


def test_a_faulty_file_stops_the_start_and_the_commands_that_need_the_labels(
    tmp_path: Path, folder: Path
) -> None:
    path = write(folder, "bad.json", concept_map("ours", {"a": "mild"}))
    settings = {"CDS_TERMINOLOGY_DIR": str(folder)}
    done(tmp_path, "db", "upgrade")
    for command in (("serve",), ("evaluate",)):
        sentence = run(tmp_path, *command, **settings).sentence()
        assert f"{path}: ConceptMap.group[0].source is neither a URI" in sentence
    context = new_context(tmp_path / "app", terminology_dir=folder)
    app = create_app(context)

    async def start() -> None:
        async with app.router.lifespan_context(app):
            pass

    with pytest.raises(ConfigurationError, match=r"ConceptMap\.group\[0\]\.source"):
        asyncio.run(start())
    context.engine.dispose()


def test_a_variant_that_is_none_is_refused_in_words_for_an_operator() -> None:
    with pytest.raises(ConfigurationError, match="CDS_ICD10_VARIANTS: a key is neither"):
        site_terminology(Settings(icd10_variants={"ours": "icd-10"}))


def test_the_examples_of_the_documentation_are_files_that_work(tmp_path: Path) -> None:
    page = (ROOT / "docs" / "terminology.md").read_text("utf-8")
    examples = re.findall(r"```json\n(.*?)```", page, re.DOTALL)
    assert len(examples) == 2
    for number, example in enumerate(examples):
        write(tmp_path / "t", f"{number}.json", json.loads(example))
    variants = json.loads(re.findall(r"CDS_ICD10_VARIANTS='(.*?)'", page)[0])
    site = load_terminology(tmp_path / "t", icd10_variants=variants)
    assert site.concept_maps[0].reviewed_by == "Dr A. Example, 2026-12-01"
    assert len(site.variants) == 2


def test_history_counts_as_made_by_the_present_rules_unless_it_says_otherwise(
    tmp_path: Path, folder: Path
) -> None:
    context = new_context(tmp_path, terminology_dir=folder)
    service = TrainingService(context.engine, context.settings, context.clock)
    version = site_terminology(context.settings).label_version
    file = history(tmp_path / "h.csv", rows=100)
    columns = dict(pair.split("=") for pair in COLUMNS[1::2])
    cleaned = clean_history(read_history(file, column_map=columns), min_age=18, max_age=110)
    made = [
        service._keep(cleaned.frame, HistoryFile(file, label_version=said), cleaned.report, "test")
        for said in (None, "1")
    ]
    with context.engine.connect() as connection:
        found = {row.id: row.label_version for row in connection.execute(HISTORY_FILES.select())}
    assert [found[one] for one in made] == [version, "1"]
    assert len(service.history_frame(made[0])) == len(cleaned.frame)
    assert len(service.history_frame(made[1])) == 0
    context.engine.dispose()


def test_shipped_files_lie_where_the_documentation_says() -> None:
    assert SHIPPED == ROOT / "fhir_mapping"
