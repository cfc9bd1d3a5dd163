"""Assessments that one version has scored, with and without outcome, and how many have one."""

from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from model.evaluation.study_rows import hide_complements
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
