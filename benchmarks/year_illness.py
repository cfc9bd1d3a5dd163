"""Illness in the simulated hospital: a mixture with a closed form, so that the truth is known.

Means and spreads are those of `model.training.simulation_presentations` and
`simulation_physiology`, with the illness of a presentation normal and its heart rate rising in a
straight line with temperature. Of every chart P(category | inputs) can then be computed exactly,
which no cohort of real patients allows.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property

import numpy as np
from numpy.typing import NDArray
from scipy.special import log_ndtr, logsumexp, ndtr, ndtri

from model.features import READINGS, FloatArray
from model.severity import SEVERITIES, Severity
from model.training.simulation import MISSING_ONE, MISSING_SET, OLDEST, YOUNGEST
from model.training.simulation_physiology import (
    BEATS_PER_DEGREE,
    CORRELATION,
    HEALTHY_SD,
    MEASUREMENT_SD,
    SMALLEST_PULSE_PRESSURE,
    SURVIVABLE,
    by_reading,
    healthy_means,
)
from model.training.simulation_presentations import CATEGORY_SHARE, PRESENTATIONS, Presentation

RATE, TEMPERATURE, SYSTOLIC, DIASTOLIC, BREATHS, SATURATION = range(len(READINGS))
UNITS_OF_TAKING = ((RATE,), (TEMPERATURE,), (SYSTOLIC, DIASTOLIC), (BREATHS,), (SATURATION,))
"""What is taken together or not at all: a cuff gives both pressures."""
HASTY_LOSS = 0.75
"""Share of what is taken that is left out when a patient is seen in haste, as in `simulation`."""
WITHIN_PATIENT = 0.5
"""Share of the healthy variance that a patient keeps from visit to visit."""

NEW_DISEASE = Presentation(
    "a new disease",
    Severity.ACUTE,
    1.0,
    (38.0, 13.0),
    (-4.0, 7.0),
    (2.2, 0.5),
    (-7.0, 10.0),
    (-13.0, 8.0),
    (1.5, 2.0),
    (-0.4, 0.8),
    "None: fever of young people with a slow pulse and a low diastolic pressure, as in typhoid "
    "fever. A model that never saw it takes it for a self-limiting infection.",
)
WINTER = frozenset({"self-limiting infection", "sepsis", "respiratory failure"})
WINTER_SWING = 0.25
"""How much more of `WINTER` there is in the middle of January than on average."""


@dataclass(frozen=True)
class Mixture:
    """Presentations, and how likely each is at a time."""

    presentations: tuple[Presentation, ...] = (*PRESENTATIONS, NEW_DISEASE)
    shares: Mapping[Severity, float] = field(default_factory=lambda: dict(CATEGORY_SHARE))

    @cached_property
    def category(self) -> NDArray[np.intp]:
        """Position of each presentation's category in `SEVERITIES`."""
        return np.array([SEVERITIES.index(one.severity) for one in self.presentations])

    @cached_property
    def lasting(self) -> NDArray[np.bool_]:
        """Chronic and life-limiting illness stays from visit to visit."""
        stays = (Severity.CHRONIC, Severity.TERMINAL)
        return np.array([one.severity in stays for one in self.presentations])

    def weights(self, day_of_year: FloatArray, new_share: FloatArray) -> FloatArray:
        """P(presentation) on each day, (n, K); `new_share` is that of the new disease."""
        base = np.array([self.shares[one.severity] * one.share for one in self.presentations])
        new = np.array([one is NEW_DISEASE for one in self.presentations])
        base[new] = 0.0
        season = np.cos(2.0 * np.pi * (day_of_year - 15.0) / 365.0)
        infectious = np.array([one.name in WINTER for one in self.presentations])
        known = base * (1.0 + WINTER_SWING * season[:, None] * infectious)
        known /= known.sum(axis=1, keepdims=True)
        known *= 1.0 - new_share[:, None]
        known[:, new] = new_share[:, None]
        return np.asarray(known, dtype=np.float64)

    @cached_property
    def shift(self) -> FloatArray:
        """Mean change of the readings, (K, 6), with the pulse that comes with a fever."""
        plain = np.array([[getattr(p, name)[0] for name in READINGS] for p in self.presentations])
        return np.asarray(plain @ _PULSE_OF_FEVER.T, dtype=np.float64)

    @cached_property
    def illness(self) -> FloatArray:
        """Covariance of that change, (K, 6, 6)."""
        sd = np.array([[getattr(p, name)[1] for name in READINGS] for p in self.presentations])
        plain = sd[:, :, None] * CORRELATION * sd[:, None, :]
        return np.asarray(_PULSE_OF_FEVER @ plain @ _PULSE_OF_FEVER.T, dtype=np.float64)

    @cached_property
    def covariance(self) -> FloatArray:
        """Covariance of the readings as taken, (K, 6, 6), at one age and sex."""
        measured = np.diag(by_reading(MEASUREMENT_SD) ** 2)
        return np.asarray(self.illness + healthy_covariance() + measured, dtype=np.float64)

    @cached_property
    def ages(self) -> FloatArray:
        """Mean and standard deviation of age, (K, 2)."""
        return np.array([one.age for one in self.presentations])

    def draw_ages(self, rng: np.random.Generator, kind: NDArray[np.intp]) -> FloatArray:
        """An age for each presentation of `kind`, years, cut off at the youngest and oldest."""
        mean, sd = self.ages[kind].T
        low, high = ndtr((YOUNGEST - mean) / sd), ndtr((OLDEST - mean) / sd)
        return np.asarray(mean + sd * ndtri(low + rng.random(len(kind)) * (high - low)))

    def log_likelihood(
        self, readings: FloatArray, age: FloatArray, female: NDArray[np.bool_], offset: FloatArray
    ) -> FloatArray:
        """log p(age, readings | presentation) up to a constant of the row, (n, K).

        `readings` are (n, 6) in the order of `READINGS`, NaN where not taken; `offset` is what
        the instruments add. Saturations of 100 and diastolic pressures at the limit below the
        systolic stand for all that would lie beyond: there the tail is taken.
        """
        mean, sd = self.ages.T
        z = (age[:, None] - mean) / sd
        found = -0.5 * z**2 - np.log(
            sd * (ndtr((OLDEST - mean) / sd) - ndtr((YOUNGEST - mean) / sd))
        )
        taken = ~np.isnan(readings)
        cut = np.zeros_like(taken)
        cut[:, SATURATION] = readings[:, SATURATION] >= SURVIVABLE["oxygen_saturation"][1]
        pulse = readings[:, SYSTOLIC] - readings[:, DIASTOLIC]
        cut[:, DIASTOLIC] = pulse <= SMALLEST_PULSE_PRESSURE
        residual = readings - offset - healthy_means(age, female)
        patterns, which = np.unique(np.hstack([taken, cut]), axis=0, return_inverse=True)
        for number, pattern in enumerate(patterns):
            rows = np.flatnonzero(which.reshape(-1) == number)
            known, ends = np.split(pattern, 2)
            found[rows] += self._readings_given(residual[rows], known & ~ends, np.flatnonzero(ends))
        return np.asarray(found, dtype=np.float64)

    def _readings_given(
        self, residual: FloatArray, exact: NDArray[np.bool_], ends: NDArray[np.intp]
    ) -> FloatArray:
        """log density of the exact readings, and log probability of the tails beyond `ends`."""
        found = np.zeros((len(residual), len(self.presentations)))
        places = np.flatnonzero(exact)
        for k, (shift, covariance) in enumerate(zip(self.shift, self.covariance, strict=True)):
            apart = residual - shift
            part = covariance[np.ix_(places, places)]
            solved = np.linalg.solve(part, apart[:, places].T) if len(places) else np.zeros((0, 1))
            if len(places):
                found[:, k] -= 0.5 * np.einsum("ij,ji->i", apart[:, places], solved)
                found[:, k] -= 0.5 * np.linalg.slogdet(part)[1]
            for end in ends:
                cross = covariance[end, places]
                mean = cross @ solved if len(places) else np.zeros(len(residual))
                spread = covariance[end, end]
                if len(places):
                    spread = spread - cross @ np.linalg.solve(part, cross)
                # What is rounded to the limit lies beyond half a unit below it.
                found[:, k] += log_ndtr(-(apart[:, end] - 0.5 - mean) / np.sqrt(spread))
        return found

    def log_missing(self, taken: NDArray[np.bool_]) -> FloatArray:
        """log P(what is taken | presentation), (n, K); `taken` is (n, number of units)."""
        lost = (~taken).sum(axis=1)[:, None]
        kept = taken.shape[1] - lost
        together = np.array([MISSING_SET[one.severity] for one in self.presentations])
        single = np.array([MISSING_ONE[one.severity] for one in self.presentations])
        hasty = together * HASTY_LOSS**lost * (1.0 - HASTY_LOSS) ** kept
        calm = (1.0 - together) * single**lost * (1.0 - single) ** kept
        return np.asarray(np.log(hasty + calm), dtype=np.float64)

    def by_category(self, log_joint: FloatArray) -> FloatArray:
        """P(category | inputs), (n, 5) in the order of `SEVERITIES`, of log P(inputs, kind)."""
        share = np.exp(log_joint - logsumexp(log_joint, axis=1, keepdims=True))
        return np.column_stack(
            [share[:, self.category == place].sum(axis=1) for place in range(len(SEVERITIES))]
        )


