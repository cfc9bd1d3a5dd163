"""Whether the log loss of a version has risen above what it was when it was made."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import hypot
from typing import Any

from scipy.stats import norm

from model.evaluation.intervals import CONFIDENCE

MARGIN = 0.03
"""Nat by which log loss may rise: of the 0.106 that five readings gain over the frequencies on
real emergency visits, a good quarter."""
ERROR = 0.01
"""One-sided: so often is a rise told where the loss has risen by the margin and no more; less often
where it has risen less."""
RUNNING = 2
"""Chunks that together must show it, and each of which must be above the margin."""


@dataclass(frozen=True, slots=True)
class LossRise:
    """A chunk's log loss against the reference."""

    loss: float
    reference: float
    standard_error: float
    """Of the chunk's."""
    reference_error: float

    @property
    def passed(self) -> bool:
        """Not above the margin, as far as the figure itself goes."""
        return self.loss <= self.reference + MARGIN


def has_risen(newest: Sequence[LossRise]) -> bool:
    """Whether the `RUNNING` newest chunks show that the loss is above the reference by more than
    the margin.

    Their mean is held against it, with the errors of all: one chunk of a few hundred outcomes
    would see only a large rise.
    """
    if len(newest) < RUNNING or any(one.passed for one in newest[:RUNNING]):
        return False
    some = newest[:RUNNING]
    above = sum(one.loss - one.reference - MARGIN for one in some) / RUNNING
    of_mean = hypot(*(one.standard_error for one in some)) / RUNNING
    return bool(above > norm.ppf(1.0 - ERROR) * hypot(of_mean, some[0].reference_error))


def loss_rise(
    held_out: Sequence[Mapping[str, Any]], weighted: Mapping[str, Any] | None
) -> LossRise | None:
    """Hold a chunk (`weighted_figures`) against the held-out part of the version (`as_records`).

    The weighted log loss, because the verified part is selected. `None` where one of the two, or
    its interval, is missing.
    """
    before = _log_loss(held_out)
    now = None if weighted is None else _log_loss(weighted["figures"])
    if before is None or now is None or before["lower"] is None or now["standard_error"] is None:
        return None
    # The interval of the report is a percentile one; at its size it is as good as normal.
    width = 2.0 * float(norm.ppf((1.0 + CONFIDENCE) / 2.0))
    of_reference = (before["upper"] - before["lower"]) / width
    return LossRise(now["value"], before["value"], now["standard_error"], of_reference)


def _log_loss(records: Sequence[Mapping[str, Any]]) -> Mapping[str, Any] | None:
    for record in records:
        if record["metric"] == "log_loss" and record["value"] is not None:
            return record
    return None
