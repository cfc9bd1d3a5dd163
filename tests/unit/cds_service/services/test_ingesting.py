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
from cds_service.security.clients import Client, ClientSettings
from cds_service.services.deliveries import Received
from cds_service.services.ingesting import Ingested, ingest_conditions
from cds_service.services.resource_files import IngestError
from tests.support.conditions import condition
from tests.support.service import new_context
from tests.support.stored import BASE, SEEN, assessed, category, current, set_time


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


CLIENT = Client("file", ClientSettings(fhir_servers=(BASE,)))


def take(context: ProcessContext, *paths: Path, base: str = BASE) -> Ingested:
    def progress(_step: str, share: float) -> None:
        assert 0 <= share <= 1

    return ingest_conditions(
        context,
        paths,
        client=CLIENT,
        base=base,
        actor="test",
        progress=progress,
    )


def ingest(context: ProcessContext, path: Path, base: str = BASE) -> Received:
    return take(context, path, base=base).received


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
    (issue,) = received.issues
    assert issue.startswith("conditions.ndjson:5: Condition.recordedDate")


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
        (b"{} {}", "line 1 is not JSON"),
        (b"[" * 100_000, "line 1 is not JSON"),
        (b'{"a": ' + b"1" * 10_000 + b"}", "line 1 is not JSON"),
        (b"\xff\xfe", "line 1 is not JSON"),
        (b"<html>\n<body>", "line 1 is not JSON"),
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


def test_a_missing_file_and_a_folder_without_any_are_refused_in_a_sentence(
    context: ProcessContext, tmp_path: Path
) -> None:
    with pytest.raises(IngestError, match="There is no file"):
        ingest(context, tmp_path / "nothing.json")
    with pytest.raises(IngestError, match=r"no \.ndjson or \.json file"):
        ingest(context, tmp_path)


def ndjson(path: Path, *resources: Any) -> Path:
    lines = [one if isinstance(one, str) else json.dumps(one) for one in resources]
    path.write_text("\n".join(lines))
    return path


def export(folder: Path) -> Path:
    """The folder of a bulk export, with a line of every kind."""
    folder.mkdir()
    ndjson(
        folder / "Condition.000.ndjson",
        condition(icd="J00", encounter="Encounter/e1"),
        '{"resourceType": "Condi',
        condition(icd="I21.9", id="c2", subject={"reference": "Patient/p2"}),
    )
    with gzip.open(folder / "Condition.001.ndjson.gz", "wt") as file:
        file.write(json.dumps(condition(icd="I10", id="c3", recorded="yesterday")) + "\n[]\n")
    ndjson(folder / "Encounter.000.ndjson", discharged("home"), {"resourceType": "Encounter"})
    link = [{"other": {"reference": "Patient/p9"}, "type": "replaced-by"}]
    ndjson(folder / "Patient.ndjson", {"resourceType": "Patient", "id": "p2", "link": link})
    ndjson(folder / "Observation.ndjson", {"resourceType": "Observation"}, "not JSON at all")
    (folder / "notes.txt").write_text("nothing")
    output = [
        {"type": "Condition", "url": f"https://ehr.example/files/{name}"}
        for name in ("Condition.000.ndjson", "Condition.001.ndjson", "Condition.002.ndjson")
    ]
    manifest = {"transactionTime": "2026-03-05T00:00:00Z", "output": output, "error": []}
    (folder / "manifest.json").write_text(json.dumps(manifest))
    return folder


