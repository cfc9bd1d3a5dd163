"""Lines over time: figures with the band of their interval; where one is missing is a gap."""

from collections.abc import Sequence
from datetime import datetime

from markupsafe import Markup

from cds_service.web.charts.parts import (
    STYLES,
    WIDTH,
    Chart,
    Key,
    Series,
    Unit,
    chart_of,
    dash,
    drawable,
    element,
    equal_lengths,
    marker,
    number,
    sample,
)
from cds_service.web.charts.scales import Plot, base, grid, labels_below, plot_of, scale_of

HEIGHT = 200
MOST_MARKED = 45
"""Points of a line that still have a marker each."""


def lines(
    name: str,
    title: str,
    at: Sequence[datetime | float],
    labels: Sequence[str],
    series: Sequence[Series],
    unit: Unit,
    *,
    label_head: str,
    limits: Sequence[Series] = (),
    low: float | None = None,
    high: float | None = None,
    short: Sequence[str] | None = None,
) -> Chart:
    """A line for each series over the times `at` (ascending), which `labels` name in words.

    `limits` are drawn as dashed lines without markers, such as the threshold of an alarm. `low`
    and `high` fix the ends of the scale. `label_head` is the heading of the labels in the table,
    `short` are those of the axis, if they are others.
    Raises `ValueError` for lengths that differ.
    """
    equal_lengths(labels, [*series, *limits])
    if len(at) != len(labels):
        raise ValueError(f"{len(at)} times for {len(labels)} labels")
    known = [v for one in (*series, *limits) for v in map(drawable, one.values) if v is not None]
    known += [end for one in series for i in range(len(at)) for end in one.interval(i) or ()]
    plot = plot_of(scale_of(known, low=low, high=high), unit, width=WIDTH, height=HEIGHT)
    places = _places(at, plot)
    drawn = [
        grid(plot, unit),
        base(plot),
        labels_below(plot, places, labels if short is None else short),
        *(_band(one, i, places, plot) for i, one in enumerate(series)),
        *(_limit(one, places, plot) for one in limits),
        *(_line(one, i, places, plot) for i, one in enumerate(series)),
    ]
    return chart_of(
        name, title, labels, [*series, *limits], unit, HEIGHT, drawn, label_head=label_head,
        legend=_legend(series, limits, unit),
    )  # fmt: skip


def _places(at: Sequence[datetime | float], plot: Plot) -> list[float]:
    times = [one.timestamp() if isinstance(one, datetime) else float(one) for one in at]
    if not times:
        return []
    first, span = min(times), max(times) - min(times)
    start, room = plot.left + 8, plot.right - plot.left - 16
    return [start + (room * (time - first) / span if span else room / 2) for time in times]


def _runs(series: Series) -> list[list[int]]:
    """Figures without a gap between them."""
    runs: list[list[int]] = [[]]
    for i, value in enumerate(series.values):
        if drawable(value) is None:
            runs.append([])
        else:
            runs[-1].append(i)
    return [run for run in runs if run]


def _beside(x: float, style: int) -> float:
    """Where a figure alone is drawn, so that one of another series does not hide it."""
    return x + 4.0 * (style % STYLES)


def _line(series: Series, style: int, places: Sequence[float], plot: Plot) -> Markup:
    css, found = f"line s{style % STYLES}", []
    is_marked = len(series.values) <= MOST_MARKED
    for run in _runs(series):
        points = [(places[i], plot.y(drawable(series.values[i]) or 0.0)) for i in run]
        if len(points) == 1:
            points = [(_beside(points[0][0], style), points[0][1])]
        else:
            told = " ".join(f"{number(x)},{number(y)}" for x, y in points)
            found.append(element("polyline", class_=css, points=told, stroke_dasharray=dash(style)))
        # A figure between two gaps would not be seen without one.
        if is_marked or len(points) == 1:
            found += [marker(style, x, y) for x, y in points]
    return Markup("").join(found)


def _band(series: Series, style: int, places: Sequence[float], plot: Plot) -> Markup:
    """The interval along each run; of a figure alone, or where a neighbour has none, a stroke."""
    found = []
    runs: list[list[tuple[float, float, float]]] = [[]]
    for run in _runs(series):
        runs.append([])
        for i in run:
            ends = series.interval(i)
            if ends is None:
                runs.append([])
            else:
                runs[-1].append((places[i], plot.y(ends[0]), plot.y(ends[1])))
    for points in runs:
        if len(points) == 1:
            x, low, high = points[0]
            x = _beside(x, style)
            path = f"M{number(x)} {number(low)}V{number(high)}"
            found.append(element("path", class_=f"whisker s{style % STYLES}", d=path))
        elif points:
            ring = [(x, high) for x, _, high in points] + [(x, low) for x, low, _ in points[::-1]]
            told = " ".join(f"{number(x)},{number(y)}" for x, y in ring)
            found.append(element("polygon", class_=f"band f{style % STYLES}", points=told))
    return Markup("").join(found)


def _limit(series: Series, places: Sequence[float], plot: Plot) -> Markup:
    found = []
    for run in _runs(series):
        points = [(places[i], plot.y(drawable(series.values[i]) or 0.0)) for i in run]
        if len(points) == 1:
            points = [(points[0][0] - 6, points[0][1]), (points[0][0] + 6, points[0][1])]
        told = " ".join(f"{number(x)},{number(y)}" for x, y in points)
        found.append(element("polyline", class_="limit", points=told))
    return Markup("").join(found)


def _legend(series: Sequence[Series], limits: Sequence[Series], unit: Unit) -> list[Key]:
    if len(series) == 1 and not limits and series[0].lower is None:
        return []
    found = []
    for i, one in enumerate(series):
        line = element("path", class_=f"line s{i % STYLES}", d="M1 8H33", stroke_dasharray=dash(i))
        found.append(Key(sample(line, marker(i, 17, 8)), one.name))
    if any(one.lower is not None for one in series):
        band = element("rect", class_="band f0", x=1, y=2, width=32, height=12)
        found.append(Key(sample(band), unit.words.say("chart.band")))
    dashed = element("path", class_="limit", d="M1 8H33")
    return found + [Key(sample(dashed), one.name) for one in limits]
