"""Everything a report shows of a model, as JSON types: pictures and pages are made from it."""

from collections.abc import Callable
from dataclasses import asdict
from typing import Any

import numpy as np
from numpy.typing import NDArray

from model.evaluation.calibration_curves import calibration_of_categories, curves_of_categories
from model.evaluation.calibration_methods import TEMPERATURE, calibrated_in_other_ways
from model.evaluation.comparators import COMPARATORS, NEWS2_AND_AGE, comparator_probabilities
from model.evaluation.decision_curves import net_benefit, threshold_range
from model.evaluation.groups import (
    cohorts,
    confusion,
    coverage_figures,
    operating_figures,
    set_sizes,
)
from model.evaluation.inputs import correlations, importance
from model.evaluation.metrics import calibration_error
from model.evaluation.missing_data import by_gaps, taken_away
from model.evaluation.paired import log_losses, paired_figures
from model.evaluation.refits import learning_curve, sources
from model.evaluation.study_rows import (
    TOO_FEW,
    Draws,
    StudyModel,
    StudyRows,
    value_json,
)
from model.features import FloatArray
from model.small_cells import shown

MODEL = "model"
"""Name of the studied model among the comparators."""
FORMAT = 1
"""Of the JSON; a page is drawn only from the format it knows."""


def study(
    rows: StudyRows,
    model: StudyModel,
    draws: Draws,
    progress: Callable[[float], None] | None = None,
) -> dict[str, Any]:
    """Measure a model on the held-out rows beside its comparators; all sections, JSON types.

    Nothing but the refits, the comparators and the other calibrations is fitted here, on the
    training and tuning parts. The same rows, model and seed give the same figures. Raises
    `ValueError` if no row is held out.
    """
    if not rows.held_out.any():
        raise ValueError("there is no held-out row to measure the model on")
    say = progress or (lambda _done: None)
    tested = rows.tested
    others = comparator_probabilities(
        rows.frame[rows.train][list(_readable(rows))],
        rows.outcome[rows.train],
        tested.frame[list(_readable(rows))],
        [code.value for code in rows.classes],
    )
    say(0.1)
    found: dict[str, Any] = {
        "format": FORMAT,
        "classes": [code.value for code in rows.classes],
        "focus": rows.classes[rows.focus].value,
        "inputs": list(rows.inputs),
        "too_few": TOO_FEW,
        "replicates": draws.replicates,
        "seed": draws.seed,
        "held_out": _held_out(tested),
        "compared": _compared(tested, others, draws),
    }
    say(0.3)
    found["calibration"] = _calibration(rows, tested, draws)
    say(0.45)
    found |= {
        "operating": operating_figures(tested, draws),
        "confusion": confusion(tested),
        "coverage": {
            "promised": rows.coverage,
            "by_category": coverage_figures(tested, draws),
            "sizes": set_sizes(tested),
        },
        "decision_curves": _decision_curves(tested, others[NEWS2_AND_AGE]),
        "missing": {
            "by_gaps": by_gaps(tested, draws),
            "taken_away": taken_away(tested, model, draws),
        },
        "correlations": correlations(rows.frame[rows.train], rows.inputs),
    }
    say(0.6)
    found["importance"] = importance(tested, model, draws)
    found["cohorts"] = cohorts(tested, draws)
    say(0.75)
    found["learning_curve"] = (
        [] if model.refit is None else learning_curve(rows, model.refit, draws)
    )
    say(0.9)
    found["sources"] = sources(rows, model.refit, draws)
    return found


def _readable(rows: StudyRows) -> tuple[str, ...]:
    """The inputs of the model that are columns: comparators see no more than it does."""
    return tuple(dict.fromkeys(name for name in (*rows.inputs, "age") if name in rows.frame))


def _held_out(tested: StudyRows) -> dict[str, Any]:
    cases = np.bincount(tested.outcome, minlength=len(tested.classes))
    return {
        "rows": shown(len(tested.outcome)),
        "patients": shown(len(np.unique(tested.patient))),
        "cases": {code.value: shown(int(cases[i])) for i, code in enumerate(tested.classes)},
    }


def _compared(
    tested: StudyRows, others: dict[str, FloatArray], draws: Draws
) -> list[dict[str, Any]]:
    figures = paired_figures(
        {MODEL: tested.probabilities} | {name: others[name] for name in COMPARATORS},
        MODEL,
        tested.outcome,
        tested.patient,
        tested.classes,
        replicates=draws.replicates,
        seed=draws.seed,
    )
    return [
        {
            "prediction": figure.prediction,
            "metric": figure.metric,
            "category": None if figure.category is None else figure.category.value,
            "value": value_json(figure.value),
            "difference": value_json(figure.difference),
        }
        for figure in figures
    ]


def _calibration(rows: StudyRows, tested: StudyRows, draws: Draws) -> dict[str, Any]:
    """The served calibration with intervals and curves, and the others beside it."""
    ways = {TEMPERATURE: tested.probabilities} | calibrated_in_other_ways(
        rows.margins[rows.tuning], rows.outcome[rows.tuning], tested.margins
    )
    once = np.ones((1, len(tested.outcome)))
    methods: list[dict[str, Any]] = []
    for name, p in ways.items():
        served = name == TEMPERATURE
        methods.append(
            {
                "method": name,
                "served": served,
                "log_loss": float(log_losses(p, tested.outcome).mean()),
                "calibration_error": float(calibration_error(p, tested.outcome, once)[0]),
                "by_category": [
                    {
                        "category": one.category.value,
                        "cases": shown(one.cases),
                        "slope": value_json(one.slope),
                        "intercept": value_json(one.intercept),
                        "observed_to_expected": value_json(one.observed_to_expected),
                    }
                    for one in calibration_of_categories(
                        p,
                        tested.outcome,
                        tested.patient,
                        rows.classes,
                        # The intervals of what is not served would say little and cost much.
                        replicates=draws.replicates if served else 0,
                        seed=draws.seed,
                    )
                ],
            }
        )
    return {
        "methods": methods,
        "curves": curves_of_categories(
            tested.probabilities,
            tested.outcome,
            tested.patient,
            rows.classes,
            replicates=draws.replicates,
            seed=draws.seed,
        ),
    }


def _decision_curves(tested: StudyRows, other: FloatArray) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = []
    for i, code in enumerate(tested.classes):
        case = _case(tested, i)
        if min(case.sum(), len(case) - case.sum()) < TOO_FEW:
            continue
        thresholds = threshold_range(case)
        curve = net_benefit(tested.probabilities[:, i], case, thresholds)
        beside = net_benefit(other[:, i], case, thresholds)
        curves = asdict(curve) | {NEWS2_AND_AGE: beside.model}
        found.append(
            {"category": code.value} | {name: values.tolist() for name, values in curves.items()}
        )
    return found


def _case(rows: StudyRows, position: int) -> NDArray[np.bool_]:
    return np.asarray(rows.outcome == position)
