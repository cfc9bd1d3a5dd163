"""The inputs page: what comes in, against what came before."""

from collections.abc import Mapping, Sequence
from itertools import pairwise
from typing import Any

from cds_service.services.inputs_view import Inputs
from cds_service.web.admin_sections import Section, Table, named
from cds_service.web.charts import Chart, Series, Unit, columns, histogram, lines
from cds_service.web.words import Words
from model.features import FEATURE, READINGS, ROW_NAMES
from model.severity import SEVERITIES

Chunk = Mapping[str, Any]
RATES = ("missing", "stale", "implausible", "unknown_unit")
NOT_USED = "not_used"
MOST_CODES = 100
"""Codes and units that are listed; a sender may invent any number."""
LONGEST_CODE = 120


def sections(inputs: Inputs, words: Words) -> list[Section]:
    """Everything of the chunks."""
    newest = inputs.chunks[-1]
    return [
        _beyond(newest, words),
        _drift(inputs, words),
        _histograms(inputs, newest, words),
        _rates(inputs, words),
        _answers(inputs, words),
        _codes(inputs, words),
        _skew(inputs, words),
        *_clients(newest, words),
        *_outcomes(inputs, words),
    ]


def standing(inputs: Inputs, words: Words) -> list[tuple[str, str]]:
    """What the newest chunk is, in words."""
    newest = inputs.chunks[-1]
    result = newest["result"]
    span = f"{words.time(newest['started_at'])} – {words.time(newest['ended_at'])}"
    return [
        (words.say("newest"), words.say("newest.is", number=newest["number"], span=span)),
        (words.say("rows"), words.count(newest["rows"])),
        (words.say("version"), newest["model_version"]),
        (words.say("watched"), words.count(result["watched"])),
        (words.say("budget"), words.say("budget.is", n=f"{1 / result['budget']:.0f}")),
    ]


def quantity_of(name: str, words: Words) -> str:
    """A watched quantity in words."""
    kind, separator, rest = name.partition(":")
    if not separator:
        return words.say("quantity.distance", name=_input(name, words))
    subject = words.category(rest) if kind == "category" else _input(rest, words)
    return words.say(f"quantity.{kind}", name=subject)


def _input(name: str, words: Words) -> str:
    """An input in words; of a code that belongs to none, that."""
    if name == NOT_USED:
        return words.say("not_used")
    return words.feature(name) if name in ROW_NAMES else name


def _beyond(newest: Chunk, words: Words) -> Section:
    """What lies beyond a limit now."""
    found = newest["result"]["quantities"]
    wrong = sorted(
        (name for name, one in found.items() if one["beyond"]),
        key=lambda name: (not found[name]["alarm"], name),
    )
    rows = [
        [
            quantity_of(name, words),
            words.say("alarm" if found[name]["alarm"] else "beyond"),
            _figure(name, found[name]["value"], words),
            _figure(name, found[name]["mean"], words),
            _limits(name, found[name], words),
            _reference(found[name]["reference"], words),
        ]
        for name in wrong
    ]
    head = [words.say(k) for k in ("quantity", "state", "value", "was", "limits", "held_against")]
    return Section(
        "beyond",
        words.say("beyond.title"),
        [words.say("beyond.lead")] if rows else [words.say("beyond.none")],
        tables=[Table(words.say("beyond.table"), head, rows)] if rows else [],
        folded=[_judged(words.say("beyond.all"), found, words)],
    )


def _judged(caption: str, quantities: Mapping[str, Mapping[str, Any]], words: Words) -> Table:
    """Quantities of a chunk, each beside its limits."""
    rows = [
        [
            quantity_of(name, words),
            _figure(name, one["value"], words),
            _figure(name, one["mean"], words),
            _limits(name, one, words),
            words.say("alarm" if one["alarm"] else "beyond" if one["beyond"] else "within")
            if one["low"] is not None or one["high"] is not None
            else words.say("not_judged"),
        ]
        for name, one in quantities.items()
    ]
    head = [words.say(k) for k in ("quantity", "value", "was", "limits", "state")]
    return Table(caption, head, rows)


def _drift(inputs: Inputs, words: Words) -> Section:
    """D of each input over the chunks, with its limit."""
    charts = []
    for name in inputs.names:
        found = [inputs.quantity(chunk, name) for chunk in inputs.chunks]
        charts.append(
            _lines(
                f"drift-{name}", _input(name, words), inputs,
                [Series(words.say("distance"), [_part(one, "value") for one in found])],
                Unit(words, decimals=3),
                limits=[Series(words.say("limit"), [_part(one, "high") for one in found])],
                low=0.0,
            )
        )  # fmt: skip
    charts = [chart for chart in charts if not chart.is_empty]
    return Section("drift", words.say("drift.title"), [words.say("drift.lead")], charts=charts)


