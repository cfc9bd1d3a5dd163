"""A simulated hospital over a year, of which the truth is known.

Patients come to two clients, some again, by day and season; what they have and what instruments
show is drawn from `year_illness`. What happens in the year, and from which day on, is said by
`Events`. Its parameters and what they stand for: docs/decisions/0030-simulated-year.md.
"""

from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from functools import cached_property

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.special import expit

from benchmarks.year_illness import (
    NEW_DISEASE,
    SYSTOLIC,
    TEMPERATURE,
    UNITS_OF_TAKING,
    WITHIN_PATIENT,
    Mixture,
    as_taken,
    draw_taken,
    healthy_covariance,
)
from model.features import READINGS, FloatArray
from model.severity import SEVERITIES, Severity
from model.training.rare_diseases import RARE_DISEASES
from model.training.simulation_physiology import MEASUREMENT_SD, by_reading, healthy_means

START = datetime(2027, 1, 1, tzinfo=UTC)
"""Day 0 of the year."""
NORTH, SOUTH = "north", "south"
"""An emergency department, and a clinic whose patients go home."""
NORTH_SHARE = 0.6
WEEKEND = 0.7
"""Patients on a Saturday or Sunday, as a share of those on other days."""
RETURN_SHARE = 0.15
RETURN_DAYS = 60
"""Who comes again comes within so many days."""
RARE = next(one for one in RARE_DISEASES if one.orphacode == "423")
"""The rare disease of the year: a pattern of its own, of which the history knows no case."""

RARE_KNOWN = 2.0
"""Days until a rare disease is diagnosed."""

Days = tuple[int, int]
"""First day, and the first day after."""


@dataclass(frozen=True)
class Events:
    """What happens, by day of the year; `None`: it does not."""

    cuffs: Days | None = None
    """New cuffs read the systolic pressure `CUFF_SHIFT` too high."""
    fahrenheit: Days | None = None
    """The thermometers of the north send degrees Fahrenheit and call them Celsius."""
    unknown_unit: Days | None = None
    """They send degrees Fahrenheit without a unit that is known."""
    new_disease: int | None = None
    """From then on a new acute illness is common."""
    rare_cases: tuple[int, ...] = ()
    """Days on which a patient with the rare disease comes."""


CUFF_SHIFT = 10.0
"""mm[Hg]."""
NEW_SHARE = 0.07
"""Share of patients with the new disease once it is there; reached after `NEW_RISE` days."""
NEW_RISE = 10
UNKNOWN_UNIT = "degF (oral)"
"""What the thermometers call their unit after they were repaired badly: no UCUM code."""


