"""The training report as text."""

from pathlib import Path

from model.severity import Severity
from model.training.summary import as_text
from tests.support.artefacts import small_model


def test_the_report_tells_the_whole_run(tmp_path: Path) -> None:
    result = small_model(tmp_path)
    lines = as_text(result).splitlines()
    assert lines[0].startswith("2500 rows: 2500 used, 0 without a category, 0 outside")
    assert ["train", str(result.report["parts"]["train"])] in [line.split() for line in lines]
    candidate = next(line for line in lines if line.startswith("logistic + none"))
    assert f"{result.chosen.log_loss:.4f}" in candidate
    assert candidate.endswith("chosen: lowest log loss of those that can be served")
    point = result.scorer.artefact.operating_points[Severity.ACUTE]
    start = lines.index(next(line for line in lines if line.startswith("threshold of")))
    acute = next(line for line in lines[start:] if line.startswith("acute")).split()
    assert acute[1:3] == [f"{point.flag_rate:.1%}", f"{point.sensitivity:.1%}"]
    assert any(line.startswith("Log loss (nat)") for line in lines)
    assert lines[-1] == result.report["notes"][-1]
