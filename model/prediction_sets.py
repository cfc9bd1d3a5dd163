"""Class-conditional split conformal prediction sets (Vovk 2003, Mondrian; Romano 2020 for why).

A category is left out only where its probability is lower than in nine of ten calibration rows of
that category. So for each category alone, not just on average, a new patient who has it is in
the set with probability at least `coverage`, if calibration rows and new patients are alike.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from model.features import FloatArray

MINIMUM_CASES = 30
"""Calibration rows a category needs before a set may exclude it. With fewer, the promise of 0.9
would hold on average over calibrations, but the one at hand could be far off (the standard error
of a share of 0.9 among 30 is 0.055)."""


@dataclass(frozen=True, slots=True)
class PredictionSets:
    """The limits of nonconformity, 1 − p, at which each of K categories is excluded."""

    coverage: float
    limits: tuple[float | None, ...]
    """Largest 1 − p still in the set; `None` where too few cases: always in the set."""
    cases: tuple[int, ...]
    """Calibration rows per category."""

    def members(self, probabilities: FloatArray) -> NDArray[np.bool_]:
        """Which categories belong to the set of each row, (n, K); a row may have none."""
        limits = np.asarray([np.inf if limit is None else limit for limit in self.limits])
        return np.asarray(1.0 - probabilities <= limits)

    @property
    def excludable(self) -> tuple[bool, ...]:
        """Per category, whether its exclusion is demonstrable."""
        return tuple(limit is not None for limit in self.limits)


def fit_prediction_sets(
    probabilities: FloatArray, outcome: NDArray[np.intp], coverage: float
) -> PredictionSets:
    """Find the limits on calibration rows: (n, K) probabilities, (n,) positions of the outcome.

    The limit is the ⌈(m+1)·coverage⌉-th smallest 1 − p among the m rows of the category, the
    finite-sample correction of split conformal prediction (Lei 2018).
    """
    limits: list[float | None] = []
    cases: list[int] = []
    for category in range(probabilities.shape[1]):
        scores = np.sort(1.0 - probabilities[outcome == category, category])
        # Rounded so that 10 · 0.9 is 9, not the 10 that 9.000000000000002 would become.
        rank = int(np.ceil(round((len(scores) + 1) * coverage, 9)))
        enough = len(scores) >= MINIMUM_CASES and rank <= len(scores)
        limits.append(float(scores[rank - 1]) if enough else None)
        cases.append(len(scores))
    return PredictionSets(coverage, tuple(limits), tuple(cases))
