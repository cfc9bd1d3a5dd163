"""`cds-service models export`: what it writes, on which rows it was compared, what it refuses."""

import json
import shutil
from pathlib import Path

import numpy as np
import pytest

from model.artefact import load
from model.scorer import frame_matrix
from model.training.fitting import select
from model.training.simulation import simulate_cohort
from tests.support.artefacts import KEPT
from tests.support.commands import COLUMNS, done, history, run
from tests.support.service import new_context, release

pytest.importorskip("onnxruntime", reason="the extra onnx is not installed")


@pytest.fixture
def var(tmp_path: Path) -> Path:
    """A data folder with a small simulated model live."""
    folder = tmp_path / "var"
    artefact = shutil.copytree(KEPT, tmp_path / "artefact")
    context = new_context(folder)
    release(context, "1", artefact, load(artefact)[1])
    context.engine.dispose()
    return folder


def test_whoever_runs_the_file_gets_the_probabilities_of_the_service(
    var: Path, tmp_path: Path
) -> None:
    import onnxruntime

    target = tmp_path / "model.onnx"
    out = done(var, "models", "export", "champion", "--output", target)
    assert out.startswith(f"Model version 1: {target} and model.json.\n")
    assert "rows (simulated rows, and the same with values missing): " in out
    details = json.loads((tmp_path / "model.json").read_text())
    names = [column["name"] for column in details["input"]["columns"]]
    artefact, _ = load(KEPT)
    frame = simulate_cohort(300, 5)
    matrix = select(frame_matrix(frame), tuple(names)).astype(np.float32)
    session = onnxruntime.InferenceSession(target)
    (found,) = session.run(None, {details["input"]["name"]: matrix})
    expected = artefact.calibration.probabilities(artefact.estimator.margins(matrix.astype(float)))
    np.testing.assert_allclose(found, expected, atol=1e-6)
    assert session.get_modelmeta().custom_metadata_map["model_version"] == "1"


def test_rows_of_ones_own_are_compared_on(var: Path, tmp_path: Path) -> None:
    file = history(tmp_path / "ours.csv")
    target = tmp_path / "model.onnx"
    out = done(var, "models", "export", "1", "--output", target, "--rows", file, *COLUMNS)

    assert "(rows of ours.csv, and the same with values missing)" in out
    assert target.exists()


def test_what_cannot_be_exported_is_refused_in_a_sentence(var: Path, tmp_path: Path) -> None:
    target = tmp_path / "model.onnx"
    export = ("models", "export")
    assert run(var, *export, "1", "--output", tmp_path / "model.txt").sentence() == (
        "cds-service: model.txt is of no kind that can be written: .onnx."
    )
    assert (
        "no folder to write"
        in run(var, *export, "1", "--output", tmp_path / "nowhere" / "model.onnx").sentence()
    )
    assert "no such model version" in run(var, *export, "8", "--output", target).sentence()
    assert (
        "There is no file"
        in run(var, *export, "1", "--output", target, "--rows", tmp_path / "none.csv").sentence()
    )
    (tmp_path / "artefact" / "model.ubj").write_bytes(b"other trees")
    assert "was changed" in run(var, *export, "1", "--output", target).sentence()
    assert not target.exists()
    assert not (tmp_path / "model.json").exists()
