"""From reference chunks to limits, so that one alarm budget covers all watched quantities.

A chunk of K + 1 that are alike exceeds a one-sided prediction limit mean + t(1 - p, K - 1) · SD ·
√(1 + 1/K) with chance p (Hahn and Meeker 1991, Statistical Intervals, section 4.8). The SD is that
between chunks, so it holds whatever makes rows within a chunk alike: patients with several rows,
days, sites. By Bonferroni's inequality all p together are the budget, and what is alarmed on must
exceed its limit in two chunks running, which can only lower the chance.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from math import atanh, log, sqrt, tanh

import numpy as np
from scipy.special import betaln, gammaln
from scipy.stats import norm, t

from model.features import FloatArray

BUDGET = 1 / 50
"""Chance that a chunk like its reference is beyond any limit, all watched quantities together."""
SMALLEST_DISTANCE = 0.10
"""D that is too small to matter, however steady the reference is."""
FEWEST_VALUES = 300
"""Values below which D is more than chance only beyond Kolmogorov's bound."""
FEWEST_CHUNKS = 5
"""Local chunks without which nothing is held against them."""
JUMP, JUMP_FROM = 0.20, 0.05
"""Share unusable that is told after one chunk, where it was below the second before."""
_SD = 3.0
"""How many SD of D, with many reference chunks."""
_DISTANCE_TAIL = float(norm.sf(_SD))
_SHARED_DEGREES = 20


@dataclass(frozen=True, slots=True)
class Budget:
    """What each limit may take of the alarm budget: one tail, chance a chunk."""

    distance: float
    """Of each D: that of 3 SD, or less where many inputs are watched."""
    other: float
    """Of each tail of a share or correlation: equal parts of what the distances leave."""

    @classmethod
    def shared(cls, distances: int, tails: int) -> "Budget":
        """Of as many distances and tails of other quantities as are watched."""
        # At least half of it is left for the others.
        each = min(_DISTANCE_TAIL, BUDGET / 2 / max(distances, 1))
        return cls(each, (BUDGET - distances * each) / max(tails, 1))


@dataclass(frozen=True, slots=True)
class Limits:
    """Between which values of a quantity a chunk is like its reference; `None`: no limit."""

    low: float | None
    high: float | None
    mean: float
    """Of the reference chunks."""
    chunks: int
    """K."""

    def beyond(self, value: float) -> int:
        """1 above, -1 below, 0 between the limits."""
        if self.high is not None and value > self.high:
            return 1
        return -1 if self.low is not None and value < self.low else 0


@dataclass(frozen=True, slots=True)
class Spread:
    """How much D varies between the reference chunks of one input."""

    mean: float
    sd: float
    """Moderated by the other inputs; see `distance_spreads`."""
    degrees: float
    """Of freedom, that the SD rests on."""
    chunks: int


def distance_spreads(distances: Mapping[str, FloatArray]) -> dict[str, Spread]:
    """Mean and SD of D over the reference chunks of each input, (K,) each.

    An SD of ten values is wrong by a half now and then, and D knows no unit, so that inputs can
    lend each other strength: each variance is drawn to the mean of all, which counts as up to
    `_SHARED_DEGREES` degrees of freedom (the moderated variance of Smyth 2004, with a fixed
    prior). With many chunks it is the variance of the input alone. Inputs with fewer than two
    chunks are left out.
    """
    known = {name: array for name, array in distances.items() if len(array) >= 2}
    variances = {name: float(np.var(array, ddof=1)) for name, array in known.items()}
    found = {}
    for name, array in known.items():
        own = len(array) - 1
        shared = min(_SHARED_DEGREES, (len(known) - 1) * own / 2)
        common = sum(variances.values()) / len(variances)
        variance = (own * variances[name] + shared * common) / (own + shared)
        found[name] = Spread(float(array.mean()), sqrt(variance), own + shared, len(array))
    return found


