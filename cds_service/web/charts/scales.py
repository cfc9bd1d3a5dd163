"""From figures to places in a picture, and the ticks that a reader counts by."""

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from markupsafe import Markup

from cds_service.web.charts.parts import Unit, element

LINE = 13
"""Height of text, in units; charts.css says the same."""
_LETTER = 7.2
"""Width of a letter of that height, rather too wide than too narrow."""
_STEPS = (1.0, 2.0, 2.5, 5.0, 10.0)
_MOST_DECIMALS = 9
_SAME = 1e-12
"""Figures that differ by no more are drawn as the same: no step of a scale parts them."""


@dataclass(frozen=True, slots=True)
class Scale:
    """A straight scale with its ticks."""

    low: float
    high: float
    ticks: Sequence[float]
    decimals: int
    """That tell the ticks apart."""

    def place(self, value: float, start: float, end: float) -> float:
        """Where a figure lies between `start` (of the low end) and `end`; never outside."""
        share = (value - self.low) / (self.high - self.low)
        return start + (end - start) * min(max(share, 0.0), 1.0)


def scale_of(
    values: Iterable[float], *, low: float | None = None, high: float | None = None, steps: int = 4
) -> Scale:
    """A scale that holds all values, with about `steps` round steps; `low` and `high` are kept
    as they are where they are given."""
    known = list(values)
    least = min([*known, *(() if low is None else (low,))], default=0.0)
    most = max([*known, *(() if high is None else (high,))], default=1.0)
    if low is not None:
        least = low
    if high is not None:
        most = high
    if most - least <= max(_SAME, 1e-9 * max(abs(least), abs(most))):
        # All the same: room on both sides, as much as tells its digits apart.
        room = max(abs(least) * 0.1, 1e-6) if least else 0.5
        least = least if low is not None else least - room
        most = least + 2 * room
    step = _step((most - least) / steps)
    first, last = math.floor(least / step + 1e-9), math.ceil(most / step - 1e-9)
    start = least if low is not None else first * step
    end = most if high is not None else last * step
    ticks = [i * step for i in range(first, last + 1)]
    inside = [t for t in ticks if start - step * 1e-6 <= t <= end + step * 1e-6]
    decimals = min(max(-math.floor(math.log10(step) + 1e-9), 0), _MOST_DECIMALS)
    if round(step * 10**decimals, 6) % 1:
        decimals += 1
    return Scale(start, end, inside, decimals)


def _step(raw: float) -> float:
    power = 10.0 ** math.floor(math.log10(raw))
    return next(power * step for step in _STEPS if power * step >= raw * (1 - 1e-9))


@dataclass(frozen=True, slots=True)
class Plot:
    """The area that is drawn into."""

    left: float
    top: float
    right: float
    bottom: float
    scale: Scale
    """Of the figures, upwards."""

    def y(self, value: float) -> float:
        """Height of a figure."""
        return self.scale.place(value, self.bottom, self.top)


def plot_of(scale: Scale, unit: Unit, *, width: float, height: float, below: float = 24) -> Plot:
    """The area beside the numbers of its ticks."""
    longest = max((len(_tick(unit, scale, tick)) for tick in scale.ticks), default=1)
    return Plot(8 + _LETTER * longest, 10, width - 10, height - below, scale)


def grid(plot: Plot, unit: Unit) -> Markup:
    """Lines and numbers of the ticks."""
    found = []
    for tick in plot.scale.ticks:
        y = plot.y(tick)
        found.append(element("path", class_="grid", d=f"M{plot.left:.1f} {y:.1f}H{plot.right:.1f}"))
        text = _tick(unit, plot.scale, tick)
        found.append(element("text", text, x=plot.left - 5, y=y + 4.5, text_anchor="end"))
    return Markup("").join(found)


def _tick(unit: Unit, scale: Scale, tick: float) -> str:
    decimals = scale.decimals
    # A tick of nothing is not minus nothing.
    return unit.write(tick + 0.0 if abs(tick) > 1e-12 else 0.0, decimals)


def labels_below(plot: Plot, places: Sequence[float], labels: Sequence[str]) -> Markup:
    """As many labels as find room under the axis, first and last before others."""
    if not labels:
        return Markup("")
    wanted = [0, len(labels) - 1, (len(labels) - 1) // 2]
    if len(labels) <= 8:
        wanted += range(1, len(labels) - 1)
    taken: list[tuple[float, float]] = []
    found = []
    for i in dict.fromkeys(wanted):
        width = _LETTER * len(labels[i])
        centre = min(max(places[i], width / 2), plot.right + 8 - width / 2)
        span = (centre - width / 2, centre + width / 2)
        if width > plot.right or any(span[0] < b + 8 and span[1] > a - 8 for a, b in taken):
            continue
        taken.append(span)
        y = plot.bottom + LINE + 5
        found.append(element("text", labels[i], x=centre, y=y, text_anchor="middle"))
        tick = f"M{places[i]:.1f} {plot.bottom:.1f}v4"
        found.append(element("path", class_="axis", d=tick))
    return Markup("").join(found)


def base(plot: Plot) -> Markup:
    """The line at the bottom."""
    return element("path", class_="axis", d=f"M{plot.left:.1f} {plot.bottom:.1f}H{plot.right:.1f}")


def fitted(text: str, width: float) -> str:
    """As much of a text as has room; the whole is in the table."""
    most = max(int(width / _LETTER), 2)
    return text if len(text) <= most else text[: most - 1] + "…"
