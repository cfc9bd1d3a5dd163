"""The candidates of a training run, fitted and compared on folds inside the training part."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from model.errors import TrainingError
from model.estimators import BoostedTrees, Estimator, LogisticRegression, SplineBasis
from model.explanation import softmax
from model.features import MODEL_COLUMNS, FloatArray
from model.training.balancing import Balanced, balance
from model.training.design import BALANCINGS, ESTIMATORS, TrainingSettings

_PATIENCE = 10
_DEPTH = 4
_LEARNING_RATE = 0.1
_KNOTS = (0.05, 0.35, 0.65, 0.95)
"""Quantiles of four knots (Harrell 2001, table 2.3)."""
_INVERSE_PENALTY = 1.0
_SMALLEST_PROBABILITY = 1e-15


@dataclass(frozen=True, slots=True)
class Candidate:
    """An estimator and a way of balancing, with its log loss on rows it was not fitted to."""

    estimator: str
    balancing: str
    log_loss: float
    """Mean over the training part, out of fold, nat."""
    behind: float
    """Log loss minus that of the best candidate, nat."""
    standard_error: float
    """Standard error of `behind`, by patient."""
    rounds: int | None
    """Boosting rounds: the median over folds of where early stopping ended."""
    verdict: str
    """Why it was chosen or not, in words."""

    @property
    def name(self) -> str:
        """`xgboost + smote` and alike."""
        return f"{self.estimator} + {self.balancing.replace('_', ' ')}"


@dataclass(frozen=True, slots=True)
class Fitted:
    """A fitted estimator and the bias that restores the true frequencies."""

    estimator: Estimator
    class_bias: FloatArray
    rounds: int | None


def compare(
    matrix: FloatArray,
    columns: tuple[str, ...],
    outcome: NDArray[np.intp],
    patient: NDArray[np.intp],
    categories: int,
    settings: TrainingSettings,
    progress: Callable[[float], None],
) -> tuple[Candidate, list[Candidate]]:
    """Cross-validate every candidate; returns the chosen one and all, best first.

    Folds are stratified by category and never divide a patient. The lowest log loss wins; a
    simpler candidate wins instead where it is no further behind than one standard error of the
    difference (Breiman 1984, with the paired error, which is the smaller). Early stopping looks
    at the fold that is scored: the figure of trees is a little too good, the held-out one is not.

    Raises `TrainingError` if the rows of a category cannot be spread over the folds.
    """
    from sklearn.model_selection import StratifiedGroupKFold

    folds = StratifiedGroupKFold(settings.folds, shuffle=True, random_state=settings.seed)
    pairs = list(folds.split(matrix, outcome, patient))
    if any(len(np.unique(outcome[fit_rows])) < categories for fit_rows, _ in pairs):
        raise TrainingError(
            "A category has its rows in too few patients to compare models; bring more history."
        )
    ways = [
        (estimator, how)
        for estimator in ESTIMATORS
        if estimator in settings.estimators
        for how in BALANCINGS
        if how in settings.balancings
    ]
    losses = {way: np.empty(len(outcome)) for way in ways}
    rounds: dict[tuple[str, str], list[int]] = {way: [] for way in ways}
    done = 0
    for fit_rows, check_rows in pairs:
        for how in BALANCINGS:
            if how not in settings.balancings:
                continue
            rows = balance(how, matrix[fit_rows], outcome[fit_rows], categories, settings.seed)
            for estimator in ESTIMATORS:
                if estimator not in settings.estimators:
                    continue
                check = (matrix[check_rows], outcome[check_rows])
                fitted = fit(estimator, rows, columns, settings, check=check)
                margins = fitted.estimator.margins(select(check[0], columns))
                found = softmax(margins + fitted.class_bias)[np.arange(len(check_rows)), check[1]]
                losses[estimator, how][check_rows] = -np.log(
                    np.maximum(found, _SMALLEST_PROBABILITY)
                )
                if fitted.rounds is not None:
                    rounds[estimator, how].append(fitted.rounds)
                done += 1
                progress(done / (len(ways) * len(pairs)))
    return _choose(ways, losses, rounds, patient)


def _choose(
    ways: list[tuple[str, str]],
    losses: dict[tuple[str, str], FloatArray],
    rounds: dict[tuple[str, str], list[int]],
    patient: NDArray[np.intp],
) -> tuple[Candidate, list[Candidate]]:
    """Apply the rule of `compare` to losses per row; `ways` come simplest first."""
    best = min(ways, key=lambda way: float(losses[way].mean()))
    figures: dict[tuple[str, str], tuple[float, float, float]] = {}
    for way in ways:
        difference = losses[way] - losses[best]
        behind = float(difference.mean())
        by_patient = np.bincount(patient, weights=difference - behind)
        error = float(np.sqrt((by_patient**2).sum()) / len(patient))
        figures[way] = (float(losses[way].mean()), behind, error)
    chosen = next(way for way in ways if figures[way][1] <= figures[way][2])
    table: list[Candidate] = []
    for way in sorted(ways, key=lambda way: figures[way][0]):
        loss, behind, error = figures[way]
        table.append(
            Candidate(
                *way,
                log_loss=loss,
                behind=behind,
                standard_error=error,
                rounds=int(np.median(rounds[way])) if rounds[way] else None,
                verdict=_verdict(way, chosen, best, behind, error),
            )
        )
    return next(c for c in table if (c.estimator, c.balancing) == chosen), table


def _verdict(
    way: tuple[str, str],
    chosen: tuple[str, str],
    best: tuple[str, str],
    behind: float,
    error: float,
) -> str:
    if way == chosen == best:
        return "chosen: lowest log loss"
    if way == chosen:
        return f"chosen: simpler, and behind by {behind:.4f} only (standard error {error:.4f})"
    if way == best:
        return "not chosen: lowest log loss, but a simpler one is as good within one standard error"
    if behind <= error:
        return f"not chosen: as good within one standard error ({error:.4f}), but less simple"
    return f"not chosen: behind by {behind:.4f} (standard error {error:.4f})"


def select(matrix: FloatArray, columns: tuple[str, ...]) -> FloatArray:
    """The named columns of a whole model matrix, (n, len(columns))."""
    position = {column.name: i for i, column in enumerate(MODEL_COLUMNS)}
    return matrix[:, [position[name] for name in columns]]


def fit(
    estimator: str,
    rows: Balanced,
    columns: tuple[str, ...],
    settings: TrainingSettings,
    *,
    check: tuple[FloatArray, NDArray[np.intp]] | None = None,
    rounds: int | None = None,
) -> Fitted:
    """Fit one estimator; trees stop early on `check` rows or grow `rounds` rounds."""
    matrix = select(rows.matrix, columns)
    categories = len(rows.class_bias)
    if estimator == "logistic":
        regression = _fit_logistic(matrix, rows.outcome, rows.weights, categories)
        return Fitted(regression, rows.class_bias, None)
    booster, grown = _fit_trees(matrix, columns, rows, categories, settings, check, rounds)
    trees = BoostedTrees(booster, len(columns), categories, settings.threads)
    return Fitted(trees, rows.class_bias, grown)


def _fit_trees(
    matrix: FloatArray,
    columns: tuple[str, ...],
    rows: Balanced,
    categories: int,
    settings: TrainingSettings,
    check: tuple[FloatArray, NDArray[np.intp]] | None,
    rounds: int | None,
) -> tuple[Any, int]:
    import xgboost

    parameters = {
        "objective": "multi:softprob",
        "num_class": categories,
        "eval_metric": "mlogloss",
        "max_depth": _DEPTH,
        "eta": _LEARNING_RATE,
        "min_child_weight": 5,
        "subsample": 0.8,
        "tree_method": "hist",
        "seed": settings.seed,
        "nthread": settings.threads,
        "verbosity": 0,
    }
    data = xgboost.DMatrix(matrix, rows.outcome, weight=rows.weights, nthread=settings.threads)
    if check is None:
        grown = rounds or settings.max_rounds
        return xgboost.train(parameters, data, grown), grown
    # Validation rows get the class frequencies of training: rounds are counted before the
    # correction of the frequencies, which an early stop on other frequencies would cut short.
    validation = xgboost.DMatrix(
        select(check[0], columns),
        check[1],
        weight=rows.class_weights[check[1]],
        nthread=settings.threads,
    )
    booster = xgboost.train(
        parameters,
        data,
        settings.max_rounds,
        evals=[(validation, "check")],
        early_stopping_rounds=_PATIENCE,
        verbose_eval=False,
    )
    grown = int(booster.best_iteration) + 1
    return booster[:grown], grown


def _fit_logistic(
    matrix: FloatArray, outcome: NDArray[np.intp], weights: FloatArray, categories: int
) -> LogisticRegression:
    """Maximum likelihood with a small ridge penalty on standardised terms."""
    from sklearn.linear_model import LogisticRegression as Fit

    missing_rate = np.isnan(matrix).mean(axis=0)
    low, high = np.nanquantile(matrix, [0.001, 0.999], axis=0)
    size = matrix.shape[1]
    knots = tuple(_knots(matrix[:, i]) for i in range(size))
    terms = size + sum(len(t[2:]) for t in knots)

    def build(
        centre: FloatArray, scale: FloatArray, coefficients: FloatArray
    ) -> LogisticRegression:
        basis = SplineBasis(_floats(low), _floats(high), knots, _floats(centre), _floats(scale))
        return LogisticRegression(basis, missing_rate, coefficients, np.zeros(categories))

    blank = np.zeros((categories, terms + size))
    raw = build(np.zeros(terms), np.ones(terms), blank).raw_terms(matrix)
    centre, scale = np.nanmean(raw, axis=0), np.nanstd(raw, axis=0)
    scale[scale == 0] = 1.0
    shaped = build(centre, scale, blank)
    solver = Fit(C=_INVERSE_PENALTY, solver="newton-cholesky", max_iter=100, tol=1e-4)
    solver.fit(shaped.terms(matrix), outcome, sample_weight=weights)
    coefficients, intercept = solver.coef_, solver.intercept_
    if categories == 2:
        # Two categories come as one row; in halves they are two margins of the same odds.
        coefficients = np.vstack([-coefficients, coefficients]) / 2.0
        intercept = np.concatenate([-intercept, intercept]) / 2.0
    return LogisticRegression(shaped.basis, missing_rate, coefficients, np.asarray(intercept))


def _knots(column: FloatArray) -> tuple[float, ...]:
    """Four knots, or none where the values are too few or too alike for a curve."""
    seen = column[np.isfinite(column)]
    if len(np.unique(seen)) < 10:
        return ()
    places = np.unique(np.quantile(seen, _KNOTS))
    return _floats(places) if len(places) == len(_KNOTS) else ()


def _floats(values: FloatArray) -> tuple[float, ...]:
    return tuple(float(value) for value in values)
