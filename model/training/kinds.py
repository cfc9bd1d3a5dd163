"""The kinds of model that are compared: what each can take, its defaults, what a search varies."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from model.features import FloatArray
from model.training.balancing import Balanced
from model.training.design import BALANCINGS, ESTIMATORS, TrainingSettings, Way
from model.training.fit_network import fit_mlp
from model.training.fit_others import (
    fit_decision_tree,
    fit_hist_boosting,
    fit_random_forest,
    fit_svm,
)
from model.training.fit_regression import fit_regression
from model.training.fit_trees import fit_lightgbm, fit_xgboost
from model.training.fitting import Fitted, Task, select

if TYPE_CHECKING:
    from optuna import Trial

_RESAMPLED = tuple(how for how in BALANCINGS if how != "focal")


@dataclass(frozen=True, slots=True)
class Range:
    """Values of a parameter that a search may choose."""

    low: float
    high: float
    log: bool = False
    whole: bool = False

    def of(self, trial: "Trial", name: str) -> float:
        """The value a trial gets."""
        if self.whole:
            return float(trial.suggest_int(name, int(self.low), int(self.high), log=self.log))
        return trial.suggest_float(name, self.low, self.high, log=self.log)


@dataclass(frozen=True, slots=True)
class Kind:
    """One kind of model."""

    fit: Callable[[Task], Fitted]
    defaults: Mapping[str, float]
    ranges: Mapping[str, Range]
    balancings: tuple[str, ...] = _RESAMPLED
    """Remedies for imbalance that it can take."""
    served: bool = False
    """Whether its contributions are exact within the time of an answer."""
    most_rows: int | None = None
    """Rows of the training part above which it is not tried: it would take hours."""
    compared_on: int | None = None
    """Rows that it is fitted to in the comparison at most, because it is slow."""


_COMPARED_ON = 40_000
"""The forest and the perceptron take longer with every row than boosting does."""
_FOCAL = {"gamma": 2.0}
"""Lin 2017 found 2 the best."""
_FOCAL_RANGE = {"gamma": Range(0.5, 3.0)}
_SHARES = Range(0.5, 1.0)

KINDS: Mapping[str, Kind] = {
    "logistic": Kind(
        fit_regression,
        {"inverse_penalty": 1.0, "knots": 0},
        {"inverse_penalty": Range(1e-3, 1e2, log=True)},
        served=True,
    ),
    "logistic_splines": Kind(
        fit_regression,
        {"inverse_penalty": 1.0, "knots": 4},
        {"inverse_penalty": Range(1e-3, 1e2, log=True), "knots": Range(3, 5, whole=True)},
        served=True,
    ),
    "decision_tree": Kind(
        fit_decision_tree,
        {"max_depth": 6, "min_samples_leaf": 50},
        {
            "max_depth": Range(3, 12, whole=True),
            "min_samples_leaf": Range(10, 500, log=True, whole=True),
        },
    ),
    "lightgbm": Kind(
        fit_lightgbm,
        {
            **{"learning_rate": 0.1, "num_leaves": 10, "min_child_samples": 50},
            **{"subsample": 0.8, "colsample_bytree": 0.8, "reg_lambda": 1.0},
            **_FOCAL,
        },
        {
            "learning_rate": Range(0.03, 0.2, log=True),
            "num_leaves": Range(4, 24, whole=True),
            "min_child_samples": Range(10, 500, log=True, whole=True),
            **{"subsample": _SHARES, "colsample_bytree": _SHARES},
            "reg_lambda": Range(0.1, 30.0, log=True),
            **_FOCAL_RANGE,
        },
        BALANCINGS,
        served=True,
    ),
    "xgboost": Kind(
        fit_xgboost,
        {
            **{"eta": 0.1, "max_depth": 4, "min_child_weight": 5.0},
            **{"subsample": 0.8, "colsample_bytree": 1.0, "lambda": 1.0},
            **_FOCAL,
        },
        {
            "eta": Range(0.05, 0.3, log=True),
            "max_depth": Range(2, 5, whole=True),
            "min_child_weight": Range(1.0, 100.0, log=True),
            **{"subsample": _SHARES, "colsample_bytree": _SHARES},
            "lambda": Range(0.1, 30.0, log=True),
            **_FOCAL_RANGE,
        },
        BALANCINGS,
        served=True,
    ),
    "hist_boosting": Kind(
        fit_hist_boosting,
        {
            **{"learning_rate": 0.1, "max_leaf_nodes": 10},
            **{"min_samples_leaf": 50, "l2_regularization": 1.0},
        },
        {
            "learning_rate": Range(0.03, 0.2, log=True),
            "max_leaf_nodes": Range(4, 24, whole=True),
            "min_samples_leaf": Range(10, 500, log=True, whole=True),
            "l2_regularization": Range(0.1, 30.0, log=True),
        },
    ),
    "random_forest": Kind(
        fit_random_forest,
        {"min_samples_leaf": 20, "max_features": 0.4},
        {
            "min_samples_leaf": Range(5, 200, log=True, whole=True),
            "max_features": Range(0.2, 1.0),
        },
        compared_on=_COMPARED_ON,
    ),
    "mlp": Kind(
        fit_mlp,
        {"hidden": 32, "alpha": 1e-3, "learning_rate": 3e-3},
        {
            "hidden": Range(8, 64, log=True, whole=True),
            "alpha": Range(1e-5, 1.0, log=True),
            "learning_rate": Range(1e-3, 1e-2, log=True),
        },
        compared_on=_COMPARED_ON,
    ),
    "svm": Kind(
        fit_svm,
        {"penalty": 1.0, "width": 1.0},
        {"penalty": Range(0.1, 30.0, log=True), "width": Range(0.1, 3.0, log=True)},
        most_rows=10_000,
    ),
}
"""In the order of `ESTIMATORS`."""


def ways(settings: TrainingSettings, rows: int) -> tuple[list[Way], dict[str, str]]:
    """What to compare with default parameters, and kinds that are not tried, with the reason.

    Simplest kind first, then simplest remedy; `rows` is the size of the training part.
    """
    found: list[Way] = []
    not_tried: dict[str, str] = {}
    for name in ESTIMATORS:
        if name not in settings.estimators:
            continue
        kind = KINDS[name]
        if kind.most_rows is not None and rows > kind.most_rows:
            not_tried[name] = f"not tried: more than {kind.most_rows} rows to train on"
            continue
        able = [how for how in settings.balancings if how in kind.balancings]
        found += [Way(name, how) for how in BALANCINGS if how in able]
    return found, not_tried


def fit(
    way: Way,
    rows: Balanced,
    columns: tuple[str, ...],
    settings: TrainingSettings,
    *,
    check: tuple[FloatArray, NDArray[np.intp]] | None = None,
    rounds: int | None = None,
    threads: int | None = None,
) -> Fitted:
    """Fit one way to balanced rows; what takes rounds stops early on `check` or after `rounds`.

    `rows` and `check` hold whole model matrices. Raises `KeyError` for a parameter that the kind
    does not have.
    """
    kind = KINDS[way.estimator]
    parameters = dict(kind.defaults)
    for name, value in way.parameters:
        if name not in parameters:
            raise KeyError(name)
        parameters[name] = value
    return kind.fit(
        Task(
            matrix=select(rows.matrix, columns),
            rows=rows,
            categories=len(rows.class_bias),
            parameters=parameters,
            seed=settings.seed,
            threads=threads or settings.threads,
            max_rounds=settings.max_rounds,
            check=None if check is None else (select(check[0], columns), check[1]),
            rounds=rounds,
        )
    )
