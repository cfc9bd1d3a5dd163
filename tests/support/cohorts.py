"""A small seeded cohort for tests of training: five categories, gaps, several rows a patient."""

import numpy as np
import pandas as pd

from model.severity import SEVERITIES

# Means of age, heart rate, temperature, systolic, diastolic, in the order of SEVERITIES.
_MEANS = np.array(
    [
        [35.0, 72.0, 36.7, 118.0, 76.0],
        [40.0, 82.0, 37.0, 124.0, 78.0],
        [58.0, 112.0, 38.1, 100.0, 60.0],
        [64.0, 80.0, 36.7, 146.0, 86.0],
        [78.0, 98.0, 36.6, 106.0, 62.0],
    ]
)
_SPREAD = np.array([14.0, 12.0, 0.6, 15.0, 10.0])
_SHARES = (0.2, 0.35, 0.15, 0.2, 0.1)
NAMES = ("age", "heart_rate", "body_temperature", "systolic_bp", "diastolic_bp")


def small_cohort(
    rows: int,
    seed: int,
    *,
    categories: int = 5,
    dated: bool = False,
    patients: bool = True,
    spread: float = 1.0,
) -> pd.DataFrame:
    """`rows` rows of history; about a tenth of readings missing, more among the acute."""
    rng = np.random.default_rng(seed)
    shares = np.array(_SHARES[:categories]) / sum(_SHARES[:categories])
    kind = rng.choice(categories, rows, p=shares)
    values = _MEANS[kind] + rng.normal(size=(rows, 5)) * _SPREAD * spread
    values[:, 0] = np.clip(values[:, 0], 18, 100)
    values[:, 4] = np.minimum(values[:, 4], values[:, 3] - 15)
    gaps = rng.random((rows, 5)) < np.where(kind == 2, 0.2, 0.08)[:, None]
    gaps[:, 0] = False
    values[gaps] = np.nan
    frame = pd.DataFrame(np.round(values, 1), columns=list(NAMES))
    frame["sex"] = rng.choice(["female", "male"], rows)
    frame["severity"] = [SEVERITIES[k].value for k in kind]
    if patients:
        frame["patient_id"] = [f"p{number}" for number in rng.integers(0, rows // 2 + 1, rows)]
    if dated:
        days = pd.to_timedelta(rng.integers(0, 1000, rows), unit="D")
        frame["recorded_at"] = pd.Timestamp("2020-01-01", tz="UTC") + days
    return frame


def with_extra_inputs(frame: pd.DataFrame, seed: int) -> pd.DataFrame:
    """The same rows with `abo_group` and `exercise_days`, a fifth of each missing.

    Invented: the not ill exercise most, and the chronically ill are more often of group A.
    """
    rng = np.random.default_rng(seed)
    rows = len(frame)
    well, chronic = frame["severity"] == "not-ill", frame["severity"] == "chronic"
    days = np.clip(np.round(rng.normal(np.where(well, 20, 6), 5, rows)), 0, 30)
    groups = rng.choice(["A", "B", "AB", "O"], rows, p=[0.35, 0.15, 0.05, 0.45]).astype(object)
    groups[chronic & (rng.random(rows) < 0.4)] = "A"
    days[rng.random(rows) < 0.2] = np.nan
    groups[rng.random(rows) < 0.2] = None
    return frame.assign(abo_group=groups, exercise_days=days)