def _histograms(inputs: Inputs, newest: Chunk, words: Words) -> Section:
    charts = []
    for name in inputs.names:
        shown = newest["result"]["inputs"].get(name)
        if shown is not None:
            charts.append(_histogram(name, shown, words))
    title = words.say("histograms.title")
    return Section("histograms", title, [words.say("histograms.lead")], charts=charts)


def _histogram(name: str, shown: Mapping[str, Any], words: Words) -> Chart:
    edges, n = shown["edges"], shown["n"]
    decimals = 0 if all(float(edge).is_integer() for edge in edges) else 1
    if name == "sex":
        labels = [words.wording.say("sex.male"), words.wording.say("sex.female")]
    else:
        written = [words.figure(edge, decimals) for edge in edges]
        labels = [
            words.say("bin.under", high=written[0]),
            *(f"{low}–{high}" for low, high in pairwise(written)),
            words.say("bin.from", low=written[-1]),
        ]
    now = Series(
        words.say("now"), [None if not n or one is None else one / n for one in shown["counts"]]
    )
    shares = shown.get("reference_shares")
    told = words.say(
        "histogram.told",
        now=_value(name, shown, "", words),
        was=_value(name, shown, "reference_", words),
        psi=words.figure(shown.get("stability_index"), 2),
    )
    return histogram(
        f"histogram-{name}",
        f"{_input(name, words)} ({FEATURE[name].unit})" if name in FEATURE else _input(name, words),
        labels,
        now,
        None if shares is None else Series(words.say("reference"), shares),
        Unit(words, percent=True, name=told),
        label_head=words.say("bin"),
    )


def _value(name: str, shown: Mapping[str, Any], prefix: str, words: Words) -> str:
    """The median, or the share of women."""
    if name == "sex":
        return words.percent(shown.get(f"{prefix}mean"))
    return words.figure(shown.get(f"{prefix}median"), FEATURE[name].decimals)


def _rates(inputs: Inputs, words: Words) -> Section:
    """What is missing or cannot be used, of each input."""
    charts = []
    for name in ("age", *READINGS, "sex"):
        series = []
        for kind in RATES:
            found = [inputs.quantity(chunk, f"{kind}:{name}") for chunk in inputs.chunks]
            if any(found):
                values = [_part(one, "value") for one in found]
                series.append(Series(words.say(f"rate.{kind}"), values))
        if series:
            # One line alone has no legend.
            unit = Unit(words, percent=True, name=series[0].name if len(series) == 1 else "")
            title = _input(name, words)
            charts.append(_lines(f"rate-{name}", title, inputs, series, unit, low=0.0))
    return Section("rates", words.say("rates.title"), [words.say("rates.lead")], charts=charts)


def _answers(inputs: Inputs, words: Words) -> Section:
    """What was made of the charts: answered or not, and with which category."""
    situations = list(
        dict.fromkeys(key for chunk in inputs.chunks for key in chunk["result"]["situations"])
    )
    unit = Unit(words, percent=True, decimals=3)
    charts = [
        columns(
            "situations",
            words.say("situations"),
            [_day(chunk) for chunk in inputs.chunks],
            [
                Series(
                    named(words, "situation", key),
                    [
                        chunk["result"]["situations"].get(key, 0) / chunk["rows"]
                        for chunk in inputs.chunks
                    ],
                )
                for key in situations
            ],
            unit,
            label_head=words.say("chunk"),
            stacked=True,
            high=1.0,
        )
    ]
    series = []
    for code in SEVERITIES:
        found = [inputs.quantity(chunk, f"category:{code.value}") for chunk in inputs.chunks]
        if any(found):
            values = [_part(one, "value") for one in found]
            series.append(Series(words.category(code.value), values))
    if series:
        charts.append(_lines("answers", words.say("answers.chart"), inputs, series, unit, low=0.0))
    title = words.say("answers.title")
    return Section("answers", title, [words.say("answers.lead")], charts=charts)


def _codes(inputs: Inputs, words: Words) -> Section:
    rows = [
        [
            f"{one.chunk['number']}: {_day(one.chunk)}",
            _input(one.input, words),
            words.say(f"code.{one.kind}"),
            one.text[:LONGEST_CODE] or words.say("code.empty"),
        ]
        for one in inputs.new_codes[:MOST_CODES]
    ]
    head = [words.say(key) for key in ("chunk", "input", "code.kind", "code.text")]
    more = len(inputs.new_codes) - MOST_CODES
    return Section(
        "codes",
        words.say("codes.title"),
        [words.say("codes.lead"), *([words.say("codes.more", n=more)] if more > 0 else [])]
        if rows
        else [words.say("codes.none")],
        tables=[Table(words.say("codes.table"), head, rows, of_numbers=False)] if rows else [],
    )


