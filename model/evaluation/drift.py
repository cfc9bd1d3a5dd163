"""How far the inputs of a chunk lie from those of a reference. Pure arrays.

The distance D is alarmed on (`alarm_limits`); the population stability index and histograms are
shown.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.stats import spearmanr

from model.features import FloatArray

STABILITY_BINS = 10
"""Bins of the population stability index: deciles of the reference (Siddiqi 2006)."""
_EMPTY = 0.5
"""Rows that an empty bin of the stability index counts as, so that its logarithm exists."""


def present(values: ArrayLike) -> FloatArray:
    """The values that are there, sorted; float64 of shape (m,). A gap (NaN) is no value."""
    array = np.asarray(values, dtype=np.float64).reshape(-1)
    return np.sort(array[np.isfinite(array)])


def distance(sample: ArrayLike, reference: ArrayLike) -> float:
    """Two-sample Kolmogorov-Smirnov D: the largest difference of two distribution functions.

    Of a yes-no input coded 0 and 1 it is the difference of two shares. NaN if either has no value.
    (Smirnov 1939.)
    """
    first, second = present(sample), present(reference)
    if not len(first) or not len(second):
        return float("nan")
    # Both functions are steps: their difference changes at values only.
    points = np.concatenate([first, second])
    below = np.searchsorted(first, points, side="right") / len(first)
    return float(
        np.max(np.abs(below - np.searchsorted(second, points, side="right") / len(second)))
    )


@dataclass(frozen=True, slots=True)
class Reference:
    """Values of one input in chunks cut alike, and how far each chunk lies from the others."""

    values: FloatArray
    """Of all chunks, sorted."""
    distances: FloatArray
    """D of each chunk from the rest, which leaves the chunk out; (K,)."""

    @classmethod
    def of(cls, chunks: Sequence[ArrayLike]) -> "Reference":
        """Of one array of values a chunk; a chunk without a value counts for nothing."""
        parts = [part for part in map(present, chunks) if len(part)]
        pooled = np.sort(np.concatenate(parts)) if parts else np.empty(0)
        if len(parts) < 2:
            return cls(pooled, np.empty(0))
        rank = np.searchsorted(pooled, pooled, side="right")
        found = []
        for part in parts:
            own = np.searchsorted(part, pooled, side="right")
            others = (rank - own) / (len(pooled) - len(part))
            found.append(float(np.max(np.abs(own / len(part) - others))))
        return cls(pooled, np.asarray(found))


def quantile_edges(reference: ArrayLike, bins: int = STABILITY_BINS) -> FloatArray:
    """Inner edges of bins that hold equal shares of the reference; equal ones are one."""
    values = present(reference)
    if not len(values):
        return np.empty(0)
    different = np.unique(values)
    if len(different) <= bins:
        return np.asarray((different[1:] + different[:-1]) / 2.0)
    return np.unique(np.quantile(values, np.arange(1, bins) / bins))


def counts(values: ArrayLike, edges: ArrayLike) -> NDArray[np.intp]:
    """Values in each of the bins that `edges` (e,) divide the line into, (e + 1,).

    An edge belongs to the bin above it.
    """
    inner = np.asarray(edges, dtype=np.float64)
    bins = np.searchsorted(inner, present(values), side="right")
    return np.bincount(bins, minlength=len(inner) + 1)


def stability_index(sample: ArrayLike, reference: ArrayLike) -> float:
    """Population stability index over the deciles of the reference: Σ (a - e) ln(a/e).

    `a` and `e` are the shares of a bin in sample and reference; an empty bin counts as half a row
    (Siddiqi 2006, Credit Risk Scorecards). NaN if either has no value. Below 0.1 is commonly read
    as stable, above 0.25 as shifted; it grows with fewer rows, so nothing is alarmed on it.
    """
    edges = quantile_edges(reference)
    actual, expected = counts(sample, edges), counts(reference, edges)
    if not actual.sum() or not expected.sum():
        return float("nan")
    a = np.maximum(actual, _EMPTY) / actual.sum()
    e = np.maximum(expected, _EMPTY) / expected.sum()
    return float(np.sum((a - e) * np.log(a / e)))


@dataclass(frozen=True, slots=True)
class Correlation:
    """How an input goes with an outcome, and in how many rows both are known."""

    value: float
    n: int


def correlation(values: ArrayLike, outcome: ArrayLike, *, fewest: int = 10) -> Correlation | None:
    """Spearman's rank correlation of an input (n,) with a yes-no outcome (n,).

    Rows without either (NaN) do not count. `None` with fewer than `fewest` rows of either outcome
    or an input that is always the same.
    """
    x = np.asarray(values, dtype=np.float64)
    y = np.asarray(outcome, dtype=np.float64)
    known = np.isfinite(x) & np.isfinite(y)
    x, y = x[known], y[known]
    if min(np.count_nonzero(y > 0), np.count_nonzero(y <= 0)) < fewest or x.min() == x.max():
        return None
    return Correlation(float(spearmanr(x, y).statistic), len(x))
