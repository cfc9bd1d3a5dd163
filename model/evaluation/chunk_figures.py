"""The figures of one version on one chunk of assessments, as JSON types."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from model.evaluation.calibration_curves import calibration_of_categories
from model.evaluation.groups import cohorts, group_figures
from model.evaluation.metrics import evaluate
from model.evaluation.report import as_records
from model.evaluation.study_rows import Draws, StudyRows, hide_complements, value_json
from model.features import FloatArray
from model.severity import Severity
from model.small_cells import shown

NOT_KNOWN = -1
"""In place of the position of an outcome that is not known."""
RISK_GROUPS = 10
"""Groups of equal count of the predicted risk of acute illness."""


@dataclass(frozen=True)
class JudgedRows:
    """Assessments that one version has scored; n rows, K categories."""

    frame: pd.DataFrame
    """Inputs, and `rare_code`, `card_shown`, `accepted`, `prompted`, `author`."""
    outcome: NDArray[np.intp]
    """(n,) positions in `classes`, `NOT_KNOWN` without outcome."""
    patient: NDArray[np.intp]
    """(n,) numbers."""
    probabilities: FloatArray
    """(n, K)."""
    decisions: NDArray[np.intp]
    """(n,) positions of what the thresholds decided."""
    classes: tuple[Severity, ...]

    @property
    def verified(self) -> NDArray[np.bool_]:
        """(n,) whether the outcome is known."""
        return np.asarray(self.outcome != NOT_KNOWN)

    def only(self, rows: NDArray[np.bool_]) -> "JudgedRows":
        """The same for some rows."""
        return JudgedRows(
            self.frame[rows],
            self.outcome[rows],
            self.patient[rows],
            self.probabilities[rows],
            self.decisions[rows],
            self.classes,
        )


def judge(rows: JudgedRows, draws: Draws) -> dict[str, Any]:
    """All figures of a version on the verified part of a chunk.

    `metrics` are those of the model report (`model.evaluation.report.as_records`), `calibration`
    slope, level and observed/expected by category, `cohorts` the figures by sex, age and rarity,
    `apart` those of the assessments that cards may have changed (C18). Groups of few people have
    none.
    """
    known = rows.only(rows.verified)
    found: dict[str, Any] = {
        "scored": len(rows.outcome),
        "with_outcome": len(known.outcome),
        "metrics": [],
        "calibration": [],
        "cohorts": [],
        "apart": [],
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


def verified_shares(rows: JudgedRows) -> list[dict[str, Any]]:
    """How much of the truth is known: overall, by category predicted, by tenth of the predicted
    risk of acute illness (1 is the lowest), and by whether a card was shown.

    One record a group: `by`, `level`, `rows`, `share`. Groups of few people have neither.
    """
    verified = rows.verified
    found: list[dict[str, Any]] = []
    for by, levels in strata(rows).items():
        records: list[dict[str, Any]] = []
        for level, member in levels.items():
            if member.any():
                count = shown(int(member.sum()))
                share = None if count is None else float(verified[member].mean())
                records.append({"by": by, "level": level, "rows": count, "share": share})
        hide_complements(records)
        found += records
    return found


def strata(rows: JudgedRows) -> dict[str, dict[str, NDArray[np.bool_]]]:
    """Groups by which verification is told: (n,) members of each level, by what tells them."""
    shown_card = rows.frame["card_shown"].to_numpy(dtype=bool)
    found: dict[str, dict[str, NDArray[np.bool_]]] = {
        "all": {"all": np.ones(len(rows.outcome), dtype=bool)},
        "category": {
            code.value: np.asarray(rows.decisions == i) for i, code in enumerate(rows.classes)
        },
    }
    if Severity.ACUTE in rows.classes and len(rows.outcome) >= RISK_GROUPS:
        risk = rows.probabilities[:, rows.classes.index(Severity.ACUTE)]
        tenth = np.empty(len(risk), dtype=np.intp)
        order = np.argsort(risk, kind="stable")
        for i, part in enumerate(np.array_split(order, RISK_GROUPS)):
            tenth[part] = i
        found["risk"] = {str(i + 1): np.asarray(tenth == i) for i in range(RISK_GROUPS)}
    found["card"] = {"shown": shown_card, "not shown": ~shown_card}
    return found
