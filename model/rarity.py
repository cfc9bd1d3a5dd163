"""How unusual a set of readings is among the patients the model was calibrated on.

Atypicality finds danger and artefacts, not rare diseases: a card says "check the measurements
and the patient" (clinical rule C11).
"""

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from model.features import READINGS, FloatArray

_NORMAL_MAD = 1.4826
"""Median absolute deviation of a normal distribution, in standard deviations, inverted."""
_GRID = 1001
MINIMUM_REFERENCE = 100
"""Calibration rows below which atypicality is unknown: 1 in 100 could not be told."""


@dataclass(frozen=True)
class Rarity:
    """A robust distance over the observed inputs, and its distribution in calibration rows."""

    inputs: tuple[str, ...]
    """Measured inputs and age, in table order; model columns of the same name."""
    centre: tuple[float, ...]
    """Medians, in the unit of each input."""
    scale: tuple[float, ...]
    """Robust standard deviations, in the unit of each input."""
    correlation: tuple[tuple[float, ...], ...]
    reference: tuple[float, ...]
    """Ascending scores of calibration rows, thinned to an even grid of ranks."""
    _arrays: "_Arrays" = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        """Check shapes; raises `ValueError` if they do not fit."""
        correlation = np.asarray(self.correlation, dtype=np.float64)
        size = len(self.inputs)
        if correlation.shape != (size, size) or {len(self.centre), len(self.scale)} != {size}:
            raise ValueError("the parts of the distance do not fit each other")
        arrays = _Arrays(
            np.asarray(self.centre, dtype=np.float64),
            np.asarray(self.scale, dtype=np.float64),
            correlation,
            np.asarray(self.reference, dtype=np.float64),
            np.asarray([name in READINGS for name in self.inputs], dtype=bool),
        )
        object.__setattr__(self, "_arrays", arrays)

    def scores(self, inputs: FloatArray) -> FloatArray:
        """Unusualness of each row of `inputs` (n, len(self.inputs)); NaN without a reading.

        Squared Mahalanobis distance over the d observed inputs, chi-squared with d degrees of
        freedom in a normal population, brought to one normal scale for every d by the cube root
        of Wilson and Hilferty (1931). Age alone is no reading.
        """
        arrays = self._arrays
        standard = (inputs - arrays.centre) / arrays.scale
        seen = np.isfinite(standard)
        measured = seen[:, arrays.measured].any(axis=1)
        found = np.full(len(inputs), np.nan)
        # One number for each pattern of missing inputs: few of them occur.
        patterns = seen @ (1 << np.arange(len(self.inputs)))
        for pattern in set(patterns[measured].tolist()):
            rows = patterns == pattern
            columns, precision = arrays.precision(pattern)
            values = standard[rows][:, columns]
            spread = 2.0 / (9.0 * len(columns))
            squared = np.maximum(((values @ precision) * values).sum(axis=1), 0.0)
            found[rows] = (np.cbrt(squared / len(columns)) - 1.0 + spread) / np.sqrt(spread)
        return found

    def standardised(self, inputs: FloatArray) -> FloatArray:
        """Inputs in robust standard deviations from the centre; NaN where missing."""
        return np.asarray((inputs - self._arrays.centre) / self._arrays.scale)

    def log_ratios(self, inputs: FloatArray, displacements: FloatArray) -> FloatArray:
        """How much likelier each row is around another centre, (n, H) in nat; NaN as in `scores`.

        The other centre of column h is `displacements[h]` (H, len(self.inputs)) away from this
        one, in units of `scale`. Both populations are normal with this correlation, so that the
        ratio is half the difference of two squared Mahalanobis distances (Fisher's linear
        discriminant), over the inputs that the row has.
        """
        arrays = self._arrays
        standard = (inputs - arrays.centre) / arrays.scale
        seen = np.isfinite(standard)
        measured = seen[:, arrays.measured].any(axis=1)
        found = np.full((len(inputs), len(displacements)), np.nan)
        patterns = seen @ (1 << np.arange(len(self.inputs)))
        for pattern in set(patterns[measured].tolist()):
            rows = patterns == pattern
            columns, precision = arrays.precision(pattern)
            moved = displacements[:, columns]
            weights = moved @ precision
            offsets = (weights * moved).sum(axis=1) / 2.0
            found[rows] = standard[rows][:, columns] @ weights.T - offsets
        return found

    def atypicality(self, inputs: FloatArray) -> FloatArray:
        """Share of calibration rows at least as unusual, (n,); NaN if unknown.

        A conformal p-value: in patients like those of the calibration part it is below a with
        probability of about a.
        """
        scores = self.scores(inputs)
        reference = self._arrays.reference
        beyond = len(reference) - np.searchsorted(reference, scores, side="left")
        share = (beyond + 1.0) / (len(reference) + 1.0)
        known = np.isfinite(scores) & (len(reference) >= MINIMUM_REFERENCE)
        return np.where(known, share, np.nan)


