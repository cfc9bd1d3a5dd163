"""What a training run can honestly use: rows, categories and columns."""

from collections.abc import Mapping
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from model.errors import TrainingError
from model.features import MODEL_COLUMNS, FloatArray
from model.population import ages_in_range
from model.severity import SEVERITIES, Severity, parse_severity
from model.training.design import ADULT, ROWS_PER_AGE_BAND, TrainingSettings
from model.training.splits import CALIBRATION, TRAIN, TUNING, Split

AGE_BANDS: tuple[float, ...] = (
    *(0.0, 0.25, 0.5, 0.75, 1.0, 1.5, 2.0, 3.0, 4.0, 6.0, 8.0, 12.0, 15.0),
    ADULT,
)
"""Edges of the age bands below 18 years: those within which Fleming 2011 gives one range of heart
and respiratory rate."""
_MINIMUM_OBSERVED = 50
_MINIMUM_SHARE_OBSERVED = 0.01


@dataclass(frozen=True, slots=True)
class Eligible:
    """Rows with a category, of the population."""

    frame: pd.DataFrame
    severity: NDArray[np.object_]
    """`Severity` of each row."""
    counts: Mapping[str, int]
    """`given`, `without_category`, `out_of_population`, `used`."""

    def covered(self, classes: tuple[Severity, ...]) -> NDArray[np.bool_]:
        """Which rows have a category of `classes`, (n,)."""
        return np.asarray([code in classes for code in self.severity], dtype=bool)


def eligible_rows(frame: pd.DataFrame, settings: TrainingSettings, *, simulated: bool) -> Eligible:
    """Rows to learn from or be held out (clinical rule C1).

    Raises `TrainingError` if a column is missing, or if ages below 18 are asked for without
    `ROWS_PER_AGE_BAND` history rows in every age band that this adds; simulated rows are no
    history.
    """
    for name in ("severity", "age"):
        if name not in frame:
            raise TrainingError(f"The data have no column {name}.")
    severity = np.asarray([parse_severity(value) for value in frame["severity"]], dtype=object)
    labelled = np.asarray([code is not None for code in severity], dtype=bool)
    age = frame["age"].to_numpy(dtype=np.float64, na_value=np.nan)
    inside = ages_in_range(age, settings.min_age, settings.max_age)
    used = labelled & inside
    if settings.min_age < ADULT:
        if simulated:
            raise TrainingError(
                "Ages below 18 years take history of real patients; the simulated cohort has none."
            )
        _check_bands(age[used], settings.min_age)
    counts = {
        "given": len(frame),
        "without_category": int((~labelled).sum()),
        "out_of_population": int((labelled & ~inside).sum()),
        "used": int(used.sum()),
    }
    return Eligible(frame[used], severity[used], counts)


def _check_bands(age: FloatArray, min_age: float) -> None:
    """Refuse ages that the history hardly holds; a band that `min_age` cuts counts its rest."""
    for low, high in pairwise(AGE_BANDS):
        if high <= min_age:
            continue
        start = max(low, min_age)
        rows = int(((age >= start) & (age < high)).sum())
        if rows < ROWS_PER_AGE_BAND:
            raise TrainingError(
                f"The age band from {start:g} to below {high:g} years has {rows} rows; "
                f"{ROWS_PER_AGE_BAND} are needed in every band below {ADULT:g} years. "
                "Raise --min-age or bring more history."
            )


def covered_categories(
    severity: NDArray[np.object_], split: Split, settings: TrainingSettings
) -> tuple[Severity, ...]:
    """Categories with enough patients to learn and to calibrate on, in the order of `SEVERITIES`.

    One with fewer than `minimum_patients` patients in the training part, or without a row in the
    tuning or calibration part, is not covered (C19). Raises `TrainingError` if fewer than two
    are left, or the training part is too small.
    """
    train = split.rows(TRAIN)
    rows = int(train.sum())
    if rows < settings.minimum_rows:
        raise TrainingError(
            f"The training part has {rows} rows with a category; {settings.minimum_rows} are "
            "needed."
        )
    covered = tuple(
        code
        for code in SEVERITIES
        if len(np.unique(split.patient[train & (severity == code)])) >= settings.minimum_patients
        and all((split.rows(part) & (severity == code)).any() for part in (TUNING, CALIBRATION))
    )
    if len(covered) < 2:
        named = ", ".join(covered) or "none"
        raise TrainingError(
            f"Two categories with at least {settings.minimum_patients} patients in the training "
            f"part, and some in the tuning and calibration parts, are needed; there is: {named}."
        )
    return covered


def usable_columns(matrix: FloatArray) -> tuple[str, ...]:
    """Model columns observed often enough in the training part, and not always the same.

    `matrix` is (n, len(MODEL_COLUMNS)). Raises `TrainingError` if there is none.
    """
    needed = max(_MINIMUM_OBSERVED, _MINIMUM_SHARE_OBSERVED * len(matrix))
    names = []
    for i, column in enumerate(MODEL_COLUMNS):
        seen = matrix[np.isfinite(matrix[:, i]), i]
        if len(seen) >= needed and seen.min() < seen.max():
            names.append(column.name)
    if not names:
        raise TrainingError("No reading is present in enough rows to learn from.")
    return tuple(names)
