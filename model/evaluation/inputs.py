"""How the inputs hang together, and how much each moves the prediction."""

from typing import Any

import numpy as np
import pandas as pd

from model.evaluation.study_rows import TOO_FEW, Draws, StudyModel, StudyRows, number
from model.features import CATEGORIES, FloatArray

EXPLAINED = 1_500
"""Rows whose contributions are averaged, at most."""
GROUPS = 6
"""Groups of equal count of a reading in the picture of its contribution."""
_READING_OF = {"blood_pressure": "systolic_bp"}
"""The reading along which a reason of several is shown."""


def correlations(frame: pd.DataFrame, inputs: tuple[str, ...]) -> dict[str, Any]:
    """Spearman's rank correlation of each two numeric inputs, on rows that have both.

    `names` (M,) and `values` (M, M), `None` where fewer than `TOO_FEW` rows have both or one of
    them is constant.
    """
    names = [name for name in inputs if name in frame and name not in CATEGORIES]
    numbers = frame[names].astype(np.float64)
    table = numbers.corr(method="spearman", min_periods=TOO_FEW).to_numpy()
    return {"names": names, "values": [[number(value) for value in row] for row in table]}


def importance(rows: StudyRows, model: StudyModel, draws: Draws) -> dict[str, Any] | None:
    """Mean absolute contribution of each reason to the log-odds of each category.

    On a sample of at most `EXPLAINED` rows. Also, for the focus category, the mean contribution
    in groups of equal count of the reading: the direction, without showing any one patient.
    `None` for a model that is not explained, or without `TOO_FEW` rows.
    """
    n = len(rows.outcome)
    if model.explain is None or n < TOO_FEW:
        return None
    chosen = np.arange(n)
    if n > EXPLAINED:
        generator = np.random.default_rng(draws.seed)
        chosen = np.sort(generator.choice(n, EXPLAINED, replace=False))
    sample = rows.frame.iloc[chosen]
    reasons, values = model.explain(sample)
    sizes = np.abs(values).mean(axis=0)
    return {
        "rows": len(chosen),
        "reasons": list(reasons),
        "by_category": {
            category.value: [float(size) for size in sizes[i]]
            for i, category in enumerate(rows.classes)
        },
        "by_reading": [
            {"reason": reason, "groups": _by_reading(sample, reason, values[:, rows.focus, r])}
            for r, reason in enumerate(reasons)
            if _READING_OF.get(reason, reason) in sample and reason not in CATEGORIES
        ],
    }


def _by_reading(sample: pd.DataFrame, reason: str, values: FloatArray) -> list[dict[str, float]]:
    """Mean reading and mean contribution of groups of at least `TOO_FEW` rows, ascending."""
    name = _READING_OF.get(reason, reason)
    reading = sample[name].to_numpy(dtype=np.float64, na_value=np.nan)
    seen = np.flatnonzero(np.isfinite(reading))
    count = min(GROUPS, len(seen) // TOO_FEW)
    if count == 0:
        return []
    order = seen[np.argsort(reading[seen], kind="stable")]
    return [
        {"reading": float(reading[rows].mean()), "contribution": float(values[rows].mean())}
        for rows in np.array_split(order, count)
    ]
