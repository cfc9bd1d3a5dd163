"""Files of Conditions: what is read of them, and how faults are named."""

import gzip
import json
from collections import Counter
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from cds_service.context import ProcessContext
from cds_service.services.ingesting import IngestError, ingest_conditions
from cds_service.services.outcomes import Received
from tests.support.conditions import condition
from tests.support.service import new_context
from tests.support.stored import BASE, SEEN, assessed, category, set_time


@pytest.fixture
def context(tmp_path: Path) -> Iterator[ProcessContext]:
    context = new_context(tmp_path)
    set_time(context, SEEN + timedelta(days=40))
    yield context
    context.engine.dispose()


def bundle(*resources: dict[str, Any], base: str | None = None) -> dict[str, Any]:
    entries = [
        {"resource": resource}
        | ({"fullUrl": f"{base}/{resource['resourceType']}/{resource['id']}"} if base else {})
        for resource in resources
    ]
    return {"resourceType": "Bundle", "type": "collection", "entry": entries}


def discharged(to: str) -> dict[str, Any]:
    system = "http://terminology.hl7.org/CodeSystem/discharge-disposition"
    return {
        "resourceType": "Encounter",
        "id": "e1",
        "status": "finished",
        "class": {"code": "EMER"},
        "hospitalization": {"dischargeDisposition": {"coding": [{"system": system, "code": to}]}},
    }


def ingest(context: ProcessContext, path: Path, base: str = BASE) -> Received:
    return ingest_conditions(
        context, path, client="file", base=base, actor="test", progress=lambda _step, _share: None
    )


@pytest.mark.parametrize(("disposition", "expected"), [("home", "mild"), ("hosp", None)])
def test_c15_ingest_reads_from_the_file_how_the_encounter_ended(
    context: ProcessContext, tmp_path: Path, disposition: str, expected: str | None
) -> None:
    assessment = assessed(context, encounter="e1")
    path = tmp_path / "bundle.json"
    cold = condition(icd="J00", encounter="Encounter/e1")
    path.write_text(json.dumps(bundle(cold, discharged(disposition))))
    assert ingest(context, path).stored == 1
    assert category(context, assessment) == expected


def test_c3_ingest_takes_the_server_from_full_urls(context: ProcessContext, tmp_path: Path) -> None:
    assessment = assessed(context)
    path = tmp_path / "bundle.json.gz"
    with gzip.open(path, "wt") as file:
        json.dump(bundle(condition(icd="I21.9"), base=BASE), file)
    assert ingest(context, path, base="client:file").stored == 1
    assert category(context, assessment) == "acute"


def test_ingest_reads_text_as_ndjson_by_line_feeds_only(
    context: ProcessContext, tmp_path: Path
) -> None:
    path = tmp_path / "conditions.ndjson"
    notes = [{"text": "one\u2028two\u2029three\u0085four"}]
    lines = [condition(icd="I10", id=f"c{i}", note=notes) for i in range(3)]
    text = "\r\n".join(json.dumps(line, ensure_ascii=False) for line in lines)
    path.write_text(text + "\r\n\r\n", "utf-8", newline="")
    assert ingest(context, path).stored == 3


def test_ingest_numbers_faults_through_the_whole_file(
    context: ProcessContext, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("cds_service.services.ingesting.BATCH", 2)
    lines = [condition(icd="I10", id=f"c{i}") for i in range(5)]
    lines[4]["recordedDate"] = "yesterday"
    path = tmp_path / "conditions.ndjson"
    path.write_text("\n".join(map(json.dumps, lines)))
    received = ingest(context, path)
    assert (received.stored, received.skipped) == (4, Counter(invalid=1))
    assert [issue.split(":")[0] for issue in received.issues] == ["5"]


def test_ingest_takes_one_resource_and_bundles_line_by_line(
    context: ProcessContext, tmp_path: Path
) -> None:
    one = tmp_path / "one.json"
    one.write_text(json.dumps(condition(icd="I10"), indent=2))
    assert ingest(context, one).stored == 1
    many = tmp_path / "many.ndjson"
    bundles = [bundle(condition(icd="I10", id=f"b{i}")) for i in range(2)]
    many.write_text("\n".join(map(json.dumps, bundles)))
    assert ingest(context, many).stored == 2


def test_ingest_passes_over_what_is_no_condition(context: ProcessContext, tmp_path: Path) -> None:
    path = tmp_path / "bundle.json"
    others: list[Any] = [discharged("home") | {"id": None}, {"resourceType": "Patient"}]
    content = bundle(*others)
    content["entry"] += [None, 7, {}, {"resource": None}, {"resource": []}, {"fullUrl": 7}]
    path.write_text(json.dumps(content))
    assert ingest(context, path) == Received()


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"[]", "holds no FHIR resource"),
        (b'"Bundle"', "holds no FHIR resource"),
        (b"{}\n{} {}", "line 2 is not JSON"),
        (b"[" * 100_000, "line 1 is not JSON"),
        (b'{"a": ' + b"1" * 10_000 + b"}", "line 1 is not JSON"),
        (b"{}\n[]", "holds no FHIR resource"),
        (b"\xff\xfe", "cannot be read as UTF-8"),
    ],
)
def test_a_file_that_is_no_fhir_is_refused_in_a_sentence(
    context: ProcessContext, tmp_path: Path, content: bytes, words: str
) -> None:
    path = tmp_path / "file.json"
    path.write_bytes(content)
    with pytest.raises(IngestError, match=words):
        ingest(context, path)


@pytest.mark.parametrize("damage", ["cut", "changed", "no gzip"])
def test_a_damaged_gzip_file_is_refused_in_a_sentence(
    context: ProcessContext, tmp_path: Path, damage: str
) -> None:
    whole = gzip.compress(json.dumps(bundle(condition(icd="I10"))).encode())
    middle = len(whole) // 2
    content = {
        "cut": whole[:-20],
        "changed": whole[:middle] + b"\xff" * 8 + whole[middle + 8 :],
        "no gzip": b"{}",
    }[damage]
    path = tmp_path / "file.json.gz"
    path.write_bytes(content)
    with pytest.raises(IngestError, match="cannot be read"):
        ingest(context, path)


def test_a_missing_file_and_a_folder_are_refused_in_a_sentence(
    context: ProcessContext, tmp_path: Path
) -> None:
    with pytest.raises(IngestError, match="There is no file"):
        ingest(context, tmp_path / "nothing.json")
    with pytest.raises(IngestError, match="cannot be read"):
        ingest(context, tmp_path)
