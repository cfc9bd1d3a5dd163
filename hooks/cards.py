"""From an assessment to the cards of one answer (clinical rules C7, C9 to C14). Pure."""

from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Literal

from fhir_mapping.readings import Extraction
from hooks.card_text import CardText
from hooks.contexts import PatientViewContext
from hooks.disease_severity import Situation, exclusion_reason
from hooks.findings import Findings, find
from hooks.severity_codes import severity_coding
from hooks.suggestions import SUGGESTED, override_reasons, suggestion
from hooks.wording import Language, Wording
from model.assessment import Assessment, ModelFacts
from model.severity import SEVERITIES, Severity


class Indicator(StrEnum):
    """How prominently a card asks to be read (R36)."""

    INFO = "info"
    WARNING = "warning"
    CRITICAL = "critical"


class Vendor(StrEnum):
    """Whose clients read a card; they differ in what they show of it."""

    STANDARD = "standard"
    EPIC = "epic"
    CERNER = "cerner"


_PROMINENCE = (Indicator.INFO, Indicator.WARNING, Indicator.CRITICAL)


@dataclass(frozen=True, slots=True)
class CardPolicy:
    """What a client wants to see (C12). A red reading and a failed model are always shown."""

    categories: frozenset[Severity]
    """Categories that make a card."""
    lowest_indicator: Indicator
    """Cards below it are not shown."""
    no_data: Literal["card", "none"]
    """What happens without enough data."""
    allow_critical: bool
    """Off: what would be `critical` is a `warning` (C10)."""
    vendor: Vendor = Vendor.STANDARD


DEVELOPMENT_POLICY = CardPolicy(
    categories=frozenset(SEVERITIES),
    lowest_indicator=Indicator.INFO,
    no_data="card",
    allow_critical=True,
)
"""The development client sees everything (C12)."""


@dataclass(frozen=True, slots=True)
class CardDecision:
    """The answer, and what it was decided from."""

    cards: list[dict[str, Any]]
    indicator: Indicator | None
    """Also of a card that was suppressed; `None` where there is nobody to make one for (C2)."""
    suppressed_reason: str | None
    """Why `cards` is empty: `deceased`, `patient_user`, `test_patient`, `opted_out`,
    `category_not_wanted`, `below_lowest_indicator`, `no_data_not_wanted`."""
    kind: Situation
    category: Severity | None
    """The category the card names; `None` also where it is withheld (C7, C9)."""


def build_cards(
    extraction: Extraction,
    assessment: Assessment | None,
    facts: ModelFacts | None,
    *,
    policy: CardPolicy,
    language: Language,
    public_url: str,
    card_uuid: str,
    suggestion_uuid: str,
    assessment_id: str,
    context: PatientViewContext,
    situation: Situation,
) -> CardDecision:
    """Make the card, or none, of one `patient-view`.

    `public_url` is absolute, without query; `facts` may be `None` only where no model is loaded.
    Raises `ValueError` if `situation` is `scored` and the assessment or the facts are missing, or
    `excluded` and nothing excludes the patient.
    """
    if situation is Situation.EXCLUDED:
        reason = exclusion_reason(extraction, context.user_id)
        if reason is None:
            raise ValueError("an excluded situation needs a reason to exclude")
        return CardDecision([], None, reason, situation, None)
    findings = find(extraction, assessment, facts, situation)
    indicator = choose_indicator(findings, policy)
    suppressed = _suppressed(findings, indicator, policy)
    if suppressed is not None:
        return CardDecision([], indicator, suppressed, situation, findings.category)
    wording = Wording(language)
    card = _card(findings, indicator, wording, public_url=public_url, uuid=card_uuid)
    if findings.category in SUGGESTED:
        card["suggestions"] = [
            suggestion(
                findings.category,
                context,
                wording,
                uuid=suggestion_uuid,
                public_url=public_url,
                assessment_id=assessment_id,
            )
        ]
        card["selectionBehavior"] = "at-most-one"
    card["overrideReasons"] = override_reasons(
        findings.category, wording, public_url=public_url, scored=situation is Situation.SCORED
    )
    return CardDecision([card], indicator, None, situation, findings.category)


def choose_indicator(findings: Findings, policy: CardPolicy) -> Indicator:
    """`warning` for acute above its threshold or a red reading, `critical` for both (C10).

    Never `critical` where newer readings may exist (C7), nor on a card about advanced illness
    (C11), nor for a client that switched it off.
    """
    if findings.acute_flagged and findings.red:
        may_be_critical = (
            policy.allow_critical
            and not findings.maybe_not_latest
            and findings.category is not Severity.TERMINAL
        )
        return Indicator.CRITICAL if may_be_critical else Indicator.WARNING
    if findings.acute_flagged or findings.red:
        return Indicator.WARNING
    return Indicator.INFO


def _suppressed(findings: Findings, indicator: Indicator, policy: CardPolicy) -> str | None:
    """Why the client does not want this card (C12), or `None`."""
    if findings.red or findings.situation is Situation.MODEL_FAILED:
        return None
    if findings.situation is Situation.INSUFFICIENT_DATA and policy.no_data == "none":
        return "no_data_not_wanted"
    if findings.assessment is not None:
        said = {findings.assessment.category}
        if findings.acute_flagged:
            said.add(Severity.ACUTE)
        if not said & policy.categories:
            return "category_not_wanted"
    if _PROMINENCE.index(indicator) < _PROMINENCE.index(policy.lowest_indicator):
        return "below_lowest_indicator"
    return None


def _card(
    findings: Findings, indicator: Indicator, wording: Wording, *, public_url: str, uuid: str
) -> dict[str, Any]:
    text = CardText(findings, wording)
    simulated = findings.facts is not None and findings.facts.simulated
    source: dict[str, Any] = {
        "label": wording.say("source.simulated" if simulated else "source"),
        "url": public_url,
    }
    if findings.category is not None:
        source["topic"] = severity_coding(findings.category, public_url, wording.language)
    return {
        "uuid": uuid,
        "summary": text.summary(),
        "detail": text.detail(),
        "indicator": indicator.value,
        "source": source,
    }
