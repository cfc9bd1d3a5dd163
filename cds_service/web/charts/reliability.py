"""Reliability: how often it came about, against how often it was expected to."""

from collections.abc import Sequence
from dataclasses import dataclass

from markupsafe import Markup

from cds_service.web.charts.parts import (
    WIDTH,
    Chart,
    Key,
    Unit,
    Value,
    drawable,
    element,
    finite,
    marker,
    number,
    picture,
    sample,
)
from cds_service.web.charts.scales import LINE, Scale, base, grid, plot_of, scale_of

HEIGHT = 300


@dataclass(frozen=True, slots=True)
class Group:
    """Rows whose predicted shares are alike."""

    predicted: Value
    observed: Value
    lower: Value = None
    upper: Value = None
    count: str = ""
    """How many, in words: a small count is not shown."""


def reliability(name: str, title: str, groups: Sequence[Group], unit: Unit) -> Chart:
    """Observed against predicted shares (0 to 1) of groups, lowest predicted first.

    Where both agree is a dotted line.
    """
    words = unit.words
    drawn_groups = [
        (x, y, drawable(one.lower), drawable(one.upper))
        for one in groups
        if (x := drawable(one.predicted)) is not None and (y := drawable(one.observed)) is not None
    ]
    known = [abs(v) for group in drawn_groups for v in group if v is not None]
    # Both ways the same scale, or the dotted line would not be where both agree.
    scale = scale_of(known, low=0.0)
    plot = plot_of(scale, unit, width=WIDTH, height=HEIGHT, below=28)

    def x_of(value: float) -> float:
        return scale.place(value, plot.left, plot.right)

    path = f"M{number(plot.left)} {number(plot.bottom)}L{number(plot.right)} {number(plot.top)}"
    drawn = [
        grid(plot, unit),
        base(plot),
        *_ticks(scale, unit, plot.left, plot.right, plot.bottom),
        element("path", class_="agree", d=path),
    ]
    for x, _, low, high in drawn_groups:
        if low is not None and high is not None:
            stroke = f"M{number(x_of(x))} {number(plot.y(low))}V{number(plot.y(high))}"
            drawn.append(element("path", class_="whisker s0", d=stroke))
    points = [(x_of(x), plot.y(y)) for x, y, _, _ in drawn_groups]
    if len(points) > 1:
        told = " ".join(f"{number(x)},{number(y)}" for x, y in points)
        drawn.append(element("polyline", class_="line s0", points=told))
    drawn += [marker(0, x, y) for x, y in points]
    return Chart(
        name=name,
        title=title,
        unit=unit.name,
        svg=picture(name, title, _said(groups, unit), HEIGHT, *drawn),
        legend=[
            Key(
                sample(element("path", class_="line s0", d="M1 8H33"), marker(0, 17, 8)),
                words.say("chart.observed"),
            ),
            Key(sample(element("path", class_="agree", d="M1 15L33 1")), words.say("chart.agree")),
        ],
        head=[words.say(f"chart.{key}") for key in ("group", "predicted", "observed", "count")],
        rows=[
            [str(i), unit.write(one.predicted), _observed(one, unit), one.count]
            for i, one in enumerate(groups, 1)
        ],
        is_empty=not points,
    )


def _ticks(scale: Scale, unit: Unit, left: float, right: float, bottom: float) -> list[Markup]:
    found = []
    for tick in scale.ticks:
        x = scale.place(tick, left, right)
        text = unit.write(tick, scale.decimals)
        anchor = "end" if x > right - 12 else "start" if x < left + 6 else "middle"
        found.append(element("text", text, x=x, y=bottom + LINE + 5, text_anchor=anchor))
        found.append(element("path", class_="axis", d=f"M{number(x)} {number(bottom)}v4"))
    return found


def _observed(group: Group, unit: Unit) -> str:
    text = unit.write(group.observed)
    if finite(group.lower) is None or finite(group.upper) is None:
        return text
    lower, upper = unit.write(group.lower), unit.write(group.upper)
    return f"{text} {unit.words.say('bounds', lower=lower, upper=upper)}".replace(" ", "\u00a0")


def _said(groups: Sequence[Group], unit: Unit) -> str:
    pairs = [
        unit.words.say(
            "chart.said.pair",
            predicted=unit.write(one.predicted),
            observed=unit.write(one.observed),
        )
        for one in groups
        if finite(one.predicted) is not None and finite(one.observed) is not None
    ]
    return "; ".join(pairs) or unit.words.say("chart.empty")
