"""Fits what is compared and cannot be served: no exact contributions within an answer's time."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from model.features import FloatArray
from model.training.fitting import Fitted, Task
from model.training.preparation import Preparation

_SMALLEST_PROBABILITY = 1e-6
"""A forest may say 0 where none of its trees saw a case; a logarithm needs more."""
PATIENCE = 10
"""Rounds or epochs without a better one after which fitting ends."""


@dataclass(frozen=True, slots=True)
class Classifier:
    """A scikit-learn classifier that scores by the logarithm of its probabilities."""

    classifier: Any
    preparation: Preparation | None

    def margins(self, matrix: FloatArray) -> FloatArray:
        """Logarithms of the clipped probabilities, (n, K)."""
        given = matrix if self.preparation is None else self.preparation.apply(matrix)
        found = self.classifier.predict_proba(given)
        return np.asarray(np.log(np.maximum(found, _SMALLEST_PROBABILITY)), dtype=np.float64)


def fit_decision_tree(task: Task) -> Fitted:
    """One tree (Breiman 1984), which takes gaps as they are."""
    from sklearn.tree import DecisionTreeClassifier

    tree = DecisionTreeClassifier(
        max_depth=int(task.parameters["max_depth"]),
        min_samples_leaf=int(task.parameters["min_samples_leaf"]),
        random_state=task.seed,
    )
    return _fit(tree, task)


def fit_random_forest(task: Task) -> Fitted:
    """A random forest (Breiman 2001) of 100 trees, each on half of the rows."""
    from sklearn.ensemble import RandomForestClassifier

    forest = RandomForestClassifier(
        n_estimators=100,
        max_samples=0.5,
        min_samples_leaf=int(task.parameters["min_samples_leaf"]),
        max_features=task.parameters["max_features"],
        random_state=task.seed,
        n_jobs=task.threads,
    )
    return _fit(forest, task)


def fit_hist_boosting(task: Task) -> Fitted:
    """scikit-learn's histogram boosting, which takes gaps as they are."""
    from sklearn.ensemble import HistGradientBoostingClassifier

    boosting = HistGradientBoostingClassifier(
        learning_rate=task.parameters["learning_rate"],
        max_leaf_nodes=int(task.parameters["max_leaf_nodes"]),
        min_samples_leaf=int(task.parameters["min_samples_leaf"]),
        l2_regularization=task.parameters["l2_regularization"],
        max_iter=task.rounds or task.max_rounds,
        early_stopping=task.check is not None,
        n_iter_no_change=PATIENCE,
        random_state=task.seed,
    )
    more: dict[str, Any] = {}
    if task.check is not None:
        matrix, outcome = task.check
        more = {
            "X_val": matrix,
            "y_val": outcome,
            "sample_weight_val": task.rows.class_weights[outcome],
        }
    return _fit(boosting, task, more=more, rounds=lambda fitted: int(fitted.n_iter_))


def fit_svm(task: Task) -> Fitted:
    """A support vector machine with a radial kernel; its scores become odds by Platt's method."""
    from sklearn.calibration import CalibratedClassifierCV
    from sklearn.svm import SVC

    machine = SVC(
        C=task.parameters["penalty"],
        gamma=task.parameters["width"] / task.matrix.shape[1],
        random_state=task.seed,
    )
    return _fit(CalibratedClassifierCV(machine, ensemble=False, cv=3), task, prepared=True)


def _fit(
    classifier: Any,
    task: Task,
    *,
    prepared: bool = False,
    more: dict[str, Any] | None = None,
    rounds: Callable[[Any], int] | None = None,
) -> Fitted:
    preparation = Preparation.of(task.matrix) if prepared else None
    given = task.matrix if preparation is None else preparation.apply(task.matrix)
    # Equal weights are none: scikit-learn's boosting takes ten times as long to heed them.
    weights = task.rows.weights if np.ptp(task.rows.weights) > 0 else None
    classifier.fit(given, task.rows.outcome, sample_weight=weights, **(more or {}))
    return Fitted(
        Classifier(classifier, preparation),
        task.rows.class_bias,
        None if rounds is None else rounds(classifier),
    )
