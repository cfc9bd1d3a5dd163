"""Fits multinomial logistic regression, straight or with splines."""

import warnings

import numpy as np

from model.estimators import LogisticRegression, SplineBasis
from model.features import FloatArray
from model.training.fitting import Fitted, Task
from model.training.preparation import skewed_columns

_KNOTS = {
    3: (0.10, 0.50, 0.90),
    4: (0.05, 0.35, 0.65, 0.95),
    5: (0.05, 0.275, 0.50, 0.725, 0.95),
}
"""Quantiles of the knots (Harrell 2001, table 2.3)."""


def fit_regression(task: Task) -> Fitted:
    """Maximum likelihood with a ridge penalty on standardised terms.

    `parameters`: `inverse_penalty` and `knots`, 0 for straight lines. A straight line is drawn
    through the logarithm of a column that is skewed; a spline bends by itself.
    """
    from sklearn.exceptions import ConvergenceWarning
    from sklearn.linear_model import LogisticRegression as Fit

    matrix, categories = task.matrix, task.categories
    places = _KNOTS.get(int(task.parameters["knots"]), ())
    missing_rate = np.isnan(matrix).mean(axis=0)
    low, high = np.nanquantile(matrix, [0.001, 0.999], axis=0)
    size = matrix.shape[1]
    knots = tuple(_knots(matrix[:, i], places) for i in range(size))
    logged = () if places else tuple(np.flatnonzero(skewed_columns(matrix)).tolist())
    terms = size + sum(len(t[2:]) for t in knots)

    def build(
        centre: FloatArray, scale: FloatArray, coefficients: FloatArray, intercept: FloatArray
    ) -> LogisticRegression:
        basis = SplineBasis(
            _floats(low), _floats(high), knots, _floats(centre), _floats(scale), logged
        )
        return LogisticRegression(basis, missing_rate, coefficients, intercept)

    blank, zero = np.zeros((categories, terms + size)), np.zeros(categories)
    raw = build(np.zeros(terms), np.ones(terms), blank, zero).raw_terms(matrix)
    centre, scale = np.nanmean(raw, axis=0), np.nanstd(raw, axis=0)
    scale[scale == 0] = 1.0
    shaped = build(centre, scale, blank, zero)
    solver = Fit(
        C=task.parameters["inverse_penalty"], solver="newton-cholesky", max_iter=100, tol=1e-4
    )
    with warnings.catch_warnings():
        # The comparison shows whether a fit that stopped short is good enough.
        warnings.simplefilter("ignore", ConvergenceWarning)
        solver.fit(shaped.terms(matrix), task.rows.outcome, sample_weight=task.rows.weights)
    coefficients, intercept = solver.coef_, solver.intercept_
    if categories == 2:
        # Two categories come as one row; in halves they are two margins of the same odds.
        coefficients = np.vstack([-coefficients, coefficients]) / 2.0
        intercept = np.concatenate([-intercept, intercept]) / 2.0
    fitted = build(centre, scale, coefficients, np.asarray(intercept))
    return Fitted(fitted, task.rows.class_bias, None)


def _knots(column: FloatArray, places: tuple[float, ...]) -> tuple[float, ...]:
    """Knots at quantiles, or none where the values are too few or too alike for a curve."""
    seen = column[np.isfinite(column)]
    if not places or len(np.unique(seen)) < 10:
        return ()
    found = np.unique(np.quantile(seen, places))
    return _floats(found) if len(found) == len(places) else ()


def _floats(values: FloatArray) -> tuple[float, ...]:
    return tuple(float(value) for value in values)
