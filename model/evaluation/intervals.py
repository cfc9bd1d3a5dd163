"""Bootstrap intervals drawn by patient: rows of one patient are not independent."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from model.features import FloatArray

CONFIDENCE = 0.95
_CELLS = 2_000_000
"""Weights held at once: 16 MB, and a few times that while a metric is computed."""


@dataclass(frozen=True, slots=True)
class MetricValue:
    """A figure with its bootstrap interval, or "not enough" of what it rests on."""

    value: float | None
    """`None`: too few rows or cases for a figure."""
    lower: float | None
    upper: float | None
    n: int
    """What the figure rests on: rows, cases or flagged rows, as the metric says."""

    def __str__(self) -> str:
        """`0.812 [0.790, 0.834]`, or the words "not enough"."""
        if self.value is None:
            return "not enough"
        if self.lower is None or self.upper is None:
            return f"{self.value:.3f}"
        return f"{self.value:.3f} [{self.lower:.3f}, {self.upper:.3f}]"


def bootstrap_weights(patient: ArrayLike, replicates: int, seed: int) -> Iterator[FloatArray]:
    """How often each row counts, in blocks of shape (r, n) that fit in memory.

    The first row of the first block is all ones, the figure itself; `replicates` more follow. A
    replicate draws as many patients as there are, with replacement, and takes all rows of each
    (the cluster bootstrap: Davison and Hinkley 1997, section 3.8). `patient` has one label a row,
    at least one row.
    """
    _, number = np.unique(np.asarray(patient), return_inverse=True)
    number = number.reshape(-1)
    patients = int(number.max()) + 1
    generator = np.random.default_rng(seed)
    rows = replicates + 1
    size = max(1, _CELLS // len(number))
    for start in range(0, rows, size):
        weights = np.ones((min(size, rows - start), len(number)))
        for row in range(1 if start == 0 else 0, len(weights)):
            drawn = np.bincount(generator.integers(0, patients, patients), minlength=patients)
            weights[row] = drawn[number]
        yield weights


def summarise(values: FloatArray, n: int) -> MetricValue:
    """The first of `values` with the percentile interval of the rest.

    A replicate in which the figure is not defined (NaN: it drew no case) is left out; without a
    figure at all it is "not enough".
    """
    if not np.isfinite(values[0]):
        return MetricValue(None, None, None, n)
    rest = values[1:][np.isfinite(values[1:])]
    if len(rest) < 2:
        return MetricValue(float(values[0]), None, None, n)
    tail = (1.0 - CONFIDENCE) / 2.0
    lower, upper = np.quantile(rest, [tail, 1.0 - tail])
    return MetricValue(float(values[0]), float(lower), float(upper), n)


def share(numerator: FloatArray, denominator: FloatArray) -> FloatArray:
    """Element-wise quotient; NaN where the denominator is 0."""
    out = np.full(np.broadcast(numerator, denominator).shape, np.nan)
    np.divide(numerator, denominator, out=out, where=denominator > 0)
    return out
