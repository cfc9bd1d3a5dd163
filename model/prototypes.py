"""Few-shot heads: readings like those of a handful of confirmed cases of a rare disease.

A head is a prototype in the feature space of the model: the mean of the cases, against the common
centre. It never names a category and never moves an indicator; it adds one line to a card, and it
is served only if leave-one-out has shown that the readings tell these cases (see
`model.training.rare_heads`).
"""

from dataclasses import dataclass, field

import numpy as np

from model.assessment import RareMatch
from model.features import FloatArray
from model.rarity import Rarity

_SMALLEST_PROBABILITY = 1e-12


@dataclass(frozen=True, slots=True)
class PrototypeHead:
    """One rare disease that the readings tell."""

    code: str
    """`ORPHA:…` or `OMIM:…`."""
    name: str | None
    """Where the history says it; else whoever shows it may know."""
    cases: int
    """Confirmed cases (patients) it was made from."""
    displacement: tuple[float, ...]
    """Prototype minus common centre, in robust standard deviations of each feature; shrunk, and 0
    where no case has the value."""
    threshold: float
    """A chart reads like the cases where its score is at least this."""
    flag_rate: float
    """Share of charts for which the threshold was set."""


@dataclass(frozen=True)
class Prototypes:
    """The heads of a model, and the space they live in."""

    space: Rarity
    """Centre, scale and correlation of the features: the model's readings and age, then the
    contrasts of `contrasts`; without reference scores."""
    heads: tuple[PrototypeHead, ...]
    _displacements: FloatArray = field(init=False, repr=False, compare=False)
    _thresholds: FloatArray = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        """Lay the heads out as arrays; raises `ValueError` if they do not fit the space."""
        size = len(self.space.inputs)
        if not self.heads or any(len(head.displacement) != size for head in self.heads):
            raise ValueError("the heads do not fit their space")
        displacements = np.asarray([head.displacement for head in self.heads], dtype=np.float64)
        thresholds = np.asarray([head.threshold for head in self.heads], dtype=np.float64)
        object.__setattr__(self, "_displacements", displacements)
        object.__setattr__(self, "_thresholds", thresholds)

    def scores(self, inputs: FloatArray, probabilities: FloatArray) -> FloatArray:
        """Log-ratio of each row for each head, (n, heads); NaN without a reading.

        `inputs` (n, d) are the readings and age of the space, NaN where missing; `probabilities`
        (n, K) the calibrated ones of the model.
        """
        features = np.concatenate([inputs, contrasts(probabilities)], axis=1)
        return self.space.log_ratios(features, self._displacements)

    def matches(self, inputs: FloatArray, probabilities: FloatArray) -> tuple[RareMatch, ...]:
        """Heads that one chart (n = 1) reaches, the clearest first."""
        score = self.scores(inputs, probabilities)[0]
        # NaN reaches nothing.
        reached = np.flatnonzero(score >= self._thresholds)
        order = sorted(reached.tolist(), key=lambda i: self._thresholds[i] - score[i])
        return tuple(
            RareMatch(
                self.heads[i].code,
                self.heads[i].name,
                self.heads[i].cases,
                self.heads[i].flag_rate,
                float(score[i]),
            )
            for i in order
        )


def contrasts(probabilities: FloatArray) -> FloatArray:
    """Calibrated logits of all categories but the last, against their mean, (n, K − 1).

    The centred log-ratio (Aitchison 1982): what the model has learnt of the chart, whatever
    constant its margins carry. The last is minus the sum of the others.
    """
    logs = np.log(np.maximum(probabilities, _SMALLEST_PROBABILITY))
    centred = logs - logs.mean(axis=1, keepdims=True)
    return np.asarray(centred[:, :-1], dtype=np.float64)