@dataclass(frozen=True)
class _Arrays:
    """The parts of a `Rarity` as arrays, and the inverse of each sub-matrix once needed."""

    centre: FloatArray
    scale: FloatArray
    correlation: FloatArray
    reference: FloatArray
    measured: NDArray[np.bool_]
    _known: dict[int, tuple[list[int], FloatArray]] = field(default_factory=dict)

    def precision(self, pattern: int) -> tuple[list[int], FloatArray]:
        """Positions of the observed inputs (the bits of `pattern`) and their precision matrix."""
        found = self._known.get(pattern)
        if found is None:
            columns = [i for i in range(len(self.centre)) if pattern >> i & 1]
            part = self.correlation[np.ix_(columns, columns)]
            # Two threads may both compute it: they store the same.
            found = (columns, np.asarray(np.linalg.inv(part), dtype=np.float64))
            self._known[pattern] = found
        return found


def fit_rarity(names: tuple[str, ...], train: FloatArray, calibration: FloatArray) -> Rarity:
    """Fit the distance on training rows and its distribution on calibration rows.

    Both arrays have the columns `names` with NaN where missing; `train` needs two different
    observed values in each. Medians and median absolute deviations, and correlations of values
    held within three deviations (Winsorised), keep artefacts from widening the distance.
    """
    centre = np.nanmedian(train, axis=0)
    deviation = np.nanmedian(np.abs(train - centre), axis=0) * _NORMAL_MAD
    scale = np.where(deviation > 0, deviation, np.nanstd(train, axis=0))
    standard = np.clip((train - centre) / scale, -3.0, 3.0)
    seen = np.isfinite(standard).astype(np.float64)
    filled = np.nan_to_num(standard - np.nanmean(standard, axis=0))
    # Each pair over the rows that have both values.
    covariance = (filled.T @ filled) / np.maximum(seen.T @ seen, 1.0)
    spread = np.sqrt(np.diag(covariance))
    correlation = covariance / np.outer(spread, spread)
    # Pairwise correlations need not belong to one matrix: lift what is negative.
    levels, directions = np.linalg.eigh(correlation)
    lifted = (directions * np.maximum(levels, 1e-2)) @ directions.T
    size = np.sqrt(np.diag(lifted))
    lifted = lifted / np.outer(size, size)
    blank = Rarity(
        names, _floats(centre), _floats(scale), tuple(_floats(row) for row in lifted), ()
    )
    scores = blank.scores(calibration)
    scores = scores[np.isfinite(scores)]
    if len(scores) > _GRID:
        scores = np.quantile(scores, np.linspace(0.0, 1.0, _GRID), method="higher")
    return Rarity(names, blank.centre, blank.scale, blank.correlation, _floats(np.sort(scores)))


def _floats(values: FloatArray) -> tuple[float, ...]:
    return tuple(float(value) for value in values)
