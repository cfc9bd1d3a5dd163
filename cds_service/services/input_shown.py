"""What is shown of an input in a chunk beside its distance; nothing here raises an alert."""

from typing import Any

import numpy as np

from model.evaluation.drift import Reference, counts, present, stability_index
from model.features import FEATURE, FloatArray
from model.small_cells import SMALLEST_SHOWN, shown_table

BINS = 20
"""Of a histogram: equal parts of the usual range of the feature, the first and last open."""


def edges_of(name: str) -> FloatArray:
    """Inner edges of the histogram of an input; the same for every chunk."""
    if name not in FEATURE:  # A yes-no input.
        return np.asarray([0.5])
    low, high = FEATURE[name].usual
    return np.linspace(low, high, BINS + 1)[1:-1]


def shown_of(name: str, values: FloatArray, reference: Reference | None) -> dict[str, Any]:
    """Median, population stability index and histogram; JSON types.

    Bins of few rows are left out (`null`), and none can be had by subtraction.
    """
    known = present(values)
    edges = edges_of(name)
    found: dict[str, Any] = {
        "n": len(known),
        "median": _known(np.median(known)) if len(known) >= SMALLEST_SHOWN else None,
        "mean": _known(np.mean(known)) if len(known) >= SMALLEST_SHOWN else None,
        "edges": edges.tolist(),
        "counts": _bins(known, edges),
    }
    if reference is not None and len(reference.values):
        shares = counts(reference.values, edges) / len(reference.values)
        found |= {
            "reference_median": _known(np.median(reference.values)),
            "reference_mean": _known(np.mean(reference.values)),
            "reference_shares": [round(float(share), 3) for share in shares],
            "stability_index": _known(stability_index(known, reference.values)),
        }
    return found


def _bins(values: FloatArray, edges: FloatArray) -> list[int | None]:
    numbers = [str(i) for i in range(len(edges) + 1)]
    told = dict(zip(numbers, counts(values, edges).tolist(), strict=True))
    table = shown_table(["rows"], numbers, {"rows": told})["rows"]
    return [table[number] for number in numbers]


def _known(value: float | np.floating[Any]) -> float | None:
    return round(float(value), 4) if np.isfinite(value) else None
