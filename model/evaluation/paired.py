"""Several predictions of the same rows: each figure, and how far one is ahead of the others.

The bootstrap draws patients, and every prediction is measured on the same draw, so that what
makes a draw easy or hard cancels in the difference (paired; Efron and Tibshirani 1993).
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from model.evaluation.intervals import MetricValue, bootstrap_weights, share, summarise
from model.evaluation.metrics import MINIMUM_CASES, MINIMUM_ROWS, ranking
from model.features import FloatArray
from model.severity import Severity

LOG_LOSS, AUROC, AVERAGE_PRECISION = "log_loss", "auroc", "average_precision"
_SMALLEST_PROBABILITY = 1e-15


@dataclass(frozen=True, slots=True)
class PairedFigure:
    """A figure of one prediction and, except for the reference itself, the difference."""

    prediction: str
    metric: str
    """`log_loss` (nat, over all categories), `auroc` or `average_precision`."""
    category: Severity | None
    """`None`: over all categories."""
    value: MetricValue
    difference: MetricValue | None
    """Of the reference minus this prediction; `None` for the reference. Below 0 the reference is
    better in log loss, above 0 in the others."""


def paired_figures(
    predictions: Mapping[str, FloatArray],
    reference: str,
    outcome: NDArray[np.intp],
    patient: ArrayLike,
    classes: Sequence[Severity],
    *,
    replicates: int = 200,
    seed: int = 0,
    minimum_rows: int = MINIMUM_ROWS,
    minimum_cases: int = MINIMUM_CASES,
) -> list[PairedFigure]:
    """Log loss, and AUROC and average precision of each category, with paired differences.

    `predictions` holds probabilities (n, K) by name, `reference` names the one that the others
    are subtracted from; `outcome` (n,) are positions in `classes`, `patient` (n,) labels. Log
    loss on fewer than `minimum_rows` rows, and a category with fewer than `minimum_cases` cases
    or others, is "not enough". Raises `KeyError` if `reference` is not among `predictions`.
    """
    n = len(outcome)
    if n == 0:
        return []
    drawn = _replicates(predictions, outcome, patient, len(classes), replicates, seed)
    cases = np.bincount(outcome, minlength=len(classes))
    found: list[PairedFigure] = []
    for metric, position in drawn[reference]:
        rests_on = n if position is None else int(cases[position])
        enough = (
            n >= minimum_rows
            if position is None
            else min(rests_on, n - rests_on) >= max(minimum_cases, 1)
        )
        of_reference = drawn[reference][metric, position]
        for name, figures in drawn.items():
            values = figures[metric, position]
            found.append(
                PairedFigure(
                    name,
                    metric,
                    None if position is None else classes[position],
                    _value(values, rests_on, enough),
                    None if name == reference else _value(of_reference - values, rests_on, enough),
                )
            )
    return found


def paired_differences(
    first: FloatArray,
    second: FloatArray,
    outcome: NDArray[np.intp],
    patient: ArrayLike,
    classes: Sequence[Severity],
    *,
    replicates: int = 200,
    seed: int = 0,
) -> dict[tuple[str, Severity | None], MetricValue]:
    """First minus second, by metric and category; see `paired_figures`."""
    figures = paired_figures(
        {"first": first, "second": second},
        "first",
        outcome,
        patient,
        classes,
        replicates=replicates,
        seed=seed,
    )
    return {
        (found.metric, found.category): found.difference
        for found in figures
        if found.difference is not None
    }


def paired_mean(
    values: FloatArray, patient: ArrayLike, *, replicates: int = 200, seed: int = 0
) -> MetricValue:
    """Mean of a value per row, (n,), such as a difference of two losses, drawn by patient."""
    if len(values) == 0:
        return MetricValue(None, None, None, 0)
    blocks = [
        share(weights @ values, weights.sum(axis=1))
        for weights in bootstrap_weights(patient, replicates, seed)
    ]
    return summarise(np.concatenate(blocks), len(values))


def log_losses(probabilities: FloatArray, outcome: NDArray[np.intp]) -> FloatArray:
    """Log loss of each row, (n,), nat."""
    given = probabilities[np.arange(len(outcome)), outcome]
    return np.asarray(-np.log(np.maximum(given, _SMALLEST_PROBABILITY)), dtype=np.float64)


_Figures = dict[tuple[str, int | None], FloatArray]


def _replicates(
    predictions: Mapping[str, FloatArray],
    outcome: NDArray[np.intp],
    patient: ArrayLike,
    categories: int,
    replicates: int,
    seed: int,
) -> dict[str, _Figures]:
    """By prediction, metric and position: the figure and then its replicates."""
    blocks: dict[str, list[_Figures]] = {name: [] for name in predictions}
    losses = {name: log_losses(p, outcome) for name, p in predictions.items()}
    for weights in bootstrap_weights(patient, replicates, seed):
        total = weights.sum(axis=1)
        for name, p in predictions.items():
            block: _Figures = {(LOG_LOSS, None): share(weights @ losses[name], total)}
            for i in range(categories):
                case = (outcome == i).astype(np.float64)
                area, average = ranking(p[:, i], case, weights)
                block[AUROC, i], block[AVERAGE_PRECISION, i] = area, average
            blocks[name].append(block)
    return {
        name: {key: np.concatenate([block[key] for block in parts]) for key in parts[0]}
        for name, parts in blocks.items()
    }


def _value(values: FloatArray, n: int, enough: bool) -> MetricValue:
    return summarise(values, n) if enough else MetricValue(None, None, None, n)
