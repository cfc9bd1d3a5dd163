"""Other priors for a fitted model: what a shift of prevalence asks for before any retraining.

Where only the shares of the categories have changed (label shift), what the model has learnt of
each category still holds, and log(new share/old share) added to its logits is all that is missing
(Saerens, Latinne and Decaestecker 2002). The offsets are found together with a temperature by
maximum likelihood on recent outcomes (bias-corrected temperature scaling: Alexandari, Kundaje and
Shrikumar 2020). They go into the class bias of the calibration, so reasons still add up.
"""

from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any, Final

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from model.artefact import Artefact
from model.errors import TrainingError
from model.evaluation.metrics import Metric, evaluate
from model.evaluation.report import as_records
from model.explanation import Calibration, softmax
from model.features import FloatArray
from model.operating import decide
from model.prediction_sets import MINIMUM_CASES, PredictionSets, fit_prediction_sets
from model.prototypes import Prototypes
from model.rarity import Rarity
from model.scorer import Scorer, frame_matrix
from model.severity import Severity, parse_severity
from model.training.fitting import select
from model.training.splits import CALIBRATION, fraction_of, part_of, patient_keys
from model.training.thresholds import fit_operating_points

RECALIBRATED: Final = "recalibrated"
"""Name among the attributes of an artefact: what was fitted, on how much."""
FIT, SETS, TEST = "fit", "sets", "test"
MINIMUM_FIT: Final = 200
"""Recent rows below which nothing is fitted."""
MINIMUM_FIT_CASES: Final = 10
"""Recent cases a category needs for a prior of its own; with fewer it keeps its share (C19)."""
_PRIOR_SPREAD: Final = 1.0
"""Standard deviation of an offset before any outcome is seen, nat: a share that changes by a
factor of e. It keeps a category of few cases from running off."""
_FIT_EDGES: Final = (0.40, 0.70, 0.85)


@dataclass(frozen=True, slots=True)
class Recalibration:
    """A model with other priors."""

    artefact: Artefact
    metrics: tuple[Metric, ...]
    """On the recent rows that nothing was fitted to."""
    report: dict[str, Any]
    """JSON types."""


def roles(frame: pd.DataFrame) -> NDArray[np.str_]:
    """What recent rows are for, by the patient's hash, (n,): `fit`, `sets` or `test`.

    30 % of patients fit temperature, offsets and thresholds, 15 % (those of the calibration part)
    the prediction sets; the rest, among them all of the held-out part, test. The estimator has
    seen none of these rows, so more of them can test than where a model is trained.
    """
    found = []
    for key in patient_keys(frame).astype(str):
        place = int(np.searchsorted(_FIT_EDGES, fraction_of(key), side="right"))
        found.append((TEST, FIT, SETS, TEST)[place])
    return np.asarray(found, dtype="<U4")


