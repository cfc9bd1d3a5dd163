"""Fitting each kind: what scikit-learn fits, frequencies, early stops, parameters."""

import numpy as np
import pytest
import xgboost
from sklearn import linear_model
from sklearn.metrics import log_loss

from model.explanation import softmax
from model.features import MODEL_COLUMNS, FloatArray
from model.scorer import frame_matrix
from model.training.balancing import balance
from model.training.design import ESTIMATORS, Way
from model.training.fitting import select
from model.training.kinds import KINDS, fit
from model.training.selection import usable_columns
from tests.support.artefacts import small_settings
from tests.support.cohorts import small_cohort

SERVED = [name for name in ESTIMATORS if KINDS[name].served]


def _rows(rows: int = 1200) -> tuple[FloatArray, np.ndarray]:
    frame = small_cohort(rows, 21)
    codes = sorted(frame["severity"].unique())
    return frame_matrix(frame), np.array([codes.index(code) for code in frame["severity"]])


def test_select_takes_columns_by_name() -> None:
    matrix = np.arange(2.0 * len(MODEL_COLUMNS)).reshape(2, -1)
    assert select(matrix, ("heart_rate", "age"))[0].tolist() == [1.0, 0.0]


def test_the_kinds_are_those_of_the_design_in_its_order() -> None:
    assert tuple(KINDS) == ESTIMATORS
    assert all(set(kind.ranges) <= set(kind.defaults) for kind in KINDS.values())
    assert SERVED == ["logistic", "logistic_splines", "lightgbm", "xgboost"]


@pytest.mark.parametrize("estimator", ["logistic", "logistic_splines"])
def test_regression_is_the_one_scikit_learn_fits(estimator: str) -> None:
    matrix, outcome = _rows()
    columns = usable_columns(matrix)
    rows = balance("none", matrix, outcome, 5, 1)
    ours = fit(Way(estimator, "none"), rows, columns, small_settings()).estimator
    used = select(matrix, columns)
    terms = ours.terms(used)  # type: ignore[attr-defined]  # it is the regression
    # One term and one indicator a column, and two more where a spline bends.
    assert (terms.shape[1] > 2 * len(columns)) == (estimator == "logistic_splines")
    np.testing.assert_allclose(terms.mean(axis=0), 0.0, atol=1e-9)
    theirs = linear_model.LogisticRegression(C=1.0, max_iter=5000, tol=1e-6).fit(terms, outcome)
    np.testing.assert_allclose(softmax(ours.margins(used)), theirs.predict_proba(terms), atol=5e-3)


def test_a_straight_line_is_drawn_through_the_logarithm_of_a_skewed_column() -> None:
    matrix, outcome = _rows()
    place = [column.name for column in MODEL_COLUMNS].index("respiratory_rate")
    matrix[:, place] = np.exp(np.random.default_rng(2).normal(3.0, 0.7, len(matrix)))
    columns = usable_columns(matrix)
    rows = balance("none", matrix, outcome, 5, 1)
    straight, bent = (
        fit(Way(name, "none"), rows, columns, small_settings()).estimator
        for name in ("logistic", "logistic_splines")
    )
    logged = straight.basis.logged  # type: ignore[attr-defined]  # it is the regression
    names = {columns[i] for i in logged}
    assert "respiratory_rate" in names
    assert not names & {"age", "heart_rate", "systolic_bp"}
    assert bent.basis.logged == ()  # type: ignore[attr-defined]  # it is the regression


@pytest.mark.parametrize("how", ["class_weights", "smote", "adasyn", "undersample"])
@pytest.mark.parametrize("estimator", SERVED)
def test_after_balancing_the_bias_brings_the_frequencies_back(estimator: str, how: str) -> None:
    matrix, outcome = _rows()
    columns = usable_columns(matrix)
    rows = balance(how, matrix, outcome, 5, 1)
    fitted = fit(Way(estimator, how), rows, columns, small_settings(), rounds=30)
    margins = fitted.estimator.margins(select(matrix, columns))
    true = np.bincount(outcome) / len(outcome)
    raw = np.abs(softmax(margins).mean(axis=0) - true).max()
    corrected = np.abs(softmax(margins + fitted.class_bias).mean(axis=0) - true).max()
    assert corrected < 0.05 < raw


