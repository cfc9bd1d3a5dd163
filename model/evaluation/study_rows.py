"""What a study of a model looks at, and how its figures become JSON."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from model.evaluation.intervals import MetricValue
from model.features import FloatArray
from model.severity import Severity
from model.small_cells import SMALLEST_SHOWN, shown

TOO_FEW = SMALLEST_SHOWN
"""Rows or cases below which a group of patients has no figures, nor its exact count."""

Refit = Callable[[NDArray[np.bool_], NDArray[np.bool_]], FloatArray]
"""Fits the chosen kind of model anew, on the first rows (n,) and with the temperature of the
second, and returns its probabilities of all rows, (n, K)."""


@dataclass(frozen=True)
class StudyRows:
    """Rows of the covered categories with what the model says of them; n rows, K categories."""

    frame: pd.DataFrame
    """Columns of history; only `inputs`, `sex`, `age`, `rare_code` and `source` are read."""
    outcome: NDArray[np.intp]
    """(n,) positions in `classes`."""
    patient: NDArray[np.intp]
    """(n,) numbers."""
    train: NDArray[np.bool_]
    """(n,) the part the model learnt from."""
    tuning: NDArray[np.bool_]
    """(n,) the part its temperature and thresholds are from."""
    held_out: NDArray[np.bool_]
    """(n,) the part that every figure is of."""
    margins: FloatArray
    """(n, K) scores before the temperature, the class bias added."""
    probabilities: FloatArray
    """(n, K) as served."""
    decisions: NDArray[np.intp]
    """(n,) positions of what the thresholds decide."""
    members: NDArray[np.bool_]
    """(n, K) prediction sets."""
    classes: tuple[Severity, ...]
    thresholds: Mapping[Severity, float]
    inputs: tuple[str, ...]
    """Names of `model.features.ROW_NAMES` that the model reads."""
    coverage: float
    """What prediction sets promise."""
    calibration_cases: tuple[int, ...]
    """Cases of each category that its set rests on, (K,)."""

    @cached_property
    def focus(self) -> int:
        """Position of the category that tables of groups are about: acute, or the first."""
        return self.classes.index(Severity.ACUTE) if Severity.ACUTE in self.classes else 0

    @cached_property
    def tested(self) -> "StudyRows":
        """The held-out rows alone."""
        return self.only(self.held_out)

    def only(self, rows: NDArray[np.bool_]) -> "StudyRows":
        """The same for some rows."""
        return replace(
            self,
            frame=self.frame[rows],
            outcome=self.outcome[rows],
            patient=self.patient[rows],
            train=self.train[rows],
            tuning=self.tuning[rows],
            held_out=self.held_out[rows],
            margins=self.margins[rows],
            probabilities=self.probabilities[rows],
            decisions=self.decisions[rows],
            members=self.members[rows],
        )


@dataclass(frozen=True, slots=True)
class StudyModel:
    """What a study asks of the model."""

    predict: Callable[[pd.DataFrame], FloatArray]
    """Probabilities (n, K) of a frame."""
    members: Callable[[FloatArray], NDArray[np.bool_]]
    """Prediction sets (n, K) of probabilities."""
    explain: Callable[[pd.DataFrame], tuple[tuple[str, ...], FloatArray]] | None = None
    """Names of R reasons, and their contributions (n, K, R) in log-odds."""
    refit: Refit | None = None
    """`None`: no learning curve, and no source is left out."""


@dataclass(frozen=True, slots=True)
class Draws:
    """How intervals are drawn, and the seed of every sample of the study."""

    replicates: int = 200
    seed: int = 0


def value_json(value: MetricValue | None) -> dict[str, Any] | None:
    """`value`, `lower`, `upper`, `n` as JSON types; no exact `n` below `TOO_FEW`."""
    if value is None:
        return None
    return {
        "value": value.value,
        "lower": value.lower,
        "upper": value.upper,
        "n": shown(value.n),
    }


def number(value: float) -> float | None:
    """A float for JSON, which knows no NaN."""
    return float(value) if np.isfinite(value) else None


def hide_complements(records: Sequence[dict[str, Any]]) -> None:
    """Hide a second count where a single hidden one could be had by subtraction.

    `records` are the groups that together make up all rows, with `rows`, perhaps `cases`, and
    figures with their own `n`. The smallest of the others loses its count, not its figures
    (complementary suppression, as `model.small_cells.shown_table`).
    """
    for name in ("rows", "cases"):
        hidden = [one for one in records if name in one and one[name] is None]
        others = [one for one in records if one.get(name)]
        if len(hidden) == 1 and others:
            smallest = min(others, key=lambda one: int(one[name]))
            smallest[name] = None
            for figure in smallest.values():
                if isinstance(figure, dict) and "n" in figure:
                    figure["n"] = None