def recalibrate(
    scorer: Scorer, recent: pd.DataFrame, earlier: pd.DataFrame, *, seed: int
) -> Recalibration:
    """Fit temperature, offsets, thresholds and sets to `recent`, rows of history whose patients
    the model has not learnt from.

    Of a category with fewer than `MINIMUM_CASES` recent cases the sets use `earlier` rows of the
    calibration part too: the promise is one for each category, whose scores a shift of shares
    leaves as they were. Raises `TrainingError` with fewer than `MINIMUM_FIT` rows or two
    categories to fit on, or nothing to test on.
    """
    artefact, classes = scorer.artefact, scorer.classes
    rows, outcome = _known(recent, classes)
    role = roles(rows)
    scores = _scores(artefact, rows)
    fit, sets, test = (role == name for name in (FIT, SETS, TEST))
    cases = np.bincount(outcome[fit], minlength=len(classes))
    free = cases >= MINIMUM_FIT_CASES
    if fit.sum() < MINIMUM_FIT or free.sum() < 2 or not test.any():
        raise TrainingError(
            f"Other priors take {MINIMUM_FIT} recent outcomes of patients the model has not "
            f"learnt from, with {MINIMUM_FIT_CASES} cases in two categories; there are "
            f"{int(fit.sum())}, in {int(free.sum())}."
        )
    shares = np.asarray([scorer.facts.base_rates[code] for code in classes])
    temperature, offsets = fit_priors(scores[fit], outcome[fit], free, shares)
    calibration = Calibration(temperature, artefact.calibration.class_bias + temperature * offsets)
    probabilities = softmax(scores / temperature + offsets)
    flag_rates = {Severity(code): rate for code, rate in artefact.design["flag_rates"].items()}
    for code, able in zip(classes, free, strict=True):
        if not able:  # As often as it was flagged before, not as seldom as it was seen now.
            flag_rates.setdefault(code, artefact.operating_points[code].wanted_flag_rate)
    points = fit_operating_points(probabilities[fit], outcome[fit], classes, flag_rates)
    new_shares = _new_shares(outcome[fit | sets], free, shares)
    decisions = decide(probabilities, classes, {c: p.threshold for c, p in points.items()})
    metrics = evaluate(
        probabilities[test],
        outcome[test],
        decisions[test],
        patient_keys(rows).astype(str)[test],
        classes,
        seed=seed,
    )
    report = {
        "temperature": temperature,
        "offsets": _by_code(classes, offsets),
        "log_share_ratio": _by_code(classes, np.log(new_shares / shares)),
        "rows": {name: int((role == name).sum()) for name in (FIT, SETS, TEST)},
        "kept_their_share": [
            code.value for code, able in zip(classes, free, strict=True) if not able
        ],
        "operating_points": {code.value: asdict(point) for code, point in points.items()},
    }
    attributes = dict(artefact.attributes) | {
        "base_rates": _by_code(classes, new_shares),
        "trained_through": _through(artefact, rows[fit | sets]),
        # Half of what its estimator has not seen is fitted to here.
        "shared_from": None,
        RECALIBRATED: {name: report[name] for name in list(report)[:-1]},
    }
    changed = replace(
        artefact,
        calibration=calibration,
        operating_points=points,
        sets=_sets(
            artefact, probabilities[sets], outcome[sets], earlier, classes, (temperature, offsets)
        ),
        metrics=dict(artefact.metrics) | {"held_out": as_records(metrics)},
        attributes=attributes,
        prototypes=_moved(artefact, temperature, offsets),
    )
    return Recalibration(changed, tuple(metrics), report | {"metrics": as_records(metrics)})


def fit_priors(
    scores: FloatArray, outcome: NDArray[np.intp], free: NDArray[np.bool_], shares: FloatArray
) -> tuple[float, FloatArray]:
    """Temperature and offsets (K,) of the logits `scores/T + offsets`, by maximum likelihood.

    `scores` (n, K) are margins with the model's own class bias, `outcome` (n,) positions, `free`
    (K,) which categories may get another prior, `shares` (K,) the old ones. Those that may not
    are left out of the likelihood, and keep their share: over the others it sums to what it did.
    """
    from scipy.optimize import minimize

    chosen = np.flatnonzero(free)
    position = np.full(len(free), -1)
    position[chosen] = np.arange(len(chosen))
    used = free[outcome]
    some, known = scores[used][:, chosen], position[outcome[used]]
    n, rows = len(known), np.arange(len(known))

    def loss(values: FloatArray) -> tuple[float, FloatArray]:
        scaled = some * np.exp(-values[0])
        logits = scaled + values[1:]
        top = logits.max(axis=1, keepdims=True)
        exponent = np.exp(logits - top)
        total = exponent.sum(axis=1, keepdims=True)
        error = exponent / total
        value = (top[:, 0] + np.log(total[:, 0]) - logits[rows, known]).mean()
        value += (values[1:] ** 2).sum() / (2.0 * n * _PRIOR_SPREAD**2)
        error[rows, known] -= 1.0
        slope = np.empty_like(values)
        slope[0] = -(error * scaled).sum() / n
        slope[1:] = error.mean(axis=0) + values[1:] / (n * _PRIOR_SPREAD**2)
        return float(value), slope

    start = np.zeros(1 + len(chosen))
    bounds = [(np.log(0.05), np.log(20.0)), *([(-8.0, 8.0)] * len(chosen))]
    found = minimize(loss, start, jac=True, method="L-BFGS-B", bounds=bounds).x
    offsets = np.zeros(len(free))
    # The softmax does not see a constant; the shares of the others do.
    kept = float(np.log((shares[chosen] * np.exp(found[1:])).sum() / shares[chosen].sum()))
    offsets[chosen] = found[1:] - kept
    return float(np.exp(found[0])), offsets


