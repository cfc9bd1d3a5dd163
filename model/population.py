"""Whom a model may be asked about: a fact of the artefact (clinical rule C1)."""

import numpy as np
from numpy.typing import ArrayLike, NDArray

from model.assessment import ModelFacts


def in_population(age: float | None, facts: ModelFacts) -> bool:
    """Whether a person of `age` years may be assessed; an unknown age may not.

    The upper bound counts completed years: at 110.7 years one is 110 years old.
    """
    return age is not None and bool(ages_in_range([age], facts.min_age, facts.max_age)[0])


def ages_in_range(ages: ArrayLike, min_age: float, max_age: float) -> NDArray[np.bool_]:
    """The same rule for an array of ages in years; NaN is outside."""
    years = np.asarray(ages, dtype=np.float64)
    return np.asarray((years >= min_age) & (np.floor(years) <= max_age))
