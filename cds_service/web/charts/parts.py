"""What all charts are made of: elements of SVG, series of figures, and the table behind."""

import math
import re
from collections.abc import Sequence
from dataclasses import dataclass

from markupsafe import Markup, escape

from cds_service.web.words import Words

WIDTH = 340
"""Units of every chart: about its pixels on a telephone, so that its text is as large as set."""
DASHES = ("", "7 4", "2 4", "10 3 2 3", "4 3", "12 4")
STYLES = len(DASHES)
"""How many series are told apart by line, marker and pattern, each without its colour."""
_NO_XML = re.compile("[^\t\n\r\u0020-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
"""What no XML document may hold (XML 1.0, 2.2)."""
_DRAWN = 1e15
"""Larger figures are in the table alone: a scale for them would show nothing else."""

Value = float | None
"""A figure; `None`, NaN and infinity are missing."""


@dataclass(frozen=True, slots=True)
class Unit:
    """How figures are written."""

    words: Words
    decimals: int = 3
    """Of figures; ticks have as many as they need."""
    percent: bool = False
    """Figures are shares (0 to 1)."""
    name: str = ""
    """Stands over the chart; the words of what the figures are."""

    def write(self, value: Value, decimals: int | None = None) -> str:
        """A figure in words, or the sign for none."""
        figure = finite(value)
        places = self.decimals if decimals is None else decimals
        if self.percent:
            return self.words.percent(figure, max(places - 2, 0))
        return self.words.figure(figure, places)


@dataclass(frozen=True, slots=True)
class Series:
    """Figures under one name, with their intervals where there are any."""

    name: str
    values: Sequence[Value]
    lower: Sequence[Value] | None = None
    upper: Sequence[Value] | None = None

    def interval(self, i: int) -> tuple[float, float] | None:
        """Both ends of the interval of a figure."""
        if self.lower is None or self.upper is None:
            return None
        low, high = drawable(self.lower[i]), drawable(self.upper[i])
        return None if low is None or high is None else (min(low, high), max(low, high))


@dataclass(frozen=True, slots=True)
class Key:
    """A line of the legend."""

    sample: Markup
    name: str


@dataclass(frozen=True, slots=True)
class Chart:
    """A chart as `charts.html` prints it: picture, legend, and the same numbers in a table."""

    name: str
    """Keeps its ids apart from those of other charts of the page."""
    title: str
    unit: str
    svg: Markup
    legend: Sequence[Key]
    head: Sequence[str]
    rows: Sequence[Sequence[str]]
    """The first cell of each is its heading."""
    is_empty: bool
    """There is no figure to draw."""


def finite(value: Value) -> float | None:
    """A figure, or `None` for what is none."""
    return None if value is None or not math.isfinite(value) else float(value)


def drawable(value: Value) -> float | None:
    """A figure that a scale can hold."""
    figure = finite(value)
    return None if figure is None or abs(figure) > _DRAWN else figure


def element(tag: str, *children: str, **attributes: str | float | None) -> Markup:
    """An element of SVG; children that are no markup, and attributes, are escaped.

    `class_` is `class`, other underscores are hyphens; `viewBox` and the like stay. `None` leaves
    an attribute out.
    """
    told = Markup("").join(
        Markup(' {}="{}"').format(name.rstrip("_").replace("_", "-"), _attribute(value))
        for name, value in attributes.items()
        if value is not None
    )
    # The name of an element is always one of ours.
    start = Markup("<") + Markup(tag) + told  # noqa: S704
    if not children:
        return start + Markup("/>")
    inside = Markup("").join(escape(clean(child)) for child in children)
    return start + Markup(">") + inside + Markup("</{}>").format(tag)


def clean(text: str) -> str:
    """Text without what XML cannot hold; markup stays markup."""
    found = _NO_XML.sub("\ufffd", text)
    return Markup(found) if isinstance(text, Markup) else found  # noqa: S704  # it was before


def _attribute(value: str | float) -> str:
    return clean(value) if isinstance(value, str) else number(value)


def number(value: float) -> str:
    """A length or place in a picture, to a tenth."""
    return f"{round(value, 1) + 0.0:g}"


def picture(
    name: str, title: str, description: str, height: float, *children: str, defs: str = ""
) -> Markup:
    """The `<svg>`, with title and description for who does not see it."""
    return element(
        "svg",
        element("title", title or name, id=f"{name}-title"),
        element("desc", description, id=f"{name}-desc"),
        defs,
        *children,
        class_="chart",
        role="img",
        viewBox=f"0 0 {WIDTH} {number(height)}",
        aria_labelledby=f"{name}-title",
        aria_describedby=f"{name}-desc",
    )


def said(words: Words, unit: Unit, labels: Sequence[str], series: Sequence[Series]) -> str:
    """What lines or bars show, in sentences."""
    told = []
    for one in series:
        known = [
            (figure, labels[i])
            for i, value in enumerate(one.values)
            if (figure := finite(value)) is not None
        ]
        if not known:
            told.append(words.say("chart.said.none", name=one.name))
        elif len(known) == 1:
            figure, at = known[0]
            told.append(words.say("chart.said.one", name=one.name, at=at, value=unit.write(figure)))
        else:
            low, high = min(known), max(known)
            told.append(
                words.say(
                    "chart.said",
                    name=one.name,
                    n=len(known),
                    first=unit.write(known[0][0]),
                    first_at=known[0][1],
                    last=unit.write(known[-1][0]),
                    last_at=known[-1][1],
                    low=unit.write(low[0]),
                    low_at=low[1],
                    high=unit.write(high[0]),
                    high_at=high[1],
                )
            )
    return " ".join(told) or words.say("chart.empty")


def cell(unit: Unit, series: Series, i: int) -> str:
    """A figure of a series with its interval, for the table."""
    text = unit.write(series.values[i])
    interval = series.interval(i)
    if interval is None or finite(series.values[i]) is None:
        return text
    lower, upper = (unit.write(end) for end in interval)
    return f"{text} {unit.words.say('bounds', lower=lower, upper=upper)}".replace(" ", "\u00a0")


def equal_lengths(labels: Sequence[str], series: Sequence[Series]) -> None:
    """Raise `ValueError` unless each series has as many figures as there are labels."""
    for one in series:
        for column in (one.values, one.lower, one.upper):
            if column is not None and len(column) != len(labels):
                raise ValueError(f"{len(column)} figures for {len(labels)} labels")


def chart_of(
    name: str,
    title: str,
    labels: Sequence[str],
    series: Sequence[Series],
    unit: Unit,
    height: float,
    drawn: Sequence[Markup],
    *,
    label_head: str,
    legend: Sequence[Key],
    defs: str = "",
) -> Chart:
    """What was `drawn` of series over labels, told in sentences, with the table behind."""
    told = said(unit.words, unit, labels, series)
    return Chart(
        name=name,
        title=title,
        unit=unit.name,
        svg=picture(name, title, told, height, *drawn, defs=defs),
        legend=legend,
        head=[label_head, *(one.name for one in series)],
        rows=[[label, *(cell(unit, one, i) for one in series)] for i, label in enumerate(labels)],
        is_empty=not any(finite(v) is not None for one in series for v in one.values),
    )


def marker(style: int, x: float, y: float, radius: float = 3.5) -> Markup:
    """The marker of a series: each has a shape of its own."""
    css, r = f"mark s{style % STYLES}", radius
    shapes = {
        1: f"M{number(x - r)} {number(y - r)}h{number(2 * r)}v{number(2 * r)}h{number(-2 * r)}z",
        2: f"M{number(x)} {number(y - r - 1)}L{number(x + r + 1)} {number(y + r)}"
        f"H{number(x - r - 1)}z",
        3: f"M{number(x)} {number(y - r - 1)}L{number(x + r + 1)} {number(y)}"
        f"L{number(x)} {number(y + r + 1)}L{number(x - r - 1)} {number(y)}z",
        4: f"M{number(x - r)} {number(y - r)}L{number(x + r)} {number(y + r)}"
        f"M{number(x - r)} {number(y + r)}L{number(x + r)} {number(y - r)}",
        5: f"M{number(x - r - 1)} {number(y)}h{number(2 * r + 2)}"
        f"M{number(x)} {number(y - r - 1)}v{number(2 * r + 2)}",
    }
    path = shapes.get(style % STYLES)
    if path is None:
        return element("circle", class_=css, cx=x, cy=y, r=r)
    return element("path", class_=css, d=path)


def sample(*children: str) -> Markup:
    """The picture of a line of a legend."""
    return element(
        "svg",
        *children,
        class_="sample",
        viewBox="0 0 34 16",
        width=34,
        height=16,
        aria_hidden="true",
        focusable="false",
    )


def dash(style: int) -> str | None:
    """How the line of a series is broken."""
    return DASHES[style % STYLES] or None
