"""From probabilities to one category: operating thresholds instead of the largest probability.

The largest probability would call almost nobody acute where acute illness is rare. A threshold
is set on the tuning part from a stated flag rate and belongs to the artefact.
"""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from model.features import FloatArray
from model.severity import Severity

FIRST: tuple[Severity, ...] = (Severity.ACUTE, Severity.TERMINAL)
"""Categories chosen as soon as they reach their threshold, in this order."""


@dataclass(frozen=True, slots=True)
class OperatingPoint:
    """A threshold, and what it did on the tuning part."""

    threshold: float
    """A category is flagged where its probability is at least this."""
    wanted_flag_rate: float
    flag_rate: float
    rows: int
    cases: int
    sensitivity: float | None
    """Share of cases flagged; `None` without cases."""
    positive_predictive_value: float | None
    """Share of flagged rows that are cases; `None` where nothing was flagged."""
    number_needed_to_evaluate: float | None
    """Flagged charts a clinician opens to find one case: 1/PPV; `None` if none is found."""

    def __post_init__(self) -> None:
        """Raise `ValueError` for a threshold that is no probability above 0."""
        if not 0.0 < self.threshold <= 1.0:
            raise ValueError("a threshold must be above 0 and at most 1")


def decide(
    probabilities: FloatArray, classes: tuple[Severity, ...], thresholds: Mapping[Severity, float]
) -> NDArray[np.intp]:
    """Choose a category for each row; returns positions in `classes`, shape (n,).

    `acute` at or above its threshold; else `terminal` at or above its own; else whichever of the
    remaining categories is largest in proportion to its threshold. `probabilities` is (n, K).
    """
    limits = np.asarray([thresholds[severity] for severity in classes], dtype=np.float64)
    ratio = probabilities / limits
    rest = [i for i, severity in enumerate(classes) if severity not in FIRST]
    columns = np.asarray(rest or range(len(classes)), dtype=np.intp)
    chosen = columns[np.argmax(ratio[:, columns], axis=1)]
    for severity in reversed(FIRST):
        if severity in classes:
            position = classes.index(severity)
            chosen = np.where(probabilities[:, position] >= limits[position], position, chosen)
    return np.asarray(chosen, dtype=np.intp)