def test_a_bulk_export_is_taken_whole(context: ProcessContext, tmp_path: Path) -> None:
    mine = assessed(context, encounter="e1")
    theirs = assessed(context, patient="p9")
    taken = take(context, export(tmp_path / "export"))
    received = taken.received
    assert (received.stored, received.merged) == (2, 1)
    assert category(context, mine) == "mild"
    assert category(context, theirs) == "acute"
    assert current(context)[0]["channel"] == "bulk"
    assert taken.faults == Counter({"not JSON": 1, "not a resource": 1})
    assert received.skipped == Counter(invalid=1)
    assert [" ".join(issue.split(" ")[:2]) for issue in received.issues] == [
        "manifest.json names",
        "Condition.000.ndjson:2: not",
        "Condition.001.ndjson.gz:2: not",
        "Condition.001.ndjson.gz:1: Condition.recordedDate",
    ]
    again = take(context, tmp_path / "export").received
    assert (again.stored, again.unchanged, again.merged) == (0, 2, 0)


def test_what_an_export_says_was_deleted_is_withdrawn(
    context: ProcessContext, tmp_path: Path
) -> None:
    assessment = assessed(context)
    ingest(context, ndjson(tmp_path / "Condition.ndjson", condition(icd="I21.9"), {}))
    assert category(context, assessment) == "acute"
    deleted = {
        "resourceType": "Bundle",
        "type": "transaction",
        "entry": [
            {"request": {"method": "DELETE", "url": url}}
            for url in ("Condition/c1", "Patient/p1", f"{BASE}/Condition/unknown", "nonsense", 7)
        ],
    }
    folder = tmp_path / "later"
    (folder / "deleted").mkdir(parents=True)
    ndjson(folder / "deleted" / "deleted.ndjson", deleted)
    received = take(context, folder).received
    assert (received.withdrawn, received.skipped) == (1, Counter())
    assert category(context, assessment) is None
    assert take(context, folder).received.withdrawn == 0


def test_a_bad_line_is_counted_and_the_rest_taken(context: ProcessContext, tmp_path: Path) -> None:
    good = [condition(icd="I10", id=f"c{number}") for number in range(3)]
    path = tmp_path / "conditions.txt"
    path.write_bytes(
        b"\xef\xbb\xbf"
        + b"\n".join([json.dumps(one).encode() for one in good] + [b"{} {}", b"\xff\xfe", b"7"])
    )
    taken = take(context, path)
    assert taken.received.stored == 3
    assert taken.faults == Counter({"not JSON": 2, "not a resource": 1})
    assert [issue.split(" ")[0] for issue in taken.received.issues] == [
        f"conditions.txt:{line}:" for line in (4, 5, 6)
    ]


def test_a_line_without_end_is_only_counted(
    context: ProcessContext, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("cds_service.services.resource_files.MAX_LINE", 1_000)
    monkeypatch.setattr("cds_service.services.resource_files.CHUNK", 300)
    path = ndjson(
        tmp_path / "c.ndjson", condition(icd="I10"), "x" * 5_000, condition(icd="I10", id="c2")
    )
    taken = take(context, path)
    assert (taken.received.stored, taken.faults) == (2, Counter({"the line is too long": 1}))


def test_a_million_lines_are_not_held_in_memory(
    context: ProcessContext, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Lines are read as they are stored: the second batch is not read before the first is there.
    monkeypatch.setattr("cds_service.services.ingesting.BATCH", 10)
    monkeypatch.setattr("cds_service.services.resource_files.CHUNK", 1_000)
    lines = [condition(icd="I10", id=f"c{number}") for number in range(200)]
    path = ndjson(tmp_path / "c.ndjson", *lines)
    seen: list[tuple[int, int]] = []

    def look(step: str, _share: float) -> None:
        if step.startswith("storing"):
            seen.append((len(seen), len(current(context))))

    ingest_conditions(context, [path], client=CLIENT, base=BASE, actor="test", progress=look)
    assert len(current(context)) == 200
    assert any(0 < stored < 200 for _, stored in seen)


def test_an_empty_file_and_other_json_say_nothing(context: ProcessContext, tmp_path: Path) -> None:
    (tmp_path / "empty.ndjson").touch()
    (tmp_path / "other.json").write_text('{"output": "x"}')
    assert take(context, tmp_path) == Ingested()
