"""What fitting one candidate takes and gives, whatever its kind."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from model.estimators import Estimator
from model.features import MODEL_COLUMNS, FloatArray
from model.training.balancing import Balanced


class Scored(Protocol):
    """A fitted model that scores; one that can be served is an `Estimator`."""

    def margins(self, matrix: FloatArray) -> FloatArray:
        """Scores before softmax, (n, K), for `matrix` of shape (n, M)."""


@dataclass(frozen=True, slots=True)
class Task:
    """Rows of the columns that are used, and how to fit them."""

    matrix: FloatArray
    """(m, M); NaN is missing."""
    rows: Balanced
    categories: int
    parameters: Mapping[str, float]
    """All parameters of the kind."""
    seed: int
    threads: int
    max_rounds: int
    check: tuple[FloatArray, NDArray[np.intp]] | None
    """Rows of the same columns and their categories, on which boosting and networks stop
    early."""
    rounds: int | None
    """Boosting rounds, or epochs of a network, where they are known."""


@dataclass(frozen=True, slots=True)
class Fitted:
    """A fitted model and the bias that restores the true frequencies."""

    model: Scored
    class_bias: FloatArray
    rounds: int | None

    @property
    def estimator(self) -> Estimator:
        """The model, to be served. Raises `TypeError` if its kind cannot be."""
        if not hasattr(self.model, "contributions"):
            raise TypeError("this kind of model is compared, not served")
        return self.model  # type: ignore[return-value]  # contributions make an Estimator of it


def select(matrix: FloatArray, columns: tuple[str, ...]) -> FloatArray:
    """The named columns of a whole model matrix, (n, len(columns))."""
    position = {column.name: i for i, column in enumerate(MODEL_COLUMNS)}
    return matrix[:, [position[name] for name in columns]]
