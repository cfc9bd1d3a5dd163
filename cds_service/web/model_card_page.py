"""A model card laid out for a page: sections with facts and tables, in one language."""

from collections.abc import Sequence

from cds_service.services.model_cards import ModelCard
from cds_service.web import model_card_figures as figures
from cds_service.web import model_card_training as training
from cds_service.web.attribute_text import texts
from cds_service.web.model_card_attributes import attributes
from cds_service.web.model_card_parts import Facts, Section
from cds_service.web.words import Words


def sections(card: ModelCard, words: Words) -> list[Section]:
    """Every section, what a clinician needs first."""
    facts = card.facts
    said = texts(facts, words)
    return [
        _summary(facts, words),
        Section("limits", words.say("limits"), [*said["cautioned-uses"], *said["known-risks"]]),
        figures.performance(facts, words),
        figures.groups(facts, words),
        figures.guarantee(facts, words),
        figures.thresholds(facts, words),
        figures.local(facts, words),
        training.inputs(facts, words),
        training.data(facts, words),
        training.people(facts, words),
        training.choice(facts, words),
        attributes(card, said, words),
        training.origin(facts, words),
    ]


def status(facts: Facts, words: Words) -> str:
    """Whether the version is in use."""
    model = facts["model"]
    if not model["live"]:
        return words.say("not_live")
    return words.say("live", date=words.day(model["live_since"]))


def _summary(facts: Facts, words: Words) -> Section:
    say, population = words.say, facts["population"]
    data = "trained_on.simulated" if facts["data"]["simulated"] else "trained_on.history"
    ages = say(
        "years",
        low=words.figure(population["min_age"], 0),
        high=words.figure(population["max_age"], 0),
    )
    pregnancy = f"{say('population.pregnancy')}. {say('pregnancy.more')}"
    shown: list[tuple[str, Sequence[str]]] = [
        (say("trained_on"), [say(data)]),
        (say("population"), [ages, pregnancy]),
        (say("categories"), [", ".join(map(words.category, population["categories"]))]),
    ]
    if population["categories_not_covered"]:
        missing = map(words.category, population["categories_not_covered"])
        shown.append((say("not_covered"), [", ".join(missing)]))
    shown += [
        (say("kind"), [_kind(facts["model"]["kind"], words)]),
        (say("created"), [words.day(facts["model"]["created_at"])]),
    ]
    return Section("summary", say("summary"), facts=shown)


def _kind(kind: str, words: Words) -> str:
    key = f"kind.{kind}"
    return words.say(key) if words.has(key) else kind
