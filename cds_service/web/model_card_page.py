"""A model card laid out for a page: sections with facts and tables, in one language."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from cds_service.services.model_cards import ModelCard
from cds_service.web.attribute_text import figure, texts
from cds_service.web.words import Words
from hooks.wording import LANGUAGES
from model.model_card import GROUP_FIGURES, PARTS
from model.source_attributes import SOURCE_ATTRIBUTES, Group, SourceAttribute

Facts = Mapping[str, Any]
_OVERALL = (
    "log_loss",
    "log_loss_of_frequencies",
    "brier",
    "calibration_error",
    "macro_f1",
    "balanced_accuracy",
    "set_size",
)
_BY_CATEGORY = ("prevalence", "recall", "precision", "auroc", "average_precision", "set_coverage")


@dataclass(frozen=True, slots=True)
class Table:
    """A table whose first column names the rows."""

    caption: str
    head: Sequence[str]
    rows: Sequence[Sequence[str]]
    texts: int = 1
    """Columns of text at the left; the others are numbers."""


@dataclass(frozen=True, slots=True)
class WrittenText:
    """What a person wrote."""

    language: str
    note: str
    text: str


@dataclass(frozen=True, slots=True)
class AttributeText:
    """One source attribute as it is shown."""

    title: str
    paragraph: str
    says: Sequence[str]
    written: Sequence[WrittenText]
    open: str | None
    """Who is asked to fill it in."""


@dataclass(frozen=True, slots=True)
class GroupText:
    """A group of source attributes."""

    title: str
    attributes: Sequence[AttributeText]


@dataclass(frozen=True, slots=True)
class Section:
    """A section of the page."""

    id: str
    title: str
    paragraphs: Sequence[str] = ()
    facts: Sequence[tuple[str, Sequence[str]]] = ()
    tables: Sequence[Table] = ()
    groups: Sequence[GroupText] = ()


def sections(card: ModelCard, words: Words) -> list[Section]:
    """Every section, what a clinician needs first."""
    facts = card.facts
    said = texts(facts, words)
    return [
        _summary(facts, words),
        Section("limits", words.say("limits"), [*said["cautioned-uses"], *said["known-risks"]]),
        _performance(facts, words),
        _groups(facts, words),
        _guarantee(facts, words),
        _thresholds(facts, words),
        _local(facts, words),
        _inputs(facts, words),
        _data(facts, words),
        _people(facts, words),
        _choice(facts, words),
        _attributes(card, said, words),
        _origin(facts, words),
    ]


def is_open(attribute: SourceAttribute, card: ModelCard) -> bool:
    """Whether people are still asked for it: nobody wrote it, in any language."""
    return attribute.by_people is not None and not card.written.get(attribute.id)


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


def _performance(facts: Facts, words: Words) -> Section:
    say, records = words.say, facts["held_out"]
    return Section(
        "performance",
        say("performance"),
        [say("performance.lead")],
        tables=_figures(records, facts["population"]["categories"], words),
    )


def _figures(
    records: Sequence[Mapping[str, Any]], categories: Iterable[str], words: Words
) -> list[Table]:
    """Figures over all categories, and one row for each category."""
    say = words.say
    overall = [
        [say(f"metric.{name}"), words.interval(record), words.count(record["n"])]
        for name in _OVERALL
        if (record := figure(records, name)) is not None
    ]
    known = [name for name in _BY_CATEGORY if any(record["metric"] == name for record in records)]
    rows = [
        [words.category(code), *(words.interval(figure(records, name, code)) for name in known)]
        for code in categories
    ]
    return [
        Table(say("performance.overall"), [say("figure"), say("value"), say("rests_on")], overall),
        Table(
            say("performance.by_category"),
            [say("category"), *(say(f"metric.{name}") for name in known)],
            rows,
        ),
    ]


def _groups(facts: Facts, words: Words) -> Section:
    say, groups = words.say, facts["groups"]
    if groups is None:
        return Section("groups", say("groups"), [say("says.not_measured")])
    return Section("groups", say("groups"), [say("groups.lead")], tables=[_by_group(groups, words)])


def _by_group(groups: Facts, words: Words) -> Table:
    say = words.say
    rows = [
        [
            _level(one["cohort"], one["level"], words),
            words.count(one["rows"]),
            *(words.interval(one[name]) for name in GROUP_FIGURES),
        ]
        for one in groups["figures"]
    ]
    head = [say("group"), say("rests_on"), *(say(f"metric.{name}") for name in GROUP_FIGURES)]
    caption = say("groups.caption", category=words.category(groups["category"]))
    return Table(caption, head, rows)


def _level(cohort: str, level: str, words: Words) -> str:
    """A group in words: a sex, or ages as "18–39" and "80+"."""
    if cohort == "sex":
        name = "unknown" if level == "not known" else level
        text = words.wording.say(f"sex.{name}")
        return text[:1].upper() + text[1:]
    return level.replace(" to ", "–").replace(" and over", "+")


def _guarantee(facts: Facts, words: Words) -> Section:
    say, guarantee = words.say, facts["guarantee"]
    coverage = words.figure(guarantee["coverage"] * 100, 0)
    rows = [
        [
            words.category(code),
            say("demonstrable", coverage=coverage)
            if promise["demonstrable"]
            else say("not_demonstrable"),
            words.count(promise["cases"]),
        ]
        for code, promise in guarantee["categories"].items()
    ]
    head = [say("category"), say("promise"), say("cases")]
    return Section(
        "guarantee",
        say("guarantee"),
        [say("guarantee.lead", coverage=coverage, minimum=guarantee["minimum_cases"])],
        tables=[Table(say("guarantee.caption"), head, rows, texts=2)],
    )


def _thresholds(facts: Facts, words: Words) -> Section:
    say = words.say
    rows = [
        [
            words.category(code),
            words.figure(point["threshold"]),
            f"{words.percent(point['flag_rate'])} ({words.percent(point['wanted_flag_rate'])})",
            words.percent(point["sensitivity"]),
            words.percent(point["positive_predictive_value"]),
            words.figure(point["number_needed_to_evaluate"], 1),
        ]
        for code, point in facts["thresholds"].items()
    ]
    names = ("category", "threshold", "flagged", "sensitivity", "ppv", "nne")
    return Section(
        "thresholds",
        say("thresholds"),
        [say("thresholds.lead")],
        tables=[Table(say("thresholds.caption"), [say(name) for name in names], rows)],
    )


def _local(facts: Facts, words: Words) -> Section:
    say, local = words.say, facts["local"]
    if local is None:
        return Section("local", say("local"), [say("local.none")])
    lead = say(
        "local.lead",
        date=words.day(local["at"]),
        n=words.about(local["with_outcome"]),
        share=words.percent(local["share_without_outcome"]),
    )
    if figure(local["figures"], "log_loss") is None:
        few = say("says.local-validity.few", date=words.day(local["at"]))
        return Section("local", say("local"), [lead, few])
    tables = _figures(local["figures"], facts["population"]["categories"], words)
    paragraphs, groups = [lead], facts["local_groups"]
    if groups is not None:
        tables.append(_by_group(groups, words))
        paragraphs.append(
            say(
                "local.groups",
                n=words.about(groups["assessments"]),
                begin=words.day(groups["from"]),
                end=words.day(groups["until"]),
            )
        )
    return Section("local", say("local"), paragraphs, tables=tables)


def _inputs(facts: Facts, words: Words) -> Section:
    say = words.say
    rows = []
    for one in facts["inputs"]:
        limits = say("none")
        if one["possible"] is not None:
            low, high = (f"{limit:g}" for limit in one["possible"])
            limits = say("range", low=low, high=high, unit=one["unit"])
        rows.append([words.feature(one["name"]), one["unit"] or say("none"), limits])
    computed = ", ".join(one["name"] for one in facts["columns"])
    return Section(
        "inputs",
        say("inputs"),
        [say("inputs.lead"), say("columns", names=computed)],
        tables=[
            Table(
                say("inputs.caption"), [say("input"), say("unit"), say("possible")], rows, texts=3
            )
        ],
    )


def _data(facts: Facts, words: Words) -> Section:
    say, data = words.say, facts["data"]
    rows = [
        [words.category(code), *(words.count(line[part]) for part in PARTS)]
        for code, line in data["rows_by_category"].items()
    ]
    held_out = (
        say("no_dates") if data["held_out_from"] is None else words.day(data["held_out_from"])
    )
    shown: list[tuple[str, Sequence[str]]] = [
        (say("rows.given"), [words.about(data["rows"]["given"])]),
        (say("rows.without_category"), [words.about(data["rows"]["without_category"])]),
        (say("rows.out_of_population"), [words.about(data["rows"]["out_of_population"])]),
        (say("rows.used"), [words.about(data["rows"]["used"])]),
        (say("patients"), [words.about(data["patients"])]),
        (say("rows_without_patient"), [words.about(data["rows_without_patient"])]),
        (say("trained_through"), [words.day(data["trained_through"])]),
        (say("held_out_from"), [held_out]),
    ]
    head = [say("category"), *(say(f"part.{part}") for part in PARTS)]
    return Section(
        "data",
        say("data"),
        [say("data.lead")],
        facts=shown,
        tables=[Table(say("data.caption"), head, rows)],
    )


def _people(facts: Facts, words: Words) -> Section:
    say, people = words.say, facts["people"]
    if people is None:
        return Section("people", say("people"), [say("people.not_recorded")])
    bands = [[name, words.count(n)] for name, n in people["age_bands"].items()]
    sexes = [
        [words.wording.say(f"sex.{name}"), words.count(n)] for name, n in people["sex"].items()
    ]
    rare = [[code, words.count(n)] for code, n in people["rare_codes"].items()]
    tables = [
        Table(say("people.age"), [say("people.age"), say("people.rows")], bands),
        Table(say("people.sex"), [say("people.sex"), say("people.rows")], sexes),
    ]
    paragraphs = [say("people.lead")]
    if rare:
        tables.append(Table(say("people.rare"), [say("people.rare"), say("people.rows")], rare))
    if people["rare_codes_not_named"]:
        paragraphs.append(say("people.rare.others", n=people["rare_codes_not_named"]))
    elif not rare:
        paragraphs.append(say("people.rare.none"))
    return Section("people", say("people"), paragraphs, tables=tables)


def _choice(facts: Facts, words: Words) -> Section:
    say = words.say
    rows = []
    for one in facts["candidates"]:
        behind = words.figure(one["behind"], 4)
        if one["standard_error"] is not None:
            behind = f"{behind} ({words.figure(one['standard_error'], 4)})"
        name = f"{one['name']} ({say('chosen')})" if one["chosen"] else one["name"]
        rows.append([name, words.figure(one["log_loss"], 4), behind])
    temperature = words.figure(facts["calibration"]["temperature"])
    head = [say("candidate"), say("log_loss"), say("behind")]
    return Section(
        "choice",
        say("choice"),
        [say("choice.lead"), say("calibration", temperature=temperature)],
        tables=[Table(say("choice.caption"), head, rows)] if rows else [],
    )


def _attributes(card: ModelCard, said: Mapping[str, Sequence[str]], words: Words) -> Section:
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
        asked = words.say("open", role=words.say(f"role.{role.value}"))
    return AttributeText(
        words.say(f"asks.{attribute.id}"),
        attribute.paragraph,
        said.get(attribute.id, ()),
        shown,
        asked,
    )


def _origin(facts: Facts, words: Words) -> Section:
    say, model, data = words.say, facts["model"], facts["data"]
    packages = ", ".join(f"{name} {one}" for name, one in model["package_versions"].items())
    return Section(
        "origin",
        say("origin"),
        facts=[
            (say("checksum"), [model["checksum"]]),
            (say("label_version"), [data["label_version"]]),
            (say("code_version"), [model["code_version"] or say("not_recorded")]),
            (say("packages"), [packages]),
            (say("seed"), [str(model["seed"])]),
            (say("sources"), data["sources_sha256"] or [say("not_recorded")]),
        ],
    )
