"""How well a model does, as sections of its card: by category, by group, here."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from cds_service.web.attribute_text import figure
from cds_service.web.model_card_parts import Facts, Section, Table
from cds_service.web.words import Words, level_of
from model.model_card import GROUP_FIGURES

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


def performance(facts: Facts, words: Words) -> Section:
    """On the held-out part."""
    say, records = words.say, facts["held_out"]
    return Section(
        "performance",
        say("performance"),
        [say("performance.lead")],
        tables=_figures(records, facts["population"]["categories"], words),
    )


def groups(facts: Facts, words: Words) -> Section:
    """By sex and by age."""
    say, groups = words.say, facts["groups"]
    if groups is None:
        return Section("groups", say("groups"), [say("says.not_measured")])
    return Section("groups", say("groups"), [say("groups.lead")], tables=[_by_group(groups, words)])


def guarantee(facts: Facts, words: Words) -> Section:
    """What prediction sets promise, and of how many cases."""
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


def thresholds(facts: Facts, words: Words) -> Section:
    """Where a category begins to be named."""
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


def local(facts: Facts, words: Words) -> Section:
    """On outcomes of this place."""
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


def _by_group(groups: Facts, words: Words) -> Table:
    say = words.say
    rows = [
        [
            level_of(one["cohort"], one["level"], words),
            words.count(one["rows"]),
            *(words.interval(one[name]) for name in GROUP_FIGURES),
        ]
        for one in groups["figures"]
    ]
    head = [say("group"), say("rests_on"), *(say(f"metric.{name}") for name in GROUP_FIGURES)]
    caption = say("groups.caption", category=words.category(groups["category"]))
    return Table(caption, head, rows)
