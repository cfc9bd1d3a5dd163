"""Metrics: by hand, against scikit-learn, and where there is not enough."""

import math

import numpy as np
import pytest
from sklearn import metrics as reference

from model.evaluation.metrics import Metric, calibration_error, evaluate, ranking
from model.severity import SEVERITIES, Severity

ONCE = np.ones((1, 4))


def _find(found: list[Metric], name: str, category: Severity | None = None) -> Metric:
    return next(m for m in found if m.name == name and m.category == category)


def test_by_hand() -> None:
    classes = (Severity.MILD, Severity.ACUTE)
    p = np.array([[0.9, 0.1], [0.6, 0.4], [0.2, 0.8], [0.7, 0.3]])
    outcome = np.array([0, 0, 1, 1])
    decided = np.array([0, 1, 1, 0])
    found = evaluate(
        p, outcome, decided, range(4), classes, replicates=20, minimum_rows=1, minimum_cases=1
    )
    values = {(m.name, m.category, m.decided): m.value.value for m in found}
    loss = -(math.log(0.9) + math.log(0.6) + math.log(0.8) + math.log(0.3)) / 4
    assert values["log_loss", None, None] == pytest.approx(loss)
    assert values["log_loss_of_frequencies", None, None] == pytest.approx(math.log(2))
    brier = 2 * (0.01 + 0.16 + 0.04 + 0.49) / 4
    assert values["brier", None, None] == pytest.approx(brier)
    # Four bins of one row: |0.9-1|, |0.6-1|, |0.8-1|, |0.7-0|.
    assert values["calibration_error", None, None] == pytest.approx((0.1 + 0.4 + 0.2 + 0.7) / 4)
    for category in classes:
        assert values["precision", category, None] == 0.5
        assert values["recall", category, None] == 0.5
        assert values["flag_rate", category, None] == 0.5
    assert values["macro_f1", None, None] == 0.5
    assert values["balanced_accuracy", None, None] == 0.5
    # Of four pairs (case, other) the case has the larger score in three.
    assert values["auroc", Severity.ACUTE, None] == 0.75
    assert values["average_precision", Severity.ACUTE, None] == pytest.approx((1 + 2 / 3) / 2)
    assert values["confusion", Severity.MILD, Severity.ACUTE] == 1.0
    assert values["confusion", Severity.ACUTE, Severity.ACUTE] == 1.0


@pytest.fixture(scope="module")
def case() -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    rng = np.random.default_rng(8)
    outcome = rng.choice(5, 800, p=[0.2, 0.4, 0.1, 0.2, 0.1])
    logits = rng.normal(size=(800, 5))
    logits[np.arange(800), outcome] += 1.2
    p = np.exp(logits)
    p = np.round(p / p.sum(axis=1, keepdims=True), 2) + 0.002  # ties
    p /= p.sum(axis=1, keepdims=True)
    return p, outcome, p.argmax(axis=1)


def test_agreement_with_scikit_learn(case: tuple[np.ndarray, np.ndarray, np.ndarray]) -> None:
    p, outcome, decided = case
    found = evaluate(p, outcome, decided, range(800), SEVERITIES, replicates=20)
    expected = {
        "log_loss": reference.log_loss(outcome, p),
        "macro_f1": reference.f1_score(outcome, decided, average="macro"),
        "balanced_accuracy": reference.balanced_accuracy_score(outcome, decided),
    }
    for name, value in expected.items():
        assert _find(found, name).value.value == pytest.approx(value)
    for i, category in enumerate(SEVERITIES):
        true, said = outcome == i, decided == i
        by_category = {
            "precision": reference.precision_score(true, said),
            "recall": reference.recall_score(true, said),
            "auroc": reference.roc_auc_score(true, p[:, i]),
            "average_precision": reference.average_precision_score(true, p[:, i]),
        }
        for name, value in by_category.items():
            assert _find(found, name, category).value.value == pytest.approx(value)
    matrix = reference.confusion_matrix(outcome, decided)
    ours = [m.value.value for m in found if m.name == "confusion"]
    assert ours == matrix.ravel().tolist()