@pytest.mark.parametrize("estimator", ["lightgbm", "xgboost"])
@pytest.mark.parametrize("how", ["none", "focal"])
def test_an_early_stop_keeps_the_trees_until_then(estimator: str, how: str) -> None:
    matrix, outcome = _rows()
    columns, used = usable_columns(matrix), slice(0, 600)
    rows = balance(how, matrix[used], outcome[used], 5, 1)
    settings = small_settings(max_rounds=150)
    way = Way(estimator, how)
    fitted = fit(way, rows, columns, settings, check=(matrix[600:], outcome[600:]))
    assert fitted.rounds is not None
    assert 5 < fitted.rounds < 150
    again = fit(way, rows, columns, settings, rounds=fitted.rounds)
    found, same = (f.estimator.margins(select(matrix, columns)) for f in (fitted, again))
    np.testing.assert_allclose(found, same, atol=1e-12)


@pytest.mark.parametrize("how", ["none", "class_weights"])
def test_a_network_is_that_of_the_epoch_with_the_lowest_log_loss(how: str) -> None:
    matrix, outcome = _rows()
    columns, learnt = usable_columns(matrix), slice(0, 600)
    rows = balance(how, matrix[learnt], outcome[learnt], 5, 1)
    way, check = Way("mlp", how, (("learning_rate", 0.05),)), (matrix[600:], outcome[600:])
    found = fit(way, rows, columns, small_settings(), check=check)
    assert found.rounds is not None
    # Ten worse epochs in a row end it.
    last = found.rounds + 10
    each = [fit(way, rows, columns, small_settings(), rounds=n) for n in range(1, last + 1)]
    scored = select(matrix, columns)
    weights = rows.class_weights[outcome[600:]]
    losses = [
        log_loss(outcome[600:], softmax(one.model.margins(scored[600:])), sample_weight=weights)
        for one in each
    ]
    assert 1 < found.rounds < 40
    assert found.rounds == 1 + np.argmin(losses)
    same = each[found.rounds - 1].model.margins(scored)
    np.testing.assert_array_equal(found.model.margins(scored), same)


def test_a_network_without_rows_to_stop_on_keeps_a_tenth_apart() -> None:
    matrix, outcome = _rows()
    columns = usable_columns(matrix)
    rows = balance("none", matrix, outcome, 5, 1)
    way = Way("mlp", "none", (("learning_rate", 0.01),))
    first, again = (fit(way, rows, columns, small_settings()) for _ in range(2))
    assert first.rounds is not None
    assert 3 < first.rounds < 90
    scored = select(matrix, columns)
    np.testing.assert_array_equal(first.model.margins(scored), again.model.margins(scored))
    learnt_all = fit(way, rows, columns, small_settings(), rounds=first.rounds)
    assert not np.allclose(first.model.margins(scored), learnt_all.model.margins(scored))


@pytest.mark.parametrize("estimator", ESTIMATORS)
def test_parameters_reach_the_model(estimator: str) -> None:
    matrix, outcome = _rows(600)
    columns = usable_columns(matrix)
    rows = balance("none", matrix, outcome, 5, 1)
    plain = fit(Way(estimator, "none"), rows, columns, small_settings(), rounds=10)
    for name, values in KINDS[estimator].ranges.items():
        if name == "gamma":
            continue
        far = values.low if values.low != KINDS[estimator].defaults[name] else values.high
        way = Way(estimator, "none", ((name, far),))
        other = fit(way, rows, columns, small_settings(), rounds=10)
        margins = [f.model.margins(select(matrix, columns)) for f in (plain, other)]
        assert not np.allclose(*margins), name


def test_a_parameter_that_is_none_is_refused() -> None:
    matrix, outcome = _rows(600)
    rows = balance("none", matrix, outcome, 5, 1)
    with pytest.raises(KeyError, match="depth"):
        fit(Way("xgboost", "none", (("depth", 3.0),)), rows, ("age",), small_settings())


def test_what_cannot_be_served_has_no_estimator() -> None:
    matrix, outcome = _rows(600)
    rows = balance("none", matrix, outcome, 5, 1)
    fitted = fit(Way("decision_tree", "none"), rows, ("age", "heart_rate"), small_settings())
    with pytest.raises(TypeError, match="compared, not served"):
        _ = fitted.estimator


def test_xgboost_is_the_bare_call() -> None:
    matrix, outcome = _rows()
    columns = usable_columns(matrix)
    rows = balance("none", matrix, outcome, 5, 1)
    ours = fit(Way("xgboost", "none"), rows, columns, small_settings(), rounds=20).estimator
    used = select(matrix, columns)
    bare = xgboost.train(
        {
            **{"objective": "multi:softprob", "num_class": 5, "eta": 0.1, "max_depth": 4},
            **{"min_child_weight": 5, "subsample": 0.8, "tree_method": "hist"},
            **{"seed": 7, "nthread": 1},
        },
        xgboost.DMatrix(used, outcome, nthread=1),
        20,
    )
    theirs = bare.predict(xgboost.DMatrix(used, nthread=1), output_margin=True)
    np.testing.assert_array_equal(ours.margins(used), theirs)
