"""Fits a perceptron, and stops it where its probabilities of rows it did not learn are best."""

from copy import deepcopy
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from model.features import FloatArray
from model.training.fit_others import PATIENCE, Classifier
from model.training.fitting import Fitted, Task
from model.training.preparation import Preparation

_MOST_EPOCHS = 100
_WATCHED = 0.1
"""Share of the rows that tells when to stop, where no other rows are given for that."""


@dataclass(frozen=True, slots=True)
class _Part:
    """Some rows, prepared."""

    matrix: FloatArray
    outcome: NDArray[np.intp]
    weights: FloatArray

    def only(self, rows: NDArray[np.intp]) -> "_Part":
        """These rows of them."""
        return _Part(self.matrix[rows], self.outcome[rows], self.weights[rows])

    def loss(self, network: Any) -> float:
        """Weighted log loss, nat."""
        margins = Classifier(network, None).margins(self.matrix)
        surprise = -margins[np.arange(len(margins)), self.outcome]
        return float(np.average(surprise, weights=self.weights))


def fit_mlp(task: Task) -> Fitted:
    """A perceptron with one hidden layer (Adam), after the epoch with the lowest log loss.

    The log loss is of `task.check`, else of a tenth of the rows, which are not learnt from.
    scikit-learn's own early stopping watches accuracy, which says nothing of a rare category.
    """
    from sklearn.neural_network import MLPClassifier

    network = MLPClassifier(
        hidden_layer_sizes=(int(task.parameters["hidden"]),),
        alpha=task.parameters["alpha"],
        learning_rate_init=task.parameters["learning_rate"],
        # A number would put the rows of every epoch into the same order.
        random_state=np.random.RandomState(task.seed),
    )
    preparation = Preparation.of(task.matrix)
    learnt = _Part(preparation.apply(task.matrix), task.rows.outcome, task.rows.weights)
    if task.rounds is not None:
        for _ in range(task.rounds):
            _learn(network, learnt, task.categories)
        return Fitted(Classifier(network, preparation), task.rows.class_bias, task.rounds)
    if task.check is None:
        order = np.random.default_rng(task.seed).permutation(len(learnt.outcome))
        cut = max(round(_WATCHED * len(order)), 1)
        learnt, watched = learnt.only(order[cut:]), learnt.only(order[:cut])
    else:
        matrix, outcome = task.check
        # As frequent as in the rows that are learnt, whatever the remedy for imbalance.
        watched = _Part(preparation.apply(matrix), outcome, task.rows.class_weights[outcome])
    best, lowest, stopped = network, np.inf, 0
    for epoch in range(1, _MOST_EPOCHS + 1):
        _learn(network, learnt, task.categories)
        loss = watched.loss(network)
        if loss < lowest:
            best, lowest, stopped = deepcopy(network), loss, epoch
        elif epoch - stopped >= PATIENCE:
            break
    return Fitted(Classifier(best, preparation), task.rows.class_bias, stopped)


def _learn(network: Any, part: _Part, categories: int) -> None:
    """One epoch."""
    network.partial_fit(
        part.matrix, part.outcome, sample_weight=part.weights, classes=np.arange(categories)
    )
