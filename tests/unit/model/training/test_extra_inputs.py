"""Blood group and exercise days: learnt from only where asked for and present."""

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from model import features
from model.artefact import load
from model.errors import ArtefactError, TrainingError
from model.features import EXTRA_INPUTS, MODEL_COLUMNS, FeatureRow
from model.scorer import Scorer, frame_matrix
from model.training.balancing import balance
from model.training.cleaning import clean_history
from model.training.history import read_history
from model.training.run import TrainingResult, train
from model.training.splits import patient_keys
from tests.support.artefacts import DESCRIPTION, KEPT, small_settings
from tests.support.cohorts import small_cohort, with_extra_inputs

ROW = FeatureRow(age=61, heart_rate=96, body_temperature=37.4, systolic_bp=118, diastolic_bp=70)
NAMES = [column.name for column in MODEL_COLUMNS]


@pytest.fixture(scope="module")
def frame() -> pd.DataFrame:
    return with_extra_inputs(small_cohort(2_500, 41), 5)


def run(
    frame: pd.DataFrame, root: Path, *asked: str, estimator: str = "logistic"
) -> TrainingResult:
    settings = small_settings(estimator, extra_inputs=asked)
    return train(frame, settings, artefact_root=root, data=DESCRIPTION)


@pytest.fixture(scope="module", params=["logistic", "xgboost"])
def asked_for(
    request: pytest.FixtureRequest, frame: pd.DataFrame, tmp_path_factory: pytest.TempPathFactory
) -> TrainingResult:
    return run(frame, tmp_path_factory.mktemp("asked"), *EXTRA_INPUTS, estimator=request.param)


def test_off_by_default_a_history_with_them_gives_the_model_without(
    frame: pd.DataFrame, tmp_path: Path
) -> None:
    bare = frame.drop(columns=list(EXTRA_INPUTS))
    for how in ("none", "smote"):
        settings = small_settings("logistic", balancings=(how,))
        with_them, without = (
            train(rows, settings, artefact_root=tmp_path / name, data=DESCRIPTION)
            for name, rows in (("with", frame), ("without", bare))
        )
        assert with_them.scorer.artefact.columns == without.scorer.artefact.columns
        np.testing.assert_array_equal(
            with_them.scorer.probabilities(frame), without.scorer.probabilities(bare)
        )
    assert with_them.scorer.facts.extra_inputs == ()
    assert any("abo_group is there and not used" in note for note in with_them.report["notes"])
    assert not any("not used" in note for note in without.report["notes"])


def test_asked_for_they_are_used_named_and_said(asked_for: TrainingResult) -> None:
    assert asked_for.scorer.facts.extra_inputs == EXTRA_INPUTS
    used = json.loads((asked_for.path / "features.json").read_text("utf-8"))["columns"]
    assert {"exercise_days", "is_abo_a", "is_abo_b", "is_abo_ab", "is_abo_o"} <= set(used)
    design = json.loads((asked_for.path / "design.json").read_text("utf-8"))
    assert design["extra_inputs"] == list(EXTRA_INPUTS)
    assert asked_for.report["extra_inputs"] == list(EXTRA_INPUTS)
    loaded = Scorer.load(asked_for.path, version="1", expected_checksum=asked_for.checksum)
    assert loaded.facts.extra_inputs == EXTRA_INPUTS
    row = FeatureRow(age=61, heart_rate=96, abo_group="O", exercise_days=4)
    reasons = next(iter(loaded.assess(row).contributions.values()))
    assert set(EXTRA_INPUTS) <= {reason.reason for reason in reasons}


def test_the_model_learns_what_they_tell(asked_for: TrainingResult) -> None:
    # `with_extra_inputs` makes the not ill exercise and the chronically ill be of group A.
    scorer = asked_for.scorer
    p = {
        days: scorer.assess(_with(exercise_days=days)).probabilities[scorer.classes[0]]
        for days in (0.0, 28.0)
    }
    assert p[28.0] > 1.5 * p[0.0]
    by_group = {
        group: scorer.assess(_with(abo_group=group)).probabilities[scorer.classes[3]]
        for group in ("A", "O")
    }
    assert by_group["A"] > 1.2 * by_group["O"]


