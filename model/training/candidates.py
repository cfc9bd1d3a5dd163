"""The candidates of a training run: the figures of each, and the choice among them."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from model.features import FloatArray
from model.training.design import BALANCINGS, ESTIMATORS, Way
from model.training.evaluating import FoldResult, Ground, Progress, Run
from model.training.kinds import KINDS

EXPLANATION = "its contributions cannot be exact within the time of an answer"
"""The gate "explanation": why a kind is compared and not served."""


@dataclass(frozen=True, slots=True)
class Tried:
    """A way and what it came to in every fold."""

    way: Way
    losses: FloatArray
    """Log loss of each row of the training part, out of fold, (n,)."""
    rounds: tuple[int, ...]
    """Boosting rounds, or epochs, in each fold; empty for kinds without."""
    seconds: float
    """Processor time of its fits, mean over folds."""
    trials: int = 1
    """Sets of parameters that were tried for its kind and remedy."""


@dataclass(frozen=True, slots=True)
class Candidate:
    """A kind of model and a remedy, with its log loss on rows it was not fitted to."""

    estimator: str
    balancing: str
    parameters: tuple[tuple[str, float], ...]
    """Those a search chose; empty for the kind's defaults."""
    log_loss: float
    """Mean over the training part, out of fold, after a temperature, nat."""
    behind: float
    """Log loss minus that of the best candidate that can be served, nat."""
    standard_error: float
    """Standard error of `behind`, by patient."""
    rounds: int | None
    """Boosting rounds, or epochs: the median over folds of where early stopping ended."""
    trials: int
    """Sets of parameters that were tried."""
    seconds: float
    """Processor time of one fit, mean over folds, s; no part of the choice or of the artefact."""
    verdict: str
    """Why it was chosen or not, in words."""

    @property
    def way(self) -> Way:
        """What to fit."""
        return Way(self.estimator, self.balancing, self.parameters)

    @property
    def name(self) -> str:
        """`xgboost + smote` and alike."""
        return self.way.name

    def as_json(self) -> dict[str, Any]:
        """The candidate as JSON types, with its name."""
        content = {"name": self.name} | asdict(self)
        content["parameters"] = dict(self.parameters)
        return content


def evaluated(ground: Ground, ways: Sequence[Way], run: Run, progress: Progress) -> list[Tried]:
    """The ways of which every fold could be evaluated."""
    folds = range(ground.settings.folds)
    results = run([(way, fold) for way in ways for fold in folds], progress)
    return [
        tried(ground, way, [results[way, fold] for fold in folds])
        for way in ways
        if all((way, fold) in results for fold in folds)
    ]


def tried(ground: Ground, way: Way, results: Sequence[FoldResult]) -> Tried:
    """A way with what its folds, in order, came to."""
    return Tried(
        way,
        ground.losses(results),
        tuple(result.rounds for result in results if result.rounds is not None),
        sum(result.seconds for result in results) / len(results),
    )


def choose(
    tried: Sequence[Tried], patient: NDArray[np.intp]
) -> tuple[Candidate, tuple[Candidate, ...]]:
    """The chosen candidate and all of them, lowest log loss first.

    The gate "explanation" comes first: a kind that cannot be explained is not served. Of the
    others the lowest log loss wins; a simpler one (the order of `ESTIMATORS`, then `BALANCINGS`)
    wins instead where it is no further behind than one standard error of the difference (Breiman
    1984, with the paired error, which is the smaller), by patient (n,).
    """
    served = [one for one in tried if KINDS[one.way.estimator].served]
    best = min(served, key=_mean)
    found: dict[Way, Candidate] = {}
    for one in tried:
        difference = one.losses - best.losses
        behind = float(difference.mean())
        by_patient = np.bincount(patient, weights=difference - behind)
        found[one.way] = Candidate(
            one.way.estimator,
            one.way.balancing,
            one.way.parameters,
            log_loss=float(one.losses.mean()),
            behind=behind,
            standard_error=float(np.sqrt((by_patient**2).sum()) / len(patient)),
            rounds=int(np.median(one.rounds)) if one.rounds else None,
            trials=one.trials,
            seconds=round(one.seconds, 3),
            verdict="",
        )
    # Of a way's own sets of parameters the best counts; defaults come first where they are equal.
    simplest = sorted(served, key=lambda one: (_rank(one.way), _mean(one)))
    chosen = next(
        one.way for one in simplest if found[one.way].behind <= found[one.way].standard_error
    )
    table = sorted(
        (
            replace(candidate, verdict=_verdict(candidate, found[chosen], best.way))
            for candidate in found.values()
        ),
        key=lambda candidate: candidate.log_loss,
    )
    return next(one for one in table if one.way == chosen), tuple(table)


def _mean(one: Tried) -> float:
    return float(one.losses.mean())


def _rank(way: Way) -> tuple[int, int]:
    return ESTIMATORS.index(way.estimator), BALANCINGS.index(way.balancing)


def _verdict(candidate: Candidate, chosen: Candidate, best: Way) -> str:
    behind, error = candidate.behind, candidate.standard_error
    kind = KINDS[candidate.estimator]
    fitted = "" if kind.compared_on is None else f" (fitted to {kind.compared_on} rows at most)"
    if not kind.served:
        gain = chosen.log_loss - candidate.log_loss
        if gain > 0:
            return f"refused: {gain:.4f} better, but {EXPLANATION}{fitted}"
        return f"refused: {-gain:.4f} worse, and {EXPLANATION}{fitted}"
    if candidate.way == chosen.way:
        if candidate.way == best:
            return "chosen: lowest log loss of those that can be served"
        return f"chosen: simpler, and behind by {behind:.4f} only (standard error {error:.4f})"
    if candidate.way == best:
        return "not chosen: lowest log loss, but a simpler one is as good within one standard error"
    if behind <= error:
        if _rank(candidate.way) == _rank(chosen.way):
            return "not chosen: as simple as the chosen one, with a higher log loss"
        return f"not chosen: as good within one standard error ({error:.4f}), but less simple"
    return f"not chosen: behind by {behind:.4f} (standard error {error:.4f})"
