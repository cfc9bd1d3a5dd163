"""The figures of one version on one chunk of assessments, as JSON types."""

from collections.abc import Iterator
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from model.evaluation.calibration_curves import calibration_of_categories, curves_of_categories
from model.evaluation.groups import cohorts, group_figures
from model.evaluation.judged_rows import JudgedRows
from model.evaluation.metrics import evaluate
from model.evaluation.report import as_records
from model.evaluation.study_rows import Draws, StudyRows, hide_complements, value_json
from model.evaluation.verification import weighted_figures
from model.small_cells import shown


def judge(rows: JudgedRows, draws: Draws) -> dict[str, Any]:
    """All figures of a version on the verified part of a chunk.

    `metrics` are those of the model report (`model.evaluation.report.as_records`), `calibration`
    slope, level and observed/expected by category, `curves` the groups of alike predicted risk
    behind them, `weighted` what they would be had all been
    verified (`model.evaluation.verification`), `cohorts` the figures by sex, age and rarity,
    `apart` those of the assessments that cards may have changed (C18), both about the category
    `focus`. Groups of few people have none.
    """
    known = rows.only(rows.verified)
    found: dict[str, Any] = {
        "focus": None,
        "scored": len(rows.outcome),
        "with_outcome": len(known.outcome),
        "metrics": [],
        "calibration": [],
        "curves": [],
        "cohorts": [],
        "apart": [],
        "weighted": weighted_figures(rows, draws),
    }
    if not len(known.outcome):
        return found
    metrics = evaluate(
        known.probabilities,
        known.outcome,
        known.decisions,
        known.patient,
        known.classes,
        replicates=draws.replicates,
        seed=draws.seed,
    )
    calibration = calibration_of_categories(
        known.probabilities,
        known.outcome,
        known.patient,
        known.classes,
        replicates=draws.replicates,
        seed=draws.seed,
    )
    study = _study_rows(known)
    found["focus"] = known.classes[study.focus].value
    found["metrics"] = as_records(metrics)
    found["calibration"] = [
        {
            "category": one.category.value,
            "cases": shown(one.cases),
            "slope": value_json(one.slope),
            "intercept": value_json(one.intercept),
            "observed_to_expected": value_json(one.observed_to_expected),
        }
        for one in calibration
    ]
    found["curves"] = curves_of_categories(
        known.probabilities,
        known.outcome,
        known.patient,
        known.classes,
        replicates=draws.replicates,
        seed=draws.seed,
    )
    found["cohorts"] = [_without_sets(one) for one in cohorts(study, draws)]
    found["apart"] = _apart(known, study, draws)
    return found


def _study_rows(known: JudgedRows) -> StudyRows:
    """As the tables of groups take rows; prediction sets and margins are not kept of shadows."""
    n, size = known.probabilities.shape
    return StudyRows(
        frame=known.frame.drop(columns=["source"], errors="ignore"),
        outcome=known.outcome,
        patient=known.patient,
        train=np.zeros(n, dtype=bool),
        tuning=np.zeros(n, dtype=bool),
        held_out=np.ones(n, dtype=bool),
        margins=np.zeros((n, size)),
        probabilities=known.probabilities,
        decisions=known.decisions,
        members=np.zeros((n, size), dtype=bool),
        classes=known.classes,
        thresholds={},
        inputs=(),
        coverage=0.0,
        calibration_cases=(),
    )


def _without_sets(record: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in record.items() if name != "set_size"}


def _apart(known: JudgedRows, study: StudyRows, draws: Draws) -> list[dict[str, Any]]:
    """Figures where a card may have changed what became known, and where it cannot have (C18)."""
    found: list[dict[str, Any]] = []
    for name, member in _marks(known.frame):
        pair = [
            {"mark": name, "level": level} | _without_sets(group_figures(study, part, draws))
            for level, part in (("yes", member), ("no", ~member))
        ]
        hide_complements(pair)
        found += pair
    return found


def _marks(frame: pd.DataFrame) -> Iterator[tuple[str, NDArray[np.bool_]]]:
    for name in ("card_shown", "accepted", "prompted"):
        yield name, frame[name].to_numpy(dtype=bool)
    yield "reviewed", frame["author"].notna().to_numpy(dtype=bool)


def feedback_shares(frame: pd.DataFrame) -> list[dict[str, Any]]:
    """What clinicians did with the cards of a chunk, over all and by indicator.

    One record an indicator (`all` first): `cards` shown, and the shares of them that were taken
    up (`accepted`) and `overridden`. Few cards have neither count nor shares.
    """
    cards = frame[frame["card_shown"].to_numpy(dtype=bool)]
    found: list[dict[str, Any]] = []
    for indicator in ("all", *sorted(set(cards["indicator"].dropna()))):
        some = cards if indicator == "all" else cards[cards["indicator"] == indicator]
        count = shown(len(some))
        found.append(
            {
                "indicator": indicator,
                "cards": count,
                "accepted": float(some["accepted"].mean()) if count else None,
                "overridden": float(some["overridden"].mean()) if count else None,
            }
        )
    return found
