"""Focal loss of several categories (Lin 2017), with the derivatives that boosting needs.

Easy rows weigh less: L = −(1 − p)^γ·log p, where p is the softmax probability of the row's own
category. It does not change the frequencies, but it flattens the probabilities; the temperature
restores them.
"""

import numpy as np
from numpy.typing import NDArray

from model.explanation import softmax
from model.features import FloatArray

_SMALLEST_PROBABILITY = 1e-12
_SMALLEST_HESSIAN = 1e-6
"""The loss is not convex everywhere; a Newton step needs a positive curvature."""


def focal_loss(margins: FloatArray, outcome: NDArray[np.intp], gamma: float) -> FloatArray:
    """The loss of each row, (n,), from (n, K) margins and (n,) positions of the category."""
    p = _own(softmax(margins), outcome)
    return np.asarray(-((1.0 - p) ** gamma) * np.log(p))


def focal_derivatives(
    margins: FloatArray, outcome: NDArray[np.intp], gamma: float
) -> tuple[FloatArray, FloatArray]:
    """First derivatives and the diagonal of the second by the margins, each (n, K).

    With A(p) = γ·p·(1 − p)^(γ−1)·log p − (1 − p)^γ the first is A(p)·(δ − pⱼ), δ being 1 for the
    row's own category; the second is A′(p)·p·(δ − pⱼ)² − A(p)·pⱼ·(1 − pⱼ), held above 1e-6.
    γ of 0 is the log loss; between 0 and 1 the loss has no second derivative at p = 1.
    """
    every = softmax(margins)
    p = _own(every, outcome)
    rest, log_p = 1.0 - p, np.log(p)
    outer = rest ** (gamma - 1.0) if gamma else np.zeros_like(p)
    inner = rest ** (gamma - 2.0) if gamma not in (0.0, 1.0) else np.zeros_like(p)
    a = gamma * p * outer * log_p - rest**gamma
    slope = gamma * outer * (log_p + 2.0) - gamma * (gamma - 1.0) * p * inner * log_p
    off = -every
    off[np.arange(len(outcome)), outcome] += 1.0
    first = a[:, None] * off
    second = (slope * p)[:, None] * off**2 - a[:, None] * every * (1.0 - every)
    return first, np.maximum(second, _SMALLEST_HESSIAN)


def _own(probabilities: FloatArray, outcome: NDArray[np.intp]) -> FloatArray:
    """Probability of each row's own category, held off 0 and 1."""
    found = probabilities[np.arange(len(outcome)), outcome]
    return np.clip(found, _SMALLEST_PROBABILITY, 1.0 - _SMALLEST_PROBABILITY)
