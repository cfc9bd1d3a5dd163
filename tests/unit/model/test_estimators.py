"""All estimators: contributions add up to margins, missing values, saving and loading."""

from pathlib import Path

import numpy as np
import pytest

from model.estimators import BoostedTrees, LogisticRegression, SplineBasis
from model.features import FloatArray
from model.lightgbm_trees import LightGbmTrees


def _regression() -> LogisticRegression:
    """Two columns: a straight one (mean 10, SD 2) and a curved one with knots 0, 1, 2."""
    basis = SplineBasis(
        low=(4.0, -1.0),
        high=(16.0, 3.0),
        knots=((), (0.0, 1.0, 2.0)),
        centre=(10.0, 1.0, 0.25),
        scale=(2.0, 0.5, 0.1),
    )
    coefficients = np.array([[1.0, 0.5, 0.2, 0.4, -0.3], [-1.0, -0.5, -0.2, -0.4, 0.3]])
    return LogisticRegression(basis, np.array([0.25, 0.0]), coefficients, np.array([0.1, -0.1]))


def test_regression_by_hand() -> None:
    # Column 0: (14 - 10)/2 = 2. Column 1: (1.5 - 1)/0.5 = 1 and the spline term
    # (1.5³ - 2·0.5³ + 0)/2² = (3.375 - 0.25)/4 = 0.78125, standardised (0.78125 - 0.25)/0.1.
    values, bias = _regression().contributions(np.array([[14.0, 1.5]]))
    spline = (0.78125 - 0.25) / 0.1
    assert values[0, 0, 0] == pytest.approx(2.0 - 0.25 * 0.4)
    assert values[0, 0, 1] == pytest.approx(0.5 + 0.2 * spline)
    assert bias[0].tolist() == [0.1, -0.1]


def test_a_missing_value_contributes_by_its_indicator_alone() -> None:
    values, _ = _regression().contributions(np.array([[np.nan, np.nan]]))
    assert values[0, 0].tolist() == pytest.approx([0.4 * 0.75, -0.3 * 1.0])


def test_nothing_is_extrapolated() -> None:
    model = _regression()
    edge = model.margins(np.array([[16.0, 3.0]]))
    np.testing.assert_array_equal(model.margins(np.array([[300.0, 99.0]])), edge)


def test_spline_is_straight_beyond_its_knots() -> None:
    model = _regression()
    at = [model.raw_terms(np.array([[10.0, x]]))[0, 2] for x in (2.0, 2.5, 3.0)]
    assert at[2] - at[1] == pytest.approx(at[1] - at[0])


def test_regression_contributions_add_up() -> None:
    matrix = np.array([[9.0, 0.3], [np.nan, 2.2], [12.0, np.nan]])
    values, bias = _regression().contributions(matrix)
    np.testing.assert_allclose(values.sum(-1) + bias, _regression().margins(matrix), atol=1e-12)


def test_regression_is_the_same_after_saving(tmp_path: Path) -> None:
    _regression().save(tmp_path)
    loaded = LogisticRegression.load(tmp_path, 2, 2)
    matrix = np.array([[9.0, 0.3], [np.nan, 2.2]])
    np.testing.assert_array_equal(loaded.margins(matrix), _regression().margins(matrix))
    with pytest.raises(ValueError, match="other columns or categories"):
        LogisticRegression.load(tmp_path, 3, 2)


def test_a_logarithm_by_hand_and_after_saving(tmp_path: Path) -> None:
    basis = SplineBasis((1.0,), (100.0,), ((),), (0.5,), (2.0,), logged=(0,))
    model = LogisticRegression(basis, np.zeros(1), np.array([[3.0, 0.0], [-3.0, 0.0]]), np.zeros(2))
    # log(e) = 1, so (1 - 0.5)/2 times 3; above 100 and below 1 nothing changes.
    assert model.margins(np.array([[np.e]]))[0, 0] == pytest.approx(0.75)
    assert model.margins(np.array([[-5.0]]))[0, 0] == pytest.approx(-0.75)
    values, bias = model.contributions(np.array([[np.e], [np.nan]]))
    np.testing.assert_allclose(values.sum(-1) + bias, model.margins(np.array([[np.e], [np.nan]])))
    model.save(tmp_path)
    loaded = LogisticRegression.load(tmp_path, 1, 2)
    assert loaded.basis == basis
    with pytest.raises(ValueError, match="do not fit"):
        LogisticRegression(
            SplineBasis((0.0,), (1.0,), ((),), (0.0,), (1.0,), logged=(0,)),
            *(np.zeros(1), np.zeros((2, 2)), np.zeros(2)),
        )


def test_parts_that_do_not_fit_are_refused() -> None:
    with pytest.raises(ValueError, match="do not fit"):
        LogisticRegression(
            SplineBasis((0.0,), (1.0,), ((),), (0.0,), (1.0,)),
            np.zeros(1),
            np.zeros((2, 3)),
            np.zeros(2),
        )


