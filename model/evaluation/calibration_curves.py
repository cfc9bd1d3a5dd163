"""Whether probabilities mean what they say: slope, level, observed against expected, curves.

Source of the measures: Van Calster 2019, "Calibration: the Achilles heel of predictive
analytics"; Cox 1958 for the slope. Each category is held against all others.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from model.evaluation.intervals import MetricValue, bootstrap_weights, share, summarise
from model.evaluation.metrics import MINIMUM_CASES
from model.evaluation.study_rows import value_json
from model.features import FloatArray
from model.severity import Severity

DECILES = 10
"""Equal-count groups of predicted risk."""
ROWS_PER_GROUP = 30
"""Rows a group of predicted risk needs; with fewer rows there are fewer groups."""
_EDGE = 1e-6
"""Probabilities are held this far from 0 and 1, so that their log-odds are finite."""
_STEPS = 25
_CONVERGED = 1e-9
_LARGEST_STEP = 5.0


@dataclass(frozen=True, slots=True)
class CalibrationOfCategory:
    """How the probability of one category stands to its frequency."""

    category: Severity
    cases: int
    slope: MetricValue
    """Slope of a logistic model of the outcome on the log-odds: 1 is right; below 1 the
    probabilities are too extreme, above 1 too timid."""
    intercept: MetricValue
    """Calibration in the large, log-odds: 0 is right; above 0 the probabilities are too low."""
    observed_to_expected: MetricValue
    """Cases over the sum of probabilities: 1 is right."""


@dataclass(frozen=True, slots=True)
class RiskGroup:
    """Rows of alike predicted risk."""

    predicted: float
    """Mean probability."""
    observed: MetricValue
    """Share of cases."""


def calibration_of_categories(
    probabilities: FloatArray,
    outcome: NDArray[np.intp],
    patient: ArrayLike,
    classes: Sequence[Severity],
    *,
    replicates: int = 200,
    seed: int = 0,
    minimum_cases: int = MINIMUM_CASES,
) -> list[CalibrationOfCategory]:
    """Slope, intercept and observed/expected of every category, drawn by patient.

    `probabilities` (n, K), `outcome` (n,) positions in `classes`, `patient` (n,) labels. A
    category with fewer than `minimum_cases` cases or others has no figures.
    """
    size = len(classes)
    blocks: list[list[FloatArray]] = [[] for _ in range(size)]
    if len(outcome):
        for weights in bootstrap_weights(patient, replicates, seed):
            for i in range(size):
                case = (outcome == i).astype(np.float64)
                blocks[i].append(_figures(probabilities[:, i], case, weights))
    cases = np.bincount(outcome, minlength=size)
    found: list[CalibrationOfCategory] = []
    for i, category in enumerate(classes):
        n = int(cases[i])
        none = MetricValue(None, None, None, n)
        values = [none, none, none]
        if min(n, len(outcome) - n) >= max(minimum_cases, 1):
            together = np.concatenate(blocks[i])
            values = [summarise(together[:, j], n) for j in range(3)]
        found.append(CalibrationOfCategory(category, n, *values))
    return found


def risk_groups(
    probability: FloatArray,
    case: NDArray[np.bool_],
    patient: ArrayLike,
    *,
    groups: int = DECILES,
    replicates: int = 200,
    seed: int = 0,
) -> list[RiskGroup]:
    """Observed share of cases in groups of equal count of predicted risk, lowest first.

    `probability` and `case` are (n,). There are fewer groups where each would have fewer than
    `ROWS_PER_GROUP` rows, and none below that.
    """
    n = len(probability)
    count = min(groups, n // ROWS_PER_GROUP)
    if count == 0:
        return []
    order = np.argsort(probability, kind="stable")
    parts = np.array_split(order, count)
    member = np.zeros((n, count))
    for i, rows in enumerate(parts):
        member[rows, i] = 1.0
    true = case.astype(np.float64)
    observed = np.concatenate(
        [
            share(weights @ (member * true[:, None]), weights @ member)
            for weights in bootstrap_weights(patient, replicates, seed)
        ]
    )
    return [
        RiskGroup(float(probability[rows].mean()), summarise(observed[:, i], len(rows)))
        for i, rows in enumerate(parts)
    ]


def curves_of_categories(
    probabilities: FloatArray,
    outcome: NDArray[np.intp],
    patient: ArrayLike,
    classes: Sequence[Severity],
    *,
    replicates: int = 200,
    seed: int = 0,
) -> list[dict[str, Any]]:
    """The risk groups of every category, JSON types: `category` and `groups`, of which each has
    the mean `predicted` probability and the `observed` share of cases."""
    return [
        {
            "category": category.value,
            "groups": [
                {"predicted": group.predicted, "observed": value_json(group.observed)}
                for group in risk_groups(
                    probabilities[:, i],
                    np.asarray(outcome == i, dtype=bool),
                    patient,
                    replicates=replicates,
                    seed=seed,
                )
            ],
        }
        for i, category in enumerate(classes)
    ]


def _figures(probability: FloatArray, case: FloatArray, weights: FloatArray) -> FloatArray:
    """Slope, intercept in the large and observed/expected for each row of `weights`, (R, 3)."""
    inside = np.clip(probability, _EDGE, 1.0 - _EDGE)
    logit = np.log(inside / (1.0 - inside))
    slope = recalibrate(logit, case, weights)[:, 1]
    level = _in_the_large(logit, case, weights)
    ratio = share(weights @ case, weights @ probability)
    return np.column_stack([slope, level, ratio])


def recalibrate(logit: FloatArray, case: FloatArray, weights: FloatArray) -> FloatArray:
    """Intercept and slope of a logistic model of `case` on `logit`, (R, 2), by Newton's method.

    `logit` and `case` are (n,), `weights` (R, n). NaN where it has no finite maximum: no case,
    no other, a constant or a dividing logit.
    """
    centre = float(logit.mean())
    x = logit - centre
    beta = np.zeros((len(weights), 2))
    beta[:, 1] = 1.0
    beta[:, 0] = centre
    going = np.full(len(weights), True)
    solved = np.full(len(weights), False)
    for _ in range(_STEPS):
        if not going.any():
            break
        w = weights[going]
        p = _sigmoid(beta[going, :1] + beta[going, 1:] * x)
        error, spread = w * (case - p), w * p * (1.0 - p)
        g0, g1 = error.sum(axis=1), error @ x
        h00, h01, h11 = spread.sum(axis=1), spread @ x, spread @ (x * x)
        determinant = h00 * h11 - h01 * h01
        step = np.column_stack(
            [
                share(h11 * g0 - h01 * g1, determinant),
                share(h00 * g1 - h01 * g0, determinant),
            ]
        )
        # A long first step away from the maximum would overshoot it.
        size = np.abs(step).max(axis=1, keepdims=True)
        step = step * np.minimum(1.0, _LARGEST_STEP / np.maximum(size, _CONVERGED))
        beta[going] += step
        at = np.flatnonzero(going)
        solved[at] = size[:, 0] < _CONVERGED
        going[at] = np.isfinite(size[:, 0]) & (size[:, 0] >= _CONVERGED)
    beta[:, 0] -= beta[:, 1] * centre
    beta[~solved] = np.nan
    return beta


def _in_the_large(logit: FloatArray, case: FloatArray, weights: FloatArray) -> FloatArray:
    """The shift of the log-odds that makes expected equal observed, (R,); NaN without one."""
    shift = np.zeros(len(weights))
    solved = np.full(len(weights), False)
    observed = weights @ case
    for _ in range(_STEPS):
        p = _sigmoid(logit + shift[:, None])
        spread = (weights * (p * (1.0 - p))).sum(axis=1)
        step = share(observed - (weights * p).sum(axis=1), spread)
        step = np.clip(step, -_LARGEST_STEP, _LARGEST_STEP)
        shift = shift + step
        solved = np.abs(step) < _CONVERGED
        if solved.all() or not np.isfinite(step).any():
            break
    return np.where(solved, shift, np.nan)


def _sigmoid(x: FloatArray) -> FloatArray:
    return np.asarray(1.0 / (1.0 + np.exp(-np.clip(x, -700.0, 700.0))))
