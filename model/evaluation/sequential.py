"""Looking at a difference more than once without being fooled by one of the looks.

A released model is compared with the one before it while outcomes come in. Each look spends a part
of the error that all looks together may make (alpha spending: Lan and DeMets 1983, Biometrika
70:659), with the spending function that is like O'Brien and Fleming's boundaries: hardly anything
is spent early, so that an early alarm takes a large difference.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike
from scipy.optimize import brentq
from scipy.stats import multivariate_normal, norm

from model.features import FloatArray

ONE_SIDED_ERROR = 0.025
"""Chance, over all looks together, to call a model worse that is worse by the margin or less."""
MINIMUM_CLUSTERS = 30
"""Patients below which a cluster standard error says too little (Cameron and Miller 2015 call
fewer than 20 to 50 clusters few)."""
_LARGEST = 12.0
"""A boundary that nothing reaches, in standard errors."""
_NOTHING = 1e-9
"""Error below which none is left to spend."""


@dataclass(frozen=True, slots=True)
class ClusterMean:
    """A mean over rows of which those of one patient are not independent."""

    value: float
    standard_error: float
    rows: int
    clusters: int

    @property
    def information(self) -> float:
        """One over the variance; infinite where nothing varies."""
        return float("inf") if self.standard_error == 0.0 else 1.0 / self.standard_error**2


@dataclass(frozen=True, slots=True)
class Boundary:
    """What a look is held against."""

    spent: float
    """Share of `ONE_SIDED_ERROR` that is spent up to here, as a probability."""
    limit: float
    """Standard errors above the margin from which the difference is too large."""


def cluster_mean(values: FloatArray, cluster: ArrayLike) -> ClusterMean:
    """Mean of `values` (n,) and its cluster-robust standard error; `cluster` has n labels.

    The variance is G/(G−1) · Σ_g (Σ_{i∈g} (x_i − mean))²/n² over G clusters (Liang and Zeger 1986
    for a mean, with the usual correction for few clusters). Raises `ValueError` for fewer than two
    clusters.
    """
    _, number = np.unique(np.asarray(cluster), return_inverse=True)
    number = number.reshape(-1)
    n, clusters = len(values), int(number.max(initial=-1)) + 1
    if clusters < 2:
        raise ValueError("a standard error takes at least two clusters")
    mean = float(values.mean())
    sums = np.bincount(number, weights=values - mean, minlength=clusters)
    variance = clusters / (clusters - 1) * float((sums**2).sum()) / n**2
    return ClusterMean(mean, float(np.sqrt(variance)), n, clusters)


def spent(fraction: float, error: float = ONE_SIDED_ERROR) -> float:
    """Error spent once `fraction` of the information is in: 2 − 2Φ(z_{error/2}/√fraction).

    0 before anything is known and `error` at 1 (Lan and DeMets 1983, their α₁*). Raises
    `ValueError` for a fraction below 0.
    """
    if fraction < 0.0:
        raise ValueError("a fraction of the information must not be negative")
    if fraction == 0.0:
        return 0.0
    z = float(norm.isf(error / 2.0))
    return min(2.0 * float(norm.sf(z / np.sqrt(min(fraction, 1.0)))), error)


def first_boundary(fraction: float, error: float = ONE_SIDED_ERROR) -> Boundary:
    """Of the first of two looks, at which `fraction` of the information is in.

    With all of it (or more) this is the only look there is, and may spend everything.
    """
    amount = spent(fraction, error)
    limit = _LARGEST if amount <= 0.0 else float(min(norm.isf(amount), _LARGEST))
    return Boundary(amount, limit)


def last_boundary(first: Boundary, correlation: float, error: float = ONE_SIDED_ERROR) -> Boundary:
    """Of the second look: what is left is spent on passing it without having passed the first.

    `correlation` of the two statistics is √(information then/information now), which the data
    give. Raises `ValueError` for one that is not between 0 and 1.
    """
    if not 0.0 <= correlation <= 1.0:
        raise ValueError("the correlation of two looks is between 0 and 1")
    left = error - first.spent
    if left <= _NOTHING:
        return Boundary(error, _LARGEST)
    # A correlation of 1 has no density: it is the same look twice.
    rho = min(correlation, 1.0 - 1e-9)
    both = multivariate_normal(mean=[0.0, 0.0], cov=[[1.0, rho], [rho, 1.0]])

    def excess(limit: float) -> float:
        below_first = float(norm.cdf(first.limit))
        below_both = float(both.cdf(np.array([first.limit, limit])))
        return below_first - below_both - left

    if excess(-_LARGEST) <= 0.0:
        return Boundary(error, -_LARGEST)
    return Boundary(error, float(brentq(excess, -_LARGEST, _LARGEST)))


def beyond(found: ClusterMean, margin: float) -> float:
    """How many standard errors the mean lies above `margin`; infinite where nothing varies."""
    excess = found.value - margin
    if found.standard_error == 0.0:
        return float("inf") if excess > 0.0 else float("-inf")
    return excess / found.standard_error
