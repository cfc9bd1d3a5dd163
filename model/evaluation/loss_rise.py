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
ERROR = 0.05
"""One-sided, of one chunk. An alert takes two running: where the loss has risen by the margin and
no more, one is raised in 1 of 400 pairs of chunks; where it has not risen, in far fewer."""


@dataclass(frozen=True, slots=True)
class LossRise:
    """A chunk's log loss against the reference."""

    loss: float
    reference: float
    standard_error: float
    """Of the difference."""

    @property
    def risen(self) -> bool:
        """Shown to be above the reference by more than the margin."""
        above = self.loss - self.reference - MARGIN
        return bool(above > norm.ppf(1.0 - ERROR) * self.standard_error)

    @property
    def passed(self) -> bool:
        """Not above the margin any more, as far as the figure itself goes."""
        return self.loss <= self.reference + MARGIN


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
    return LossRise(now["value"], before["value"], hypot(of_reference, now["standard_error"]))


def _log_loss(records: Sequence[Mapping[str, Any]]) -> Mapping[str, Any] | None:
    for record in records:
        if record["metric"] == "log_loss" and record["value"] is not None:
            return record
    return None
