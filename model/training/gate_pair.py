"""The gates that rest on outcomes: champion and challenger on the same rows, by patient."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from model.features import FloatArray
from model.scorer import Scorer
from model.severity import Severity
from model.training.gate_fairness import Groups, fairness
from model.training.gate_figures import (
    Scores,
    entropy,
    flagged,
    lower_bound,
    outcomes,
    resampled,
    scores,
    upper_bound,
)
from model.training.gate_records import Gate, Margins, clause
from model.training.splits import patient_keys

CATEGORY_CASES = 50
"""Cases from which the log loss of a category is judged by itself."""


@dataclass(frozen=True, slots=True)
class Pair:
    """Champion and challenger on the n rows both can be judged by."""

    rows: pd.DataFrame
    shared: list[Severity]
    true: NDArray[np.bool_]
    """(n, K)."""
    champion: Scores
    challenger: Scores
    places: int
    """Rows the champion flags as acute."""
    past: tuple[Scores, ...]
    left_out: tuple[str, ...]
    """Past champions that do not know one of the shared categories."""

    @classmethod
    def of(
        cls,
        champion: Scorer,
        challenger: Scorer,
        rows: pd.DataFrame,
        shared: list[Severity],
        past: Sequence[Scorer],
    ) -> "Pair":
        able = [scorer for scorer in past if set(shared) <= set(scorer.classes)]
        old = scores(champion, rows, shared)
        places = 0
        if Severity.ACUTE in shared:
            places = int((old.acute >= champion.facts.thresholds[Severity.ACUTE]).sum())
        return cls(
            rows,
            shared,
            outcomes(rows, shared),
            old,
            scores(challenger, rows, shared),
            places,
            tuple(scores(scorer, rows, shared) for scorer in able),
            tuple(scorer.facts.version for scorer in past if scorer not in able),
        )

    @property
    def acute_cases(self) -> NDArray[np.bool_]:
        """Which rows are acute, (n,); none where acute is not shared."""
        if Severity.ACUTE not in self.shared:
            return np.zeros(len(self.rows), dtype=bool)
        return np.asarray(self.true[:, self.shared.index(Severity.ACUTE)])

    def judge(self, margins: Margins, replicates: int, seed: int) -> list[Gate]:
        """The gates that rest on outcomes."""
        best = min((self.champion, *self.past), key=lambda one: float(one.loss.mean()))
        groups = Groups.of(self.rows, self.acute_cases)
        membership = groups.members if len(self.champion.acute) else {}
        values = {"rows": np.ones(len(self.rows)), "acute": self.acute_cases.astype(np.float64)}
        values |= self._differences("champion", self.champion)
        if best is not self.champion:
            values |= self._differences("past", best)
        for name, inside in membership.items():
            cases = inside * self.acute_cases
            values[f"cases {name}"] = cases.astype(np.float64)
            values[f"champion {name}"] = self._flags(self.champion) * cases
            values[f"challenger {name}"] = self._flags(self.challenger) * cases
        drawn = resampled(patient_keys(self.rows).astype(str), values, replicates, seed)
        return [
            self._log_loss("champion", self.champion, values, drawn, margins),
            self._by_category("champion", values, drawn, margins),
            self._sensitivity("champion", self.champion, drawn, margins),
            self._past(best, values, drawn, margins),
            fairness(groups, values, drawn, margins.fairness),
        ]

    def _flags(self, scored: Scores) -> FloatArray:
        return flagged(scored.acute, self.places)

    def _differences(self, name: str, reference: Scores) -> dict[str, FloatArray]:
        """Challenger minus `reference`, for each row."""
        by_category = self.challenger.by_category - reference.by_category
        found = {f"{name} loss": self.challenger.loss - reference.loss}
        found |= {f"{name} {code}": by_category[:, i] for i, code in enumerate(self.shared)}
        if len(reference.acute):
            change = self._flags(self.challenger) - self._flags(reference)
            found[f"{name} found"] = change * self.acute_cases
        return found

    def _log_loss(
        self,
        against: str,
        reference: Scores,
        values: Mapping[str, FloatArray],
        drawn: Mapping[str, FloatArray],
        margins: Margins,
    ) -> Gate:
        worst = upper_bound(drawn[f"{against} loss"] / drawn["rows"])
        old, new = float(reference.loss.mean()), float(self.challenger.loss.mean())
        sentence = (
            f"Log loss {new:.4f} against {old:.4f} (difference "
            f"{float(values[f'{against} loss'].mean()):+.4f}, at most {worst:+.4f} with 95 % "
            f"confidence, allowed {margins.log_loss:+.4f})."
        )
        figures = {
            "log_loss_champion": old,
            "log_loss_challenger": new,
            "log_loss_difference_upper": worst,
        }
        return Gate("log_loss", worst <= margins.log_loss, sentence, figures)

    def _by_category(
        self,
        against: str,
        values: Mapping[str, FloatArray],
        drawn: Mapping[str, FloatArray],
        margins: Margins,
    ) -> Gate:
        """Log loss of each category against the rest, on all rows."""
        found: dict[str, dict[str, Any]] = {}
        few: list[str] = []
        for i, code in enumerate(self.shared):
            cases = int(self.true[:, i].sum())
            if cases < CATEGORY_CASES:
                few.append(f"{code} ({cases})")
                continue
            allowed = margins.category * entropy(cases, len(self.rows))
            worst = upper_bound(drawn[f"{against} {code}"] / drawn["rows"])
            found[code.value] = {
                "cases": cases,
                "difference": float(values[f"{against} {code}"].mean()),
                "upper": worst,
                "allowed": allowed,
                "passed": worst <= allowed,
            }
        rest = f"; fewer than {CATEGORY_CASES} cases: {', '.join(few)}" if few else ""
        if not found:
            return Gate("category_log_loss", None, f"Not judged{rest}.")
        failed = {code: one for code, one in found.items() if not one["passed"]}
        said = ", ".join(
            f"{code} at most {one['upper']:+.4f} (allowed {one['allowed']:+.4f})"
            for code, one in (failed or found).items()
        )
        sentence = f"Log loss of each category against the rest is worse by: {said}{rest}."
        return Gate("category_log_loss", not failed, sentence, {"by_category": found})

    def _sensitivity(
        self,
        against: str,
        reference: Scores,
        drawn: Mapping[str, FloatArray],
        margins: Margins,
    ) -> Gate:
        acute = self.acute_cases
        if not len(reference.acute):
            return Gate("sensitivity", None, "Acute is not covered by both and was not compared.")
        if not acute.any():
            sentence = "Not enough to decide: no acute case among the outcomes; the champion stays."
            return Gate("sensitivity", None, sentence, {"no_acute_case": True})
        with np.errstate(invalid="ignore"):  # A replicate without an acute case says nothing.
            worst = lower_bound(drawn[f"{against} found"] / drawn["acute"])
        old, new = (float(self._flags(s)[acute].mean()) for s in (reference, self.challenger))
        rate = self.places / len(self.rows)
        sentence = (
            f"Sensitivity for acute {new:.3f} against {old:.3f} with {rate:.1%} flagged "
            f"(difference at least {worst:+.3f}, allowed {-margins.sensitivity:+.3f})."
        )
        figures = {
            "flag_rate": rate,
            "sensitivity_champion": old,
            "sensitivity_challenger": new,
            "sensitivity_difference_lower": worst,
        }
        return Gate("sensitivity", worst >= -margins.sensitivity, sentence, figures)

    def _past(
        self,
        best: Scores,
        values: Mapping[str, FloatArray],
        drawn: Mapping[str, FloatArray],
        margins: Margins,
    ) -> Gate:
        """The same three gates against the best champion of the past year."""
        name = "best_of_past_year"
        figures: dict[str, Any] = {
            "best_of_past_year": best.version,
            "past_champions": {one.version: float(one.loss.mean()) for one in self.past},
            "past_champions_left_out": list(self.left_out),
        }
        if not self.past:
            return Gate(
                name, None, "Not judged: no other champion of the past year can be.", figures
            )
        if best is self.champion:
            sentence = f"The champion, version {best.version}, is the best of the past year."
            return Gate(name, True, sentence, figures)
        three = [
            self._log_loss("past", best, values, drawn, margins),
            self._by_category("past", values, drawn, margins),
            self._sensitivity("past", best, drawn, margins),
        ]
        failed = [gate for gate in three if gate.passed is False]
        figures["against_best"] = {gate.name: gate.figures for gate in three}
        said = "; ".join(clause(gate) for gate in failed or three[:1])
        sentence = f"Against version {best.version}, the best of the past year: {said}."
        return Gate(name, not failed, sentence, figures)
