"""`evaluate`: the table of chunks, and everything as JSON."""

import json
import re
from datetime import timedelta
from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner

from cds_service.cli.app import app
from cds_service.context import now
from cds_service.services.evaluating import EvaluatingService, EvaluationError
from tests.support.commands import done
from tests.support.matured import cohort, store_matured
from tests.support.service import new_context, release


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory, small_model: tuple[Path, str]) -> Path:
    """A data folder whose model has answered 120 charts; two in three have an outcome."""
    made = tmp_path_factory.mktemp("chunks")
    context = new_context(made)
    release(context, "1", *small_model)
    store_matured(
        context,
        small_model[0],
        cohort(120, 5),
        verified=np.arange(120) % 3 > 0,
        start=now() - timedelta(days=90),
    )
    return made


def test_chunks_are_a_table(folder: Path) -> None:
    out = done(folder, "evaluate", CDS_EVALUATION_CHUNK_ROWS="100")
    head, _, row = out[out.index("\nchunk ") :].splitlines()[1:4]
    assert head.split()[:6] == ["chunk", "from", "until", "revision", "assessments", "verified"]
    assert row.split()[0] == "1"
    assert row.split()[3:6] == ["1", "100", "66%"]
    assert row.split()[6:9] == ["1", "(live)", "100"]
    assert "Judged" in out
    assert "Verified by category predicted: " in out
    tenths = re.search(r"lowest first: ([^.]+)\.", out)
    assert tenths is not None
    assert len(tenths[1].split(", ")) == 10
    assert "Verified by card: shown " in out
    assert "Cards taken up and overridden: all 0% and 0% of 50" in out
    assert re.search(r"Shares by what version 1 predicts, times its own: .*acute \d", out)


def test_json_has_all_of_it(folder: Path) -> None:
    told = json.loads(done(folder, "evaluate", "--json", CDS_EVALUATION_CHUNK_ROWS="100"))
    (chunk,) = told["chunks"]
    assert (chunk["number"], chunk["rows"], chunk["verified"]) == (1, 100, 66)
    assert chunk["started_at"].endswith("+00:00")
    assert told["counts"]["without_outcome"] == 40
    (version,) = told["versions"]
    assert version["version"] == "1"
    assert {one["input"] for one in told["readings"]} >= {"heart_rate"}


def test_no_chunk_is_said_so(tmp_path: Path) -> None:
    done(tmp_path, "db", "upgrade")
    assert "No chunk of assessments has matured yet." in done(tmp_path, "evaluate")
    assert json.loads(done(tmp_path, "evaluate", "--json"))["chunks"] == []


def test_what_was_measured_is_printed_although_a_chunk_cannot_be_judged(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def failing(*_: object, **__: object) -> str:
        raise EvaluationError("Chunk 1 could not be judged: no memory.")

    monkeypatch.setenv("CDS_DATA_DIR", str(folder))
    monkeypatch.setenv("CDS_DEVELOPMENT", "true")
    monkeypatch.setattr(EvaluatingService, "run", failing)
    ran = CliRunner().invoke(app, ["evaluate"])
    assert isinstance(ran.exception, EvaluationError)
    assert ran.stdout.startswith("assessments ")
    assert "Not every chunk could be judged." in ran.stdout
