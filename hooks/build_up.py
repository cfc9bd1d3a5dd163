"""How a probability builds up: from where the model starts, reason by reason, to the log-odds.

What is shown is rounded, and still adds up to the last digit: the running totals are rounded, and
each step is shown as the difference of two of them. So a step is at most one unit away from its own
rounding, and never has the opposite sign.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

from model.assessment import Contribution

DECIMALS = 2
"""Of log-odds as they are shown: hundredths."""
_UNITS: int = 100


@dataclass(frozen=True, slots=True)
class Step:
    """One reason and where it leads."""

    reason: str
    """One of `model.features.REASONS`."""
    units: int
    """How far it moves the total, in hundredths of log-odds."""
    before: int
    after: int
    """The total before and after it, in the same unit."""
    value: float
    """Unrounded."""
    probability: float
    """What the total stands for after it, 0 to 1."""


@dataclass(frozen=True, slots=True)
class BuildUp:
    """From start to end; `start + Σ step.units == end` exactly."""

    start: int
    steps: tuple[Step, ...]
    end: int
    """The calibrated log-odds, rounded."""
    start_probability: float
    end_probability: float


def build_up(contributions: Sequence[Contribution], baseline: float) -> BuildUp:
    """The steps in the order of `contributions`, from `baseline`; all in calibrated log-odds."""
    total = baseline
    start = before = _units(total)
    steps = []
    for one in contributions:
        total += one.value
        after = _units(total)
        steps.append(
            Step(one.reason, after - before, before, after, one.value, probability_of(total))
        )
        before = after
    return BuildUp(start, tuple(steps), before, probability_of(baseline), probability_of(total))


def log_odds(probability: float) -> float | None:
    """log(p/(1 - p)); `None` for 0 and 1, of which it is not a number."""
    if not 0.0 < probability < 1.0:
        return None
    return math.log(probability) - math.log1p(-probability)


def probability_of(odds: float) -> float:
    """The probability (0 to 1) of log-odds, safe for large ones."""
    if odds >= 0:
        return 1.0 / (1.0 + math.exp(-min(odds, 700.0)))
    exponent = math.exp(max(odds, -700.0))
    return exponent / (1.0 + exponent)


def written(units: int) -> float:
    """Hundredths as log-odds."""
    return units / _UNITS


def _units(value: float) -> int:
    return math.floor(value * _UNITS + 0.5)
