"""Operating thresholds from stated flag rates, on the tuning part."""

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from model.features import FloatArray
from model.operating import OperatingPoint
from model.severity import Severity
from model.training.design import HIGHEST_TERMINAL_FLAG_RATE

_SMALLEST = 1e-9


def threshold_for(probabilities: FloatArray, flag_rate: float) -> float:
    """The threshold that flags the share of rows nearest to `flag_rate` without exceeding it.

    It lies half-way between two values seen, so that the last digit of a probability decides
    nothing. Where the largest value alone is shared by too many rows, these are flagged: a rule
    that flags nobody would be worse than one that flags too many. `probabilities` is (n,).
    """
    values, counts = np.unique(probabilities, return_counts=True)
    share = np.cumsum(counts[::-1])[::-1] / len(probabilities)
    allowed = np.flatnonzero(share <= flag_rate)
    first = int(allowed[0]) if len(allowed) else len(values) - 1
    middle = values[0] if first == 0 else (values[first - 1] + values[first]) / 2.0
    # Never 0: other categories are compared in proportion to their thresholds.
    return max(float(middle), _SMALLEST)


def fit_operating_points(
    probabilities: FloatArray,
    outcome: NDArray[np.intp],
    classes: tuple[Severity, ...],
    flag_rates: Mapping[Severity, float],
) -> dict[Severity, OperatingPoint]:
    """A threshold for each category, with what it does on these rows.

    `probabilities` is (n, K), `outcome` (n,) positions in `classes`. A category without a stated
    rate is flagged as often as it occurs, `terminal` at most at `HIGHEST_TERMINAL_FLAG_RATE`.
    """
    points: dict[Severity, OperatingPoint] = {}
    for position, severity in enumerate(classes):
        case = outcome == position
        wanted = flag_rates.get(severity)
        if wanted is None:
            wanted = float(case.mean())
            if severity is Severity.TERMINAL:
                wanted = min(wanted, HIGHEST_TERMINAL_FLAG_RATE)
        threshold = threshold_for(probabilities[:, position], wanted)
        flagged = probabilities[:, position] >= threshold
        found, flags = int((flagged & case).sum()), int(flagged.sum())
        points[severity] = OperatingPoint(
            threshold=threshold,
            wanted_flag_rate=wanted,
            flag_rate=flags / len(outcome),
            rows=len(outcome),
            cases=int(case.sum()),
            sensitivity=found / int(case.sum()) if case.any() else None,
            positive_predictive_value=found / flags if flags else None,
            number_needed_to_evaluate=flags / found if found else None,
        )
    return points
