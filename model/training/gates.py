"""Whether a challenger may replace the champion: paired non-inferiority, by patient.

Both models score the same patients, whom neither has learnt from. Every gate must be passed; each
holds a harm below a margin with one-sided 95 % confidence, so that all together wrongly let pass
a model that is worse by more than a margin at most once in twenty (intersection-union test:
Berger 1982). Margins and their reasons: docs/decisions/0018-gates.md.
"""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import pandas as pd

from model.evaluation.rare_floors import rare_floor
from model.scorer import Scorer
from model.severity import Severity
from model.training.gate_answers import EXACT, Answers, Timer, answers
from model.training.gate_pair import Pair
from model.training.gate_records import TITLES, Gate, Margins, clause

PROMOTE, REFUSED, NOT_ENOUGH = "promoted-ok", "refused", "not-enough"
FAST_ENOUGH_MS = 5.0
"""Median time of an answer, ms, below which it is not compared: 1 % of the half second of a card,
which nobody notices. Without it no boosted trees could follow a logistic regression."""


@dataclass(frozen=True, slots=True)
class GateDecision:
    """What the comparison says, and why."""

    promote: bool
    outcome: str
    """`promoted-ok`, `refused` or `not-enough`."""
    reason: str
    """One sentence with the figures."""
    figures: dict[str, Any]
    """JSON types."""
    gates: tuple[Gate, ...]
    """Every gate, in the order of `TITLES`."""

    def as_json(self) -> dict[str, Any]:
        """The decision as JSON types, as `evaluations` keeps it."""
        told = {"promote": self.promote, "outcome": self.outcome, "reason": self.reason}
        return self.figures | told | {"gates": [asdict(gate) for gate in self.gates]}


def compare(
    champion: Scorer,
    challenger: Scorer,
    frame: pd.DataFrame,
    *,
    seed: int,
    replicates: int = 1_000,
    margins: Margins | None = None,
    allow_fewer_categories: bool = False,
    past: Sequence[Scorer] = (),
    timer: Timer | None = None,
) -> GateDecision:
    """Compare two models on `frame`: rows with `severity` that neither has learnt from.

    `past` are other champions of the past year, none of which has learnt from `frame` either.
    Without a `timer` latency is not judged. Under `margins.minimum` rows, or without an acute
    case, it is "not enough to decide". A challenger without a category that the champion has is
    refused unless `allow_fewer_categories` (C19).

    Log loss is compared on rows whose category both cover, with the probabilities of each model
    scaled to the categories both cover: a model is not punished for knowing one more. Who is in
    the population, and who is unseen (`splits.unseen_by`), is for the caller to select.
    """
    margins = margins or Margins()
    lost = [code for code in champion.classes if code not in challenger.classes]
    shared = [code for code in champion.classes if code in challenger.classes]
    outcome = frame["severity"].to_numpy(dtype=object).astype(str)
    comparable = np.isin(outcome, [code.value for code in shared])
    rows, count = frame[comparable], int(comparable.sum())
    figures: dict[str, Any] = {
        "rows": len(frame),
        "compared": count,
        "not_covered_by_both": int((~comparable).sum()),
        "minimum": margins.minimum,
        "margins": asdict(margins),
        "lost_categories": [code.value for code in lost],
        "champion": champion.facts.version,
        "challenger": challenger.facts.version,
    }
    answered = answers(champion, challenger, rows, timer, seed)
    found = [
        _categories(lost, shared, allow_fewer_categories),
        _outcomes(count, margins.minimum),
        _latency(answered, margins),
        _explanation(answered, challenger),
    ]
    if all(gate.passed for gate in found[:2]):
        pair = Pair.of(champion, challenger, rows, shared, past)
        found += pair.judge(margins, replicates, seed)
        found.append(_rare_floor(champion, challenger, rows, pair.places))
        figures["acute_cases"] = int(pair.acute_cases.sum())
    return _decide(found, figures)


