"""Class weights, SMOTE, and the bias that gives the true frequencies back."""

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
        balance("undersampling", np.zeros((4, len(NAME))), np.array([0, 1, 0, 1]), 2, 1)