def test_weighted_ranking_agrees_with_scikit_learn(
    case: tuple[np.ndarray, np.ndarray, np.ndarray],
) -> None:
    p, outcome, _ = case
    true = (outcome == 2).astype(float)
    weights = np.random.default_rng(9).integers(0, 4, (3, 800)).astype(float)
    weights[:, np.argsort(-p[:, 2])[:40]] = 0.0  # a replicate that drew none of the first rows
    area, average = ranking(p[:, 2], true, weights)
    for i in range(3):
        expected = reference.roc_auc_score(true, p[:, 2], sample_weight=weights[i])
        assert area[i] == pytest.approx(expected)
        expected = reference.average_precision_score(true, p[:, 2], sample_weight=weights[i])
        assert average[i] == pytest.approx(expected)


def test_ranking_without_cases_or_without_others_is_no_number() -> None:
    score = np.array([0.1, 0.2, 0.3, 0.4])
    assert np.isnan(ranking(score, np.zeros(4), ONCE)).all()
    assert np.isnan(ranking(score, np.ones(4), ONCE)[0]).all()


def test_figures_lie_in_their_intervals(case: tuple[np.ndarray, np.ndarray, np.ndarray]) -> None:
    p, outcome, decided = case
    sets = p > 0.1
    for metric in evaluate(p, outcome, decided, range(800), SEVERITIES, sets=sets):
        value = metric.value
        assert value.value is not None
        assert value.lower is not None
        assert value.upper is not None
        assert value.lower <= value.value <= value.upper


def test_prediction_sets_by_hand() -> None:
    classes = (Severity.MILD, Severity.ACUTE)
    p = np.full((4, 2), 0.5)
    sets = np.array([[True, True], [False, True], [False, True], [True, True]])
    found = evaluate(
        p,
        np.array([0, 0, 1, 1]),
        np.zeros(4, dtype=int),
        range(4),
        classes,
        sets=sets,
        replicates=20,
        minimum_rows=1,
        minimum_cases=1,
    )
    assert _find(found, "set_size").value.value == 1.5
    assert _find(found, "set_coverage", Severity.MILD).value.value == 0.5
    assert _find(found, "set_coverage", Severity.ACUTE).value.value == 1.0


def test_below_the_minimum_there_is_no_figure(
    case: tuple[np.ndarray, np.ndarray, np.ndarray],
) -> None:
    p, outcome, decided = (part[:29] for part in case)
    found = evaluate(p, outcome, decided, range(29), SEVERITIES, replicates=20)
    assert all(m.value.value is None for m in found if m.category is None)
    rare = (outcome == 4).sum()
    assert rare < 10
    assert _find(found, "auroc", Severity.TERMINAL).value.value is None
    assert _find(found, "auroc", Severity.TERMINAL).value.n == rare


def test_a_mean_over_categories_needs_enough_of_each(
    case: tuple[np.ndarray, np.ndarray, np.ndarray],
) -> None:
    p, outcome, decided = case
    keep = np.concatenate([np.flatnonzero(outcome != 4), np.flatnonzero(outcome == 4)[:9]])
    found = evaluate(p[keep], outcome[keep], decided[keep], keep, SEVERITIES, replicates=20)
    assert _find(found, "macro_f1").value.value is None
    assert _find(found, "log_loss").value.value is not None


def test_without_rows_there_are_no_figures() -> None:
    none = np.zeros(0, dtype=int)
    assert evaluate(np.zeros((0, 5)), none, none, none, SEVERITIES) == []


def test_calibration_error_of_a_calibrated_model_is_small() -> None:
    rng = np.random.default_rng(10)
    first = rng.random(40_000)
    outcome = (rng.random(40_000) > first).astype(int)
    p = np.column_stack([first, 1 - first])
    assert calibration_error(p, outcome, np.ones((1, 40_000)))[0] < 0.01
    sharper = np.column_stack([first**3, 1 - first**3])
    assert calibration_error(sharper, outcome, np.ones((1, 40_000)))[0] > 0.1
