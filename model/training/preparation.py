"""What models that cannot take a gap are given: filled, indicated, logged and scaled columns."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from model.features import FloatArray

SKEWED = 1.0
"""Skewness above which a column is called highly skewed (Bulmer 1979)."""


def skewed_columns(matrix: FloatArray) -> NDArray[np.bool_]:
    """Columns, (M,), that are positive throughout and skewed by more than `SKEWED`.

    Skewness is the third standardised moment of the values seen; a column of two values (an
    indicator) is never positive throughout and not constant, so it is left alone.
    """
    found = np.zeros(matrix.shape[1], dtype=bool)
    for i, column in enumerate(matrix.T):
        seen = column[np.isfinite(column)]
        spread = seen.std() if len(seen) else 0.0
        if spread > 0 and seen.min() > 0:
            found[i] = np.mean(((seen - seen.mean()) / spread) ** 3) > SKEWED
    return found


@dataclass(frozen=True, slots=True)
class Preparation:
    """Learnt on training rows only, and applied to any rows of the same columns."""

    logged: NDArray[np.bool_]
    low: FloatArray
    """Smallest value seen of each column; a logarithm needs no smaller one."""
    median: FloatArray
    centre: FloatArray
    scale: FloatArray
    indicated: NDArray[np.bool_]
    """Columns with gaps, which get an indicator."""

    @classmethod
    def of(cls, matrix: FloatArray) -> "Preparation":
        """Learn from (n, M) training rows; every column has a value somewhere."""
        logged, low = skewed_columns(matrix), np.nanmin(matrix, axis=0)
        values = _logarithms(matrix, logged, low)
        median = np.nanmedian(values, axis=0)
        absent = np.isnan(values)
        filled = np.where(absent, median, values)
        scale = filled.std(axis=0)
        scale[scale == 0] = 1.0
        return cls(logged, low, median, filled.mean(axis=0), scale, np.asarray(absent.any(axis=0)))

    def apply(self, matrix: FloatArray) -> FloatArray:
        """(n, M + number of indicators), without gaps; gaps hold the training median."""
        values = _logarithms(matrix, self.logged, self.low)
        absent = np.isnan(values)
        standard = (np.where(absent, self.median, values) - self.centre) / self.scale
        return np.concatenate([standard, absent[:, self.indicated].astype(np.float64)], axis=1)


def _logarithms(matrix: FloatArray, logged: NDArray[np.bool_], low: FloatArray) -> FloatArray:
    values = matrix.copy()
    values[:, logged] = np.log(np.maximum(values[:, logged], low[logged]))
    return values
