"""What a model must beat on the same rows: the frequencies, the age, NEWS2, NEWS2 and the age.

Each comparator is fitted on training rows only. NEWS2 is a ranking and no probability, so one
comes from a multinomial logistic model of the points. The last comparator also knows how many
parameters are missing: that is no part of NEWS2, but missing is a sign by itself (C8), and a
model that wins by it alone has read the staff's worry and not the vital signs.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from model.early_warning import MIN_AGE, PARAMETERS, points_of
from model.features import FloatArray

CONSTANT, AGE, NEWS2, NEWS2_AND_AGE = "constant", "age", "news2", "news2_and_age"
NEWS2_AGE_AND_MISSING = "news2_age_and_missing"
COMPARATORS: tuple[str, ...] = (CONSTANT, AGE, NEWS2, NEWS2_AND_AGE, NEWS2_AGE_AND_MISSING)
"""Names of the comparators, in the order of reports."""

_INVERSE_PENALTY = 1.0
"""A small ridge penalty on standardised terms, as of the candidates."""
_KNOTS = 4
"""Knots of the curve of age, at equal quantiles."""
_FEWEST_AGES = 10
"""Different ages below which a straight line takes the place of the curve."""


def news2_points(
    frame: pd.DataFrame, parameters: Sequence[str] | None = None
) -> tuple[FloatArray, FloatArray]:
    """Sum of the NEWS2 points measured, and how many of the parameters are missing, each (n,).

    `parameters` are those to count, by default those of `early_warning.PARAMETERS` that are
    columns of `frame`; two of the seven of NEWS2 (oxygen, consciousness) are never known here. A
    missing parameter adds no points and is counted as missing, never scored as 0 (C9). The
    sum is NaN where nothing was measured, and where NEWS2 does not apply: under 16 years, or at
    an unknown age (RCP 2017).
    """
    counted = [name for name in parameters or PARAMETERS if name in frame]
    n = len(frame)
    if not counted:
        return np.full(n, np.nan), np.zeros(n)
    points = np.column_stack([points_of(name, _column(frame, name)) for name in counted])
    applies = _column(frame, "age") >= MIN_AGE
    points[~applies] = np.nan
    missing = np.isnan(points).sum(axis=1)
    total = np.where(missing < len(counted), np.nansum(points, axis=1), np.nan)
    return total, missing.astype(np.float64)


def comparator_probabilities(
    train_frame: pd.DataFrame,
    train_outcome: NDArray[np.intp],
    frame: pd.DataFrame,
    classes: Sequence[str],
    *,
    parameters: Sequence[str] | None = None,
) -> dict[str, FloatArray]:
    """Probabilities (n, K) of every comparator for the rows of `frame`, by `COMPARATORS`.

    Fitted on `train_frame` (columns of `model.features.ROW_NAMES`, in their units) and
    `train_outcome`, (m,) positions in `classes`; K is `len(classes)`. The constant predictor
    gives the training frequencies; the age enters as a cubic spline; NEWS2 as the sum of the
    points of the `parameters` that were measured, with an indicator of there being none (see
    `news2_points`); the last one also has the number that are missing. A category
    without a training row has probability 0. Raises `ValueError` without training rows.
    """
    if len(train_outcome) == 0:
        raise ValueError("comparators are fitted on at least one training row")
    frequencies = np.bincount(train_outcome, minlength=len(classes)) / len(train_outcome)
    found = {CONSTANT: np.tile(frequencies, (len(frame), 1))}
    age = _Curve(_column(train_frame, "age"))
    terms = {
        name: [
            np.column_stack(parts)
            for parts in (
                _terms(name, train_frame, age, parameters),
                _terms(name, frame, age, parameters),
            )
        ]
        for name in COMPARATORS[1:]
    }
    for name, (fitted_on, asked) in terms.items():
        found[name] = _logistic(fitted_on, train_outcome, asked, len(classes), frequencies)
    return found


class _Curve:
    """The age as terms of a cubic spline that goes on straight outside its knots."""

    def __init__(self, age: FloatArray) -> None:
        from sklearn.preprocessing import SplineTransformer

        seen = age[np.isfinite(age)]
        self._fill = float(np.median(seen)) if len(seen) else 0.0
        self._spline: Any = None
        if len(np.unique(seen)) >= _FEWEST_AGES:
            spline = SplineTransformer(
                n_knots=_KNOTS, knots="quantile", extrapolation="linear", include_bias=False
            )
            self._spline = spline.fit(seen[:, None])

    def terms(self, age: FloatArray) -> list[FloatArray]:
        """Columns for a missing age, and the curve (or line) of a known one."""
        absent = np.isnan(age)
        filled = np.where(absent, self._fill, age)[:, None]
        shape = filled if self._spline is None or not len(age) else self._spline.transform(filled)
        if not len(age) and self._spline is not None:
            shape = np.empty((0, self._spline.n_features_out_))
        return [absent[:, None].astype(np.float64), np.asarray(shape, dtype=np.float64)]


def _terms(
    name: str, frame: pd.DataFrame, age: _Curve, parameters: Sequence[str] | None
) -> list[FloatArray]:
    found: list[FloatArray] = []
    if name != AGE:
        total, missing = news2_points(frame, parameters)
        unknown = np.isnan(total)
        found += [np.where(unknown, 0.0, total)[:, None], unknown[:, None].astype(np.float64)]
        if name == NEWS2_AGE_AND_MISSING:
            found.append(missing[:, None])
    if name != NEWS2:
        found += age.terms(_column(frame, "age"))
    return found


def _logistic(
    fitted_on: FloatArray,
    outcome: NDArray[np.intp],
    asked: FloatArray,
    categories: int,
    frequencies: FloatArray,
) -> FloatArray:
    """Probabilities (n, K) of a multinomial logistic model of standardised terms."""
    from sklearn.linear_model import LogisticRegression

    occurring = np.unique(outcome)
    if len(occurring) < 2 or len(asked) == 0:
        return np.tile(frequencies, (len(asked), 1))
    centre, scale = fitted_on.mean(axis=0), fitted_on.std(axis=0)
    scale[scale == 0] = 1.0
    solver = LogisticRegression(C=_INVERSE_PENALTY, solver="newton-cholesky", max_iter=200)
    solver.fit((fitted_on - centre) / scale, outcome)
    found = np.zeros((len(asked), categories))
    found[:, solver.classes_] = solver.predict_proba((asked - centre) / scale)
    return found


def _column(frame: pd.DataFrame, name: str) -> FloatArray:
    if name not in frame:
        return np.full(len(frame), np.nan)
    return np.asarray(frame[name].to_numpy(dtype=np.float64, na_value=np.nan))
