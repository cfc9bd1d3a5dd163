"""Decision curves: what acting on a probability is worth, against all or nobody.

Source: Vickers and Elkin 2006. A threshold t says that one missed case weighs as much as
(1 - t)/t needless looks.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from model.features import FloatArray

POINTS = 25
"""Thresholds of a curve."""
_AROUND = 5.0
"""A curve reaches from a fifth of the prevalence to five times it: thresholds near which the
category is worth asking for."""
_WIDEST = (0.002, 0.8)


@dataclass(frozen=True, slots=True)
class DecisionCurve:
    """Net benefit of each threshold: true positives a chart, less the weighed false ones."""

    thresholds: FloatArray
    model: FloatArray
    treat_all: FloatArray
    """That of flagging everybody; flagging nobody has 0 throughout."""


def threshold_range(case: NDArray[np.bool_]) -> FloatArray:
    """The thresholds of a curve, evenly spaced on a log scale around the prevalence."""
    prevalence = max(float(case.mean()), _WIDEST[0])
    low = max(prevalence / _AROUND, _WIDEST[0])
    high = min(prevalence * _AROUND, _WIDEST[1])
    return np.geomspace(low, high, POINTS)


def net_benefit(
    probability: FloatArray, case: NDArray[np.bool_], thresholds: FloatArray
) -> DecisionCurve:
    """Net benefit at each threshold (T,): TP/n − FP/n · t/(1 − t); flagged at or above it.

    `probability` and `case` are (n,), n at least 1; thresholds lie between 0 and 1.
    """
    n = len(case)
    prevalence = float(case.mean())
    odds = thresholds / (1.0 - thresholds)
    order = np.sort(probability)
    flagged = n - np.searchsorted(order, thresholds, side="left")
    found = int(case.sum()) - np.searchsorted(np.sort(probability[case]), thresholds, side="left")
    benefit = found / n - (flagged - found) / n * odds
    return DecisionCurve(
        thresholds, np.asarray(benefit), np.asarray(prevalence - (1.0 - prevalence) * odds)
    )