def distance_limits(spread: Spread, *, values: int, reference_values: int, tail: float) -> Limits:
    """Limit of D: max(0.10, mean + m · SD) of D over the reference chunks.

    m is 3 with many chunks and the factor of a prediction limit of the same chance with few: 3.4
    with ten, 3.9 with five. With fewer than `FEWEST_VALUES` values of the input in the chunk,
    where 0.10 is within chance, the limit is at least Kolmogorov's bound.
    """
    factor = max(_SD, float(t.isf(tail, spread.degrees)) * sqrt(1 + 1 / spread.chunks))
    high = max(SMALLEST_DISTANCE, spread.mean + factor * spread.sd)
    if values < FEWEST_VALUES:
        effective = values * reference_values / max(values + reference_values, 1)
        high = max(high, sqrt(-log(tail / 2) / 2 / max(effective, 1.0)))
    return Limits(None, min(high, 1.0), spread.mean, spread.chunks)


def share_limits(
    reference: Sequence[tuple[int, int]], *, of: int, tail: float, both: bool
) -> Limits | None:
    """Limits of a share of `of` rows from those of the reference chunks (events, rows).

    The wider of the prediction limit over chunks and the beta-binomial one over rows (Jeffreys'
    prior), which is what is left where a share never varied or its events are few. A lower limit
    only with `both`. `None` with fewer than two chunks that have rows.
    """
    known = [(events, rows) for events, rows in reference if rows]
    if len(known) < 2 or not of:
        return None
    shares = np.asarray([events / rows for events, rows in known])
    mean, spread = float(shares.mean()), float(shares.std(ddof=1))
    width = _factor(len(known), tail) * spread
    events, rows = (sum(column) for column in zip(*known, strict=True))
    few, many = _predicted(events, rows, of, tail)
    high, low = max(mean + width, many / of), min(mean - width, few / of)
    return Limits(max(low, 0.0) if both else None, min(high, 1.0), mean, len(known))


def correlation_limits(
    reference: Sequence[tuple[float, int]], *, n: int, tail: float
) -> Limits | None:
    """Limits of a correlation of `n` rows from those of the reference chunks (r, rows).

    On Fisher's z scale; the SD is at least that of chance, 1/√(n - 3) (Fisher 1921). `None` with
    fewer than two chunks or n below 4.
    """
    if len(reference) < 2 or n < 4:
        return None
    z = np.asarray([_z(r) for r, _ in reference])
    mean, spread = float(z.mean()), float(z.std(ddof=1))
    rows = sum(rows for _, rows in reference)
    chance = sqrt(1 / (n - 3) + 1 / max(rows - 3 * len(z), 1))
    width = max(_factor(len(z), tail) * spread, float(norm.isf(tail)) * chance)
    return Limits(tanh(mean - width), tanh(mean + width), tanh(mean), len(z))


def jumped(share: float, limits: Limits) -> bool:
    """Whether a share of unusable readings rose so far that one chunk is enough.

    It must be beyond its limit too, so that this costs nothing of the budget.
    """
    return limits.beyond(share) > 0 and share > JUMP and limits.mean < JUMP_FROM


def _factor(chunks: int, tail: float) -> float:
    return float(t.isf(tail, chunks - 1)) * sqrt(1 + 1 / chunks)


def _z(r: float) -> float:
    return atanh(min(max(r, -0.999), 0.999))


@lru_cache(maxsize=4096)
def _predicted(events: int, rows: int, of: int, tail: float) -> tuple[int, int]:
    """Fewest and most events in `of` rows that are not rarer than `tail`, after `events` of
    `rows`: quantiles of the beta-binomial distribution."""
    a, b = events + 0.5, rows - events + 0.5
    k = np.arange(of + 1)
    chance = np.exp(
        gammaln(of + 1)
        - gammaln(k + 1)
        - gammaln(of - k + 1)
        + betaln(k + a, of - k + b)
        - betaln(a, b)
    )
    up = np.cumsum(chance)
    down = np.cumsum(chance[::-1])[::-1]
    few = int(np.flatnonzero(up > tail)[0])
    many = int(np.flatnonzero(down > tail)[-1])
    return few, many
