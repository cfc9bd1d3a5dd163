"""What gaps do to a model: rows by their number of gaps, and each reading taken away."""

from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from model.evaluation.groups import group_figures
from model.evaluation.metrics import ranking
from model.evaluation.paired import log_losses, paired_mean
from model.evaluation.study_rows import (
    TOO_FEW,
    Draws,
    StudyModel,
    StudyRows,
    hide_complements,
    number,
    value_json,
)
from model.features import FloatArray
from model.small_cells import shown

MEASUREMENTS: tuple[tuple[str, tuple[str, ...]], ...] = (
    ("age", ("age",)),
    ("heart rate", ("heart_rate",)),
    ("body temperature", ("body_temperature",)),
    # One cuff gives both.
    ("blood pressure", ("systolic_bp", "diastolic_bp")),
    ("respiratory rate", ("respiratory_rate",)),
    ("oxygen saturation", ("oxygen_saturation",)),
    ("sex", ("sex",)),
    ("ABO blood group", ("abo_group",)),
    ("days of exercise", ("exercise_days",)),
)
"""What is measured or known together, by its words."""
MOST_GAPS = 3
"""Rows with this many gaps or more are one group."""
LARGEST_SAMPLE = 20_000
"""Rows from which a measurement is taken away, at most."""


def measurements_of(inputs: tuple[str, ...]) -> list[tuple[str, tuple[str, ...]]]:
    """Those of `MEASUREMENTS` that a model of `inputs` reads."""
    return [entry for entry in MEASUREMENTS if set(entry[1]) & set(inputs)]


def by_gaps(rows: StudyRows, draws: Draws) -> list[dict[str, Any]]:
    """Figures of the rows with no, one, two, and more measurements missing (JSON types)."""
    absent = gaps(rows.frame, rows.inputs)
    found: list[dict[str, Any]] = []
    for count in range(MOST_GAPS + 1):
        member = absent >= count if count == MOST_GAPS else absent == count
        if member.any():
            name = f"{count} or more" if count == MOST_GAPS else str(count)
            found.append({"missing": name} | group_figures(rows, member, draws))
    hide_complements(found)
    return found


def gaps(frame: pd.DataFrame, inputs: tuple[str, ...]) -> NDArray[np.intp]:
    """How many measurements that the model reads are missing in each row, (n,)."""
    absent = np.zeros(len(frame), dtype=np.intp)
    for _, names in measurements_of(inputs):
        absent += ~_present(frame, names)
    return absent


def taken_away(rows: StudyRows, model: StudyModel, draws: Draws) -> list[dict[str, Any]]:
    """What is lost without each measurement, on rows that have it (JSON types).

    One record a measurement: `log_loss_increase` (nat, paired by patient), and for the focus
    category AUROC, with and without; mean set size, with and without. A measurement that fewer
    than `TOO_FEW` rows have has no figures.
    """
    generator = np.random.default_rng(draws.seed)
    found: list[dict[str, Any]] = []
    for name, columns in measurements_of(rows.inputs):
        places = np.flatnonzero(_present(rows.frame, columns))
        if len(places) > LARGEST_SAMPLE:
            places = np.sort(generator.choice(places, LARGEST_SAMPLE, replace=False))
        member = np.zeros(len(rows.outcome), dtype=bool)
        member[places] = True
        record: dict[str, Any] = {"measurement": name, "rows": shown(len(places))}
        if len(places) < TOO_FEW:
            none = ("log_loss_increase", "auroc_with", "auroc_without")
            found.append(record | dict.fromkeys((*none, "set_size_with", "set_size_without")))
            continue
        found.append(record | _without(rows.only(member), columns, model, draws))
    return found


def _without(
    rows: StudyRows, columns: tuple[str, ...], model: StudyModel, draws: Draws
) -> dict[str, Any]:
    frame = rows.frame.copy()
    for column in columns:
        if column in frame:
            frame[column] = None if column in ("sex", "abo_group") else np.nan
    less = model.predict(frame)
    increase = log_losses(less, rows.outcome) - log_losses(rows.probabilities, rows.outcome)
    change = paired_mean(increase, rows.patient, replicates=draws.replicates, seed=draws.seed)
    return {
        "log_loss_increase": value_json(change),
        "auroc_with": _area(rows, rows.probabilities),
        "auroc_without": _area(rows, less),
        "set_size_with": float(rows.members.sum(axis=1).mean()),
        "set_size_without": float(model.members(less).sum(axis=1).mean()),
    }


def _area(rows: StudyRows, probabilities: FloatArray) -> float | None:
    case = (rows.outcome == rows.focus).astype(np.float64)
    if min(case.sum(), len(case) - case.sum()) < TOO_FEW:
        return None
    area, _ = ranking(probabilities[:, rows.focus], case, np.ones((1, len(case))))
    return number(area[0])


def _present(frame: pd.DataFrame, names: tuple[str, ...]) -> NDArray[np.bool_]:
    """Rows in which all of `names` are known; `unknown` sex is not."""
    found = np.full(len(frame), True)
    for name in names:
        if name not in frame:
            return np.full(len(frame), False)
        known = frame[name].notna().to_numpy(dtype=bool)
        if name == "sex":
            known = known & np.isin(
                frame[name].to_numpy(dtype=object).astype(str), ("female", "male")
            )
        found &= known
    return found
