"""What the tuning and calibration parts add to a fitted estimator, and its held-out figures."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from model.evaluation.metrics import Metric, evaluate
from model.explanation import Calibration
from model.features import READINGS, FloatArray
from model.operating import OperatingPoint, decide
from model.prediction_sets import PredictionSets, fit_prediction_sets
from model.rarity import Rarity, fit_rarity
from model.severity import Severity
from model.training.calibration import fit_calibration
from model.training.design import TrainingSettings
from model.training.fitting import Fitted, select
from model.training.rows import Rows
from model.training.splits import CALIBRATION, HELD_OUT, TRAIN, TUNING
from model.training.thresholds import fit_operating_points


@dataclass(frozen=True, slots=True)
class Finished:
    """What the tuning and calibration parts add to a fitted estimator."""

    probabilities: FloatArray
    """Of all rows, (n, K)."""
    calibration: Calibration
    points: dict[Severity, OperatingPoint]
    sets: PredictionSets
    rarity: Rarity
    decisions: NDArray[np.intp]
    members: NDArray[np.bool_]


def finish(
    rows: Rows,
    fitted: Fitted,
    columns: tuple[str, ...],
    classes: tuple[Severity, ...],
    settings: TrainingSettings,
) -> Finished:
    margins = fitted.estimator.margins(select(rows.matrix, columns))
    tuning, calibrating = rows.part(TUNING), rows.part(CALIBRATION)
    calibration = fit_calibration(margins[tuning], rows.outcome[tuning], fitted.class_bias)
    probabilities = calibration.probabilities(margins)
    points = fit_operating_points(
        probabilities[tuning], rows.outcome[tuning], classes, settings.flag_rates
    )
    sets = fit_prediction_sets(
        probabilities[calibrating], rows.outcome[calibrating], settings.coverage
    )
    # Atypicality is about measurements: days of exercise are no reason to measure again.
    names = tuple(name for name in columns if name in ("age", *READINGS))
    inputs = select(rows.matrix, names)
    rarity = fit_rarity(names, inputs[rows.part(TRAIN)], inputs[calibrating])
    thresholds = {code: point.threshold for code, point in points.items()}
    decisions = decide(probabilities, classes, thresholds)
    members = sets.members(probabilities)
    members[np.arange(len(members)), decisions] = True
    return Finished(probabilities, calibration, points, sets, rarity, decisions, members)


def held_out_metrics(
    rows: Rows, finished: Finished, classes: tuple[Severity, ...], settings: TrainingSettings
) -> list[Metric]:
    held_out = rows.part(HELD_OUT)
    return evaluate(
        finished.probabilities[held_out],
        rows.outcome[held_out],
        finished.decisions[held_out],
        rows.patient[held_out],
        classes,
        sets=finished.members[held_out],
        replicates=settings.bootstrap_replicates,
        seed=settings.seed,
    )
