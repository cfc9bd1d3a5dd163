"""What two models say of the same rows, and how sure the difference is: figures of the gates.

Differences are paired by row and resampled by patient, because rows of one patient are not
independent (the cluster bootstrap: Davison and Hinkley 1997, section 3.8).
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray

from model.evaluation.intervals import share
from model.features import FloatArray
from model.scorer import Scorer
from model.severity import Severity

ONE_SIDED = 0.95
"""Confidence of every bound (issue of the gates: one-sided 95 %)."""
AGE_BANDS: Mapping[str, tuple[float, float]] = {
    "under 18": (0.0, 18.0),
    "18-44": (18.0, 45.0),
    "45-64": (45.0, 65.0),
    "65-79": (65.0, 80.0),
    "80+": (80.0, np.inf),
}
"""Age groups of the fairness gate, a: from the first to below the second."""
SEXES: tuple[str, ...] = ("female", "male", "other")
"""Groups of the fairness gate; an unknown sex is no group."""
MINIMUM_GROUP_CASES = 10
"""Acute cases below which the sensitivity of a group says nothing (as `MINIMUM_CASES` of
`model.evaluation.metrics`)."""
_SMALLEST_PROBABILITY = 1e-15


@dataclass(frozen=True, slots=True)
class Scores:
    """What one model says of n rows, whose outcomes are among K shared categories."""

    version: str
    loss: FloatArray
    """Log loss given that the outcome is a shared category, nat, (n,)."""
    by_category: FloatArray
    """Log loss of each shared category against the rest, nat, (n, K)."""
    acute: FloatArray
    """Probability of acute as it is served, (n,); empty where acute is not shared."""


def scores(scorer: Scorer, rows: pd.DataFrame, shared: Sequence[Severity]) -> Scores:
    """Score `rows`, whose `severity` is one of `shared`, all of which `scorer` covers.

    Probabilities are scaled to the shared categories before any loss is taken: a model is not
    punished for knowing one more.
    """
    served = scorer.probabilities(rows)
    given = served[:, [scorer.classes.index(code) for code in shared]]
    given = given / given.sum(axis=1, keepdims=True)
    true = outcomes(rows, shared)
    own = np.where(true, given, 1.0 - given)
    surprise = -np.log(np.maximum(own, _SMALLEST_PROBABILITY))
    acute = np.empty(0)
    if Severity.ACUTE in shared:
        acute = served[:, scorer.classes.index(Severity.ACUTE)]
    loss = (surprise * true).sum(axis=1)
    return Scores(scorer.facts.version, loss, surprise, acute)


def outcomes(rows: pd.DataFrame, shared: Sequence[Severity]) -> NDArray[np.bool_]:
    """Which of the shared categories the outcome of each row is, (n, K)."""
    outcome = rows["severity"].to_numpy(dtype=object).astype(str)
    return np.asarray(outcome[:, None] == np.asarray([code.value for code in shared]))


def entropy(cases: int, rows: int) -> float:
    """Entropy of a yes-or-no outcome at its prevalence, nat: the log loss of the prevalence."""
    rates = np.array([cases, rows - cases]) / rows
    rates = rates[rates > 0]
    return float(-(rates * np.log(rates)).sum())


def flagged(score: FloatArray, places: int) -> FloatArray:
    """How far each row is among the `places` highest scores, 0 to 1, (n,).

    Where the last place is shared by several rows each is flagged in part, so that two models
    flag equally many to the last row.
    """
    found = np.zeros(len(score))
    if places:
        last = np.sort(score)[-places]
        above, tied = score > last, score == last
        found[above] = 1.0
        found[tied] = (places - above.sum()) / tied.sum()
    return found


def groups(rows: pd.DataFrame) -> dict[str, dict[str, NDArray[np.bool_]]]:
    """Which rows belong to each group, by what they are grouped by (`sex`, `age`)."""
    found: dict[str, dict[str, NDArray[np.bool_]]] = {"sex": {}, "age": {}}
    if "sex" in rows:
        sex = rows["sex"].to_numpy(dtype=object, na_value=np.nan)
        found["sex"] = {name: np.asarray(sex == name) for name in SEXES}
    age = rows["age"].to_numpy(dtype=np.float64, na_value=np.nan)
    found["age"] = {
        name: np.asarray((age >= low) & (age < high)) for name, (low, high) in AGE_BANDS.items()
    }
    return found


def resampled(
    patient: ArrayLike, values: Mapping[str, FloatArray], replicates: int, seed: int
) -> dict[str, FloatArray]:
    """Sums of each of `values` (n,) over `replicates` draws of as many patients, (replicates,).

    All values see the same draws, so that quotients and differences of the sums are paired.
    """
    _, number = np.unique(np.asarray(patient), return_inverse=True)
    number = number.reshape(-1)
    patients = int(number.max()) + 1
    sums = np.column_stack(
        [np.bincount(number, weights=value, minlength=patients) for value in values.values()]
    )
    generator = np.random.default_rng(seed)
    drawn = np.empty((replicates, sums.shape[1]))
    for i in range(replicates):
        chosen = generator.integers(0, patients, patients)
        drawn[i] = np.bincount(chosen, minlength=patients) @ sums
    return dict(zip(values, drawn.T, strict=True))


def upper_bound(values: FloatArray) -> float:
    """One-sided upper bound of replicates; those without a value (NaN) are left out.

    Without any it is infinite: nothing is shown.
    """
    known = values[np.isfinite(values)]
    return float(np.quantile(known, ONE_SIDED)) if len(known) else float("inf")


def lower_bound(values: FloatArray) -> float:
    """One-sided lower bound, as `upper_bound`."""
    return -upper_bound(-values)


def gap(found: Mapping[str, FloatArray], cases: Mapping[str, FloatArray]) -> FloatArray:
    """Largest difference of `found`/`cases` between the groups, (replicates,); NaN where a
    replicate drew no case of some group."""
    rates = np.array([share(found[name], cases[name]) for name in found])
    return np.asarray(rates.max(axis=0) - rates.min(axis=0))
