"""Source attributes (45 CFR 170.315(b)(11)) as a section of a model card."""

from collections.abc import Mapping, Sequence

from cds_service.services.model_cards import ModelCard
from cds_service.web.model_card_parts import AttributeText, GroupText, Section, WrittenText
from cds_service.web.words import Words
from hooks.wording import LANGUAGES
from model.source_attributes import SOURCE_ATTRIBUTES, Group, SourceAttribute


def attributes(card: ModelCard, said: Mapping[str, Sequence[str]], words: Words) -> Section:
    """Every attribute: what the run says of it, and what people wrote."""
    say = words.say
    waiting = [one for one in SOURCE_ATTRIBUTES if is_open(one, card)]
    groups = [
        GroupText(
            say(f"group.{group.value}"),
            [_attribute(one, card, said, words) for one in SOURCE_ATTRIBUTES if one.group is group],
        )
        for group in Group
    ]
    paragraphs = [say("attributes.lead")]
    if waiting:
        paragraphs.append(say("open.count", n=len(waiting), of=len(SOURCE_ATTRIBUTES)))
    return Section("attributes", say("attributes"), paragraphs, groups=groups)


def is_open(attribute: SourceAttribute, card: ModelCard) -> bool:
    """Whether people are still asked for it: nobody wrote it, in any language."""
    return attribute.by_people is not None and not card.written.get(attribute.id)


def _attribute(
    attribute: SourceAttribute,
    card: ModelCard,
    said: Mapping[str, Sequence[str]],
    words: Words,
) -> AttributeText:
    written = card.written.get(attribute.id, {})
    # The reader's own language; the other one, marked, only where that is missing.
    language = words.language if words.language in written else None
    other = next((one for one in LANGUAGES if one in written), None)
    shown = []
    if language is not None:
        note = words.say("written", date=words.day(written[language].at))
        shown.append(WrittenText(language, note, written[language].text))
    elif other is not None:
        note = words.say("other_language", date=words.day(written[other].at))
        shown.append(WrittenText(other, note, written[other].text))
    role = attribute.by_people
    asked = None
    if role is not None and is_open(attribute, card):
        asked = words.say("open", role=words.say(f"asked_of.{role.value}"))
    return AttributeText(
        words.say(f"asks.{attribute.id}"),
        attribute.paragraph,
        said.get(attribute.id, ()),
        shown,
        asked,
    )
