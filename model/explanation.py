"""From margins to calibrated probabilities, and from contributions to reasons that add up.

A margin is the raw score of a category before softmax. Calibration is one temperature (Guo
2017, "On calibration of modern neural networks") after one bias per category, the only kind
that keeps contributions additive.
"""

from dataclasses import dataclass

import numpy as np

from model.errors import ModelError
from model.features import MODEL_COLUMNS, REASONS, FloatArray

TOLERANCE = 1e-4
"""Largest difference, in log-odds, between a probability and the sum of its reasons."""


@dataclass(frozen=True, slots=True)
class Calibration:
    """p = softmax((margin + class_bias)/temperature)."""

    temperature: float
    class_bias: FloatArray
    """Prior correction after weighted or resampled training; float64 of shape (K,)."""

    def __post_init__(self) -> None:
        """Raise `ValueError` for numbers that cannot be a calibration."""
        if not (np.isfinite(self.temperature) and self.temperature > 0.0):
            raise ValueError("a temperature must be a number above 0")
        if not np.all(np.isfinite(self.class_bias)):
            raise ValueError("a class bias must be a number")

    def logits(self, margins: FloatArray) -> FloatArray:
        """Calibrated scores before softmax, shape (n, K) as `margins`."""
        return np.asarray((margins + self.class_bias) / self.temperature, dtype=np.float64)

    def probabilities(self, margins: FloatArray) -> FloatArray:
        """Calibrated probabilities of shape (n, K); each row sums to 1.

        Raises `ModelError` if a margin is not a finite number.
        """
        logits = self.logits(margins)
        if not np.all(np.isfinite(logits)):
            raise ModelError("The model gave a score that is not a number for these readings.")
        return softmax(logits)


def softmax(logits: FloatArray) -> FloatArray:
    """Softmax over the last axis, safe for large scores."""
    exponent = np.exp(logits - logits.max(axis=-1, keepdims=True))
    return np.asarray(exponent / exponent.sum(axis=-1, keepdims=True), dtype=np.float64)


@dataclass(frozen=True, slots=True)
class Explanation:
    """Why each category has its probability, for n rows, K categories and R reasons."""

    probabilities: FloatArray
    """(n, K)."""
    values: FloatArray
    """(n, K, R); calibrated log-odds of the category against the others."""
    baseline: FloatArray
    """(n, K); `values.sum(-1) + baseline` is log(p/(1 - p))."""


def explain(
    contributions: FloatArray, bias: FloatArray, calibration: Calibration, shares: FloatArray
) -> Explanation:
    """Explain each category against the others, weighted by their probability.

    For category k with contributions φ (SHAP values, Lundberg 2020 for trees) the reasons are
    Σⱼ wⱼ(φₖ − φⱼ)/T with wⱼ = pⱼ/(1 − pₖ), j ≠ k; the baseline is the same of the biases minus
    the entropy of w. Together they are the calibrated log-odds of k, because
    log Σⱼ exp(zⱼ) = Σⱼ wⱼ zⱼ + H(w) over the other categories.

    `contributions` (n, K, M) and `bias` (n, K) are in margin units and add up to the margins;
    `shares` (M, R) folds model columns onto reasons. The weights come from a softmax over the
    other categories, never from 1 − p, so that they hold where p is almost 1. Raises `ModelError`
    if a sum is off by more than `TOLERANCE`.
    """
    logits = calibration.logits(contributions.sum(axis=-1) + bias)
    probabilities = softmax(logits)
    categories = logits.shape[1]
    others = np.repeat(logits[:, None, :], categories, axis=1)
    diagonal = np.arange(categories)
    others[:, diagonal, diagonal] = -np.inf
    top = others.max(axis=-1, keepdims=True)
    log_total = top[..., 0] + np.log(np.exp(others - top).sum(axis=-1))
    log_weights = others - log_total[..., None]
    weights = np.exp(log_weights)
    log_weights[:, diagonal, diagonal] = 0.0
    entropy = -(weights * log_weights).sum(axis=-1)

    temperature = calibration.temperature
    columns = (contributions - weights @ contributions) / temperature
    offsets = bias + calibration.class_bias
    baseline = (offsets - (weights @ offsets[..., None])[..., 0]) / temperature - entropy
    values = columns @ shares
    difference = np.abs(values.sum(axis=-1) + baseline - (logits - log_total))
    if not np.all(difference <= TOLERANCE):
        raise ModelError("The reasons do not add up to the probability for these readings.")
    return Explanation(probabilities, values, baseline)


def reason_shares(columns: tuple[str, ...]) -> tuple[tuple[str, ...], FloatArray]:
    """The reasons that a model of `columns` can give, and how each column is shared among them.

    Returns the reasons in table order and an (M, R) array whose rows sum to 1: a column that
    stands for several readings is shared equally. Raises `KeyError` for an unknown column.
    """
    table = {column.name: column for column in MODEL_COLUMNS}
    shown = [table[name].shown_as for name in columns]
    reasons = tuple(reason for reason in REASONS if any(reason in names for names in shown))
    shares = np.zeros((len(columns), len(reasons)))
    for row, names in enumerate(shown):
        for name in names:
            shares[row, reasons.index(name)] = 1.0 / len(names)
    return reasons, shares


def strongest_first(values: FloatArray) -> list[list[int]]:
    """For each row of `values` (n, R) the order of its reasons by size, ties in table order."""
    order: list[list[int]] = np.argsort(-np.abs(values), axis=-1, kind="stable").tolist()
    return order
