"""The report from training to the file an administrator opens."""

import json
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from cds_service.services import models
from tests.support.commands import COLUMNS, done, history, run


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Version 1 with a report, version 2 without."""
    found = tmp_path_factory.mktemp("reported")
    done(found, "db", "upgrade")
    file = history(found / "history.csv")
    done(found, "train", "--history", file, *COLUMNS)
    done(found, "train", "--no-report", "--history", file, *COLUMNS)
    return found


def reads(folder: Path) -> list[str]:
    """Versions whose reports were read, oldest first."""
    with closing(sqlite3.connect(folder / "cds.sqlite3")) as database:
        rows = database.execute(
            "select object_id from audit_events where action = 'read-report' order by id"
        )
        return [row[0] for row in rows]


def test_training_keeps_the_page_and_its_record(folder: Path) -> None:
    kept = folder / "reports" / "1"
    assert sorted(path.name for path in kept.iterdir()) == ["report.html", "report.json"]
    record = json.loads((kept / "report.json").read_text("utf-8"))
    assert record["version"] == "1"
    assert record["simulated"] is False
    assert record["study"]["held_out"]["rows"] > 100
    page = (kept / "report.html").read_text("utf-8")
    assert "Report on model version 1" in page
    assert str(folder) not in page + json.dumps(record)
    assert not (folder / "reports" / "2").exists()
    # A copy is with the run in MLflow.
    assert [path.read_text("utf-8") for path in folder.glob("mlflow/**/report/report.html")] == [
        page
    ]


def test_the_command_writes_it_where_it_is_told_and_is_audited(
    folder: Path, tmp_path: Path
) -> None:
    before = reads(folder)
    out = done(folder, "models", "report", "champion", "--output", tmp_path / "page.html")
    assert f"The report of model version 1: {tmp_path / 'page.html'}" in out
    kept = folder / "reports" / "1" / "report.html"
    assert (tmp_path / "page.html").read_bytes() == kept.read_bytes()
    assert reads(folder) == [*before, "1"]


def test_it_refuses_in_a_sentence(folder: Path, tmp_path: Path) -> None:
    before = reads(folder)
    output = ("--output", tmp_path / "x.html")
    said = run(folder, "models", "report", "2", *output).sentence()
    assert "Model version 2 has no report here" in said
    assert "There is no model version 9" in run(folder, "models", "report", "9", *output).sentence()
    climbing = run(folder, "models", "report", "../../etc", *output).sentence()
    assert "There is no model version" in climbing
    nowhere = run(folder, "models", "report", "1", "--output", "/nowhere/x.html").sentence()
    assert "/nowhere" in nowhere
    assert not (tmp_path / "x.html").exists()
    assert reads(folder) == before
    empty = tmp_path / "empty"
    empty.mkdir()
    done(empty, "db", "upgrade")
    assert "no champion yet" in run(empty, "models", "report", "champion", *output).sentence()


def test_a_report_that_cannot_be_written_does_not_undo_the_model(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_arguments: object, **_options: object) -> bool:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(models, "keep_report", full)
    out = done(folder, "train", "--history", history(folder / "third.csv", seed=8), *COLUMNS)
    assert "Model version 3." in out
    assert not (folder / "reports" / "3").exists()
