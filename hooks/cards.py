"""From an assessment to the cards of one answer (clinical rules C7, C9 to C14). Pure."""

from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Any, Literal
from urllib.parse import quote

from fhir_mapping.readings import Extraction
from hooks.card_text import CardText
from hooks.contexts import PatientViewContext
from hooks.disease_severity import Situation, exclusion_reason
from hooks.findings import Findings, find
from hooks.severity_codes import severity_coding
from hooks.suggestions import SUGGESTED, override_reasons, suggestion
from hooks.topics import topic_coding, topic_of
from hooks.vendors import SHAPES, Vendor, without_later_members
from hooks.wording import Language, Wording
from model.assessment import Assessment, ModelFacts
from model.severity import SEVERITIES, Severity

__all__ = [
    "DEVELOPMENT_POLICY",
    "CardDecision",
    "CardPolicy",
    "Indicator",
    "Vendor",
    "build_cards",
    "choose_indicator",
]


class Indicator(StrEnum):
    """How prominently a card asks to be read (R36)."""

    INFO = "info"
    WARNING = "warning"
    CRITICAL = "critical"


_WITHOUT_CATEGORY = (Situation.INSUFFICIENT_DATA, Situation.OUT_OF_POPULATION)
_PROMINENCE = (Indicator.INFO, Indicator.WARNING, Indicator.CRITICAL)


@dataclass(frozen=True, slots=True)
class CardPolicy:
    """What a client wants to see (C12). A red reading and a failed model are always shown."""

    categories: frozenset[Severity]
    """Categories that make a card."""
    lowest_indicator: Indicator
    """Cards below it are not shown."""
    no_data: Literal["card", "none"]
    """What happens without a category: too few readings, or outside the population (C1)."""
    allow_critical: bool
    """Off: what would be `critical` is a `warning` (C10)."""
    vendor: Vendor = Vendor.STANDARD
    sandbox: bool = False
    """A vendor's test environment: every card says "simulated" (C13)."""
    suggests: bool = True
    """Off: there is no health record that could open a draft (C14)."""


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
    dangerous: bool = False
    """A reading has a red NEWS2 score (C9)."""
    card_uuid: str | None = None
    """Of the card, also where its client is not told it (CDS Hooks 1.0); `None` without one."""
    suggestion_uuid: str | None = None
    """Of its suggestion; `None` without one."""


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
    explanation_url: str | None = None,
    launch_url: str | None = None,
) -> CardDecision:
    """Make the card, or none, of one `patient-view`.

    `public_url` is absolute, without query; `facts` may be `None` only where no model is loaded.
    `explanation_url` opens the explanation of this assessment, if it may be opened by a link; with
    `launch_url` the health record opens it by SMART launch instead.
    Raises `ValueError` if `situation` is `scored` and the assessment or the facts are
    missing, or `excluded` and nothing excludes the patient.
    """
    if situation is Situation.EXCLUDED:
        reason = exclusion_reason(extraction, context.user_id)
        if reason is None:
            raise ValueError("an excluded situation needs a reason to exclude")
        return CardDecision([], None, reason, situation, None)
    findings = find(extraction, assessment, facts, situation)
    indicator = choose_indicator(findings, policy)
    decision = CardDecision(
        [],
        indicator,
        _suppressed(findings, indicator, policy),
        situation,
        findings.category,
        dangerous=bool(findings.red),
    )
    if decision.suppressed_reason is not None:
        return decision
    wording, shape = Wording(language), SHAPES[policy.vendor]
    text = CardText(
        findings,
        wording,
        narrow=shape.narrow,
        sandbox=policy.sandbox,
    )
    card: dict[str, Any] = {
        "uuid": card_uuid,
        "summary": text.summary(),
        "detail": text.detail(),
        "indicator": indicator.value,
        "source": _source(findings, policy, wording, public_url),
    }
    if policy.suggests and findings.category in SUGGESTED:
        card["suggestions"] = [
            suggestion(
                findings.category,
                context,
                wording,
                uuid=suggestion_uuid,
                public_url=public_url,
                assessment_id=assessment_id,
                shape=shape,
            )
        ]
        card["selectionBehavior"] = shape.selection
    card["overrideReasons"] = override_reasons(
        findings.category, wording, public_url=public_url, scored=situation is Situation.SCORED
    )
    links = [] if facts is None else [_about_the_model(facts, wording, public_url)]
    if launch_url is not None:
        links.insert(0, _launch(launch_url, assessment_id, wording, policy.vendor))
    elif explanation_url is not None:
        label = wording.say("link.explanation")
        links.insert(0, {"label": label, "url": explanation_url, "type": "absolute"})
    if links:
        card["links"] = links
    return replace(
        decision,
        cards=[without_later_members(card) if shape.version_1_0 else card],
        card_uuid=card_uuid,
        suggestion_uuid=suggestion_uuid if "suggestions" in card else None,
    )


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
    if findings.situation in _WITHOUT_CATEGORY and policy.no_data == "none":
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


def _about_the_model(facts: ModelFacts, wording: Wording, public_url: str) -> dict[str, Any]:
    """A link to the model card, which anybody may read (R46)."""
    version = quote(facts.version, safe="")
    return {
        "label": wording.say("link.model_card"),
        "url": f"{public_url}/models/{version}/card?lang={wording.language}",
        "type": "absolute",
    }


def _launch(url: str, assessment_id: str, wording: Wording, vendor: Vendor) -> dict[str, Any]:
    """A link that the health record opens by SMART launch (R46). `appContext` comes back with its
    token; Oracle Health knows none (fhir.cerner.com, `CDS Hooks`)."""
    link = {"label": wording.say("link.explanation"), "url": url, "type": "smart"}
    return link if SHAPES[vendor].version_1_0 else link | {"appContext": assessment_id}


def _source(
    findings: Findings, policy: CardPolicy, wording: Wording, public_url: str
) -> dict[str, Any]:
    """Who says it, and what it is about: the category, else the kind of card (C22)."""
    simulated = policy.sandbox or (findings.facts is not None and findings.facts.simulated)
    if findings.category is None or SHAPES[policy.vendor].static_topic:
        topic = topic_coding(topic_of(findings), public_url, wording)
    else:
        topic = severity_coding(findings.category, public_url, wording.language)
    return {
        "label": wording.say("source.simulated" if simulated else "source"),
        "url": public_url,
        "topic": topic,
    }
