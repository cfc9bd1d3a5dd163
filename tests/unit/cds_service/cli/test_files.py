"""Commands that read and write files: `score`, `ingest conditions`, and `evaluate` after them."""

import gzip
import json
import os
import shutil
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from sqlalchemy import select

from cds_service.cli.console import actor
from cds_service.context import ProcessContext
from cds_service.settings import Settings
from cds_service.storage.session import reading
from cds_service.storage.tables import CONDITIONS, EVALUATIONS
from model.severity import SEVERITIES
from tests.support.commands import COLUMNS, done, history, run
from tests.support.conditions import condition
from tests.support.hl7v2 import dg1, message
from tests.support.stored import BASE, assessed, category

PROBABILITIES = [f"probability_{code.column}" for code in SEVERITIES]


@pytest.fixture(scope="module")
def starter(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A data folder with the simulated model live."""
    folder = tmp_path_factory.mktemp("starter")
    done(folder, "db", "upgrade")
    done(folder, "train", "--no-report")
    return folder


@pytest.fixture
def var(starter: Path, tmp_path: Path) -> Path:
    """A copy of `starter`."""
    return Path(shutil.copytree(starter, tmp_path / "var"))


@contextmanager
def process(folder: Path) -> Iterator[ProcessContext]:
    """The process the commands run in, with the same secret keys."""
    settings = Settings(development=True, data_dir=folder)
    context = ProcessContext.create(settings, clock=lambda: datetime.now(UTC))
    try:
        yield context
    finally:
        context.engine.dispose()


def rows_with_others(path: Path) -> Path:
    """Forty rows of adults, then a child, somebody of 130 years and a row without age."""
    frame = pd.read_csv(history(path, 40), sep=";", decimal=",")
    others = frame.head(3).assign(EDAD=[7.0, 130.0, np.nan])
    frame = pd.concat([frame, others], ignore_index=True).drop(columns="LABEL")
    frame.to_csv(path, sep=";", decimal=",", index=False)
    return path


@pytest.mark.parametrize("ending", ["csv", "parquet"])
def test_c1_score_writes_the_population_and_counts_the_others(
    starter: Path, tmp_path: Path, ending: str
) -> None:
    file, target = rows_with_others(tmp_path / "rows.csv"), tmp_path / f"out.{ending}"
    out = done(starter, "score", "--input", file, "--output", target, *COLUMNS[:-2])
    assert f"40 rows scored with model version 1: {target}" in out
    assert "1  age outside the population of the model" in out
    scored = pd.read_csv(target) if ending == "csv" else pd.read_parquet(target)
    assert len(scored) == 40
    assert scored[PROBABILITIES].sum(axis=1).to_numpy() == pytest.approx(1.0)
    assert set(scored["category"]) <= {code.value for code in SEVERITIES}
    assert set(scored["model_version"].astype(str)) == {"1"}
    assert list(scored["row"]) == list(range(1, 41))
    assert scored["reasons"].str.contains(";").all()
    for row in scored.itertuples():
        assert row.category in row.prediction_set.split("|")
    assert [path.name for path in tmp_path.iterdir() if "partial" in path.name] == []


def test_c1_score_of_nobody_in_the_population_says_so(starter: Path, tmp_path: Path) -> None:
    file, target = tmp_path / "rows.csv", tmp_path / "out.csv"
    frame = pd.read_csv(rows_with_others(file), sep=";", decimal=",")
    frame.assign(EDAD=7.0).to_csv(file, index=False)
    files = ("--input", file, "--output", target)
    said = run(starter, "score", *files, *COLUMNS[:-2]).sentence()
    assert "43 out_of_population" in said
    assert not target.exists()


@pytest.mark.parametrize(
    ("source", "target", "words"),
    [
        ("rows.csv", "out.xlsx", ".csv or .parquet"),
        ("rows.csv", "out", ".csv or .parquet"),
        ("rows.csv", "nowhere/out.csv", "cannot be written"),
        ("rows.csv", "rows.csv/out.csv", "cannot be written"),
        ("rows.csv", "folder.csv", "cannot be written"),
        ("nothing.csv", "out.csv", "nothing.csv"),
        ("rows.xlsx", "out.csv", "rows.xlsx"),
    ],
)
def test_score_refuses_in_a_sentence_and_writes_nothing(
    starter: Path, tmp_path: Path, source: str, target: str, words: str
) -> None:
    (tmp_path / "rows.csv").write_text("age,heart_rate\n50,70\n")
    (tmp_path / "rows.xlsx").write_bytes(b"PK")
    (tmp_path / "folder.csv").mkdir()
    before = sorted(path.name for path in tmp_path.rglob("*"))
    files = ("--input", tmp_path / source, "--output", tmp_path / target)
    assert words in run(starter, "score", *files).sentence()
    assert sorted(path.name for path in tmp_path.rglob("*")) == before


def test_score_on_a_full_disk_leaves_what_was_there(
    starter: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file, target = history(tmp_path / "rows.csv", 20), tmp_path / "out.csv"
    target.write_text("before")

    def full(_frame: pd.DataFrame, path: Path, **_options: Any) -> None:
        path.write_text("half")
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(pd.DataFrame, "to_csv", full)
    said = run(starter, "score", "--input", file, "--output", target, *COLUMNS).sentence()
    assert "No space left on device" in said
    assert target.read_text() == "before"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["out.csv", "rows.csv"]


def conditions(folder: Path) -> int:
    with process(folder) as context, reading(context.engine) as connection:
        return len(connection.execute(select(CONDITIONS)).all())


def ndjson(path: Path, *resources: dict[str, Any]) -> Path:
    path.write_text("\n".join(map(json.dumps, resources)))
    return path


def test_ingest_counts_what_it_took_and_the_same_file_again_changes_nothing(
    var: Path, tmp_path: Path
) -> None:
    resources = [
        condition(icd="I21.9", id="a"),
        condition(codings=[("urn:local", "X1")], id="b"),
        condition(icd="I10", id="c", recorded="yesterday"),
        condition(icd="I10", id="d", subject={"reference": "Group/g"}),
        condition(
            icd="I10",
            id="e",
            meta={
                "security": [
                    {
                        "system": "http://terminology.hl7.org/CodeSystem/v3-Confidentiality",
                        "code": "R",
                    }
                ]
            },
        ),
    ]
    file = ndjson(tmp_path / "conditions.ndjson", *resources)
    out = done(var, "ingest", "conditions", file)
    assert "2 Conditions stored, 0 known already." in out
    for said in ("1 skipped: invalid", "1 skipped: wrong patient", "1 skipped: restricted"):
        assert said in out
    assert "conditions.ndjson:3: Condition.recordedDate" in out
    assert "yesterday" not in out
    assert "1 other system unknown_system" in out
    compressed = tmp_path / "again.ndjson.gz"
    compressed.write_bytes(gzip.compress(file.read_bytes()))
    for same in (file, compressed):
        assert "0 Conditions stored, 2 known already." in done(var, "ingest", "conditions", same)
    assert conditions(var) == 2


def test_a_broken_line_is_named_and_the_others_are_stored(var: Path, tmp_path: Path) -> None:
    file = ndjson(tmp_path / "c.ndjson", *(condition(icd="I10", id=f"c{i}") for i in range(3)))
    file.write_text(file.read_text() + '\n\n{"resourceType": "Condi')
    out = done(var, "ingest", "conditions", file)
    assert "1 lines passed over: not JSON" in out
    assert "c.ndjson:5: not JSON" in out
    assert conditions(var) == 3
    file.write_text("not JSON\n{")
    assert run(var, "ingest", "conditions", file).code == 1
    assert "no file" in run(var, "ingest", "conditions", tmp_path / "nothing").sentence()


def test_hl7_files_are_taken_and_the_site_says_how_it_writes(var: Path, tmp_path: Path) -> None:
    file = tmp_path / "adt.hl7"
    local = message(dg1("R65.20^^I10", kind="D", at="202603021000"), sent="20260302")
    file.write_bytes((local + message(dg1(), event="ORU^R01") + "PID|1\r").encode())
    ways = ["--final-type", "D", "--code-system", "I10=http://hl7.org/fhir/sid/icd-10-cm"]
    ways += ["--patient-authority", "HOSP", "--timezone", "Europe/Madrid", "--no-visits"]
    out = done(var, "ingest", "hl7", file, *ways)
    assert "2 messages, 0 of them taken before." in out
    assert "1 messages passed over: MSH-9" in out
    assert "1 Conditions stored, 0 known already." in out
    with process(var) as context, reading(context.engine) as connection:
        (row,) = connection.execute(select(CONDITIONS)).all()
    assert row.encounter_key is None
    assert row.facts["classification"] == "acute-event"
    assert row.facts["known_at"] == "2026-03-02T09:00:00+00:00"
    assert "1 of them taken before" in done(var, "ingest", "hl7", file, *ways)
    file.write_text("nothing")
    assert run(var, "ingest", "hl7", file).code == 1
    for wrong in (["--timezone", "Mars/Base"], ["--code-system", "I10"]):
        assert run(var, "ingest", "hl7", file, *wrong).code == 2


def test_data_belong_to_a_client_somebody_has_added(var: Path, tmp_path: Path) -> None:
    file = ndjson(tmp_path / "c.ndjson", condition(icd="I10"))
    named = run(var, "ingest", "conditions", file, "--client", "nobody").sentence()
    assert "no client nobody" in named
    production = {"CDS_DEVELOPMENT": "false", "CDS_PUBLIC_URL": "https://cds.example"}
    for command in (("ingest", "conditions", file), ("ingest", "hl7", file), ("mllp",)):
        assert "--client NAME" in run(var, *command, **production).sentence()
    assert conditions(var) == 0


def test_the_listener_refuses_to_stand_open(var: Path) -> None:
    said = run(var, "mllp", CDS_MLLP_HOST="0.0.0.0").sentence()  # noqa: S104  # to be refused
    assert "--allow-from" in said
    assert run(var, "mllp", "--allow-from", "everybody").code == 2
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = str(taken.getsockname()[1])
        assert "cannot listen on 127.0.0.1" in run(var, "mllp", CDS_MLLP_PORT=port).sentence()


def at_home(encounter: str) -> dict[str, Any]:
    system = "http://terminology.hl7.org/CodeSystem/discharge-disposition"
    return {
        "resourceType": "Encounter",
        "id": encounter,
        "status": "finished",
        "class": {"code": "EMER"},
        "hospitalization": {
            "dischargeDisposition": {"coding": [{"system": system, "code": "home"}]}
        },
    }


def test_what_was_ingested_is_evaluated(var: Path, tmp_path: Path) -> None:
    now = datetime.now(UTC)
    out = done(var, "evaluate")
    assert "No assessment has an outcome that counts yet: no figures." in out
    with process(var) as context:
        seen = [
            assessed(context, patient=f"p{i}", encounter=f"e{i}", at=now - timedelta(days=30 - i))
            for i in range(4)
        ]
        recent = assessed(context, patient="p9", at=now - timedelta(days=1))
    resources = []
    for i in range(3):
        recorded = (now - timedelta(days=29 - i)).isoformat()
        resources += [
            condition(
                icd="J00",
                id=f"c{i}",
                recorded=recorded,
                subject={"reference": f"Patient/p{i}"},
                encounter=f"Encounter/e{i}",
            ),
            at_home(f"e{i}"),
        ]
    bundle = {
        "resourceType": "Bundle",
        "type": "collection",
        "entry": [{"resource": resource} for resource in resources],
    }
    file = tmp_path / "bundle.json"
    file.write_text(json.dumps(bundle))
    done(var, "ingest", "conditions", file, "--fhir-server", BASE)
    with process(var) as context:
        assert [category(context, a) for a in seen] == ["mild", "mild", "mild", None]
        assert category(context, recent) is None
    out = done(var, "evaluate")
    counts = dict(line.rsplit(maxsplit=1) for line in out.splitlines() if line[-2:-1] == " ")
    assert counts["scored assessments"] == "5"
    assert "Without outcome: 25%" in out
    assert "Model version 1: 3 outcomes." in out
    assert "Fewer than 100: too few for figures" in out
    assert "log_loss" not in out
    early = done(
        var, "evaluate", "--include-open", "--since", f"{now - timedelta(days=2):%Y-%m-%d}"
    )
    assert "which may change" in early
    figures = done(var, "evaluate", CDS_MINIMUM_OUTCOMES="3")
    assert "log loss" in figures.lower().replace("_", " ")
    with process(var) as context, reading(context.engine) as connection:
        kept = connection.execute(select(EVALUATIONS)).all()
    assert [row.kind for row in kept] == ["evaluate"] * 4
    assert kept[1].result["with_outcome"] == 3
    assert kept[1].result["metrics"] == []
    assert kept[3].result["metrics"]


def test_who_runs_a_command_is_told_without_a_name_too(monkeypatch: pytest.MonkeyPatch) -> None:
    def nobody() -> str:
        raise KeyError("getpwuid(): uid not found: 1000660000")

    monkeypatch.setattr("getpass.getuser", nobody)
    assert actor() == f"cli:{os.getuid()}"
