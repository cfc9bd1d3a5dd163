"""What a card is about: one code for each kind of card, and it never changes.

Epic lets a user silence a card by its topic, so the code must be alphanumeric, at most 100
characters, and the same for every card of a kind. A card with a red reading has a topic of its
own: whoever silences cards about acute illness must still be told of it (clinical rule C9).
"""

from enum import StrEnum
from typing import Any, Final

from hooks.disease_severity import Situation
from hooks.findings import Findings
from hooks.wording import Language, Wording
from model.severity import Severity

VERSION: Final = "1.1.0"
"""Version of the CodeSystem; changes with any code or display."""


class Topic(StrEnum):
    """A kind of card; the value is its code."""

    RED_READING = "severityredreading"
    NOT_ILL = "severitynotill"
    MILD = "severitymild"
    ACUTE = "severityacute"
    CHRONIC = "severitychronic"
    ADVANCED = "severityadvanced"
    WITHHELD = "severitywithheld"
    RARE_DISEASE = "severityraredisease"
    OUT_OF_POPULATION = "severityoutofpopulation"
    NO_DATA = "severitynodata"
    MODEL_FAILED = "severitymodelfailed"


_OF_CATEGORY = {
    Severity.NOT_ILL: Topic.NOT_ILL,
    Severity.MILD: Topic.MILD,
    Severity.ACUTE: Topic.ACUTE,
    Severity.CHRONIC: Topic.CHRONIC,
    Severity.TERMINAL: Topic.ADVANCED,
}
_OF_SITUATION = {
    Situation.OUT_OF_POPULATION: Topic.OUT_OF_POPULATION,
    Situation.INSUFFICIENT_DATA: Topic.NO_DATA,
    Situation.MODEL_FAILED: Topic.MODEL_FAILED,
}


def topic_of(findings: Findings) -> Topic:
    """The kind of card that says `findings`."""
    if findings.red:
        return Topic.RED_READING
    if findings.category is not None:
        return _OF_CATEGORY[findings.category]
    if findings.withheld_for_rare:
        return Topic.RARE_DISEASE
    return _OF_SITUATION.get(findings.situation, Topic.WITHHELD)


def code_system_url(public_url: str) -> str:
    """Canonical URL of the CodeSystem under the service's public URL."""
    return f"{public_url.rstrip('/')}/fhir/CodeSystem/card-topic"


def topic_coding(topic: Topic, public_url: str, wording: Wording) -> dict[str, str]:
    """The topic as a Coding with its display (R47)."""
    return {
        "system": code_system_url(public_url),
        "code": topic.value,
        "display": wording.say(f"topic.{topic.value}"),
    }


def topic_code_system(public_url: str) -> dict[str, Any]:
    """The FHIR R4 CodeSystem of topics, English displays with Spanish designations."""
    spanish: Language = "es"
    return {
        "resourceType": "CodeSystem",
        "id": "card-topic",
        "url": code_system_url(public_url),
        "version": VERSION,
        "name": "CardTopic",
        "title": "Card topic",
        "status": "active",
        "experimental": False,
        "description": "What a card of the service disease-severity is about.",
        "caseSensitive": True,
        "content": "complete",
        "count": len(Topic),
        "concept": [
            {
                "code": topic.value,
                "display": Wording("en").say(f"topic.{topic.value}"),
                "designation": [
                    {"language": spanish, "value": Wording(spanish).say(f"topic.{topic.value}")}
                ],
            }
            for topic in Topic
        ],
    }