@pytest.fixture(scope="module")
def matrix() -> FloatArray:
    rng = np.random.default_rng(5)
    values = rng.normal(size=(400, 4))
    values[rng.random(values.shape) < 0.15] = np.nan
    return values


@pytest.fixture(scope="module")
def trees(matrix: FloatArray) -> BoostedTrees:
    import xgboost

    outcome = (np.nan_to_num(matrix[:, 0]) > 0).astype(int) + (np.nan_to_num(matrix[:, 1]) > 1)
    booster = xgboost.train(
        {"objective": "multi:softprob", "num_class": 3, "max_depth": 3, "seed": 1, "nthread": 1},
        xgboost.DMatrix(matrix, outcome, nthread=1),
        10,
    )
    return BoostedTrees(booster, 4, 3)


def test_one_call_of_the_trees_gives_contributions_and_margin(
    trees: BoostedTrees, matrix: FloatArray
) -> None:
    import xgboost

    values, bias = trees.contributions(matrix)
    direct = trees._booster.predict(xgboost.DMatrix(matrix), output_margin=True)
    assert values.shape == (400, 3, 4)
    np.testing.assert_allclose(values.sum(-1) + bias, direct, atol=2e-6)
    np.testing.assert_array_equal(trees.margins(matrix), direct)


def test_trees_are_the_same_after_saving(
    trees: BoostedTrees, matrix: FloatArray, tmp_path: Path
) -> None:
    trees.save(tmp_path)
    loaded = BoostedTrees.load(tmp_path, 4, 3)
    np.testing.assert_array_equal(loaded.contributions(matrix)[0], trees.contributions(matrix)[0])
    with pytest.raises(ValueError, match="other columns"):
        BoostedTrees.load(tmp_path, 5, 3)
    with pytest.raises(ValueError, match="other categories"):
        BoostedTrees.load(tmp_path, 4, 5)


@pytest.fixture(scope="module", params=["log loss", "focal"])
def leaves(matrix: FloatArray, request: pytest.FixtureRequest) -> LightGbmTrees:
    """LightGBM's own objective, or one that is no part of its file."""
    import lightgbm

    outcome = (np.nan_to_num(matrix[:, 0]) > 0).astype(int) + (np.nan_to_num(matrix[:, 1]) > 1)
    objective = "multiclass"
    if request.param == "focal":
        from model.training.focal import focal_derivatives

        def objective(margins, of):  # type: ignore[no-untyped-def, no-redef]  # LightGBM's own types
            return focal_derivatives(margins, of.get_label().astype(int), 2.0)

    booster = lightgbm.train(
        {
            **{"objective": objective, "num_class": 3, "num_leaves": 5, "seed": 1},
            **{"num_threads": 1, "verbosity": -1, "deterministic": True, "force_row_wise": True},
        },
        lightgbm.Dataset(matrix, outcome),
        10,
    )
    return LightGbmTrees(booster, 4, 3)


def test_leaves_add_up_to_the_margin(leaves: LightGbmTrees, matrix: FloatArray) -> None:
    values, bias = leaves.contributions(matrix)
    assert values.shape == (400, 3, 4)
    np.testing.assert_allclose(values.sum(-1) + bias, leaves.margins(matrix), atol=1e-9)
    assert np.abs(values).max() > 0.1


def test_leaves_are_the_same_after_saving(
    leaves: LightGbmTrees, matrix: FloatArray, tmp_path: Path
) -> None:
    leaves.save(tmp_path)
    text = (tmp_path / "model.txt").read_text("utf-8")
    assert "num_threads" not in text
    loaded = LightGbmTrees.load(tmp_path, 4, 3)
    np.testing.assert_array_equal(loaded.contributions(matrix)[0], leaves.contributions(matrix)[0])
    np.testing.assert_array_equal(loaded.margins(matrix), leaves.margins(matrix))
    loaded.save(tmp_path)
    assert (tmp_path / "model.txt").read_text("utf-8") == text
    with pytest.raises(ValueError, match="other columns"):
        LightGbmTrees.load(tmp_path, 5, 3)
    with pytest.raises(ValueError, match="other categories"):
        LightGbmTrees.load(tmp_path, 4, 5)


def test_leaves_answer_several_threads_alike(leaves: LightGbmTrees, matrix: FloatArray) -> None:
    from concurrent.futures import ThreadPoolExecutor

    expected = leaves.contributions(matrix)[0]
    with ThreadPoolExecutor(4) as pool:
        found = list(pool.map(lambda i: leaves.contributions(matrix[i : i + 1])[0], range(400)))
    np.testing.assert_allclose(np.concatenate(found), expected, atol=1e-12)
