"""Bars: over ordered places (days, bins) upwards, by name sideways; grouped or stacked."""

from collections.abc import Sequence

from markupsafe import Markup

from cds_service.web.charts.parts import (
    STYLES,
    WIDTH,
    Chart,
    Key,
    Series,
    Unit,
    chart_of,
    drawable,
    element,
    equal_lengths,
    finite,
    number,
    sample,
)
from cds_service.web.charts.scales import (
    LINE,
    Plot,
    base,
    fitted,
    grid,
    labels_below,
    plot_of,
    scale_of,
)

HEIGHT = 200
_BAR = 16
_HATCHES = (
    "",
    "M-2 2L2 -2M0 8L8 0M6 10L10 6",
    "M2 2h2v2h-2zM6 6h2v2h-2z",
    "M0 2H8M0 6H8",
    "M-2 6L2 10M0 0L8 8M6 -2L10 2",
    "M4 0V8M0 4H8",
)
"""One for each style, in a square of 8."""
_VALUE = 92
"""Room for the figure behind a bar that lies."""


def columns(
    name: str,
    title: str,
    labels: Sequence[str],
    series: Sequence[Series],
    unit: Unit,
    *,
    label_head: str,
    stacked: bool = False,
    high: float | None = None,
    short: Sequence[str] | None = None,
) -> Chart:
    """Standing bars in the order of `labels`, for counts and shares over time; none is below 0.

    `short` are the labels of the axis, if they are others.

    Raises `ValueError` for lengths that differ.
    """
    equal_lengths(labels, series)
    plot = _plot(labels, series, unit, stacked=stacked, high=high)
    step = (plot.right - plot.left) / max(len(labels), 1)
    places = [plot.left + step * (i + 0.5) for i in range(len(labels))]
    drawn = [grid(plot, unit)]
    for i in range(len(labels)):
        drawn += _stack(name, series, i, places[i], step, plot, stacked=stacked)
    drawn += [base(plot), labels_below(plot, places, labels if short is None else short)]
    return chart_of(
        name, title, labels, series, unit, HEIGHT, drawn, label_head=label_head,
        legend=_legend(name, series), defs=patterns(name, len(series)),
    )  # fmt: skip


def bars(
    name: str,
    title: str,
    labels: Sequence[str],
    series: Sequence[Series],
    unit: Unit,
    *,
    label_head: str,
    stacked: bool = False,
    high: float | None = None,
) -> Chart:
    """Lying bars by name, each under its name however long that is, with the figure behind.

    Raises `ValueError` for lengths that differ.
    """
    equal_lengths(labels, series)
    scale = scale_of(_tops(labels, series, stacked=stacked), low=0.0, high=high)
    end = WIDTH - _VALUE
    y, drawn = 4.0, []
    for i, label in enumerate(labels):
        text = fitted(label, WIDTH - 8)
        drawn.append(element("text", text, class_="name", x=4, y=y + LINE))
        y += LINE + 5
        x = 4.0
        for style, one in enumerate(series):
            value = drawable(one.values[i])
            width = scale.place(max(value or 0.0, 0.0), 0.0, end - 4)
            drawn.append(bar(name, style, x, y, width, _BAR - 3))
            if stacked:
                x += width
                continue
            ends = one.interval(i)
            if ends is not None:
                a, b = (4.0 + scale.place(e, 0.0, end - 4) for e in ends)
                stroke = f"M{number(a)} {number(y + 6.5)}H{number(b)}"
                drawn.append(element("path", class_="whisker", d=stroke))
                width = max(width, b - 4)
            written = unit.write(one.values[i])
            drawn.append(element("text", written, x=4 + width + 5, y=y + LINE - 2))
            y += _BAR
        if stacked:
            known = [v for one in series if (v := finite(one.values[i])) is not None]
            total = unit.write(sum(known) if known else None)
            drawn.append(element("text", total, x=x + 5, y=y + LINE - 2))
            y += _BAR
        y += 6
    return chart_of(
        name, title, labels, series, unit, max(y + 2, 40), drawn, label_head=label_head,
        legend=_legend(name, series), defs=patterns(name, len(series)),
    )  # fmt: skip


def _tops(labels: Sequence[str], series: Sequence[Series], *, stacked: bool) -> list[float]:
    found = [0.0]
    for i in range(len(labels)):
        known = [max(drawable(one.values[i]) or 0.0, 0.0) for one in series]
        found += [sum(known)] if stacked else known
        if not stacked:
            found += [end for one in series for end in one.interval(i) or ()]
    return found


def _plot(
    labels: Sequence[str],
    series: Sequence[Series],
    unit: Unit,
    *,
    stacked: bool,
    high: float | None,
) -> Plot:
    scale = scale_of(_tops(labels, series, stacked=stacked), low=0.0, high=high)
    return plot_of(scale, unit, width=WIDTH, height=HEIGHT)


def _stack(
    name: str,
    series: Sequence[Series],
    i: int,
    centre: float,
    step: float,
    plot: Plot,
    *,
    stacked: bool,
) -> list[Markup]:
    """The bars of one place: on each other or beside each other."""
    found: list[Markup] = []
    room = step * 0.8
    width = max(room if stacked else room / max(len(series), 1), 0.6)
    left, below = centre - room / 2, 0.0
    for style, one in enumerate(series):
        value = drawable(one.values[i])
        if value is not None and value > 0.0:
            top, bottom = plot.y(below + value), plot.y(below)
            found.append(bar(name, style, left, top, width, bottom - top))
            below += value if stacked else 0.0
        ends = None if stacked else one.interval(i)
        if ends is not None and value is not None:
            x = left + width / 2
            stroke = f"M{number(x)} {number(plot.y(ends[0]))}V{number(plot.y(ends[1]))}"
            found.append(element("path", class_="whisker", d=stroke))
        left += 0.0 if stacked else width
    return found


def bar(name: str, style: int, x: float, y: float, width: float, height: float) -> Markup:
    """One bar, with the pattern of its series."""
    return element(
        "rect",
        class_=f"bar s{style % STYLES}",
        fill=f"url(#{name}-p{style % STYLES})",
        x=x,
        y=y,
        width=max(width, 0.0),
        height=max(height, 0.0),
    )


def patterns(name: str, count: int) -> Markup:
    """Fills that differ without their colour too."""
    found = []
    for i in range(min(count, STYLES)):
        ground = element("rect", class_=f"{'solid' if i == 0 else 'tint'} f{i}", width=8, height=8)
        lines = element("path", class_=f"hatch s{i}", d=_HATCHES[i]) if _HATCHES[i] else ""
        found.append(
            element(
                "pattern",
                ground,
                lines,
                id=f"{name}-p{i}",
                width=8,
                height=8,
                patternUnits="userSpaceOnUse",
            )
        )
    return element("defs", *found) if found else Markup("")


def _legend(name: str, series: Sequence[Series]) -> list[Key]:
    if len(series) == 1:
        return []
    return [Key(sample(bar(name, i, 1, 2, 32, 12)), one.name) for i, one in enumerate(series)]
