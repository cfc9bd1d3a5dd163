"""What would have to be measured for another category: one reading changed, all else as it was.

A search, not advice: it tells how the model sees a row, never what to do about a patient
(counterfactual explanations, Wachter 2017). Readings are changed one at a time within what is
plausible (`model.features.FEATURES`, `usual`) and in steps a chart can hold.
"""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from model.features import (
    FEATURE,
    READINGS,
    ROW_NAMES,
    FeatureRow,
    FloatArray,
    is_possible,
    model_matrix,
)
from model.scorer import Scorer
from model.severity import Severity


@dataclass(frozen=True, slots=True)
class NearestChange:
    """The smallest change of one reading that changes the category."""

    feature: str
    value: float
    """In the unit of the feature, to its decimals."""
    category: Severity
    """What the prediction would be."""


def nearest_changes(scorer: Scorer, row: FeatureRow) -> tuple[NearestChange, ...]:
    """For each reading of `row` its nearest change to another category, where there is one.

    The smallest first, measured in widths of the plausible range; of two values as near the lower
    one. A missing reading is not filled in (C8), and pressures stay in their order. Raises
    `ModelError` if the model fails on one of the rows.
    """
    now = scorer.categories(_matrix(row, {}, 1))[0]
    found = []
    for name in READINGS:
        present = row.value(name)
        if not isinstance(present, int | float):
            continue
        tried = _tried(row, name, float(present))
        if len(tried) == 0:
            continue
        categories = scorer.categories(_matrix(row, {name: tried}, len(tried)))
        for value, category in zip(tried.tolist(), categories, strict=True):
            if category is not now:
                low, high = FEATURE[name].usual
                change = NearestChange(name, value, category)
                found.append((abs(value - present) / (high - low), change))
                break
    return tuple(change for _, change in sorted(found, key=lambda one: one[0]))


def _tried(row: FeatureRow, name: str, present: float) -> FloatArray:
    """Plausible values of a reading in the steps of its chart, the nearest first."""
    feature = FEATURE[name]
    factor = 10**feature.decimals
    low, high = feature.usual
    grid = np.arange(round(low * factor), round(high * factor) + 1) / factor
    grid = np.asarray([value for value in grid if is_possible(name, float(value))])
    if name == "systolic_bp" and row.diastolic_bp is not None:
        grid = grid[grid > row.diastolic_bp]
    if name == "diastolic_bp" and row.systolic_bp is not None:
        grid = grid[grid < row.systolic_bp]
    grid = grid[np.abs(grid - present) > 0.5 / factor]
    return np.asarray(grid[np.argsort(np.abs(grid - present), kind="stable")], dtype=np.float64)


def _matrix(row: FeatureRow, changed: Mapping[str, FloatArray], n: int) -> FloatArray:
    columns: dict[str, ArrayLike] = {"age": np.full(n, np.nan if row.age is None else row.age)}
    for name in ROW_NAMES:
        if (value := row.value(name)) is not None:
            columns[name] = np.full(n, value, dtype=object if isinstance(value, str) else None)
    minutes: dict[str, ArrayLike] = {
        name: np.full(n, value) for name, value in row.minutes_before.items()
    }
    return model_matrix(columns | dict(changed), minutes)
