"""Candidates: fitting, cross-validation and the choice among them."""

import numpy as np
import pytest
from sklearn import linear_model

from model.errors import TrainingError
from model.explanation import softmax
from model.features import MODEL_COLUMNS, FloatArray
from model.scorer import frame_matrix
from model.training.balancing import balance
from model.training.candidates import _choose, compare, fit, select
from model.training.selection import usable_columns
from tests.support.artefacts import small_settings
from tests.support.cohorts import small_cohort


def _rows(rows: int = 1200, categories: int = 5) -> tuple[FloatArray, np.ndarray, np.ndarray]:
    frame = small_cohort(rows, 21, categories=categories)
    codes = sorted(frame["severity"].unique())
    patient = np.unique(frame["patient_id"], return_inverse=True)[1]
    outcome = np.array([codes.index(code) for code in frame["severity"]])
    return frame_matrix(frame), outcome, patient


def _quiet(_done: float) -> None:
    """No progress."""


def test_select_takes_columns_by_name() -> None:
    matrix = np.arange(2.0 * len(MODEL_COLUMNS)).reshape(2, -1)
    assert select(matrix, ("heart_rate", "age"))[0].tolist() == [1.0, 0.0]


def test_regression_is_the_one_scikit_learn_fits() -> None:
    matrix, outcome, _ = _rows()
    columns = usable_columns(matrix)
    rows = balance("none", matrix, outcome, 5, 1)
    ours = fit("logistic", rows, columns, small_settings()).estimator
    used = select(matrix, columns)
    terms = ours.terms(used)  # type: ignore[attr-defined]  # it is the regression
    np.testing.assert_allclose(terms.mean(axis=0), 0.0, atol=1e-9)
    theirs = linear_model.LogisticRegression(C=1.0, max_iter=5000, tol=1e-6).fit(terms, outcome)
    np.testing.assert_allclose(softmax(ours.margins(used)), theirs.predict_proba(terms), atol=5e-3)


@pytest.mark.parametrize("estimator", ["logistic", "xgboost"])
def test_two_categories_are_two_margins(estimator: str) -> None:
    matrix, outcome, _ = _rows(categories=2)
    columns = usable_columns(matrix)
    rows = balance("none", matrix, outcome, 2, 1)
    fitted = fit(estimator, rows, columns, small_settings(), rounds=10).estimator
    p = softmax(fitted.margins(select(matrix, columns)))
    assert p.shape == (len(matrix), 2)
    assert p[:, 1].mean() == pytest.approx(outcome.mean(), abs=0.03)


@pytest.mark.parametrize("how", ["class_weights", "smote"])
@pytest.mark.parametrize("estimator", ["logistic", "xgboost"])
def test_after_balancing_the_bias_brings_the_frequencies_back(estimator: str, how: str) -> None:
    matrix, outcome, _ = _rows()
    columns = usable_columns(matrix)
    rows = balance(how, matrix, outcome, 5, 1)
    fitted = fit(estimator, rows, columns, small_settings(), rounds=30)
    margins = fitted.estimator.margins(select(matrix, columns))
    true = np.bincount(outcome) / len(outcome)
    raw = np.abs(softmax(margins).mean(axis=0) - true).max()
    corrected = np.abs(softmax(margins + fitted.class_bias).mean(axis=0) - true).max()
    assert corrected < 0.04 < raw


def test_early_stopping_counts_rounds() -> None:
    matrix, outcome, _ = _rows()
    columns = usable_columns(matrix)
    rows = balance("none", matrix[:600], outcome[:600], 5, 1)
    settings = small_settings("xgboost", max_rounds=150)
    fitted = fit("xgboost", rows, columns, settings, check=(matrix[600:], outcome[600:]))
    assert fitted.rounds is not None
    assert 5 < fitted.rounds < 150
    again = fit("xgboost", rows, columns, settings, rounds=fitted.rounds)
    used = select(matrix, columns)
    np.testing.assert_array_equal(again.estimator.margins(used), fitted.estimator.margins(used))


def test_every_candidate_is_compared_and_one_chosen_with_reasons() -> None:
    matrix, outcome, patient = _rows()
    steps: list[float] = []
    settings = small_settings(
        estimators=("logistic", "xgboost"), balancings=("none", "class_weights", "smote")
    )
    chosen, table = compare(
        matrix, usable_columns(matrix), outcome, patient, 5, settings, steps.append
    )
    assert len(table) == 6
    assert [c.log_loss for c in table] == sorted(c.log_loss for c in table)
    assert table[0].behind == 0.0
    assert chosen.behind <= chosen.standard_error
    assert sum(c.verdict.startswith("chosen") for c in table) == 1
    assert all(c.verdict.startswith("not chosen") for c in table if c is not chosen)
    assert all((c.rounds is None) == (c.estimator == "logistic") for c in table)
    assert steps == pytest.approx([(i + 1) / 18 for i in range(18)])
    base = -(np.bincount(outcome) / len(outcome) * np.log(np.bincount(outcome) / len(outcome)))
    assert table[0].log_loss < 0.8 * base.sum()


@pytest.mark.parametrize(
    ("complex_loss", "chosen", "verdict"),
    [
        (0.990, "logistic", "chosen: simpler"),  # better by 0.01, standard error 0.02
        (0.900, "xgboost", "chosen: lowest log loss"),  # better by 0.1
        (1.100, "logistic", "chosen: lowest log loss"),
    ],
)
def test_of_equally_good_candidates_the_simpler_is_chosen(
    complex_loss: float, chosen: str, verdict: str
) -> None:
    simple, other = ("logistic", "none"), ("xgboost", "none")
    # 100 patients; differences of plus and minus 0.2 about the mean: error 0.2/sqrt(100).
    wobble = np.tile([0.2, -0.2], 50)
    losses = {simple: np.ones(100), other: np.full(100, complex_loss) + wobble}
    found, table = _choose(
        [simple, other], losses, {simple: [], other: [40, 60, 50]}, np.arange(100)
    )
    assert found.estimator == chosen
    assert found.verdict.startswith(verdict)
    assert max(c.standard_error for c in table) == pytest.approx(0.02)
    assert {c.rounds for c in table} == {None, 50}


def test_the_standard_error_is_by_patient() -> None:
    simple, other = ("logistic", "none"), ("xgboost", "none")
    losses = {simple: np.ones(100), other: np.repeat([1.3, 0.9], 50)}
    ways, rounds = [simple, other], {simple: [], other: []}
    by_row = _choose(ways, losses, rounds, np.arange(100))[1]
    by_patient = _choose(ways, losses, rounds, np.repeat(np.arange(10), 10))[1]
    errors = [max(c.standard_error for c in table) for table in (by_row, by_patient)]
    assert errors[1] == pytest.approx(errors[0] * np.sqrt(10))


def test_a_category_in_one_fold_only_is_refused() -> None:
    matrix, outcome, patient = _rows()
    patient = np.where(outcome == 4, patient.max() + 1, patient)
    with pytest.raises(TrainingError, match="too few patients"):
        compare(matrix, usable_columns(matrix), outcome, patient, 5, small_settings(), _quiet)
