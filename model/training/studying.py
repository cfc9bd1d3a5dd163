"""The study of a trained model: its rows and callbacks for `model.evaluation.study`."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from model.evaluation.study import study
from model.evaluation.study_rows import Draws, StudyModel, StudyRows
from model.explanation import explain, reason_shares
from model.features import MODEL_COLUMNS, ROW_NAMES, FloatArray
from model.operating import decide
from model.scorer import frame_matrix
from model.severity import Severity
from model.training.balancing import balance
from model.training.calibration import fit_calibration
from model.training.candidates import Candidate
from model.training.design import TrainingSettings
from model.training.finishing import Finished
from model.training.fitting import Fitted, select
from model.training.kinds import fit
from model.training.rows import Rows
from model.training.selection import Eligible, usable_columns
from model.training.splits import HELD_OUT, TRAIN, TUNING


def study_training(
    eligible: Eligible,
    rows: Rows,
    fitted: Fitted,
    finished: Finished,
    chosen: Candidate,
    columns: tuple[str, ...],
    classes: tuple[Severity, ...],
    settings: TrainingSettings,
    progress: Callable[[float], None] | None = None,
) -> dict[str, Any] | None:
    """Everything a report shows of the model, JSON types; `None` if no row is held out.

    The learning curve and the sources left out fit the chosen kind anew with the settings of the
    run and the boosting rounds that it was given.
    """
    if not rows.part(HELD_OUT).any():
        return None
    used = {name for column in MODEL_COLUMNS if column.name in columns for name in column.uses}
    estimator, calibration = fitted.estimator, finished.calibration
    thresholds = {code: point.threshold for code, point in finished.points.items()}
    reasons, shares = reason_shares(columns)

    def predict(frame: pd.DataFrame) -> FloatArray:
        margins = estimator.margins(select(frame_matrix(frame), columns))
        return calibration.probabilities(margins)

    def members(probabilities: FloatArray) -> NDArray[np.bool_]:
        found = finished.sets.members(probabilities)
        decided = decide(probabilities, classes, thresholds)
        found[np.arange(len(found)), decided] = True
        return found

    def explained(frame: pd.DataFrame) -> tuple[tuple[str, ...], FloatArray]:
        contributions, bias = estimator.contributions(select(frame_matrix(frame), columns))
        return reasons, explain(contributions, bias, calibration, shares).values

    def refit(train: NDArray[np.bool_], tuning: NDArray[np.bool_]) -> FloatArray:
        matrix, outcome = rows.matrix[train], rows.outcome[train]
        usable = set(usable_columns(matrix))
        kept = tuple(name for name in columns if name in usable)
        balanced = balance(
            chosen.balancing,
            matrix,
            outcome,
            len(classes),
            settings.seed,
            protected=rows.protected[train],
        )
        again = fit(chosen.way, balanced, kept, settings, rounds=chosen.rounds)
        margins = again.estimator.margins(select(rows.matrix, kept))
        tuned = fit_calibration(margins[tuning], rows.outcome[tuning], again.class_bias)
        return tuned.probabilities(margins)

    covered = np.asarray([code in classes for code in eligible.severity], dtype=bool)
    return study(
        StudyRows(
            frame=eligible.frame[covered],
            outcome=rows.outcome,
            patient=rows.patient,
            train=rows.part(TRAIN),
            tuning=rows.part(TUNING),
            held_out=rows.part(HELD_OUT),
            margins=estimator.margins(select(rows.matrix, columns)) + fitted.class_bias,
            probabilities=finished.probabilities,
            decisions=finished.decisions,
            members=finished.members,
            classes=classes,
            thresholds=thresholds,
            inputs=tuple(name for name in ROW_NAMES if name in used),
            coverage=finished.sets.coverage,
            calibration_cases=finished.sets.cases,
        ),
        StudyModel(predict, members, explained, refit),
        Draws(settings.bootstrap_replicates, settings.seed),
        progress,
    )
