"""The quality page: charts and tables of what was judged, with who was verified beside (C18)."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from cds_service.services.quality import Quality, Role, answered_figures, answering, figure
from cds_service.web.admin_sections import Section, Table, named
from cds_service.web.charts import Chart, Group, Series, Unit, columns, lines, reliability
from cds_service.web.words import Words, level_of

Chunk = Mapping[str, Any]
Record = Mapping[str, Any] | None
Read = Callable[[Chunk], Record]
"""The record of a figure in a chunk."""
OVERALL = "log_loss"
OF_CATEGORY = ("auroc", "recall", "precision")
_GROUP_FIGURES = ("auroc", "recall", "log_loss", "observed_to_expected")
_PERCENT = ("recall", "precision", "flag_rate", "prevalence")


def categories_of(quality: Quality) -> list[str]:
    """Categories that any of the chunks has figures of, in their order."""
    found: list[str] = []
    for chunk in quality.chunks:
        for figures in chunk["result"]["versions"].values():
            found += [one["category"] for one in figures["calibration"]]
    return list(dict.fromkeys(found))


def sections(quality: Quality, category: str, words: Words) -> list[Section]:
    """Everything about the category that was chosen."""
    newest = quality.chunks[-1]
    parts = [
        _verified(quality, newest, words),
        _over_time(quality, category, words),
        _versions(quality, category, words),
        _calibration(quality, words),
        _groups(newest, category, words),
        _feedback(quality, words),
        _shift(quality, category, words),
    ]
    return [part for part in parts if part is not None]


def standing(quality: Quality, words: Words) -> list[tuple[str, str]]:
    """What the newest chunk is, in words."""
    newest = quality.chunks[-1]
    version = answering(newest)
    live = [one.version for one in quality.roles if one.role == "live"]
    return [
        (words.say("live"), live[0] if live else words.say("none")),
        (
            words.say("newest"),
            words.say("newest.is", number=newest["number"], span=_span(newest), at=_day(newest)),
        ),
        (words.say("answered_by"), words.say("none") if version is None else version),
        (words.say("rows"), words.count(newest["rows"])),
        (words.say("verified"), _share(newest, words)),
    ]


def _verified(quality: Quality, newest: Chunk, words: Words) -> Section:
    shares = [_verified_share(chunk) for chunk in quality.chunks]
    unit = Unit(words, percent=True)
    over_time = _lines(
        "verified", words.say("verified.over_time"), quality,
        [Series(words.say("verified.share"), shares)], unit, low=0.0, high=1.0,
    )  # fmt: skip
    by: dict[str, list[list[str]]] = {}
    for one in newest["result"]["verification"]:
        if one["by"] == "all":
            continue
        row = [_level(one, words), words.count(one["rows"]), words.percent(one["share"])]
        by.setdefault(one["by"], []).append(row)
    tables = [
        Table(
            words.say(f"verified.by.{name}"),
            [words.say("group"), words.say("rows"), words.say("verified.share")],
            rows,
        )
        for name, rows in by.items()
    ]
    return Section(
        "who", words.say("verified.title"), [words.say("verified.lead")],
        charts=[over_time], folded=tables, notes=_cautions(newest, words),
    )  # fmt: skip


def _cautions(newest: Chunk, words: Words) -> list[str]:
    figures = answered_figures(newest)
    weighted = figures and figures["weighted"]
    if not weighted or not weighted["never_verified"]:
        return []
    groups = [
        f"{words.say('by.' + one['by'])} {_level(one, words)}" for one in weighted["never_verified"]
    ]
    return [words.say("never", groups=words.wording.join(groups))]


def _level(one: Mapping[str, Any], words: Words) -> str:
    if one["by"] == "category":
        return words.category(one["level"])
    return level_of(str(one["by"]), str(one["level"]), words)


def _over_time(quality: Quality, category: str, words: Words) -> Section:
    """Weighted beside naive, of the version that answered, with the bounds."""
    charts = [_beside(quality, OVERALL, None, words)]
    charts += [_beside(quality, metric, category, words) for metric in OF_CATEGORY]
    lead = [words.say("time.lead", category=words.category(category)), words.say("time.weighted")]
    return Section("time", words.say("time.title"), lead, charts=charts)


def _beside(quality: Quality, metric: str, category: str | None, words: Words) -> Chart:
    def part(name: str, records: str) -> Read:
        def read(chunk: Chunk) -> Record:
            figures = answered_figures(chunk)
            found = None if figures is None else figures[name]
            if name == "weighted":
                found = found and found[records]
            return figure(found, metric, category) if found else None

        return read

    series = [
        _series(words.say("weighted"), quality, part("weighted", "figures")),
        _series(words.say("naive"), quality, part("metrics", "")),
    ]
    bounds = [part("weighted", "bounds")(chunk) for chunk in quality.chunks]
    limits = []
    if any(bounds):
        limits = [
            Series(words.say(f"bound.{end}"), [_part(one, end) for one in bounds])
            for end in ("lower", "upper")
        ]
    return _lines(
        f"time-{metric}", words.say(f"metric.{metric}"), quality, series,
        _unit(metric, quality, words), limits=limits, high=1.0 if metric != OVERALL else None,
    )  # fmt: skip


def _versions(quality: Quality, category: str, words: Words) -> Section | None:
    """The live version, the last champion and challengers beside each other."""
    roles = [one for one in quality.roles if any(one.figures(chunk) for chunk in quality.chunks)]
    if len(roles) < 2:
        return None
    charts = []
    for metric, of in ((OVERALL, None), *((name, category) for name in OF_CATEGORY)):
        series = [
            _series(_named(role, words), quality, _weighted(role, metric, of)) for role in roles
        ]
        charts.append(
            _lines(
                f"versions-{metric}", words.say(f"metric.{metric}"), quality, series,
                _unit(metric, quality, words), high=1.0 if metric != OVERALL else None,
            )
        )  # fmt: skip
    lead = [words.say("versions.lead", category=words.category(category))]
    return Section("versions", words.say("versions.title"), lead, charts=charts)


def _weighted(role: Role, metric: str, category: str | None) -> Read:
    def read(chunk: Chunk) -> Record:
        figures = role.figures(chunk)
        if figures is None or not figures["weighted"]:
            return None
        return figure(figures["weighted"]["figures"], metric, category)

    return read


def _calibration(quality: Quality, words: Words) -> Section | None:
    """Reliability of the live version in the newest chunk that has it."""
    live = next((one for one in quality.roles if one.role == "live"), None)
    found = [
        (chunk, figures)
        for chunk in quality.chunks
        if live is not None and (figures := live.figures(chunk)) and figures["with_outcome"]
    ]
    if live is None or not found:
        return None
    chunk, figures = found[-1]
    unit = Unit(words, percent=True, name=_told(chunk, words))
    charts = [
        reliability(
            f"reliability-{i}",
            words.category(curve["category"]),
            [
                Group(
                    one["predicted"], one["observed"]["value"], one["observed"]["lower"],
                    one["observed"]["upper"], words.count(one["observed"]["n"]),
                )
                for one in curve["groups"]
            ],
            unit,
        )
        for i, curve in enumerate(figures.get("curves", []))
    ]  # fmt: skip
    names = ("slope", "intercept", "observed_to_expected")
    table = Table(
        words.say("calibration.table", share=_share(chunk, words)),
        [words.say("category"), words.say("cases"), *(words.say(f"metric.{n}") for n in names)],
        [
            [
                words.category(one["category"]),
                words.count(one["cases"]),
                *(words.interval(one[name]) for name in names),
            ]
            for one in figures["calibration"]
        ],
    )
    lead = [words.say("calibration.lead", version=live.version, span=_span(chunk))]
    return Section(
        "calibration", words.say("calibration.title"), lead, charts=charts, tables=[table]
    )


def _groups(newest: Chunk, category: str, words: Words) -> Section | None:
    """By sex, age and rarity; and apart, where cards may have changed what became known."""
    figures = answered_figures(newest)
    if figures is None or not figures["cohorts"]:
        return None
    focus = figures["focus"] or category
    head = [words.say("rows"), words.say("cases")]
    head += [words.say(f"metric.{name}") for name in _GROUP_FIGURES]

    def row(name: str, one: Mapping[str, Any]) -> list[str]:
        counts = [words.count(one["rows"]), words.count(one["cases"])]
        return [name, *counts, *(words.interval(one[metric]) for metric in _GROUP_FIGURES)]

    cohorts = Table(
        words.say("groups.table", category=words.category(focus), share=_share(newest, words)),
        [words.say("group"), *head],
        [
            row(words.say(f"cohort.{one['cohort']}") + f": {_cohort_level(one, words)}", one)
            for one in figures["cohorts"]
        ],
    )
    apart = Table(
        words.say("apart.table", category=words.category(focus), share=_share(newest, words)),
        [words.say("group"), *head],
        [row(words.say(f"apart.{one['mark']}.{one['level']}"), one) for one in figures["apart"]],
    )
    lead = [words.say("groups.lead", span=_span(newest)), words.say("apart.lead")]
    return Section("groups", words.say("groups.title"), lead, tables=[cohorts, apart])


def _cohort_level(one: Mapping[str, Any], words: Words) -> str:
    return level_of(str(one["cohort"]), str(one["level"]), words)


def _feedback(quality: Quality, words: Words) -> Section:
    def shares(name: str) -> list[float | None]:
        found: list[float | None] = []
        for chunk in quality.chunks:
            of_all = [r for r in chunk["result"]["feedback"] if r["indicator"] == "all"]
            found.append(of_all[0][name] if of_all else None)
        return found

    unit = Unit(words, percent=True, name=words.say("feedback.unit"))
    chart = columns(
        "feedback",
        words.say("feedback.over_time"),
        [_label(chunk, words) for chunk in quality.chunks],
        [Series(words.say(name), shares(name)) for name in ("accepted", "overridden")],
        unit,
        label_head=words.say("chunk"),
        high=1.0,
        short=[_day(chunk) for chunk in quality.chunks],
    )
    rows = [
        [
            named(words, "indicator", one["indicator"]), words.count(one["cards"]),
            words.percent(one["accepted"]), words.percent(one["overridden"]),
        ]
        for one in quality.chunks[-1]["result"]["feedback"]
    ]  # fmt: skip
    head = [words.say(key) for key in ("indicator", "cards", "accepted", "overridden")]
    tables = [Table(words.say("feedback.table"), head, rows)] if rows else []
    lead = [words.say("feedback.lead")]
    return Section("feedback", words.say("feedback.title"), lead, charts=[chart], tables=tables)


def _shift(quality: Quality, category: str, words: Words) -> Section | None:
    """How common categories are now, by what the answering version predicts."""

    def of(chunk: Chunk, code: str) -> Mapping[str, Any] | None:
        figures = answered_figures(chunk)
        records = (figures and figures["prevalence_shift"]) or []
        return next((one for one in records if one["category"] == code), None)

    newest = answered_figures(quality.chunks[-1])
    if not any(of(chunk, category) for chunk in quality.chunks):
        return None
    found = [of(chunk, category) for chunk in quality.chunks]
    series = Series(
        words.say("shift.ratio"),
        [_part(one, "ratio") for one in found],
        [_part(one, "lower") for one in found],
        [_part(one, "upper") for one in found],
    )
    same = Series(words.say("shift.same"), [1.0] * len(found))
    title = words.say("shift.chart", category=words.category(category))
    unit = Unit(words, decimals=2, name=words.say("shift.unit"))
    chart = _lines("shift", title, quality, [series], unit, limits=[same], low=0.0)
    rows = [
        [
            words.category(one["category"]), words.percent(one["base"]),
            words.percent(one["share"]), words.figure(one["ratio"], 2),
            words.say(
                "bounds", lower=words.figure(one["lower"], 2), upper=words.figure(one["upper"], 2)
            ),
            words.say(f"shift.{one['changed'] or 'no'}"),
        ]
        for one in (newest and newest["prevalence_shift"]) or []
    ]  # fmt: skip
    head = [
        words.say(key)
        for key in ("category", "shift.base", "shift.now", "shift.ratio", "shift.interval")
    ]
    table = Table(words.say("shift.table"), [*head, words.say("shift.changed")], rows)
    lead = [words.say("shift.lead")]
    tables = [table] if rows else []
    return Section("shift", words.say("shift.title"), lead, charts=[chart], tables=tables)


def _series(name: str, quality: Quality, read: Read) -> Series:
    found = [read(chunk) for chunk in quality.chunks]
    return Series(
        name,
        [_part(one, "value") for one in found],
        [_part(one, "lower") for one in found],
        [_part(one, "upper") for one in found],
    )


def _part(record: Record, name: str) -> float | None:
    return None if record is None else record[name]


def _lines(
    name: str,
    title: str,
    quality: Quality,
    series: Sequence[Series],
    unit: Unit,
    **more: Any,
) -> Chart:
    return lines(
        name,
        title,
        [chunk["started_at"] for chunk in quality.chunks],
        [_label(chunk, unit.words) for chunk in quality.chunks],
        series,
        unit,
        label_head=unit.words.say("chunk"),
        short=[_day(chunk) for chunk in quality.chunks],
        **more,
    )


def _unit(metric: str, quality: Quality, words: Words) -> Unit:
    """How a figure is written, under the share verified in all of the chunks."""
    shares = [one for chunk in quality.chunks if (one := _verified_share(chunk)) is not None]
    ends = [words.figure(100.0 * end, 0) for end in (min(shares), max(shares))] if shares else []
    told = f"{'–'.join(dict.fromkeys(ends))} %" if ends else words.say("none")
    return Unit(words, percent=metric in _PERCENT, name=words.say("of_verified", share=told))


def _named(role: Role, words: Words) -> str:
    return words.say(f"role.{role.role}", version=role.version)


def _day(chunk: Chunk) -> str:
    return f"{chunk['started_at']:%Y-%m-%d}"


def _span(chunk: Chunk) -> str:
    return f"{chunk['started_at']:%Y-%m-%d} – {chunk['ended_at']:%Y-%m-%d}"


def _verified_share(chunk: Chunk) -> float | None:
    return chunk["verified"] / chunk["rows"] if chunk["rows"] else None


def _share(chunk: Chunk, words: Words) -> str:
    return words.percent(_verified_share(chunk), 0)


def _told(chunk: Chunk, words: Words) -> str:
    return words.say("of_verified", share=_share(chunk, words))


def _label(chunk: Chunk, words: Words) -> str:
    """When, and how much of it is verified: no figure stands without it (C18)."""
    return words.say("chunk.label", day=_day(chunk), share=_share(chunk, words))
