"""A simulated cohort from published physiology, for a starter model before any history is loaded.

Built from `simulation_physiology` (healthy adults), `simulation_presentations` (what illness
changes) and `rare_diseases`. It has no dates, and its category shares are those of no hospital:
a model trained on it says "simulated" wherever it speaks. Five inputs separate its categories
poorly, as in real data (macro-F1 well below 0.75, tested).
"""

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.special import ndtr, ndtri

from model.errors import TrainingError
from model.features import READINGS, FloatArray
from model.severity import SEVERITIES, Severity
from model.training.rare_diseases import RARE_DISEASES, RareDisease
from model.training.simulation_physiology import (
    BEATS_PER_DEGREE,
    CORRELATION,
    FEVER_LOSS_PER_DECADE,
    HEALTHY_SD,
    MEASUREMENT_SD,
    SMALLEST_PULSE_PRESSURE,
    SURVIVABLE,
    by_reading,
    healthy_means,
)
from model.training.simulation_presentations import CATEGORY_SHARE, PRESENTATIONS, Presentation

YOUNGEST, OLDEST = 18.0, 95.0
"""Ages simulated, years."""
RARE_SHARE = 0.006
"""Share of rows with a rare disease: under 1 %, as asked of the starter cohort."""
RETURN_SHARE = 0.12
"""Chance that a row belongs to the patient of the row before it; ours."""
WITHIN_PATIENT = 0.5
"""Share of the healthy variance that a patient keeps from visit to visit; ours."""

# Clinical rule C8: missing is more frequent in the sickest. O'Neill 2024: a quarter of severely
# injured patients lack a vital sign, seven in ten of these lack all four, and they die more
# often. Near death vital signs are often not taken (review: "Vital Signs in Palliative Care",
# Cancers 2023). Sizes ours.
MISSING_SET: dict[Severity, float] = {
    Severity.NOT_ILL: 0.010,
    Severity.MILD: 0.010,
    Severity.ACUTE: 0.050,
    Severity.CHRONIC: 0.012,
    Severity.TERMINAL: 0.080,
}
"""Share of rows where most readings are missing together."""
MISSING_ONE: dict[Severity, float] = {
    Severity.NOT_ILL: 0.030,
    Severity.MILD: 0.030,
    Severity.ACUTE: 0.070,
    Severity.CHRONIC: 0.030,
    Severity.TERMINAL: 0.100,
}
"""Share of single readings missing beside that."""


def simulate_cohort(n: int, seed: int) -> pd.DataFrame:
    """Simulate `n` rows of history; the same `n` and `seed` give the same frame.

    Columns and units are those of `model.training.history.HISTORY_COLUMNS` without
    `recorded_at`, `abo_group` and `exercise_days`. Ages are 18 to 95 years; some patients have
    several rows, next to each other. `severity` holds codes, `rare_code` an ORPHAcode or a
    missing value, `source` "simulated". Raises `TrainingError` if `n` is not positive.
    """
    if n <= 0:
        raise TrainingError("A simulated cohort needs at least one row.")
    rng = np.random.default_rng(seed)
    starts = rng.random(n) >= RETURN_SHARE
    starts[0] = True
    patient = np.cumsum(starts) - 1
    kind = _presentations(rng, patient)
    first = np.flatnonzero(starts)
    age = _truncated(rng, _table(PRESENTATIONS, "age")[kind[first]])[patient]
    female = (rng.random(len(first)) < 0.5)[patient]
    severity = np.array([p.severity.value for p in PRESENTATIONS], dtype=object)[kind]

    intensity = rng.gamma(4.0, 0.25, n)  # mean 1, SD 0.5: the same illness, lighter or worse
    readings = _readings(rng, kind, age, female, patient, intensity)

    rare = _rare_rows(rng, patient)
    which = rng.integers(0, len(RARE_DISEASES), len(rare))
    rare_code = np.full(n, None, dtype=object)
    if len(rare):
        rare_code[rare] = np.array([d.code for d in RARE_DISEASES], dtype=object)[which]
        severity[rare] = np.array([d.severity.value for d in RARE_DISEASES], dtype=object)[which]
        women = np.array([d.share_female for d in RARE_DISEASES])[which]
        female[rare] = rng.random(len(rare)) < women
        age[rare] = _truncated(rng, _table(RARE_DISEASES, "age")[which])
        readings[rare] = _rare_readings(rng, which)

    readings = _measured(rng, readings)
    readings[_missing(rng, severity, intensity)] = np.nan
    columns: dict[str, object] = {
        "patient_id": [f"sim-{number + 1:06d}" for number in patient],
        "age": np.round(age, 1),
        **{name: readings[:, k] for k, name in enumerate(READINGS)},
        "sex": np.where(female, "female", "male"),
        "severity": severity,
        "rare_code": rare_code,
        "source": "simulated",
    }
    text = ["patient_id", "sex", "severity", "rare_code", "source"]
    return pd.DataFrame(columns).astype(dict.fromkeys(text, "str"))


def _table(rows: tuple[Presentation, ...] | tuple[RareDisease, ...], name: str) -> FloatArray:
    """One (mean, SD) column of a table, float64 of shape (len(rows), 2)."""
    return np.array([getattr(row, name) for row in rows], dtype=np.float64)