def healthy_covariance() -> FloatArray:
    """Between healthy adults of one age and sex, (6, 6)."""
    sd = by_reading(HEALTHY_SD)
    return np.asarray(sd[:, None] * CORRELATION * sd, dtype=np.float64)


def as_taken(true: FloatArray, offset: FloatArray) -> FloatArray:
    """What instruments show of readings with their error, (n, 6): shifted, rounded, cut off."""
    limits = np.array([SURVIVABLE[name] for name in READINGS])
    read = true + offset
    tenths = np.round(read[:, TEMPERATURE], 1)
    read = np.round(read)
    read[:, TEMPERATURE] = tenths
    read = np.clip(read, limits[:, 0], limits[:, 1])
    most = read[:, SYSTOLIC] - SMALLEST_PULSE_PRESSURE
    read[:, DIASTOLIC] = np.minimum(read[:, DIASTOLIC], most)
    return np.asarray(read, dtype=np.float64)


def draw_taken(rng: np.random.Generator, severities: Sequence[Severity]) -> NDArray[np.bool_]:
    """What is taken of each patient, (n, number of units): less in the sickest (C8)."""
    together = np.array([MISSING_SET[one] for one in severities])
    single = np.array([MISSING_ONE[one] for one in severities])
    lost = np.where(rng.random(len(together)) < together, HASTY_LOSS, single)
    return np.asarray(rng.random((len(lost), len(UNITS_OF_TAKING))) >= lost[:, None])


_PULSE_OF_FEVER = np.eye(len(READINGS))
_PULSE_OF_FEVER[RATE, TEMPERATURE] = BEATS_PER_DEGREE