def _skew(inputs: Inputs, words: Words) -> Section:
    """What was stored, against what the same readings give when they are computed again."""
    values: dict[str, list[float | None]] = {"inputs": [], "answers": []}
    rows, notes = [], []
    for chunk in inputs.chunks:
        skew = chunk["result"]["skew"]
        values["inputs"].append(skew["differing"] / skew["rows"] if skew["rows"] else None)
        answers = sum(one["rows"] for one in skew["answers"].values())
        wrong = sum(one["differing"] for one in skew["answers"].values())
        values["answers"].append(wrong / answers if answers else None)
        if skew["differing"] or wrong:
            names = [_derived(name, words) for name in skew["inputs"]]
            rows.append(
                [
                    f"{chunk['number']}: {_day(chunk)}",
                    words.percent(values["inputs"][-1]),
                    ", ".join(names) or words.say("none"),
                    words.percent(values["answers"][-1]),
                ]
            )
    if values["inputs"][-1] or values["answers"][-1]:
        notes.append(words.say("skew.fault"))
    unreadable = inputs.chunks[-1]["result"]["skew"]["unreadable"]
    if unreadable:
        notes.append(words.say("skew.unreadable", versions=", ".join(unreadable)))
    chart = _lines(
        "skew", words.say("skew.chart"), inputs,
        [Series(words.say(f"skew.{key}"), column) for key, column in values.items()],
        Unit(words, percent=True), low=0.0, high=1.0,
    )  # fmt: skip
    head = [words.say(key) for key in ("chunk", "skew.inputs", "skew.which", "skew.answers")]
    tables = [Table(words.say("skew.table"), head, rows[::-1], of_numbers=False)] if rows else []
    lead = [words.say("skew.lead"), *([] if rows else [words.say("skew.none")])]
    title = words.say("skew.title")
    return Section("skew", title, lead, charts=[chart], tables=tables, notes=notes)


def _derived(name: str, words: Words) -> str:
    return words.say("skew.derived") if name == "derived" else _input(name, words)


def _clients(newest: Chunk, words: Words) -> list[Section]:
    """Rates of the clients that sent enough of the newest chunk."""
    clients = newest["result"]["clients"]
    if len(clients) < 2:
        return []
    tables = []
    for kind in RATES:
        names = [
            name
            for name in READINGS
            if any(f"{kind}:{name}" in one["shares"] for one in clients.values())
        ]
        rows = [
            [client, *(words.percent(one["shares"].get(f"{kind}:{name}")) for name in names)]
            for client, one in clients.items()
        ]
        head = [words.say("client"), *(_input(name, words) for name in names)]
        tables.append(Table(words.say(f"rate.{kind}"), head, rows))
    title = words.say("clients.title")
    return [Section("clients", title, [words.say("clients.lead")], tables=tables)]


def _outcomes(inputs: Inputs, words: Words) -> list[Section]:
    """How inputs go with acute illness, once the windows have passed."""
    joined = inputs.joined
    if joined is None or not joined["outcomes"]["quantities"]:
        return []
    verified = words.count(joined["outcomes"]["verified"])
    caption = words.say("outcomes.table", number=joined["number"], verified=verified)
    title = words.say("outcomes.title")
    table = _judged(caption, joined["outcomes"]["quantities"], words)
    return [Section("outcomes", title, [words.say("outcomes.lead")], tables=[table])]


def _figure(name: str, value: float | None, words: Words) -> str:
    kind, separator, _ = name.partition(":")
    if not separator or kind == "correlation":
        return words.figure(value)
    return words.percent(value)


def _limits(name: str, one: Mapping[str, Any], words: Words) -> str:
    low, high = (_figure(name, one[end], words) for end in ("low", "high"))
    if one["low"] is None and one["high"] is None:
        return words.say("none")
    if one["low"] is None:
        return words.say("limits.to", high=high)
    return words.say("limits.between", low=low, high=high)


def _reference(text: str, words: Words) -> str:
    """What a quantity was held against; it is kept in English."""
    local = text.partition(" local chunks, ")
    if local[1]:
        return words.say("against.local", n=local[0], span=local[2].replace(" to ", "–"))
    return words.say("against.learnt") if text.startswith("the rows that") else text


def _part(one: Mapping[str, Any] | None, name: str) -> float | None:
    return None if one is None else one[name]


def _day(chunk: Chunk) -> str:
    return f"{chunk['started_at']:%Y-%m-%d}"


def _lines(
    name: str, title: str, inputs: Inputs, series: Sequence[Series], unit: Unit, **more: Any
) -> Chart:
    return lines(
        name,
        title,
        [chunk["started_at"] for chunk in inputs.chunks],
        [f"{chunk['number']}: {unit.words.time(chunk['started_at'])}" for chunk in inputs.chunks],
        series,
        unit,
        label_head=unit.words.say("chunk"),
        short=[_day(chunk) for chunk in inputs.chunks],
        **more,
    )