def _presentations(rng: np.random.Generator, patient: NDArray[np.int64]) -> NDArray[np.int64]:
    """A presentation for each row: chronic and terminal illness stays, the rest is drawn anew."""
    share = np.array([CATEGORY_SHARE[p.severity] * p.share for p in PRESENTATIONS])
    lasting = np.array([p.severity in (Severity.CHRONIC, Severity.TERMINAL) for p in PRESENTATIONS])
    number = len(PRESENTATIONS)
    of_patient = rng.choice(number, patient[-1] + 1, p=share / share.sum())
    passing = np.where(lasting, 0.0, share)
    of_visit = rng.choice(number, len(patient), p=passing / passing.sum())
    first = np.flatnonzero(np.diff(patient, prepend=-1))
    of_visit[first] = of_patient
    kept = of_patient[patient]
    return np.where(lasting[kept], kept, of_visit)


def _truncated(rng: np.random.Generator, mean_sd: FloatArray) -> FloatArray:
    """Normal draws cut off (not piled up) at the youngest and oldest age."""
    mean, sd = mean_sd[:, 0], mean_sd[:, 1]
    low, high = ndtr((YOUNGEST - mean) / sd), ndtr((OLDEST - mean) / sd)
    drawn = ndtri(low + rng.random(len(mean)) * (high - low))
    return np.asarray(np.clip(mean + sd * drawn, YOUNGEST, OLDEST), dtype=np.float64)


def _readings(
    rng: np.random.Generator,
    kind: NDArray[np.int64],
    age: FloatArray,
    female: NDArray[np.bool_],
    patient: NDArray[np.int64],
    intensity: FloatArray,
) -> FloatArray:
    """True vital signs before measurement, float64 of shape (n, 6)."""
    root = np.linalg.cholesky(CORRELATION)
    own = rng.standard_normal((patient[-1] + 1, len(READINGS))) @ root.T
    visit = rng.standard_normal((len(kind), len(READINGS))) @ root.T
    healthy = healthy_means(age, female) + by_reading(HEALTHY_SD) * (
        np.sqrt(WITHIN_PATIENT) * own[patient] + np.sqrt(1.0 - WITHIN_PATIENT) * visit
    )
    ill = rng.standard_normal((len(kind), len(READINGS))) @ root.T
    shift = np.empty_like(healthy)
    for column, name in enumerate(READINGS):
        mean, sd = _table(PRESENTATIONS, name)[kind].T
        shift[:, column] = intensity * mean + sd * ill[:, column]
    temperature = READINGS.index("body_temperature")
    fever = np.clip(shift[:, temperature], 0.0, None)
    fever *= 1.0 - np.clip(FEVER_LOSS_PER_DECADE * (age - 20.0) / 10.0, 0.0, 1.0)
    shift[:, temperature] = np.where(shift[:, temperature] > 0, fever, shift[:, temperature])
    shift[:, READINGS.index("heart_rate")] += BEATS_PER_DEGREE * fever
    return np.asarray(healthy + shift, dtype=np.float64)


def _rare_rows(rng: np.random.Generator, patient: NDArray[np.int64]) -> NDArray[np.int64]:
    """Rows of rare diseases: patients seen once, so that the share is exact."""
    rows_of = np.bincount(patient)
    once = np.flatnonzero(rows_of[patient] == 1)
    wanted = min(int(RARE_SHARE * len(patient)), len(once))
    return np.sort(rng.choice(once, wanted, replace=False))


def _rare_readings(rng: np.random.Generator, which: NDArray[np.int64]) -> FloatArray:
    """True vital signs of rare diseases, float64 of shape (len(which), 6)."""
    noise = rng.standard_normal((len(which), len(READINGS))) @ np.linalg.cholesky(CORRELATION).T
    table = np.stack([_table(RARE_DISEASES, name) for name in READINGS], axis=1)[which]
    return np.asarray(table[:, :, 0] + table[:, :, 1] * noise, dtype=np.float64)


def _measured(rng: np.random.Generator, true: FloatArray) -> FloatArray:
    """Add the error of measurement and round as devices and people do."""
    read = true + by_reading(MEASUREMENT_SD) * rng.standard_normal(true.shape)
    low, high = (np.array([SURVIVABLE[name][k] for name in READINGS]) for k in (0, 1))
    read = np.clip(read, low, high)
    systolic, diastolic = READINGS.index("systolic_bp"), READINGS.index("diastolic_bp")
    read[:, diastolic] = np.minimum(read[:, diastolic], read[:, systolic] - SMALLEST_PULSE_PRESSURE)
    # Most counts are taken over 30 s and doubled, so respiratory rates are even numbers.
    breaths = READINGS.index("respiratory_rate")
    read[:, breaths] = 2.0 * np.round(read[:, breaths] / 2.0)
    temperature = READINGS.index("body_temperature")
    tenths = np.round(read[:, temperature], 1)
    read = np.round(read)
    read[:, temperature] = tenths
    return np.asarray(np.clip(read, low, high), dtype=np.float64)


def _missing(
    rng: np.random.Generator, severity: NDArray[np.object_], intensity: FloatArray
) -> NDArray[np.bool_]:
    """Which readings were not taken, bool of shape (n, 6): more in the sickest (C8)."""
    code = np.searchsorted(np.array(_CODES), severity.astype(str))
    together = np.array([MISSING_SET[Severity(c)] for c in _CODES])[code]
    single = np.array([MISSING_ONE[Severity(c)] for c in _CODES])[code]
    worse = intensity**2 / 1.25  # mean 1
    hasty = rng.random(len(code)) < np.clip(together * worse, 0.0, 0.9)
    lost = np.where(hasty, 0.75, np.clip(single * worse, 0.0, 0.6))
    missing = rng.random((len(code), len(READINGS))) < lost[:, None]
    # A cuff gives both pressures or none.
    missing[:, READINGS.index("diastolic_bp")] = missing[:, READINGS.index("systolic_bp")]
    return missing


_CODES: tuple[str, ...] = tuple(sorted(severity.value for severity in SEVERITIES))
