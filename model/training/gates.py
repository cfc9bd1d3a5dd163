"""Whether a challenger may replace the champion: paired non-inferiority, by patient.

Both models score the same patients, whom neither has learnt from. The challenger must be shown
not to be worse by more than a margin (one-sided 95 %), in log loss and in finding acute illness.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from model.features import FloatArray
from model.scorer import Scorer
from model.severity import Severity
from model.training.splits import patient_keys

PROMOTE, REFUSED, NOT_ENOUGH = "promoted-ok", "refused", "not-enough"
MARGIN_LOG_LOSS = 0.003
MARGIN_SENSITIVITY = 0.05
MINIMUM_OUTCOMES = 2_000
_ONE_SIDED = 0.95
_SMALLEST_PROBABILITY = 1e-15


@dataclass(frozen=True, slots=True)
class GateDecision:
    """What the comparison says, and why."""

    promote: bool
    outcome: str
    """`promoted-ok`, `refused` or `not-enough`."""
    reason: str
    """One sentence with the figures."""
    figures: dict[str, Any]
    """JSON types."""


def compare(
    champion: Scorer,
    challenger: Scorer,
    frame: pd.DataFrame,
    *,
    seed: int,
    replicates: int = 1_000,
    margin_log_loss: float = MARGIN_LOG_LOSS,
    margin_sensitivity: float = MARGIN_SENSITIVITY,
    minimum: int = MINIMUM_OUTCOMES,
    allow_fewer_categories: bool = False,
) -> GateDecision:
    """Compare two models on `frame`: rows with `severity` that neither has learnt from.

    The challenger is promoted if the upper bound of (its log loss − the champion's) is at most
    `margin_log_loss`, and the lower bound of (its sensitivity for acute at the champion's flag
    rate − the champion's) is at least −`margin_sensitivity`. Under `minimum` rows, or without an
    acute case, it is "not enough to decide". A challenger without a category that the champion
    has is refused unless `allow_fewer_categories` (C19).

    Log loss is compared on rows whose category both cover, with the probabilities of each model
    scaled to the categories both cover: a model is not punished for knowing one more. Who is in
    the population, and who is unseen (`splits.unseen_by`), is for the caller to select.
    """
    lost = [code for code in champion.classes if code not in challenger.classes]
    shared = [code for code in champion.classes if code in challenger.classes]
    outcome = frame["severity"].to_numpy(dtype=object)
    comparable = np.isin(outcome.astype(str), [code.value for code in shared])
    figures: dict[str, Any] = {
        "rows": len(frame),
        "compared": int(comparable.sum()),
        "not_covered_by_both": int((~comparable).sum()),
        "minimum": minimum,
        "lost_categories": [code.value for code in lost],
        "champion": champion.facts.version,
        "challenger": challenger.facts.version,
    }
    if lost and not allow_fewer_categories:
        names = ", ".join(lost)
        return GateDecision(
            False,
            REFUSED,
            f"Refused: the challenger does not cover {names}, which the champion does; "
            "--allow-fewer-categories accepts that.",
            figures,
        )
    if len(shared) < 2:
        return GateDecision(
            False, REFUSED, "Refused: the two models share fewer than two categories.", figures
        )
    count = int(comparable.sum())
    if count < minimum:
        return GateDecision(
            False,
            NOT_ENOUGH,
            f"Not enough to decide: {count} outcomes of patients neither model has learnt from, "
            f"{minimum} are needed; the champion stays.",
            figures,
        )
    rows = frame[comparable]
    loss = [_losses(scorer, rows, shared) for scorer in (champion, challenger)]
    acute = rows["severity"].to_numpy(dtype=object).astype(str) == Severity.ACUTE.value
    figures["acute_cases"] = int(acute.sum())
    judged = Severity.ACUTE in shared
    if judged and not acute.any():
        return GateDecision(
            False,
            NOT_ENOUGH,
            "Not enough to decide: no acute case among the outcomes; the champion stays.",
            figures,
        )
    gain = np.zeros(count)
    if judged:
        flags = _flags(champion, challenger, rows)
        figures["flag_rate"] = float(flags[0].mean())
        for name, flagged in zip(("champion", "challenger"), flags, strict=True):
            figures[f"sensitivity_{name}"] = float(flagged[acute].mean())
        gain = (flags[1] - flags[0]) * acute
    patient = pd.factorize(patient_keys(rows))[0]
    worse, better = _bounds(patient, loss[1] - loss[0], gain, acute, replicates, seed)
    figures |= {
        "log_loss_champion": float(loss[0].mean()),
        "log_loss_challenger": float(loss[1].mean()),
        "log_loss_difference_upper": worse,
        "margin_log_loss": margin_log_loss,
        "margin_sensitivity": margin_sensitivity,
    }
    if judged:
        figures["sensitivity_difference_lower"] = better
    return _judge(figures, judged, margin_log_loss, margin_sensitivity)


def _judge(
    figures: dict[str, Any], judged: bool, margin_log_loss: float, margin_sensitivity: float
) -> GateDecision:
    worse = figures["log_loss_difference_upper"]
    change = figures["log_loss_challenger"] - figures["log_loss_champion"]
    loss = (
        f"log loss {figures['log_loss_challenger']:.4f} against "
        f"{figures['log_loss_champion']:.4f} (difference {change:+.4f}, at most {worse:+.4f} with "
        f"95 % confidence, allowed {margin_log_loss:+.4f})"
    )
    sensitivity, keeps = "acute is not covered by both and was not compared", True
    if judged:
        lower = figures["sensitivity_difference_lower"]
        keeps = lower >= -margin_sensitivity
        sensitivity = (
            f"sensitivity for acute {figures['sensitivity_challenger']:.3f} against "
            f"{figures['sensitivity_champion']:.3f} with {figures['flag_rate']:.1%} flagged "
            f"(difference at least {lower:+.3f}, allowed {-margin_sensitivity:+.3f})"
        )
    promote = worse <= margin_log_loss and keeps
    verdict = "Not inferior" if promote else "Refused"
    reason = f"{verdict} on {figures['compared']} outcomes: {loss}; {sensitivity}."
    return GateDecision(promote, PROMOTE if promote else REFUSED, reason, figures)


def _losses(scorer: Scorer, rows: pd.DataFrame, shared: list[Severity]) -> FloatArray:
    """Log loss of each row, given that it is one of the shared categories, nat."""
    probabilities = scorer.probabilities(rows)[:, [scorer.classes.index(code) for code in shared]]
    position = {code.value: i for i, code in enumerate(shared)}
    true = [position[str(code)] for code in rows["severity"]]
    given = probabilities[np.arange(len(rows)), true] / probabilities.sum(axis=1)
    return np.asarray(-np.log(np.maximum(given, _SMALLEST_PROBABILITY)), dtype=np.float64)


def _flags(champion: Scorer, challenger: Scorer, rows: pd.DataFrame) -> list[FloatArray]:
    """How far each row is flagged as acute by each model, at the champion's flag rate.

    Where the last place is shared by several rows of the challenger, each is flagged in part, so
    that the rates are equal to the last row.
    """
    score = [
        scorer.probabilities(rows)[:, scorer.classes.index(Severity.ACUTE)]
        for scorer in (champion, challenger)
    ]
    first = (score[0] >= champion.facts.thresholds[Severity.ACUTE]).astype(np.float64)
    places = int(first.sum())
    second = np.zeros(len(rows))
    if places:
        last = np.sort(score[1])[-places]
        above, tied = score[1] > last, score[1] == last
        second[above] = 1.0
        second[tied] = (places - above.sum()) / tied.sum()
    return [first, second]


def _bounds(
    patient: NDArray[np.intp],
    loss_difference: FloatArray,
    gain: FloatArray,
    acute: NDArray[np.bool_],
    replicates: int,
    seed: int,
) -> tuple[float, float]:
    """Upper bound of the mean loss difference and lower bound of the sensitivity difference."""
    patients = int(patient.max()) + 1
    sums = np.column_stack(
        [
            np.bincount(patient, weights=values, minlength=patients)
            for values in (np.ones(len(patient)), loss_difference, acute.astype(float), gain)
        ]
    )
    generator = np.random.default_rng(seed)
    drawn = np.empty((replicates, sums.shape[1]))
    for i in range(replicates):
        chosen = generator.integers(0, patients, patients)
        drawn[i] = np.bincount(chosen, minlength=patients) @ sums
    worse = float(np.quantile(drawn[:, 1] / drawn[:, 0], _ONE_SIDED))
    holds = drawn[:, 2] > 0
    if not holds.any():
        return worse, -1.0
    return worse, float(np.quantile(drawn[holds, 3] / drawn[holds, 2], 1.0 - _ONE_SIDED))
