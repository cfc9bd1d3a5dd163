"""A whole run on a small cohort: what it writes, reports and refuses."""

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from model.errors import TrainingError
from model.scorer import Scorer
from model.severity import Severity
from model.training.run import DataDescription, TrainingResult, train
from model.training.splits import split
from tests.support.artefacts import DESCRIPTION, small_settings
from tests.support.cohorts import small_cohort


@pytest.fixture(scope="module")
def frame() -> pd.DataFrame:
    return small_cohort(3_000, 31, dated=True)


@pytest.fixture(scope="module")
def steps() -> list[tuple[str, float]]:
    return []


@pytest.fixture(scope="module")
def result(
    frame: pd.DataFrame,
    steps: list[tuple[str, float]],
    tmp_path_factory: pytest.TempPathFactory,
) -> TrainingResult:
    data = DataDescription(
        simulated=False,
        description="A test.",
        label_version="3",
        sources={"a.csv": "00ff"},
        cleaning={"dropped": 2},
        code_version="abc",
    )
    return train(
        frame,
        small_settings(),
        artefact_root=tmp_path_factory.mktemp("models"),
        data=data,
        progress=lambda step, done: steps.append((step, done)),
    )


def test_progress_goes_from_0_to_1(result: TrainingResult, steps: list[tuple[str, float]]) -> None:
    assert result.path.is_dir()
    done = [share for _, share in steps]
    assert done == sorted(done)
    assert (done[0], done[-1]) == (0.0, 1.0)


def test_attributes_say_what_it_was_trained_on(result: TrainingResult, frame: pd.DataFrame) -> None:
    attributes = json.loads((result.path / "attributes.json").read_text("utf-8"))
    assert attributes["simulated"] is False
    assert attributes["sources"] == {"a.csv": "00ff"}
    assert attributes["label_version"] == "3"
    assert attributes["cleaning"] == {"dropped": 2}
    assert attributes["code_version"] == "abc"
    packages = {"numpy", "pandas", "sklearn", "xgboost", "lightgbm", "optuna"}
    assert set(attributes["versions"]) == {"python", "cds-service", *packages}
    assert attributes["parts"] == split(frame).counts()
    assert sum(attributes["base_rates"].values()) == pytest.approx(1.0)
    assert json.loads((result.path / "design.json").read_text("utf-8"))["seed"] == 7


def test_trained_through_is_the_newest_time_learnt_from(
    result: TrainingResult, frame: pd.DataFrame
) -> None:
    parts = split(frame)
    learnt = np.isin(parts.part, ("train", "tuning", "calibration"))
    assert result.scorer.trained_through == frame["recorded_at"][learnt].max()
    assert parts.cutoff is not None
    assert result.scorer.trained_through < parts.cutoff


def test_a_retraining_learns_from_the_newest_days_too(
    frame: pd.DataFrame, result: TrainingResult, tmp_path: Path
) -> None:
    again = train(
        frame, small_settings(learn_newest=True), artefact_root=tmp_path, data=DESCRIPTION
    )
    parts = split(frame, learn_newest=True)
    through = again.scorer.trained_through
    assert through is not None
    assert parts.cutoff is not None
    assert again.scorer.shared_from == parts.cutoff < through
    assert through > frame["recorded_at"].max() - pd.Timedelta(days=1)
    assert again.report["parts"] == parts.counts()
    assert "days after those it learnt from" in " ".join(again.report["notes"])
    assert result.scorer.shared_from is None


def test_c12_thresholds_come_from_the_tuning_part_and_its_flag_rate(
    result: TrainingResult, frame: pd.DataFrame
) -> None:
    tuning = frame[split(frame).rows("tuning")]
    p = result.scorer.probabilities(tuning)[:, 2]
    point = result.scorer.artefact.operating_points[Severity.ACUTE]
    assert point.rows == len(tuning)
    assert point.flag_rate == pytest.approx(np.mean(p >= point.threshold))
    assert point.flag_rate <= 0.05
    assert point.sensitivity == pytest.approx(
        np.mean(p[(tuning["severity"] == "acute").to_numpy()] >= point.threshold)
    )


def test_metrics_are_of_the_held_out_part(result: TrainingResult, frame: pd.DataFrame) -> None:
    held = frame[split(frame).rows("held_out")]
    p = result.scorer.probabilities(held)
    position = {code.value: i for i, code in enumerate(result.scorer.classes)}
    true = [position[code] for code in held["severity"]]
    loss = next(m for m in result.metrics if m.name == "log_loss").value
    assert loss.n == len(held)
    assert loss.value == pytest.approx(-np.log(p[np.arange(len(held)), true]).mean(), abs=1e-6)
    stored = json.loads((result.path / "metrics.json").read_text("utf-8"))
    assert stored["held_out"] == result.report["metrics"]
    assert stored["candidates"][0]["name"] == "logistic + none"


def test_the_report_is_json(result: TrainingResult) -> None:
    assert json.loads(json.dumps(result.report, allow_nan=False)) == result.report
    assert result.report["rows"]["used"] == 3_000
    assert result.report["checksum"] == result.checksum


def test_the_same_run_gives_the_same_artefact(tmp_path: Path) -> None:
    frame = small_cohort(1_500, 32)
    settings = small_settings(estimators=("logistic", "xgboost"), balancings=("none", "smote"))
    runs = [
        train(frame, settings, artefact_root=tmp_path / name, data=DESCRIPTION)
        for name in ("first", "second")
    ]
    assert runs[0].checksum == runs[1].checksum


def test_c19_a_category_that_is_not_covered_is_named(tmp_path: Path) -> None:
    frame = small_cohort(2_000, 33)
    frame = frame.drop(index=frame.index[frame["severity"] == "terminal"][4:])
    found = train(frame, small_settings(), artefact_root=tmp_path, data=DESCRIPTION)
    assert found.scorer.facts.missing_categories == (Severity.TERMINAL,)
    assert found.report["rows_of_missing_categories"] == {"terminal": 4}
    assert any("terminal (4 rows)" in note for note in found.report["notes"])


def test_rows_without_patient_id_are_said_in_the_report(tmp_path: Path) -> None:
    frame = small_cohort(1_500, 34, patients=False)
    found = train(frame, small_settings(), artefact_root=tmp_path, data=DESCRIPTION)
    assert found.report["patients"] == 1_500
    assert "1500 rows have no patient_id" in found.report["notes"][0]


def test_flag_rates_of_the_site_are_used(tmp_path: Path) -> None:
    settings = small_settings(flag_rates={Severity.ACUTE: 0.2})
    found = train(small_cohort(2_000, 35), settings, artefact_root=tmp_path, data=DESCRIPTION)
    point = found.scorer.artefact.operating_points[Severity.ACUTE]
    assert point.flag_rate == pytest.approx(0.2, abs=0.01)


def test_what_cannot_be_done_is_refused_and_leaves_nothing(tmp_path: Path) -> None:
    with pytest.raises(TrainingError, match="200 are needed"):
        train(small_cohort(90, 1), small_settings(), artefact_root=tmp_path, data=DESCRIPTION)
    assert list(tmp_path.iterdir()) == []


def test_a_loaded_model_answers_as_the_trained_one(
    result: TrainingResult, frame: pd.DataFrame
) -> None:
    loaded = Scorer.load(result.path, version="1", expected_checksum=result.checksum)
    np.testing.assert_array_equal(loaded.probabilities(frame), result.scorer.probabilities(frame))
