"""Temperature scaling on the tuning part (Guo 2017)."""

import numpy as np
from numpy.typing import NDArray

from model.explanation import Calibration
from model.features import FloatArray

_RANGE = (0.05, 20.0)
"""Temperatures outside are a sign of a model without information, not of calibration."""


def fit_calibration(
    margins: FloatArray, outcome: NDArray[np.intp], class_bias: FloatArray
) -> Calibration:
    """The temperature with the lowest log loss on (n, K) margins and (n,) outcome positions.

    `class_bias` (K,) restores the frequencies after balanced training and is kept as it is. The
    log loss is convex in 1/T, so one bounded search finds the minimum.
    """
    from scipy.optimize import minimize_scalar

    scores = margins + class_bias
    rows = np.arange(len(outcome))

    def loss(log_temperature: float) -> float:
        logits = scores / np.exp(log_temperature)
        top = logits.max(axis=1, keepdims=True)
        log_total = top[:, 0] + np.log(np.exp(logits - top).sum(axis=1))
        return float((log_total - logits[rows, outcome]).mean())

    found = minimize_scalar(
        loss, bounds=tuple(np.log(_RANGE)), method="bounded", options={"xatol": 1e-5}
    )
    return Calibration(float(np.exp(found.x)), class_bias)