def _known(
    frame: pd.DataFrame, classes: Sequence[Severity]
) -> tuple[pd.DataFrame, NDArray[np.intp]]:
    """Rows of the categories that the model covers, and their positions."""
    code = [parse_severity(value) for value in frame["severity"]]
    covered = np.asarray([one in classes for one in code], dtype=bool)
    outcome = [classes.index(one) for one in code if one is not None and one in classes]
    return frame[covered].reset_index(drop=True), np.asarray(outcome, dtype=np.intp)


def _scores(artefact: Artefact, frame: pd.DataFrame) -> FloatArray:
    matrix = select(frame_matrix(frame), artefact.columns)
    if not len(frame):
        return np.empty((0, len(artefact.classes)))
    return np.asarray(artefact.estimator.margins(matrix) + artefact.calibration.class_bias)


def _new_shares(
    outcome: NDArray[np.intp], free: NDArray[np.bool_], shares: FloatArray
) -> FloatArray:
    """Shares among recent rows; a category that keeps its share keeps it."""
    counts = np.bincount(outcome, minlength=len(free)).astype(np.float64)
    found = shares.copy()
    found[free] = shares[free].sum() * counts[free] / counts[free].sum()
    return found


def _sets(
    artefact: Artefact,
    probabilities: FloatArray,
    outcome: NDArray[np.intp],
    earlier: pd.DataFrame,
    classes: tuple[Severity, ...],
    priors: tuple[float, FloatArray],
) -> PredictionSets:
    """Limits from recent rows, of categories with too few of them from earlier ones too."""
    few = np.bincount(outcome, minlength=len(classes)) < MINIMUM_CASES
    rows, known = _known(earlier, classes)
    own = [part_of(key) == CALIBRATION for key in patient_keys(rows).astype(str)]
    helps = np.asarray(own, dtype=bool) & few[known]
    temperature, offsets = priors
    more = softmax(_scores(artefact, rows[helps]) / temperature + offsets)
    return fit_prediction_sets(
        np.concatenate([probabilities, more.reshape(-1, len(classes))]),
        np.concatenate([outcome, known[helps]]),
        artefact.sets.coverage,
    )


def _moved(artefact: Artefact, temperature: float, offsets: FloatArray) -> Prototypes | None:
    """The heads of rare diseases in the space of the new logits: what they say stays the same.

    Contrasts of the logits are scaled by old/new temperature and moved by the offsets, so centre
    and scale of the space move along and every standardised value is as it was.
    """
    heads = artefact.prototypes
    if heads is None:
        return None
    ratio = artefact.calibration.temperature / temperature
    moved = (offsets - offsets.mean())[:-1]
    space, added = heads.space, len(moved)
    centre, scale = np.asarray(space.centre), np.asarray(space.scale)
    centre[-added:] = centre[-added:] * ratio + moved
    scale[-added:] *= ratio
    return Prototypes(
        Rarity(
            space.inputs,
            tuple(centre.tolist()),
            tuple(scale.tolist()),
            space.correlation,
            space.reference,
        ),
        heads.heads,
    )


def _through(artefact: Artefact, rows: pd.DataFrame) -> str | None:
    """Newest time of a row that anything was fitted to."""
    before = artefact.attributes["trained_through"]
    newest = pd.to_datetime(rows["recorded_at"], utc=True).max()
    if pd.isna(newest):
        return None if before is None else str(before)
    times = [newest.ceil("us"), *([] if before is None else [pd.Timestamp(before)])]
    return str(max(times).isoformat())


def _by_code(classes: Sequence[Severity], values: FloatArray) -> dict[str, float]:
    return {code.value: float(value) for code, value in zip(classes, values, strict=True)}
