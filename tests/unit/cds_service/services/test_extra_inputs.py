"""Extra inputs in what services make of models and assessments."""

from pathlib import Path

import pandas as pd

from cds_service.services.monitoring import _readings
from cds_service.services.records import feature_json, row_of
from cds_service.services.retraining import like_champion
from model.features import EXTRA_INPUTS, READINGS, FeatureRow
from model.scorer import Scorer
from model.training.run import train
from tests.support.artefacts import DESCRIPTION, KEPT, small_settings
from tests.support.cohorts import small_cohort, with_extra_inputs


def test_a_challenger_learns_from_the_inputs_of_the_champion(tmp_path: Path) -> None:
    frame = with_extra_inputs(small_cohort(1_500, 9), 2)
    settings = small_settings(extra_inputs=("exercise_days",))
    champion = train(frame, settings, artefact_root=tmp_path, data=DESCRIPTION).scorer
    assert like_champion(champion, 1).extra_inputs == ("exercise_days",)
    # A model from before there were extra inputs.
    assert like_champion(Scorer.load(KEPT, version="1"), 1).extra_inputs == ()


def test_a_stored_row_is_the_row_that_was_scored() -> None:
    row = FeatureRow(age=50, abo_group="AB", exercise_days=12.86, minutes_before={"heart_rate": 3})
    assert row_of(feature_json(row)) == row
    assert not set(EXTRA_INPUTS) & set(feature_json(FeatureRow(age=50)))


def test_evaluation_names_exercise_only_where_some_assessment_had_it() -> None:
    row = dict.fromkeys(("age", *READINGS), 50.0)
    without = pd.DataFrame([row | {"exercise_days": None}]).astype("float64")
    having = without.assign(exercise_days=12.0)
    usual = ["age", *READINGS]
    assert _readings(without, without)["input"].tolist() == usual
    assert _readings(without, pd.DataFrame())["input"].tolist() == usual
    found = _readings(without, having)
    assert found["input"].tolist() == [*usual, "exercise_days"]
    assert found.loc[7, "mean, without outcome"] == 12.0
