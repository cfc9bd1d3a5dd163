"""A model card as JSON: the facts as numbers, and what is said of them in both languages."""

from typing import Any

from cds_service.services.model_cards import ModelCard
from cds_service.web.attribute_text import texts
from cds_service.web.model_card_attributes import is_open
from cds_service.web.words import Words
from hooks.wording import LANGUAGES
from model.source_attributes import SOURCE_ATTRIBUTES

CITATION = "45 CFR 170.315(b)(11)(iv)(B)"


def card_json(card: ModelCard) -> dict[str, Any]:
    """JSON types. `asked_of` is a role while an attribute waits for people, else null."""
    words = [Words(language) for language in LANGUAGES]
    said = {one.language: texts(card.facts, one) for one in words}
    return {
        "statement": {one.language: one.say("device") for one in words},
        "facts": card.facts,
        "source_attributes": [
            {
                "id": attribute.id,
                "paragraph": f"{CITATION}{attribute.paragraph}",
                "group": attribute.group.value,
                "title": {one.language: one.say(f"asks.{attribute.id}") for one in words},
                "from_the_run": {
                    one.language: said[one.language].get(attribute.id, []) for one in words
                },
                "written": {
                    language: {"text": text.text, "at": text.at}
                    for language, text in card.written.get(attribute.id, {}).items()
                },
                "asked_of": attribute.by_people.value
                if attribute.by_people is not None and is_open(attribute, card)
                else None,
            }
            for attribute in SOURCE_ATTRIBUTES
        ],
    }
