"""Ways of calibrating, side by side: as fitted, temperature, sigmoid, isotonic.

Only the temperature is served: it keeps the contributions additive (docs/decisions). The others
are fitted on the same tuning part, one category against the rest, and scaled to add up to 1.
"""

import numpy as np
from numpy.typing import NDArray

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
    from sklearn.linear_model import LogisticRegression

    solver = LogisticRegression(C=np.inf, solver="newton-cholesky")
    solver.fit(_log_odds(fitted_on)[:, None], case)
    return np.asarray(solver.predict_proba(_log_odds(asked)[:, None])[:, 1])


def _log_odds(p: FloatArray) -> FloatArray:
    inside = np.clip(p, _EDGE, 1.0 - _EDGE)
    return np.asarray(np.log(inside / (1.0 - inside)))
