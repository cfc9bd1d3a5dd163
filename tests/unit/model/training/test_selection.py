"""Which rows, categories and columns a run may use."""

import numpy as np
import pandas as pd
import pytest

from model.errors import TrainingError
from model.features import MODEL_COLUMNS
from model.scorer import frame_matrix
from model.severity import SEVERITIES, Severity
from model.training.design import TrainingSettings
from model.training.selection import covered_categories, eligible_rows, usable_columns
from model.training.splits import split
from tests.support.cohorts import small_cohort


def _aged(ages: list[float], each: int) -> pd.DataFrame:
    return pd.DataFrame({"age": np.repeat(ages, each), "severity": "mild"})


def test_c1_rows_outside_the_population_are_counted_and_not_used() -> None:
    frame = pd.DataFrame(
        {
            "age": [17.9, 18.0, 110.5, 111.0, np.nan, 40.0],
            "severity": ["mild", "Not Ill", "acute", "mild", "mild", "?"],
        }
    )
    found = eligible_rows(frame, TrainingSettings(), simulated=False)
    assert found.frame["age"].tolist() == [18.0, 110.5]
    assert found.severity.tolist() == [Severity.NOT_ILL, Severity.ACUTE]
    assert found.counts == {
        **{"given": 6, "without_category": 1, "out_of_population": 3, "used": 2}
    }


def test_c1_younger_ages_need_500_rows_in_every_added_band() -> None:
    settings = TrainingSettings(min_age=8.0)
    enough = _aged([9.0, 13.0, 16.0, 40.0], 500)
    assert eligible_rows(enough, settings, simulated=False).counts["used"] == 2000
    with pytest.raises(TrainingError, match="from 12 to below 15 years has 499 rows"):
        eligible_rows(enough.drop(index=500), settings, simulated=False)


def test_c1_a_band_cut_by_the_minimum_counts_only_the_rest_of_it() -> None:
    frame = _aged([15.5, 16.5, 40.0], 500)
    assert eligible_rows(frame, TrainingSettings(min_age=16.0), simulated=False)
    with pytest.raises(TrainingError, match="from 17 to below 18 years has 0 rows"):
        eligible_rows(frame, TrainingSettings(min_age=17.0), simulated=False)


def test_c1_simulated_patients_do_not_widen_the_population() -> None:
    with pytest.raises(TrainingError, match="simulated"):
        eligible_rows(_aged([16.0], 900), TrainingSettings(min_age=15.0), simulated=True)


@pytest.mark.parametrize("name", ["age", "severity"])
def test_a_missing_column_is_named(name: str) -> None:
    with pytest.raises(TrainingError, match=name):
        eligible_rows(_aged([40.0], 5).drop(columns=name), TrainingSettings(), simulated=False)


def _covered(frame: pd.DataFrame) -> tuple[Severity, ...]:
    rows = eligible_rows(frame, TrainingSettings(), simulated=False)
    return covered_categories(rows.severity, split(rows.frame), TrainingSettings())


def test_c19_a_category_with_too_few_patients_is_not_covered() -> None:
    frame = small_cohort(1500, 2)
    assert _covered(frame) == SEVERITIES
    terminal = frame.index[frame["severity"] == "terminal"]
    assert _covered(frame.drop(index=terminal[8:])) == SEVERITIES[:4]
    # Many rows of few patients are few patients.
    frame.loc[terminal, "patient_id"] = "p1"
    assert _covered(frame) == SEVERITIES[:4]


def test_one_category_cannot_be_trained() -> None:
    frame = small_cohort(1500, 2)
    with pytest.raises(TrainingError, match="there is: mild"):
        _covered(frame[frame["severity"] == "mild"])


def test_too_few_rows_are_refused() -> None:
    with pytest.raises(TrainingError, match="200 are needed"):
        _covered(small_cohort(200, 2))


def test_columns_that_are_hardly_observed_or_always_the_same_are_not_used() -> None:
    frame = small_cohort(600, 2)
    frame["respiratory_rate"] = np.where(np.arange(600) < 49, 18.0 + np.arange(600) % 5, np.nan)
    frame["oxygen_saturation"] = 97.0
    names = usable_columns(frame_matrix(frame))
    assert set(names) == {column.name for column in MODEL_COLUMNS} - {
        "respiratory_rate",
        "oxygen_saturation",
        *("is_abo_a", "is_abo_b", "is_abo_ab", "is_abo_o", "exercise_days"),
    }
    frame.loc[:50, "respiratory_rate"] = 18.0 + np.arange(51) % 5
    assert "respiratory_rate" in usable_columns(frame_matrix(frame))


def test_without_any_reading_nothing_is_trained() -> None:
    with pytest.raises(TrainingError, match="No reading"):
        usable_columns(np.full((300, len(MODEL_COLUMNS)), np.nan))
