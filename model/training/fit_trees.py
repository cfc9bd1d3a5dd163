"""Fits the boosted trees that can be served: XGBoost and LightGBM, also by the focal loss."""

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from model.estimators import BoostedTrees
from model.features import FloatArray
from model.lightgbm_trees import LightGbmTrees
from model.training.fitting import Fitted, Task
from model.training.focal import focal_derivatives, focal_loss

_PATIENCE = 10
"""Rounds without a gain after which boosting stops."""


def fit_xgboost(task: Task) -> Fitted:
    """XGBoost (Chen and Guestrin 2016), histogram method.

    `parameters`: `eta`, `max_depth`, `min_child_weight`, `subsample`, `colsample_bytree`,
    `lambda`, and for the focal loss `gamma`.
    """
    import xgboost

    given = task.parameters
    parameters: dict[str, Any] = {
        "objective": "multi:softprob",
        "num_class": task.categories,
        "eta": given["eta"],
        "max_depth": int(given["max_depth"]),
        "min_child_weight": given["min_child_weight"],
        "subsample": given["subsample"],
        "colsample_bytree": given["colsample_bytree"],
        "lambda": given["lambda"],
        "tree_method": "hist",
        "seed": task.seed,
        "nthread": task.threads,
        "verbosity": 0,
    }
    rows, start = task.rows, _start(task)

    def data(matrix: FloatArray, outcome: NDArray[np.intp], weight: FloatArray) -> Any:
        base = None if start is None else np.tile(start, (len(outcome), 1))
        return xgboost.DMatrix(
            matrix, outcome, weight=weight, base_margin=base, nthread=task.threads
        )

    more: dict[str, Any] = {}
    if rows.focal:
        gamma = given["gamma"]

        def objective(margins: FloatArray, of: Any) -> tuple[FloatArray, FloatArray]:
            return focal_derivatives(margins, of.get_label().astype(np.intp), gamma)

        def metric(margins: FloatArray, of: Any) -> tuple[str, float]:
            return "focal", float(focal_loss(margins, of.get_label().astype(np.intp), gamma).mean())

        more = {"obj": objective}
        parameters["disable_default_eval_metric"] = 1
    else:
        parameters["eval_metric"] = "mlogloss"
    training = data(task.matrix, rows.outcome, rows.weights)
    bias = rows.class_bias if start is None else rows.class_bias + start
    if task.check is None:
        grown = task.rounds or task.max_rounds
        booster = xgboost.train(parameters, training, grown, **more)
    else:
        if rows.focal:
            more["custom_metric"] = metric
        # Checked rows get the class frequencies of training: rounds are counted before the
        # correction of the frequencies, which an early stop on other frequencies would cut short.
        checked = data(*task.check, rows.class_weights[task.check[1]])
        booster = xgboost.train(
            parameters,
            training,
            task.max_rounds,
            evals=[(checked, "check")],
            early_stopping_rounds=_PATIENCE,
            verbose_eval=False,
            **more,
        )
        grown = int(booster.best_iteration) + 1
        booster = booster[:grown]
    columns = task.matrix.shape[1]
    return Fitted(BoostedTrees(booster, columns, task.categories, task.threads), bias, grown)


def fit_lightgbm(task: Task) -> Fitted:
    """LightGBM (Ke 2017), with the settings that make it give the same trees each time.

    `parameters`: `learning_rate`, `num_leaves`, `min_child_samples`, `subsample`,
    `colsample_bytree`, `reg_lambda`, and for the focal loss `gamma`.
    """
    import lightgbm

    given = task.parameters
    rows, start = task.rows, _start(task)
    parameters: dict[str, Any] = {
        "objective": _lightgbm_objective(given["gamma"]) if rows.focal else "multiclass",
        "metric": "None" if rows.focal else "multi_logloss",
        "num_class": task.categories,
        "learning_rate": given["learning_rate"],
        "num_leaves": int(given["num_leaves"]),
        "min_data_in_leaf": int(given["min_child_samples"]),
        "bagging_fraction": given["subsample"],
        "bagging_freq": 1,
        "feature_fraction": given["colsample_bytree"],
        "lambda_l2": given["reg_lambda"],
        "seed": task.seed,
        "num_threads": task.threads,
        "deterministic": True,
        "force_row_wise": True,
        "feature_pre_filter": False,
        "verbosity": -1,
    }

    def data(
        matrix: FloatArray, outcome: NDArray[np.intp], weight: FloatArray, of: Any = None
    ) -> Any:
        base = None if start is None else np.tile(start, (len(outcome), 1))
        return lightgbm.Dataset(
            matrix, outcome, weight=weight, init_score=base, reference=of, params=parameters
        )

    training = data(task.matrix, rows.outcome, rows.weights)
    bias = rows.class_bias if start is None else rows.class_bias + start
    if task.check is None:
        grown = task.rounds or task.max_rounds
        booster = lightgbm.train(parameters, training, grown)
    else:
        checked = data(*task.check, rows.class_weights[task.check[1]], of=training)
        booster = lightgbm.train(
            parameters,
            training,
            task.max_rounds,
            valid_sets=[checked],
            feval=_lightgbm_metric(given["gamma"]) if rows.focal else None,
            callbacks=[lightgbm.early_stopping(_PATIENCE, verbose=False)],
        )
        grown = max(int(booster.best_iteration), 1)
        # Only what the early stop keeps.
        booster = lightgbm.Booster(model_str=booster.model_to_string(num_iteration=grown))
    booster.best_iteration = -1
    columns = task.matrix.shape[1]
    return Fitted(LightGbmTrees(booster, columns, task.categories, task.threads), bias, grown)


def _start(task: Task) -> FloatArray | None:
    """Margins, (K,), from which the focal loss starts: those of the frequencies alone.

    A library starts its own log loss there by itself. They are not in the trees, so the caller
    adds them to the class bias.
    """
    if not task.rows.focal:
        return None
    counts = np.bincount(task.rows.outcome, minlength=task.categories)
    return np.asarray(np.log(counts / counts.sum()), dtype=np.float64)


def _lightgbm_objective(gamma: float) -> Callable[[FloatArray, Any], tuple[FloatArray, FloatArray]]:
    def objective(margins: FloatArray, of: Any) -> tuple[FloatArray, FloatArray]:
        return focal_derivatives(margins, of.get_label().astype(np.intp), gamma)

    return objective


def _lightgbm_metric(gamma: float) -> Callable[[FloatArray, Any], tuple[str, float, bool]]:
    def metric(margins: FloatArray, of: Any) -> tuple[str, float, bool]:
        loss = focal_loss(margins, of.get_label().astype(np.intp), gamma).mean()
        return "focal", float(loss), False

    return metric
