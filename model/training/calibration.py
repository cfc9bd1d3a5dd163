"""Temperature scaling on the tuning part (Guo 2017), and what else could have been done."""

import numpy as np
from numpy.typing import NDArray
from scipy.special import expit

from model.explanation import Calibration, softmax
from model.features import FloatArray

_SMALLEST = 1e-12
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


def calibrations(
    margins: FloatArray,
    outcome: NDArray[np.intp],
    class_bias: FloatArray,
    scored: FloatArray,
) -> dict[str, FloatArray]:
    """Probabilities, (m, K), of margins `scored` (m, K) by three calibrations.

    Each is fitted to the tuning part, (n, K) `margins` and (n,) `outcome`: `temperature` is the
    one that is served; `sigmoid` (Platt 1999) and `isotonic` (Zadrozny and Elkan 2002) fit each
    category against the rest and normalise. They are shown beside it and not served: no
    contribution adds up to them. A category that has no row in the tuning part, or no other, is
    left as the softmax has it.
    """
    from sklearn.isotonic import IsotonicRegression

    softmaxed = softmax(margins + class_bias), softmax(scored + class_bias)
    sigmoid, isotonic = softmaxed[1].copy(), softmaxed[1].copy()
    for k in range(margins.shape[1]):
        case = outcome == k
        if case.all() or not case.any():
            continue
        slope, intercept = _platt(_log_odds(softmaxed[0][:, k]), case)
        sigmoid[:, k] = expit(slope * _log_odds(softmaxed[1][:, k]) + intercept)
        monotone = IsotonicRegression(y_min=0.0, y_max=1.0, out_of_bounds="clip")
        monotone.fit(softmaxed[0][:, k], case)
        isotonic[:, k] = monotone.predict(softmaxed[1][:, k])
    temperature = fit_calibration(margins, outcome, class_bias).probabilities(scored)
    return {
        "temperature": temperature,
        "sigmoid": _normalised(sigmoid),
        "isotonic": _normalised(isotonic),
    }


def _platt(score: FloatArray, case: NDArray[np.bool_]) -> tuple[float, float]:
    """Slope and intercept of log-odds, with Platt's targets, which keep off 0 and 1."""
    from scipy.optimize import minimize

    cases, others = int(case.sum()), int((~case).sum())
    target = np.where(case, (cases + 1.0) / (cases + 2.0), 1.0 / (others + 2.0))

    def loss(given: FloatArray) -> tuple[float, FloatArray]:
        logit = given[0] * score + given[1]
        error = expit(logit) - target
        value = (np.logaddexp(0.0, logit) - target * logit).mean()
        return float(value), np.array([(error * score).mean(), error.mean()])

    found = minimize(loss, np.array([1.0, 0.0]), jac=True, method="L-BFGS-B")
    return float(found.x[0]), float(found.x[1])


def _log_odds(p: FloatArray) -> FloatArray:
    inside = np.clip(p, _SMALLEST, 1.0 - _SMALLEST)
    return np.asarray(np.log(inside) - np.log1p(-inside))


def _normalised(p: FloatArray) -> FloatArray:
    """Rows that sum to 1; one of nothing but zeros becomes even."""
    total = p.sum(axis=1, keepdims=True)
    even = np.full_like(p, 1.0 / p.shape[1])
    return np.where(total > 0, p / np.where(total > 0, total, 1.0), even)
