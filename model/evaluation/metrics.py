"""Metrics of probabilities and of decisions, each with an interval drawn by patient.

Every metric is a function of row weights, so that the figure and all its bootstrap replicates
are one matrix product. Precision, recall, F1, balanced accuracy and the confusion matrix are of
the *decisions* (operating thresholds), the others of the probabilities.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from model.evaluation.intervals import MetricValue, bootstrap_weights, share, summarise
from model.features import FloatArray
from model.severity import Severity

MINIMUM_ROWS = 30
"""Rows below which a figure over all categories is "not enough"."""
MINIMUM_CASES = 10
"""Cases (or flagged rows) below which a figure of one category is "not enough"."""
BINS = 15
"""Equal-count bins of the calibration error."""
_SMALLEST_PROBABILITY = 1e-15


@dataclass(frozen=True, slots=True)
class Metric:
    """One figure of a report."""

    name: str
    category: Severity | None
    """`None`: over all categories."""
    decided: Severity | None
    """Only for `confusion`: what was decided for rows of `category`."""
    value: MetricValue


def evaluate(
    probabilities: FloatArray,
    outcome: NDArray[np.intp],
    decisions: NDArray[np.intp],
    patient: ArrayLike,
    classes: tuple[Severity, ...],
    *,
    sets: NDArray[np.bool_] | None = None,
    replicates: int = 200,
    seed: int = 0,
    minimum_rows: int = MINIMUM_ROWS,
    minimum_cases: int = MINIMUM_CASES,
) -> list[Metric]:
    """All figures of a set of predictions with known outcomes.

    `probabilities` (n, K) in the order of `classes`; `outcome` and `decisions` (n,) positions in
    it; `patient` (n,) labels; `sets` (n, K) prediction sets. What rests on fewer than
    `minimum_rows` rows, or `minimum_cases` cases or flagged rows, has no value. Means over
    categories (macro-F1, balanced accuracy) are over those that occur; they need
    `minimum_cases` in each. Without rows there are no figures.
    """
    n = len(outcome)
    if n == 0:
        return []
    blocks = [
        _figures(probabilities, outcome, decisions, sets, weights)
        for weights in bootstrap_weights(patient, replicates, seed)
    ]
    figures = {key: np.concatenate([block[key] for block in blocks]) for key in blocks[0]}
    # Noise alone makes this error larger, and resampling adds noise: without moving the
    # replicates back onto the figure, its own interval would lie above it.
    error = figures["calibration_error", None, None]
    error[1:] = np.maximum(error[1:] + error[0] - error[1:].mean(), 0.0)

    cases = np.bincount(outcome, minlength=len(classes))
    flagged = np.bincount(decisions, minlength=len(classes))
    each = bool((cases[cases > 0] >= minimum_cases).all())
    found: list[Metric] = []
    for (name, i, j), values in figures.items():
        rests_on, enough = n, n >= minimum_rows
        if name in _MEANS:
            enough = enough and each
        elif name in _OF_FLAGGED and i is not None:
            rests_on = int(flagged[i])
            enough = rests_on >= minimum_cases
        elif name in _OF_CASES and i is not None:
            rests_on = int(cases[i])
            others = n - rests_on if name in _OF_BOTH else rests_on
            enough = min(rests_on, others) >= minimum_cases
        none = MetricValue(None, None, None, rests_on)
        category, decided = (None if k is None else classes[k] for k in (i, j))
        value = summarise(values, rests_on) if enough else none
        found.append(Metric(name, category, decided, value))
    return found


_Key = tuple[str, int | None, int | None]
_MEANS = ("macro_f1", "balanced_accuracy")
_OF_FLAGGED = ("precision",)
_OF_BOTH = ("auroc", "average_precision")
_OF_CASES = ("recall", "set_coverage", *_OF_BOTH)


def _figures(
    probabilities: FloatArray,
    outcome: NDArray[np.intp],
    decisions: NDArray[np.intp],
    sets: NDArray[np.bool_] | None,
    weights: FloatArray,
) -> dict[_Key, FloatArray]:
    """Every figure for each row of `weights` (r, n), by name, category and decided category."""
    n, size = probabilities.shape
    total = weights.sum(axis=1)
    true = np.eye(size)[outcome]
    surprise = -np.log(np.maximum(probabilities[np.arange(n), outcome], _SMALLEST_PROBABILITY))
    frequency = share(weights @ true, total[:, None])
    entropy = -(frequency * np.log(np.maximum(frequency, _SMALLEST_PROBABILITY))).sum(axis=1)
    squares = ((probabilities - true) ** 2).sum(axis=1)
    pairs = np.eye(size * size)[outcome * size + decisions]
    confusion = (weights @ pairs).reshape(-1, size, size)
    hits = confusion[:, np.arange(size), np.arange(size)]
    of_true, of_decided = confusion.sum(axis=2), confusion.sum(axis=1)
    recall, precision = share(hits, of_true), share(hits, of_decided)
    f1 = np.where(of_true > 0, share(2.0 * hits, of_true + of_decided), np.nan)
    found: dict[_Key, FloatArray] = {
        ("log_loss", None, None): share(weights @ surprise, total),
        ("log_loss_of_frequencies", None, None): entropy,
        ("brier", None, None): share(weights @ squares, total),
        ("calibration_error", None, None): calibration_error(probabilities, outcome, weights),
        ("macro_f1", None, None): _mean(f1),
        ("balanced_accuracy", None, None): _mean(recall),
    }
    if sets is not None:
        found["set_size", None, None] = share(weights @ sets.sum(axis=1), total)
    for i in range(size):
        area, average = ranking(probabilities[:, i], true[:, i], weights)
        found["prevalence", i, None] = frequency[:, i]
        found["flag_rate", i, None] = share(of_decided[:, i], total)
        found["recall", i, None] = recall[:, i]
        found["precision", i, None] = precision[:, i]
        found["auroc", i, None] = area
        found["average_precision", i, None] = average
        if sets is not None:
            covered = weights @ (true[:, i] * sets[:, i])
            found["set_coverage", i, None] = share(covered, of_true[:, i])
    for i in range(size):
        for j in range(size):
            found["confusion", i, j] = confusion[:, i, j]
    return found


def calibration_error(
    probabilities: FloatArray, outcome: NDArray[np.intp], weights: FloatArray
) -> FloatArray:
    """Expected calibration error of the largest probability (Guo 2017), (R,).

    The mean gap between confidence and share correct over `BINS` bins of equal count (Nguyen and
    O'Connor 2015), made once on the rows as they are. `weights` is (R, n).
    """
    confidence = probabilities.max(axis=1)
    correct = probabilities.argmax(axis=1) == outcome
    bins = min(BINS, len(outcome))
    member = np.zeros((len(outcome), bins))
    order = np.argsort(confidence, kind="stable")
    for i, rows in enumerate(np.array_split(order, bins)):
        member[rows, i] = 1.0
    gap = weights @ (member * (confidence - correct)[:, None])
    return share(np.abs(gap).sum(axis=1), weights.sum(axis=1))


def ranking(
    score: FloatArray, case: FloatArray, weights: FloatArray
) -> tuple[FloatArray, FloatArray]:
    """Area under the ROC curve and average precision, each (R,); NaN without cases or others.

    `score` and `case` (1 or 0) are (n,), `weights` (R, n). Ties count one half in the area (Mann
    and Whitney 1947) and as one step in the average precision.
    """
    order = np.argsort(-score, kind="stable")
    ordered = score[order]
    ends = np.flatnonzero(np.append(ordered[1:] != ordered[:-1], True))
    counted = weights[:, order]
    positive = np.cumsum(counted * case[order], axis=1)[:, ends]
    everyone = np.cumsum(counted, axis=1)[:, ends]
    before = np.concatenate([np.zeros((len(weights), 1)), positive[:, :-1]], axis=1)
    step = positive - before
    cases = positive[:, -1]
    others = everyone[:, -1] - cases
    negative = everyone - positive
    beaten = np.diff(negative, axis=1, prepend=0.0) * (positive + before) / 2.0
    area = share(beaten.sum(axis=1), cases * others)
    # A replicate may not have drawn the first rows: no step there, whatever the quotient.
    precision = np.nan_to_num(share(positive, everyone))
    average = share((step * precision).sum(axis=1), cases)
    return area, average


def _mean(values: FloatArray) -> FloatArray:
    """Mean over the categories that a replicate holds, (R,); NaN where it holds none."""
    defined = np.isfinite(values)
    return share(np.where(defined, values, 0.0).sum(axis=1), defined.sum(axis=1))
