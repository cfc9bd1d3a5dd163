"""How often values lie where, against how often they did in a reference."""

from collections.abc import Sequence
from dataclasses import replace

from cds_service.web.charts.bars import HEIGHT, bar, patterns
from cds_service.web.charts.parts import (
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
from cds_service.web.charts.scales import base, grid, labels_below, plot_of, scale_of


def histogram(
    name: str,
    title: str,
    labels: Sequence[str],
    now: Series,
    reference: Series | None,
    unit: Unit,
    *,
    label_head: str,
) -> Chart:
    """Bars for `now`, an outline for the `reference`, over bins in order.

    Raises `ValueError` for lengths that differ.
    """
    series = [now] if reference is None else [now, reference]
    equal_lengths(labels, series)
    known = [v for one in series for v in map(drawable, one.values) if v is not None]
    plot = plot_of(scale_of(known, low=0.0), unit, width=WIDTH, height=HEIGHT)
    step = (plot.right - plot.left) / max(len(labels), 1)
    drawn = [grid(plot, unit)]
    for i, value in enumerate(map(drawable, now.values)):
        if value is not None and value > 0.0:
            top = plot.y(value)
            drawn.append(bar(name, 1, plot.left + step * i, top, step, plot.bottom - top))
    if reference is not None:
        path = ""
        for i, value in enumerate(map(drawable, reference.values)):
            height = plot.bottom if value is None else plot.y(max(value, 0.0))
            path += f"{'L' if path else 'M'}{number(plot.left + step * i)} {number(height)}"
            path += f"H{number(plot.left + step * (i + 1))}"
        if path:
            drawn.append(element("path", class_="outline", d=path))
    places = [plot.left + step * (i + 0.5) for i in range(len(labels))]
    drawn += [base(plot), labels_below(plot, places, labels)]
    chart = chart_of(
        name, title, labels, series, unit, HEIGHT, drawn, label_head=label_head,
        legend=_legend(name, now, reference), defs=patterns(name, 2),
    )  # fmt: skip
    # A reference alone shows nothing of what came in.
    return replace(chart, is_empty=all(finite(value) is None for value in now.values))


def _legend(name: str, now: Series, reference: Series | None) -> list[Key]:
    if reference is None:
        return []
    outline = element("path", class_="outline", d="M1 12V5H17V9H33V12")
    return [
        Key(sample(bar(name, 1, 1, 2, 32, 12)), now.name),
        Key(sample(outline), reference.name),
    ]