def test_c8_a_row_without_them_is_scored_as_missing(asked_for: TrainingResult) -> None:
    frame = pd.DataFrame({"age": [61.0], "heart_rate": [96.0]})
    empty = frame.assign(abo_group=[None], exercise_days=[np.nan])
    scorer = asked_for.scorer
    np.testing.assert_array_equal(scorer.probabilities(frame), scorer.probabilities(empty))
    assert scorer.probabilities(frame).sum() == pytest.approx(1.0)


def test_atypicality_is_about_measurements(asked_for: TrainingResult) -> None:
    assert "exercise_days" not in asked_for.scorer.artefact.rarity.inputs
    assert asked_for.scorer.assess(_with(exercise_days=0.0)).atypicality == (
        asked_for.scorer.assess(_with(exercise_days=30.0)).atypicality
    )


def test_a_model_without_them_ignores_them() -> None:
    scorer = Scorer.load(KEPT, version="7")
    assert scorer.facts.extra_inputs == ()
    plain, more = scorer.assess(ROW), scorer.assess(_with(abo_group="AB", exercise_days=30.0))
    assert more == plain


def test_one_can_be_asked_for_alone(frame: pd.DataFrame, tmp_path: Path) -> None:
    found = run(frame, tmp_path, "exercise_days")
    assert found.scorer.facts.extra_inputs == ("exercise_days",)
    assert any("abo_group is there and not used" in note for note in found.report["notes"])


def test_what_the_history_does_not_have_is_not_used_and_said(
    frame: pd.DataFrame, tmp_path: Path
) -> None:
    found = run(frame.drop(columns="abo_group"), tmp_path, *EXTRA_INPUTS)
    assert found.scorer.facts.extra_inputs == ("exercise_days",)
    assert any("abo_group was asked for and is not used" in n for n in found.report["notes"])


@pytest.mark.parametrize("asked", [("height",), ("abo_group", "abo_group")])
def test_an_unknown_or_repeated_name_is_refused(asked: tuple[str, ...]) -> None:
    with pytest.raises(TrainingError, match="abo_group and exercise_days"):
        small_settings(extra_inputs=asked)


def test_synthetic_rows_have_one_group_or_none() -> None:
    rows = with_extra_inputs(small_cohort(1_200, 8), 6)
    codes = sorted(rows["severity"].unique())
    outcome = np.array([codes.index(code) for code in rows["severity"]])
    matrix = frame_matrix(rows)
    made = balance("smote", matrix, outcome, len(codes), 1).matrix[len(matrix) :]
    groups = made[:, [i for i, name in enumerate(NAMES) if name.startswith("is_abo")]]
    known = np.isfinite(groups).all(axis=1)
    assert 0.5 < known.mean() < 1.0
    assert np.isnan(groups[~known]).all()
    assert (groups[known].sum(axis=1) == 1.0).all()
    assert (groups[known].sum(axis=0) > 0).all()
    days = made[:, NAMES.index("exercise_days")]
    assert np.nanmin(days) >= 0
    assert np.nanmax(days) <= 30


def test_the_part_of_a_row_without_patient_id_does_not_depend_on_them() -> None:
    rows = small_cohort(50, 4, patients=False)
    assert patient_keys(with_extra_inputs(rows, 1)).tolist() == patient_keys(rows).tolist()


def test_an_artefact_whose_extra_column_means_something_else_is_refused(
    asked_for: TrainingResult, monkeypatch: pytest.MonkeyPatch
) -> None:

    other = replace(features.FEATURE["exercise_days"], unit="d/wk", possible=(0, 7))
    monkeypatch.setitem(features.FEATURE, "exercise_days", other)  # type: ignore[arg-type] # a dict
    with pytest.raises(ArtefactError, match="made for other features"):
        load(asked_for.path)
    assert load(KEPT)


def test_a_history_file_brings_them_to_the_model(frame: pd.DataFrame, tmp_path: Path) -> None:
    frame.to_csv(tmp_path / "history.csv", index=False)
    cleaned = clean_history(read_history(tmp_path / "history.csv"))
    found = run(cleaned.frame, tmp_path / "models", *EXTRA_INPUTS)
    assert found.scorer.facts.extra_inputs == EXTRA_INPUTS
    scored = found.scorer.score_frame(cleaned.frame.head(20))
    assert "exercise_days" in " ".join(scored["reasons"])


def _with(**values: object) -> FeatureRow:
    return replace(ROW, **values)  # type: ignore[arg-type]  # names of the row
