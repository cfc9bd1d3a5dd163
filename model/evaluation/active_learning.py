"""Which assessments teach most if a clinician says what they were (active learning).

Uncertainty sampling asks what a model is unsure of (Lewis & Gale, "A sequential algorithm for
training text classifiers", SIGIR 1994). Alone it asks fifty twins. So each is asked only if it is
far enough from all that were asked, and among the rest the one whose priority times distance is
largest: the greedy k-centre of Sener & Savarese ("Active learning for convolutional neural
networks: a core-set approach", ICLR 2018), weighted by what there is to learn.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from model.features import FloatArray
from model.operating import FIRST
from model.severity import Severity

NEAR: Final = 0.2
"""Log-ratio to an operating threshold within which a decision is close: about a fifth."""
WIDE: Final = 3
"""Categories of a prediction set that no longer tells them apart (C11 names two at most)."""
TWINS: Final = 0.35
"""Distance of two assessments below which one answers for both."""
FARTHEST: Final = 3.0
"""Distance from which on more makes no difference: else artefacts would always come first."""
_WINSOR: Final = 4.0
_NORMAL_MAD: Final = 1.4826
"""Median absolute deviation of a normal distribution, in standard deviations, inverted."""


@dataclass(frozen=True, slots=True)
class Signal:
    """What speaks for asking about one assessment."""

    reason: str
    """`threshold`, `wide_set`, `atypical`, `overridden` or `rare`."""
    weight: float
    """Above 0, at most 1."""


def decision_distance(
    probabilities: FloatArray, classes: Sequence[Severity], thresholds: Mapping[Severity, float]
) -> FloatArray:
    """How far each row is from another decision, as a log-ratio, (n,); never negative.

    `probabilities` is (n, K) in the order of `classes`. 0.1 means that a probability about 10 %
    higher or lower would decide otherwise (`model.operating.decide`).
    """
    limits = np.asarray([thresholds[code] for code in classes], dtype=np.float64)
    tiny = np.finfo(np.float64).tiny
    ratio = np.log(np.maximum(probabilities, tiny)) - np.log(limits)
    rest = [i for i, code in enumerate(classes) if code not in FIRST]
    found = np.full(len(probabilities), np.inf)
    if len(rest) > 1:
        ordered = np.sort(ratio[:, rest], axis=1)
        found = ordered[:, -1] - ordered[:, -2]
    # From the last to the first that decides: who is flagged by one is not asked about the others.
    for code in reversed(FIRST):
        if code in classes:
            own = ratio[:, list(classes).index(code)]
            found = np.where(own >= 0.0, own, np.minimum(-own, found))
    return np.asarray(found, dtype=np.float64)


def signals(
    *,
    distance: float | None,
    set_size: int | None,
    spread: float | None,
    atypicality: float | None,
    unusual_below: float,
    overridden: bool,
    rare: bool,
) -> tuple[Signal, ...]:
    """What speaks for asking about an assessment, in a fixed order; nothing where all is plain.

    `distance` is that of `decision_distance`, `spread` the entropy of the probabilities as a share
    of the largest (0 to 1), `atypicality` the tail probability; `None` is not known.
    """
    found = []
    if distance is not None and distance < NEAR:
        found.append(Signal("threshold", 1.0 - 0.5 * max(distance, 0.0) / NEAR))
    if set_size is not None and set_size >= WIDE:
        found.append(Signal("wide_set", max(0.5 * (1.0 if spread is None else spread), 0.05)))
    if atypicality is not None and atypicality < unusual_below:
        found.append(Signal("atypical", 1.0 - 0.5 * max(atypicality, 0.0) / unusual_below))
    if overridden:
        found.append(Signal("overridden", 1.0))
    if rare:
        found.append(Signal("rare", 1.0))
    return tuple(found)


def priority(found: Sequence[Signal]) -> float:
    """One number for all that speaks for an assessment: the sum of the weights."""
    return float(sum(signal.weight for signal in found))


def spread(probabilities: Sequence[float]) -> float:
    """Entropy of the probabilities as a share of the largest possible; 0 for a single category."""
    values = np.asarray([p for p in probabilities if p > 0.0], dtype=np.float64)
    if len(probabilities) < 2:
        return 0.0
    return float(-(values * np.log(values)).sum() / np.log(len(probabilities)))


def feature_space(values: FloatArray) -> FloatArray:
    """Places of rows for distances: (n, d) inputs with NaN where missing, to (n, 2 k).

    Of the k inputs that any row has: each in robust standard deviations from its median, held
    within 4 and 0 where it is missing, and beside it whether it is, because a row without a
    temperature is no twin of one with a usual temperature (C8). Divided so that two rows that
    differ by 1 in every input are 1 apart.
    """
    seen = np.isfinite(values)
    used = seen.any(axis=0)
    values, seen = values[:, used], seen[:, used]
    standard = np.zeros(values.shape)
    for column in range(values.shape[1]):
        known = values[seen[:, column], column]
        centre = np.median(known)
        scale = np.median(np.abs(known - centre)) * _NORMAL_MAD or np.std(known) or 1.0
        places = np.clip((known - centre) / scale, -_WINSOR, _WINSOR)
        standard[seen[:, column], column] = places
    places = np.hstack([standard, (~seen).astype(np.float64)])
    return np.asarray(places / np.sqrt(max(values.shape[1], 1)), dtype=np.float64)


def choose(
    places: FloatArray,
    priorities: FloatArray,
    budget: int,
    *,
    asked: NDArray[np.bool_] | None = None,
) -> list[int]:
    """Rows to ask about, best first, at most `budget`; fewer where only twins are left.

    `places` is (n, d) as from `feature_space`, `priorities` (n,) above 0, `asked` marks rows that
    were asked about before and are not chosen. No row is chosen within `TWINS` of one that is
    chosen or was asked about. Ties go to the earlier row.
    """
    before = np.zeros(len(places), dtype=bool) if asked is None else asked
    nearest = np.full(len(places), np.inf)
    for position in np.flatnonzero(before):
        nearest = np.minimum(nearest, _distances(places, int(position)))
    free = ~before
    chosen: list[int] = []
    while len(chosen) < budget:
        open_ = free & (nearest >= TWINS)
        if not open_.any():
            break
        worth = np.where(open_, priorities * np.minimum(nearest, FARTHEST), -np.inf)
        best = int(np.argmax(worth))
        chosen.append(best)
        free[best] = False
        nearest = np.minimum(nearest, _distances(places, best))
    return chosen


def cohen_kappa(first: Sequence[str], second: Sequence[str]) -> float | None:
    """Agreement of two raters beyond chance (Cohen 1960); `None` where it is not defined.

    (p_o - p_e) / (1 - p_e), with p_o the share that agrees and p_e that expected of raters with
    the same frequencies who do not look. 1 is full agreement, 0 what chance gives.
    """
    if not first:
        return None
    total = len(first)
    agreed = sum(a == b for a, b in zip(first, second, strict=True)) / total
    labels = set(first) | set(second)
    chance = sum(first.count(one) * second.count(one) for one in labels) / total**2
    return None if chance == 1.0 else (agreed - chance) / (1.0 - chance)


def _distances(places: FloatArray, position: int) -> FloatArray:
    return np.asarray(np.linalg.norm(places - places[position], axis=1), dtype=np.float64)
