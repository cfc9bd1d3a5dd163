"""Ways of calibrating, side by side: as fitted, temperature, sigmoid, isotonic.

Only the temperature is served: it keeps the contributions additive (docs/decisions). The others
are fitted on the same tuning part, one category against the rest, and scaled to add up to 1.
"""

import numpy as np
from numpy.typing import NDArray
from scipy.special import expit

from model.explanation import softmax
from model.features import FloatArray

UNCALIBRATED, TEMPERATURE, SIGMOID, ISOTONIC = "uncalibrated", "temperature", "sigmoid", "isotonic"
_EDGE = 1e-6


def calibrated_in_other_ways(
    tuning_margins: FloatArray, tuning_outcome: NDArray[np.intp], margins: FloatArray
) -> dict[str, FloatArray]:
    """Probabilities (n, K) of `margins` (n, K) without calibration, by sigmoid and by isotonic.

    Margins have their class bias. Fitted on (m, K) margins and (m,) positions of the outcome of
    the tuning part; Platt 1999 for the sigmoid, Zadrozny and Elkan 2002 for isotonic regression
    and for one against the rest. A category without a case there, or with nothing else, is left
    as it is.
    """
    fitted_on, plain = softmax(tuning_margins), softmax(margins)
    found = {UNCALIBRATED: plain}
    for name in (SIGMOID, ISOTONIC):
        columns = [
            _one(name, fitted_on[:, i], tuning_outcome == i, plain[:, i])
            for i in range(plain.shape[1])
        ]
        together = np.maximum(np.column_stack(columns), _EDGE)
        found[name] = together / together.sum(axis=1, keepdims=True)
    return found


def _one(
    name: str, fitted_on: FloatArray, case: NDArray[np.bool_], asked: FloatArray
) -> FloatArray:
    if not case.any() or case.all():
        return asked
    if name == ISOTONIC:
        from sklearn.isotonic import IsotonicRegression

        curve = IsotonicRegression(y_min=0.0, y_max=1.0, out_of_bounds="clip")
        return np.asarray(curve.fit(fitted_on, case.astype(np.float64)).predict(asked))
    slope, intercept = _platt(_log_odds(fitted_on), case)
    return np.asarray(expit(slope * _log_odds(asked) + intercept))


def _platt(score: FloatArray, case: NDArray[np.bool_]) -> tuple[float, float]:
    """Slope and intercept of log-odds, with Platt's targets, which keep off 0 and 1.

    So they are finite also where a category is told apart without fault.
    """
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
    inside = np.clip(p, _EDGE, 1.0 - _EDGE)
    return np.asarray(np.log(inside / (1.0 - inside)))
