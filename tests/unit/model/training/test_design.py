"""Settings that make no sense are refused at once."""

import json
from typing import Any

import pytest

from model.errors import TrainingError
from model.severity import Severity
from model.training.design import TrainingSettings, Way


def test_c1_the_default_population_is_18_to_110_years() -> None:
    settings = TrainingSettings()
    assert (settings.min_age, settings.max_age) == (18.0, 110.0)


def test_c12_acute_is_flagged_in_5_percent_of_charts_by_default() -> None:
    assert dict(TrainingSettings().flag_rates) == {Severity.ACUTE: 0.05}


@pytest.mark.parametrize(
    "wrong",
    [
        {"seed": -1},
        {"min_age": 50.0, "max_age": 40.0},
        {"max_age": 111.0},
        {"min_age": -1.0},
        {"flag_rates": {Severity.ACUTE: 5.0}},
        {"coverage": 1.0},
        {"folds": 1},
        {"estimators": ()},
        {"estimators": ("forest",)},
        {"balancings": ("oversampling",)},
        {"bootstrap_replicates": 5},
        {"minimum_rows": 10},
        {"minimum_patients": 2},
        {"max_rounds": 0},
        {"threads": 0},
        {"trials": 0},
    ],
)
def test_what_makes_no_sense_is_refused(wrong: dict[str, Any]) -> None:
    with pytest.raises(TrainingError):
        TrainingSettings(**wrong)


def test_settings_are_saved_as_json() -> None:
    content = TrainingSettings(seed=4, flag_rates={Severity.ACUTE: 0.1}).as_json()
    again = json.loads(json.dumps(content))
    assert again["seed"] == 4
    assert again["flag_rates"] == {"acute": 0.1}
    assert set(again) == set(TrainingSettings.__dataclass_fields__)


def test_a_way_is_the_same_after_saving() -> None:
    way = Way("xgboost", "smote", (("eta", 0.05), ("max_depth", 3.0)))
    assert Way.of_json(json.loads(json.dumps(way.as_json()))) == way
    assert (way.name, way.plain.name) == ("xgboost + smote, tuned", "xgboost + smote")
    content = json.loads(json.dumps(TrainingSettings(known=(way,)).as_json()))
    assert [Way.of_json(one) for one in content["known"]] == [way]


@pytest.mark.parametrize("names", [("forest", "none"), ("xgboost", "oversampling")])
def test_a_way_of_another_name_is_refused(names: tuple[str, str]) -> None:
    with pytest.raises(TrainingError, match="are"):
        Way(*names)