def _decide(found: Sequence[Gate], figures: dict[str, Any]) -> GateDecision:
    """All gates in order, and what follows from them."""
    by_name = {gate.name: gate for gate in found}
    gates = tuple(
        by_name.get(name, Gate(name, None, "Not judged: the models could not be compared."))
        for name in TITLES
    )
    for gate in gates:
        figures |= {key: value for key, value in gate.figures.items() if key != "by_category"}
    refused = [gate for gate in gates if gate.passed is False]
    sensitivity = by_name.get("sensitivity")
    no_acute = sensitivity is not None and sensitivity.figures.get("no_acute_case", False)
    if by_name["categories"].passed is False:
        return GateDecision(False, REFUSED, f"Refused: {clause(refused[0])}.", figures, gates)
    if by_name["outcomes"].passed is None:
        return GateDecision(False, NOT_ENOUGH, by_name["outcomes"].sentence, figures, gates)
    if no_acute:
        assert sensitivity is not None  # noqa: S101  # it said so
        return GateDecision(False, NOT_ENOUGH, sensitivity.sentence, figures, gates)
    told = [by_name["log_loss"], by_name["sensitivity"]]
    if refused:
        told = [told[0], *(gate for gate in refused if gate is not told[0])]
    verdict = "Refused" if refused else "Not inferior"
    why = "; ".join(clause(gate) for gate in told)
    reason = f"{verdict} on {figures['compared']} outcomes: {why}."
    return GateDecision(not refused, REFUSED if refused else PROMOTE, reason, figures, gates)


def _categories(lost: Sequence[Severity], shared: Sequence[Severity], allowed: bool) -> Gate:
    names = ", ".join(lost)
    figures = {"lost_categories": [code.value for code in lost]}
    if lost and not allowed:
        sentence = (
            f"The challenger does not cover {names}, which the champion does; "
            "--allow-fewer-categories accepts that."
        )
        return Gate("categories", False, sentence, figures)
    if len(shared) < 2:
        sentence = "The two models share fewer than two categories."
        return Gate("categories", False, sentence, figures)
    sentence = "The challenger covers every category of the champion."
    if lost:
        sentence = f"That {names} is not covered any more was allowed."
    return Gate("categories", True, sentence, figures)


def _outcomes(count: int, minimum: int) -> Gate:
    if count < minimum:
        sentence = (
            f"Not enough to decide: {count} outcomes of patients neither model has learnt from, "
            f"{minimum} are needed; the champion stays."
        )
        return Gate("outcomes", None, sentence)
    return Gate("outcomes", True, f"{count} outcomes of patients neither model has learnt from.")


def _rare_floor(champion: Scorer, challenger: Scorer, rows: pd.DataFrame, places: int) -> Gate:
    """Whether rare diseases are found as often, at the share the champion flags as acute."""
    if not 0 < places < len(rows):
        return Gate("rare_floor", None, "Not judged: the champion flags no share as acute.")
    found = rare_floor(champion, challenger, rows, flag_rate=places / len(rows))
    figures = {
        "rare_cases": found.cases,
        "rare_sensitivity_champion": found.champion,
        "rare_sensitivity_challenger": found.challenger,
    }
    return Gate("rare_floor", found.holds, found.sentence, figures)


def _latency(answered: Answers, margins: Margins) -> Gate:
    """Median and 95th percentile of the time of an answer."""
    if not len(answered.challenger_ms):
        return Gate("latency", None, "Not judged: no answer was timed.")
    old, new = (float(np.median(ms)) for ms in (answered.champion_ms, answered.challenger_ms))
    slowest = float(np.quantile(answered.challenger_ms, 0.95))
    allowed = max(margins.latency_ratio * old, FAST_ENOUGH_MS)
    sentence = (
        f"An answer takes {new:.2f} ms (median; the champion {old:.2f}, allowed {allowed:.2f}) and "
        f"at most {slowest:.2f} ms in 95 of 100 (allowed {margins.latency_ms:g})."
    )
    figures = {
        "latency_rows": answered.rows,
        "latency_ms_champion": old,
        "latency_ms_challenger": new,
        "latency_ms_p95": slowest,
    }
    return Gate("latency", new <= allowed and slowest <= margins.latency_ms, sentence, figures)


def _explanation(answered: Answers, challenger: Scorer) -> Gate:
    kind = challenger.artefact.estimator.kind
    if not answered.rows:
        return Gate("explanation", None, "Not judged: there is no row to explain.")
    figures = {"explained_rows": answered.rows, "explanation_error": answered.inexact}
    if answered.inexact is None or answered.inexact > EXACT:
        sentence = f"The reasons of this {kind} model do not add up to what it predicts."
        return Gate("explanation", False, sentence, figures)
    sentence = f"The reasons of this {kind} model add up to what it predicts."
    return Gate("explanation", True, sentence, figures)
