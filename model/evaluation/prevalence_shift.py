"""How common each category is now, from predicted probabilities alone: no outcome is needed.

If only the shares of the categories have changed and patients of one category look as they did
(label shift), the shares are those under which the probabilities, rescaled, average to themselves:
the maximum likelihood estimate of Saerens, Latinne and Decaestecker 2002. They find it by EM, which
takes hundreds of steps where the model tells categories badly apart; the likelihood is concave, so
Newton's method finds the same in a few. All assessments take part, verified or not, so that
selected truth does not matter. It asks for calibrated probabilities with the class biases right
(Alexandari 2020); the temperature and class bias of an artefact are such.
"""

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray
from threadpoolctl import threadpool_limits  # type: ignore[import-untyped]  # has no types

from model.evaluation.intervals import bootstrap_weights
from model.evaluation.study_rows import number
from model.features import FloatArray
from model.severity import Severity

MARGIN = 1.25
"""A share is meaningfully changed where it is more than this many times what it was, or less than
one over this."""
CONFIDENCE = 0.98
REPLICATES = 500
"""Draws of patients: beyond each limit of the interval lie five."""
FEWEST = 100
"""Assessments below which nothing is estimated."""
PRIOR = 2.0
"""Assessments, of the shares of before, that are added: no estimate is exactly 0, which Newton's
method could not leave, and a small sample is drawn a little towards no change."""
_STEPS = 100
_CONVERGED = 1e-5
_NEAR = 0.25
"""Newton decrement below which whole steps are safe (Nesterov and Nemirovskii 1994)."""


def prevalence_shift(
    probabilities: FloatArray,
    patient: NDArray[np.intp],
    classes: tuple[Severity, ...],
    base_rates: Mapping[Severity, float],
    *,
    replicates: int = REPLICATES,
    seed: int = 0,
) -> list[dict[str, Any]] | None:
    """Estimated share of each category beside the one the model was made with, JSON types.

    `probabilities` (n, K), `patient` (n,) numbers. One record a category: `base`, `share`, `ratio`
    of the two, its 98 % interval `lower` and `upper` drawn by patient, and `changed`: `up` or
    `down` if the interval lies wholly beyond `MARGIN`, else `None`. `None` with fewer than
    `FEWEST` rows.
    """
    if len(probabilities) < FEWEST:
        return None
    base = np.array([base_rates[code] for code in classes])
    # Many small products: threads would spend their time waiting for each other.
    with threadpool_limits(1):
        shares = np.concatenate(
            [
                estimated_shares(probabilities, base, weights)
                for weights in bootstrap_weights(patient, replicates, seed)
            ]
        )
    ratios = shares / base
    tail = (1.0 - CONFIDENCE) / 2.0
    lower, upper = np.quantile(ratios[1:], [tail, 1.0 - tail], axis=0)
    found: list[dict[str, Any]] = []
    for i, code in enumerate(classes):
        up, down = lower[i] > MARGIN, upper[i] < 1.0 / MARGIN
        found.append(
            {
                "category": code.value,
                "base": float(base[i]),
                "share": float(shares[0, i]),
                "ratio": number(float(ratios[0, i])),
                "lower": number(float(lower[i])),
                "upper": number(float(upper[i])),
                "changed": "up" if up else "down" if down else None,
            }
        )
    return found


def estimated_shares(
    probabilities: FloatArray, base: FloatArray, weights: FloatArray, *, prior: float = PRIOR
) -> FloatArray:
    """Shares of the categories for each row of `weights` (R, n), (R, K).

    `probabilities` (n, K) hold for the shares `base` (K,). Maximises the sum over rows of
    w log(Σ q p / base) plus `prior` times base · log q, over shares q. That they add up to 1 need
    not be asked for: less the total weight times Σ q, the maximum has it.
    """
    base = base / base.sum()
    ratio = probabilities / base
    squares = (ratio[:, :, None] * ratio[:, None, :]).reshape(len(ratio), -1)
    size, added = len(base), prior * base
    total = weights.sum(axis=1, keepdims=True) + prior
    shares = np.tile(base, (len(weights), 1))
    for _ in range(_STEPS):
        scale = shares @ ratio.T
        gradient = (weights / scale) @ ratio + added / shares - total
        curvature = ((weights / scale**2) @ squares).reshape(-1, size, size)
        curvature += (added / shares**2)[:, :, None] * np.eye(size)
        step = np.linalg.solve(curvature, gradient[:, :, None])[:, :, 0]
        decrement = np.sqrt(np.maximum((gradient * step).sum(axis=1, keepdims=True), 0.0))
        shares = shares + step * np.where(decrement > _NEAR, 1.0 / (1.0 + decrement), 1.0)
        if float(decrement.max()) < _CONVERGED:
            break
    return np.asarray(shares / shares.sum(axis=1, keepdims=True))
