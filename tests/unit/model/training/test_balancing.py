"""Remedies for imbalance, the bias that undoes them, and rows that they never touch."""

import numpy as np
import pytest

from model.features import MODEL_COLUMNS, FloatArray
from model.scorer import frame_matrix
from model.training.balancing import balance
from tests.support.cohorts import small_cohort

NAME = [column.name for column in MODEL_COLUMNS]


def _rows() -> tuple[FloatArray, np.ndarray]:
    frame = small_cohort(1500, 8)
    codes = sorted(frame["severity"].unique())
    return frame_matrix(frame), np.array([codes.index(code) for code in frame["severity"]])


def test_without_balancing_nothing_changes() -> None:
    matrix, outcome = _rows()
    found = balance("none", matrix, outcome, 5, 1)
    assert found.matrix is matrix
    assert found.class_bias.tolist() == [0.0] * 5


def test_class_weights_by_hand() -> None:
    # 8 and 2 rows: each category weighs half, so 0.625 and 2.5 a row; mean 1.
    matrix = np.zeros((10, len(NAME)))
    found = balance("class_weights", matrix, np.array([0] * 8 + [1] * 2), 2, 1)
    assert found.weights.tolist() == [0.625] * 8 + [2.5] * 2
    np.testing.assert_allclose(found.class_bias, np.log([1.6, 0.4]))


def test_smote_makes_categories_equal_and_the_bias_undoes_it() -> None:
    matrix, outcome = _rows()
    counts = np.bincount(outcome)
    found = balance("smote", matrix, outcome, 5, 1)
    assert np.bincount(found.outcome).tolist() == [counts.max()] * 5
    np.testing.assert_array_equal(found.matrix[: len(matrix)], matrix)  # gaps stay gaps
    corrected = np.exp(found.class_bias) / np.exp(found.class_bias).sum()
    np.testing.assert_allclose(corrected, counts / counts.sum())


def test_synthetic_rows_have_gaps_and_derived_columns_of_their_own() -> None:
    matrix, outcome = _rows()
    made = balance("smote", matrix, outcome, 5, 1).matrix[len(matrix) :]
    rate = NAME.index("heart_rate")
    assert 0.02 < np.isnan(made[:, rate]).mean() < 0.25
    assert not np.isnan(made[:, NAME.index("age")]).any()
    assert set(np.unique(made[:, NAME.index("is_female")])) <= {0.0, 1.0}
    np.testing.assert_allclose(
        made[:, NAME.index("shock_index")],
        made[:, rate] / made[:, NAME.index("systolic_bp")],
    )
    assert np.isnan(made[:, NAME.index("oxygen_saturation")]).all()


def test_smote_is_the_same_for_the_same_seed() -> None:
    matrix, outcome = _rows()
    first, second, other = (balance("smote", matrix, outcome, 5, s).matrix for s in (1, 1, 2))
    np.testing.assert_array_equal(first, second)
    assert not np.array_equal(first, other, equal_nan=True)


def test_a_category_of_five_rows_is_not_resampled() -> None:
    matrix, outcome = _rows()
    keep = np.concatenate([np.flatnonzero(outcome != 4), np.flatnonzero(outcome == 4)[:5]])
    found = balance("smote", matrix[keep], outcome[keep], 5, 1)
    assert (found.outcome == 4).sum() == 5


def test_an_unknown_way_is_refused() -> None:
    with pytest.raises(ValueError, match="unknown balancing"):
        balance("oversampling", np.zeros((4, len(NAME))), np.array([0, 1, 0, 1]), 2, 1)


def test_undersampling_keeps_as_many_of_each_as_the_smallest_has() -> None:
    matrix, outcome = _rows()
    counts = np.bincount(outcome)
    found = balance("undersample", matrix, outcome, 5, 1)
    assert np.bincount(found.outcome).tolist() == [counts.min()] * 5
    np.testing.assert_allclose(
        found.class_bias, np.log(counts / counts.sum() * 5)
    )  # true share over a fifth
    again = balance("undersample", matrix, outcome, 5, 1)
    np.testing.assert_array_equal(found.matrix, again.matrix)


def test_adasyn_adds_rows_where_categories_meet() -> None:
    matrix, outcome = _rows()
    counts = np.bincount(outcome)
    found = balance("adasyn", matrix, outcome, 5, 1)
    np.testing.assert_array_equal(found.matrix[: len(matrix)], matrix)
    # It rounds its share of each row, so categories become nearly equal.
    np.testing.assert_allclose(np.bincount(found.outcome), counts.max(), rtol=0.15)
    fitted = np.bincount(found.outcome) / len(found.outcome)
    np.testing.assert_allclose(fitted * np.exp(found.class_bias), counts / counts.sum())


def test_adasyn_leaves_a_category_that_meets_no_other() -> None:
    matrix, outcome = _rows()
    age = NAME.index("age")
    matrix[outcome == 4, age] = 1e6
    found = balance("adasyn", matrix, outcome, 5, 1)
    assert (found.outcome == 4).sum() == (outcome == 4).sum()


def test_focal_rows_are_as_they_are_and_marked() -> None:
    matrix, outcome = _rows()
    found = balance("focal", matrix, outcome, 5, 1)
    assert found.focal
    assert found.matrix is matrix
    assert found.class_bias.tolist() == [0.0] * 5


@pytest.mark.parametrize("how", ["smote", "adasyn"])
def test_rows_of_rare_diseases_are_no_parents(how: str) -> None:
    matrix, outcome = _rows()
    rate, diastolic = NAME.index("heart_rate"), NAME.index("diastolic_bp")
    protected = np.zeros(len(outcome), dtype=bool)
    # Of two categories, so that ADASYN too would take them: it goes where categories meet.
    for category in (3, 4):
        protected[np.flatnonzero(outcome == category)[::4]] = True
    # A mark that a mixture with any other row would show.
    matrix[protected, rate] = 5_000.0
    matrix[protected, diastolic] = np.nan
    counts = np.bincount(outcome)
    plain = balance(how, matrix, outcome, 5, 1)
    found = balance(how, matrix, outcome, 5, 1, protected=protected)
    made, of = found.matrix[len(matrix) :], found.outcome[len(matrix) :]
    assert (plain.matrix[len(matrix) :, rate] > 300).any()
    assert (of == 4).sum() > 100
    assert not (made[:, rate] > 300).any()
    np.testing.assert_array_equal(found.matrix[: len(matrix)], matrix)
    np.testing.assert_allclose(np.bincount(found.outcome), counts.max(), rtol=0.15)


def test_rows_of_rare_diseases_are_never_dropped_or_copied() -> None:
    matrix, outcome = _rows()
    protected = np.zeros(len(outcome), dtype=bool)
    protected[np.flatnonzero(outcome == 1)[:300]] = True
    protected[np.flatnonzero(outcome == 2)[:20]] = True
    matrix[:, NAME.index("exercise_days")] = np.arange(len(matrix))
    found = balance("undersample", matrix, outcome, 5, 1, protected=protected)
    kept = found.matrix[:, NAME.index("exercise_days")].astype(int)
    assert set(np.flatnonzero(protected)) <= set(kept)
    assert len(set(kept)) == len(kept)
    smallest = np.bincount(outcome).min()
    assert smallest < 300
    assert np.bincount(found.outcome).tolist() == [smallest, 300, smallest, smallest, smallest]