@dataclass(frozen=True)
class World:
    """A hospital; the same seed, size and events give the same patients."""

    seed: int
    per_day: float = 45.0
    days: int = 365
    history_rows: int = 8_000
    history_days: int = 730
    events: Events = field(default_factory=Events)
    mixture: Mixture = field(default_factory=Mixture)

    @cached_property
    def history(self) -> pd.DataFrame:
        """Rows of the two years before, every one with its diagnosis, oldest first."""
        rng = np.random.default_rng([self.seed, 1])
        day = np.sort(rng.uniform(-self.history_days, 0.0, self.history_rows))
        quiet = replace(self, events=Events())
        return quiet._visits(rng, day, "h")

    @cached_property
    def year(self) -> pd.DataFrame:
        """Every visit of the year, in order of time.

        `day`, `at`, `client`, `patient_id`, `visit` (its id), `age`, `sex`, readings as they can
        be used (NaN where not), `sent_temperature` and `sent_unit` as sent, `kind` (position in
        the mixture, -1 for the rare disease), `severity` (the truth), `rare_code`, `risk` (the
        true probability of acute illness), `chance` (uniform, for what is left to chance
        later), `known_days` (until the diagnosis) and `late_days` (until it is sent).
        """
        rng = np.random.default_rng([self.seed, 2])
        whole = np.arange(self.days)
        weekday = np.array([(START + timedelta(days=int(d))).weekday() for d in whole])
        mean = self.per_day * np.where(weekday >= 5, WEEKEND, 1.0) * 7.0 / (5.0 + 2.0 * WEEKEND)
        day = np.repeat(whole, rng.poisson(mean)).astype(np.float64)
        # From seven in the morning to eleven at night.
        day += rng.uniform(7.0, 23.0, len(day)) / 24.0
        return self._visits(rng, np.sort(day), "y")

    def truth(self, visits: pd.DataFrame) -> FloatArray:
        """P(category | all that is on the chart, the day), (n, 5) in the order of `SEVERITIES`."""
        readings = visits[list(READINGS)].to_numpy(dtype=np.float64)
        day = visits["day"].to_numpy(dtype=np.float64)
        joint = np.log(np.maximum(self._weights(day), 1e-300))
        joint += self.mixture.log_likelihood(
            readings,
            visits["age"].to_numpy(dtype=np.float64),
            (visits["sex"] == "female").to_numpy(),
            self._offset(day),
        )
        taken = ~np.isnan(readings[:, [unit[0] for unit in UNITS_OF_TAKING]])
        # Whether a broken thermometer was used tells nothing: as if it had been.
        taken[:, 1] |= visits["sent_unit"].notna().to_numpy()
        return self.mixture.by_category(joint + self.mixture.log_missing(taken))

    def _weights(self, day: FloatArray) -> FloatArray:
        new = np.zeros(len(day))
        if self.events.new_disease is not None:
            new = NEW_SHARE * np.clip((day - self.events.new_disease) / NEW_RISE, 0.0, 1.0)
        return self.mixture.weights(day % 365.0, new)

    def _offset(self, day: FloatArray) -> FloatArray:
        """What instruments add, (n, 6)."""
        offset = np.zeros((len(day), len(READINGS)))
        offset[_within(day, self.events.cuffs), SYSTOLIC] = CUFF_SHIFT
        return offset

    def _visits(self, rng: np.random.Generator, day: FloatArray, prefix: str) -> pd.DataFrame:
        weights = self._weights(day)
        patient, kind, age, female = self._patients(rng, day, weights)
        readings = self._readings(rng, day, patient, kind, age, female)
        severity = np.array(SEVERITIES, dtype=object)[self.mixture.category[kind]]
        rare = self._rare_rows(day, patient)
        _make_rare(rng, rare, kind, age, female, severity, readings)
        taken = draw_taken(rng, list(severity))
        taken[rare] = True
        for unit, columns in enumerate(UNITS_OF_TAKING):
            for column in columns:
                readings[~taken[:, unit], column] = np.nan
        north = rng.random(patient.max() + 1) < NORTH_SHARE
        frame = pd.DataFrame(
            {
                "day": day,
                "at": [START + timedelta(days=float(one)) for one in day],
                "client": np.where(north[patient], NORTH, SOUTH),
                "patient_id": [f"{prefix}{number:06d}" for number in patient],
                "visit": [f"{prefix}v{number:06d}" for number in range(len(day))],
                "age": age,
                "sex": np.where(female, "female", "male"),
                **{name: readings[:, column] for column, name in enumerate(READINGS)},
                "kind": kind,
                "severity": [one.value for one in severity],
                "rare_code": None,
            }
        )
        frame.loc[rare, "rare_code"] = RARE.code
        self._break_thermometers(frame)
        frame["risk"] = self.truth(frame)[:, SEVERITIES.index(Severity.ACUTE)]
        frame["chance"] = rng.random(len(frame))
        window = np.where(frame["client"] == NORTH, 7.0, 30.0)
        frame["known_days"] = np.minimum(rng.gamma(1.5, window / 6.0), window - 0.5)
        # One in twenty diagnoses is sent weeks after its window has passed.
        late = np.where(rng.random(len(frame)) < 0.05, rng.uniform(10.0, 40.0, len(frame)), 0.1)
        frame["late_days"] = late
        # So that they can be confirmed together.
        frame.loc[rare, ["known_days", "late_days"]] = RARE_KNOWN, 0.1
        return frame

    def _patients(
        self, rng: np.random.Generator, day: FloatArray, weights: FloatArray
    ) -> tuple[NDArray[np.intp], NDArray[np.intp], FloatArray, NDArray[np.bool_]]:
        """Patient number, presentation, age and sex of each visit.

        Who comes again keeps what lasts. What passes is drawn anew among what passes, as likely
        as it is at that age: so a second visit is distributed as a first one.
        """
        n, mixture = len(day), self.mixture
        kind = (weights.cumsum(axis=1) < rng.random(n)[:, None]).sum(axis=1)
        kind = np.minimum(kind, weights.shape[1] - 1)
        age = mixture.draw_ages(rng, kind)
        female = rng.random(n) < 0.5
        again, which, chosen = rng.random(n) < RETURN_SHARE, rng.random(n), rng.random(n)
        mean, sd = mixture.ages.T
        patient, number = np.empty(n, dtype=np.intp), -1
        first = np.searchsorted(day, day - RETURN_DAYS)
        for i in range(n):
            # The day before at the latest: nobody comes twice in a day.
            last = int(np.searchsorted(day, day[i] - 1.0))
            if not again[i] or last <= first[i]:
                number += 1
                patient[i] = number
                continue
            before = int(first[i] + which[i] * (last - first[i]))
            patient[i], age[i], female[i] = patient[before], age[before], female[before]
            kind[i] = kind[before]
            if not mixture.lasting[kind[before]]:
                likely = weights[i] * ~mixture.lasting * np.exp(-0.5 * ((age[i] - mean) / sd) ** 2)
                likely /= sd
                summed = likely.cumsum()
                kind[i] = int(np.searchsorted(summed, chosen[i] * summed[-1]))
        return patient, kind, age, female

    def _readings(
        self,
        rng: np.random.Generator,
        day: FloatArray,
        patient: NDArray[np.intp],
        kind: NDArray[np.intp],
        age: FloatArray,
        female: NDArray[np.bool_],
    ) -> FloatArray:
        """What instruments show, (n, 6)."""
        root = np.linalg.cholesky(healthy_covariance())
        own = rng.standard_normal((patient.max() + 1, len(READINGS))) @ root.T
        visit = rng.standard_normal((len(day), len(READINGS))) @ root.T
        ill_root = np.linalg.cholesky(self.mixture.illness)
        ill = np.einsum("nij,nj->ni", ill_root[kind], rng.standard_normal(visit.shape))
        true = healthy_means(age, female) + self.mixture.shift[kind] + ill
        true += np.sqrt(WITHIN_PATIENT) * own[patient] + np.sqrt(1.0 - WITHIN_PATIENT) * visit
        true += by_reading(MEASUREMENT_SD) * rng.standard_normal(visit.shape)
        return as_taken(true, self._offset(day))

    def _rare_rows(self, day: FloatArray, patient: NDArray[np.intp]) -> NDArray[np.intp]:
        """The first visit of each day in `rare_cases` of a patient who comes once."""
        once = np.flatnonzero(np.bincount(patient)[patient] == 1)
        found = [once[np.searchsorted(day[once], wanted)] for wanted in self.events.rare_cases]
        return np.array(found, dtype=np.intp)

    def _break_thermometers(self, frame: pd.DataFrame) -> None:
        """Temperatures as sent: value and unit; what is wrong cannot be used."""
        name = READINGS[TEMPERATURE]
        frame["sent_temperature"] = frame[name]
        frame["sent_unit"] = ["Cel" if sent else None for sent in frame[name].notna()]
        day, north = frame["day"].to_numpy(), (frame["client"] == NORTH).to_numpy()
        for when, unit in (
            (self.events.fahrenheit, "Cel"),
            (self.events.unknown_unit, UNKNOWN_UNIT),
        ):
            wrong = _within(day, when) & north & frame[name].notna().to_numpy()
            sent = np.round(frame.loc[wrong, "sent_temperature"] * 1.8 + 32.0, 1)
            frame.loc[wrong, "sent_temperature"] = sent
            frame.loc[wrong, "sent_unit"] = unit
            frame.loc[wrong, name] = np.nan


