"""The probability that an assessment gets an outcome, from what was known when it was made.

A ridge-penalised logistic regression, cross-fitted by patient: nobody's weight rests on whether
they themselves were verified (Chernozhukov 2018, section 3, for why it is crossed). It is fitted
anew for every bootstrap replicate, all replicates at once.
"""

import numpy as np
from numpy.typing import NDArray

from model.evaluation.judged_rows import JudgedRows
from model.features import CATEGORIES, FEATURE, ROW_NAMES, FloatArray

FOLDS = 5
PENALTY = 4.0
"""Of squared coefficients of standardised columns, scikit-learn's `C=1/4`: of 1, 4 and 10 the one
whose intervals cover best with 500 and with 1,500 simulated charts."""
_INTERCEPT_PENALTY = 1e-3
"""Keeps the fit finite where a replicate holds only verified rows, or none."""
_STEPS = 30
_CONVERGED = 1e-5
_LARGEST_STEP = 4.0
_EDGE = 1e-4
"""Predicted probabilities are held this far from 0 and 1, so that their log-odds are finite."""


def verification_design(rows: JudgedRows) -> FloatArray:
    """Columns that verification may depend on, (n, D), the first of ones.

    The inputs with a column for each that says where it is missing, the log-odds of each category,
    the category decided, card shown, encounter class. Standardised; constant ones are left out.
    """
    columns: list[FloatArray] = []
    for name in ROW_NAMES:
        if name not in rows.frame:
            continue
        if name in CATEGORIES:
            columns += _levels(rows.frame[name].to_numpy(dtype=object))
        elif name in FEATURE:
            values = rows.frame[name].to_numpy(dtype=np.float64, na_value=np.nan)
            missing = np.isnan(values)
            if not missing.all():
                columns.append(np.where(missing, np.nanmean(values), values))
            columns.append(missing.astype(np.float64))
    inside = np.clip(rows.probabilities, _EDGE, 1.0 - _EDGE)
    columns += list(np.log(inside / (1.0 - inside)).T)
    columns += [(rows.decisions == i).astype(np.float64) for i in range(len(rows.classes))]
    columns.append(rows.frame["card_shown"].to_numpy(dtype=np.float64))
    if "encounter_class" in rows.frame:
        columns += _levels(rows.frame["encounter_class"].to_numpy(dtype=object))
    design = np.column_stack(columns)
    spread = design.std(axis=0)
    varies = spread > 1e-9
    design = (design[:, varies] - design[:, varies].mean(axis=0)) / spread[varies]
    return np.column_stack([np.ones(len(design)), design])


def _levels(values: NDArray[np.object_]) -> list[FloatArray]:
    """A column for each level of a text, the missing being one."""
    text = np.array([value if isinstance(value, str) else "" for value in values])
    return [(text == level).astype(np.float64) for level in np.unique(text)]


def cross_fitted(
    design: FloatArray,
    verified: NDArray[np.bool_],
    patient: NDArray[np.intp],
    weights: FloatArray,
    *,
    seed: int = 0,
) -> FloatArray:
    """Probability of being verified of each row, by the fit of the other patients, (R, n).

    `design` (n, D), `verified` (n,), `patient` (n,) numbers, `weights` (R, n) how often each row
    counts in each replicate.
    """
    folds = np.random.default_rng(seed).permutation(int(patient.max()) + 1) % FOLDS
    of_row = folds[patient]
    target = verified.astype(np.float64)
    found = np.empty(weights.shape)
    for fold in range(FOLDS):
        out = of_row == fold
        if out.any():
            coefficients = ridge_logistic(design[~out], target[~out], weights[:, ~out])
            found[:, out] = _sigmoid(coefficients @ design[out].T)
    return found


def ridge_logistic(
    design: FloatArray, target: FloatArray, weights: FloatArray, *, penalty: float = PENALTY
) -> FloatArray:
    """Coefficients (R, D) of weighted ridge logistic regressions, by Newton's method.

    `design` (n, D), the first column of ones; `target` (n,) 1 or 0; `weights` (R, n).
    """
    n, size = design.shape
    ridge = np.full(size, penalty)
    ridge[0] = _INTERCEPT_PENALTY
    squares = (design[:, :, None] * design[:, None, :]).reshape(n, size * size)
    beta = np.zeros((len(weights), size))
    if len(weights) > 1:
        # The replicates lie about the fit of their mean: from there two or three steps are enough.
        mean = weights.mean(axis=0, keepdims=True)
        beta += ridge_logistic(design, target, mean, penalty=penalty)
    for _ in range(_STEPS):
        p = _sigmoid(beta @ design.T)
        gradient = (weights * (target - p)) @ design - ridge * beta
        curvature = ((weights * p * (1.0 - p)) @ squares).reshape(-1, size, size)
        step = np.linalg.solve(curvature + np.diag(ridge), gradient[:, :, None])[:, :, 0]
        largest = np.abs(step).max(axis=1, keepdims=True)
        beta += step * np.minimum(1.0, _LARGEST_STEP / np.maximum(largest, _CONVERGED))
        if float(largest.max()) < _CONVERGED:
            break
    return beta


def _sigmoid(x: FloatArray) -> FloatArray:
    return np.asarray(1.0 / (1.0 + np.exp(-np.clip(x, -500.0, 500.0))))
