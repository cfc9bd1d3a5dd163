"""What a page shows of one assessment: the statements of a card, each in its place. Pure.

The words are those of the card (`hooks.card_text`): a page says nothing that a card would not.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

from hooks.card_text import CardText
from hooks.cards import CardPolicy, Indicator, choose_indicator
from hooks.disease_severity import Situation
from hooks.findings import Findings
from hooks.wording import Wording, plain_data, sentence
from model.severity import SEVERITIES


@dataclass(frozen=True, slots=True)
class Estimate:
    """The probability of one category, or why it is not stated."""

    name: str
    """Never as the code (C11)."""
    frequency: str | None
    """"8 in 100"; `None` where it is not stated."""
    usual: str | None
    """The same at the base rate; `None` where none is known."""
    note: str | None
    """Why it is not stated (C7, C9), or that the history does not cover it (C19)."""
    share: float | None
    """The probability (0 to 1), for a bar; `None` where it is not stated."""
    usual_share: float | None
    chosen: bool
    """The category that is named."""


@dataclass(frozen=True, slots=True)
class Reason:
    """What moved the prediction, and which way."""

    text: str
    speaks_for: bool


@dataclass(frozen=True, slots=True)
class ResultText:
    """Every statement about one assessment in one language, plain text."""

    indicator: Indicator
    headline: str
    """The summary of the card."""
    red: Sequence[str]
    """Dangerous readings (C9)."""
    news2: Sequence[str]
    statements: Sequence[str]
    """What the model says; empty without a category."""
    why: Sequence[str]
    """Why there is no category, or no reading can be called dangerous; else empty."""
    cautions: Sequence[str]
    on_record: Sequence[str]
    """Illness known before (C16)."""
    estimates: Sequence[Estimate]
    reasons_heading: str
    reasons: Sequence[Reason]
    readings: Sequence[str]
    missing: Sequence[str]
    last: Sequence[str]
    """Ends with "decision support, not a diagnosis"."""


def result_text(findings: Findings, wording: Wording, policy: CardPolicy) -> ResultText:
    """The statements for a page of a client with this `policy`."""
    text = CardText(findings, wording, sandbox=policy.sandbox, data=plain_data)
    scored = findings.assessment is not None
    reasons = [
        Reason(text.reason_line(reason), reason.value > 0) for reason in text.contributions()
    ]
    return ResultText(
        indicator=choose_indicator(findings, policy),
        headline=text.summary(),
        red=[sentence(line) for line in text.red_lines()],
        news2=text.news2_lines(),
        statements=text.statement_lines() if scored else [],
        why=[] if scored else text.why_lines(),
        cautions=[*text.caution_lines(), *text.rare_match_lines()],
        on_record=text.on_record_lines(),
        estimates=_estimates(findings, wording),
        reasons_heading=text.reasons_heading() if reasons else "",
        reasons=reasons,
        readings=text.reading_lines(),
        missing=text.missing_lines(),
        last=text.last_lines(),
    )


def rules_text(findings: Findings, wording: Wording) -> ResultText:
    """What rules say of the readings, and nothing of the model: for a client that is not told
    what it estimates (C13)."""
    by_rules = replace(findings, assessment=None, category=None, acute_flagged=False)
    text = CardText(by_rules, wording, data=plain_data)
    red = [sentence(line) for line in text.red_lines()]
    is_outside = findings.situation is Situation.OUT_OF_POPULATION
    return ResultText(
        indicator=Indicator.WARNING if red else Indicator.INFO,
        headline=text.summary() if red else "",
        red=red,
        news2=text.news2_lines(),
        statements=[],
        # Whom the limits are not for must not be taken for somebody without a dangerous reading.
        why=text.why_lines() if is_outside else text.no_limit_lines(),
        cautions=text.caution_lines(),
        on_record=[],
        estimates=[],
        reasons_heading="",
        reasons=[],
        readings=text.reading_lines(),
        missing=text.missing_lines(),
        last=[wording.say("model.none")],
    )


def _estimates(findings: Findings, wording: Wording) -> list[Estimate]:
    assessment, facts = findings.assessment, findings.facts
    if assessment is None:
        return []
    rates = {} if facts is None else facts.base_rates
    found = []
    for severity in SEVERITIES:
        probability = assessment.probabilities.get(severity)
        note = None
        if probability is None:
            note = wording.say("not_covered", names=wording.category(severity))
        elif not findings.may_state(severity):
            why = findings.why_not_stated(severity)
            note = wording.say(f"risk.not_stated.{why}")
        stated = probability is not None and note is None
        usual = rates.get(severity)
        found.append(
            Estimate(
                name=wording.display(severity),
                frequency=wording.frequency(probability)
                if stated and probability is not None
                else None,
                usual=None if usual is None else _usual(usual, findings, wording),
                note=note,
                share=probability if stated else None,
                usual_share=usual,
                chosen=severity is findings.category,
            )
        )
    return found


def _usual(rate: float, findings: Findings, wording: Wording) -> str:
    usual = wording.frequency(rate)
    simulated = findings.facts is not None and findings.facts.simulated
    return wording.say("usual.simulated", usual=usual) if simulated else usual
