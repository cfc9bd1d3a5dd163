"""What a model answers to real rows one by one, as it is served: how long, and with exact reasons.

The clock is the caller's.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from model.errors import ModelError
from model.features import READINGS, ROW_NAMES, FeatureRow, FloatArray
from model.scorer import MINUTES_BEFORE, Scorer

Timer = Callable[[], float]
"""Seconds that only grow, like `time.perf_counter`."""
TURNS = 3
"""Times each row is asked about; the quickest counts. What a busy machine adds is not the model's
(as `timeit` has it), and hardly strikes the same row in every turn."""
SAMPLE = 200
"""Rows asked about: enough that ten of them lie beyond the 95th percentile."""
EXACT = 1e-4
"""Difference of probabilities that counts as none: boosters add 32-bit numbers."""
_WARM_UP = 10
"""Answers before the first that counts: a model builds tables when it is first asked."""


@dataclass(frozen=True, slots=True)
class Answers:
    """Answers of champion and challenger to the same sample of rows."""

    rows: int
    champion_ms: FloatArray
    """Milliseconds of the quickest answer to each row; empty without a timer."""
    challenger_ms: FloatArray
    inexact: float | None
    """Largest difference between the probability that the challenger's reasons add up to and the
    one it predicts; `None` if it could not explain a row at all."""


def answers(
    champion: Scorer, challenger: Scorer, rows: pd.DataFrame, timer: Timer | None, seed: int
) -> Answers:
    """Let both models assess a sample of `rows` in turn, so that a busy moment strikes both."""
    chosen = np.random.default_rng(seed).permutation(len(rows))[:SAMPLE]
    sample = rows.iloc[chosen]
    asked = [feature_row(row) for row in sample.to_dict("records")]
    inexact = _inexact(challenger, sample, asked)
    if timer is None or inexact is None:
        return Answers(len(asked), np.empty(0), np.empty(0), inexact)
    for row in asked[:_WARM_UP]:
        champion.assess(row)
    spent = np.empty((TURNS, 2, len(asked)))
    for turn in range(TURNS):
        for i, row in enumerate(asked):
            # Who comes second finds the row in the processor's cache.
            for j in (0, 1) if i % 2 else (1, 0):
                start = timer()
                (champion, challenger)[j].assess(row)
                spent[turn, j, i] = timer() - start
    spent = spent.min(axis=0)
    return Answers(len(asked), spent[0] * 1e3, spent[1] * 1e3, inexact)


def _inexact(scorer: Scorer, sample: pd.DataFrame, asked: list[FeatureRow]) -> float | None:
    predicted = scorer.probabilities(sample)
    try:
        # `assess` itself refuses reasons that do not add up to what it explains.
        explained = [scorer.assess(row).probabilities for row in asked]
    except ModelError:
        return None
    found = np.array([[row[code] for code in scorer.classes] for row in explained])
    return float(np.abs(found.reshape(predicted.shape) - predicted).max(initial=0.0))


def feature_row(row: Mapping[Any, Any]) -> FeatureRow:
    """A row of a history frame as the inputs of one assessment."""
    values = {name: row[name] for name in ROW_NAMES if not pd.isna(row.get(name))}
    minutes = {
        name: float(row[MINUTES_BEFORE + name])
        for name in READINGS
        if not pd.isna(row.get(MINUTES_BEFORE + name))
    }
    return FeatureRow(**values, minutes_before=minutes)
