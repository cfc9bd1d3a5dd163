"""Paired differences: against scikit-learn, and narrower than unpaired ones."""

import numpy as np
import pytest
from sklearn import metrics as reference

from model.evaluation.paired import (
    AUROC,
    AVERAGE_PRECISION,
    LOG_LOSS,
    log_losses,
    paired_differences,
    paired_figures,
    paired_mean,
)
from model.severity import Severity

CLASSES = (Severity.MILD, Severity.ACUTE, Severity.CHRONIC)


@pytest.fixture(scope="module")
def case() -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    rng = np.random.default_rng(3)
    outcome = rng.choice(3, 1_500, p=[0.6, 0.1, 0.3])
    logits = rng.normal(size=(1_500, 3))
    logits[np.arange(1_500), outcome] += 1.5
    better = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
    logits += rng.normal(scale=0.7, size=logits.shape)
    worse = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
    return better, worse, outcome


def test_figures_are_those_of_scikit_learn(
    case: tuple[np.ndarray, np.ndarray, np.ndarray],
) -> None:
    better, worse, outcome = case
    found = paired_figures(
        {"model": better, "other": worse}, "model", outcome, range(1_500), CLASSES, replicates=20
    )
    values = {(f.prediction, f.metric, f.category): f.value.value for f in found}
    gaps = {(f.metric, f.category): f.difference for f in found if f.difference}
    for name, p in (("model", better), ("other", worse)):
        loss = reference.log_loss(outcome, p, labels=range(3))
        assert values[name, LOG_LOSS, None] == pytest.approx(loss)
        for i, code in enumerate(CLASSES):
            area = reference.roc_auc_score(outcome == i, p[:, i])
            average = reference.average_precision_score(outcome == i, p[:, i])
            assert values[name, AUROC, code] == pytest.approx(area)
            assert values[name, AVERAGE_PRECISION, code] == pytest.approx(average)
    for (metric, code), gap in gaps.items():
        first, second = (values[name, metric, code] for name in ("model", "other"))
        assert first is not None
        assert second is not None
        assert gap.value == pytest.approx(first - second)


def test_the_pairing_narrows_the_interval(
    case: tuple[np.ndarray, np.ndarray, np.ndarray],
) -> None:
    better, worse, outcome = case
    gap = paired_differences(better, worse, outcome, range(1_500), CLASSES)[AUROC, Severity.ACUTE]
    alone = [
        next(
            f.value
            for f in paired_figures({"p": p}, "p", outcome, range(1_500), CLASSES)
            if (f.metric, f.category) == (AUROC, Severity.ACUTE)
        )
        for p in (better, worse)
    ]
    widths = [value.upper - value.lower for value in alone if value.upper and value.lower]
    assert gap.lower is not None
    assert gap.upper is not None
    assert gap.lower > 0
    assert gap.upper - gap.lower < np.hypot(*widths)


def test_a_prediction_is_not_different_from_itself(
    case: tuple[np.ndarray, np.ndarray, np.ndarray],
) -> None:
    better, _, outcome = case
    for gap in paired_differences(better, better, outcome, range(1_500), CLASSES).values():
        assert (gap.value, gap.lower, gap.upper) == (0.0, 0.0, 0.0)


def test_too_few_are_not_enough() -> None:
    p = np.full((12, 3), 1 / 3)
    outcome = np.array([1] * 3 + [0] * 9)
    found = paired_figures({"a": p, "b": p}, "a", outcome, range(12), CLASSES, replicates=20)
    assert all(f.value.value is None for f in found)
    assert all(f.difference is None or f.difference.value is None for f in found)
    assert paired_figures({"a": p[:0]}, "a", outcome[:0], [], CLASSES) == []


def test_the_mean_is_drawn_by_patient() -> None:
    rng = np.random.default_rng(0)
    each = rng.normal(size=50)
    alone = paired_mean(np.repeat(each, 8), range(400))
    together = paired_mean(np.repeat(each, 8), np.repeat(range(50), 8))
    assert alone.value == together.value == pytest.approx(each.mean())
    assert alone.upper is not None
    assert alone.lower is not None
    assert together.upper is not None
    assert together.lower is not None
    ratio = (together.upper - together.lower) / (alone.upper - alone.lower)
    assert ratio == pytest.approx(np.sqrt(8), rel=0.25)
    assert paired_mean(each[:0], []).value is None
    assert log_losses(np.array([[0.25, 0.75]]), np.array([1]))[0] == pytest.approx(-np.log(0.75))
