"""How often values lie where, against how often they did in a reference."""

from collections.abc import Sequence

from markupsafe import Markup

from cds_service.web.charts.bars import HEIGHT, patterns
from cds_service.web.charts.parts import (
    WIDTH,
    Chart,
    Key,
    Series,
    Unit,
    cell,
    drawable,
    element,
    equal_lengths,
    finite,
    number,
    picture,
    said,
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
            drawn.append(
                element(
                    "rect",
                    class_="bar s1",
                    fill=f"url(#{name}-p1)",
                    x=plot.left + step * i,
                    y=top,
                    width=step,
                    height=plot.bottom - top,
                )
            )
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
    told = said(unit.words, unit, labels, series)
    return Chart(
        name=name,
        title=title,
        unit=unit.name,
        svg=picture(name, title, told, HEIGHT, *drawn, defs=patterns(name, 2)),
        legend=_legend(name, now, reference),
        head=[label_head, *(one.name for one in series)],
        rows=[[label, *(cell(unit, one, i) for one in series)] for i, label in enumerate(labels)],
        is_empty=not any(finite(v) is not None for v in now.values),
    )


def _legend(name: str, now: Series, reference: Series | None) -> list[Key]:
    if reference is None:
        return []
    bar = element("rect", class_="bar s1", fill=f"url(#{name}-p1)", x=1, y=2, width=32, height=12)
    outline = element("path", class_="outline", d="M1 12V5H17V9H33V12")
    found: list[tuple[Markup, str]] = [(bar, now.name), (outline, reference.name)]
    return [Key(sample(drawn), text) for drawn, text in found]