def verification(
    risk: FloatArray, shown: NDArray[np.bool_], client: NDArray[np.str_]
) -> FloatArray:
    """Probability that a diagnosis becomes known.

    The sicker a patient looks, the likelier; more so after a card; less at the clinic. It does not
    depend on the diagnosis beyond that, so weights by what was seen can put it right.
    """
    odds = -0.7 + 3.0 * np.minimum(risk, 0.8) + 0.7 * shown - 0.3 * (client == SOUTH)
    return np.asarray(expit(odds), dtype=np.float64)


def rare_patients(seed: int, count: int) -> pd.DataFrame:
    """Readings of other patients with the rare disease: `age`, `sex` and `READINGS`."""
    rng = np.random.default_rng([seed, 4])
    age, female = np.empty(count), np.empty(count, dtype=bool)
    kind, severity = np.empty(count, dtype=np.intp), np.empty(count, dtype=object)
    readings = np.empty((count, len(READINGS)))
    _make_rare(rng, np.arange(count), kind, age, female, severity, readings)
    columns = {name: readings[:, column] for column, name in enumerate(READINGS)}
    return pd.DataFrame({"age": age, "sex": np.where(female, "female", "male"), **columns})


def log_loss(probabilities: FloatArray, severity: "pd.Series[str]") -> FloatArray:
    """Surprise of each outcome, nat; columns of `probabilities` in the order of `SEVERITIES`."""
    place = np.array([SEVERITIES.index(Severity(one)) for one in severity])
    shown = probabilities[np.arange(len(place)), place]
    return np.asarray(-np.log(np.maximum(shown, 1e-15)), dtype=np.float64)


def _within(day: FloatArray, days: Days | None) -> NDArray[np.bool_]:
    if days is None:
        return np.zeros(len(day), dtype=bool)
    return (day >= days[0]) & (day < days[1])


def _make_rare(
    rng: np.random.Generator,
    rows: NDArray[np.intp],
    kind: NDArray[np.intp],
    age: FloatArray,
    female: NDArray[np.bool_],
    severity: NDArray[np.object_],
    readings: FloatArray,
) -> None:
    """Give the patients of these rows the rare disease."""
    table = np.array([getattr(RARE, name) for name in READINGS])
    for row in rows:
        kind[row], severity[row] = -1, RARE.severity
        age[row] = np.clip(rng.normal(*RARE.age), 18.0, 90.0)
        female[row] = rng.random() < RARE.share_female
        true = table[:, 0] + table[:, 1] * rng.standard_normal(len(table))
        readings[row] = as_taken(true[None, :], np.zeros((1, len(table))))[0]


NEW_KIND = Mixture().presentations.index(NEW_DISEASE)
