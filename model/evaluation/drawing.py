"""Pictures as SVG text that is the same for the same figures: no dates, no random names."""

import io
import re
import warnings
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

# Okabe and Ito 2008, "Color universal design": told apart with any colour vision.
BLUE, VERMILION, GREEN, ORANGE, PURPLE, SKY = (
    *("#0072B2", "#D55E00", "#009E73"),
    *("#E69F00", "#CC79A7", "#56B4E9"),
)
INK, GREY, FAINT = "#1f2933", "#6b7680", "#d8dde2"
WIDTH = 7.4
"""Inches: the width of the text of a report."""

_STYLE: Any = {
    "svg.hashsalt": "cds-service",
    # Text stays text: it can be read aloud, searched and printed sharp.
    "svg.fonttype": "none",
    "font.family": "DejaVu Sans",
    "font.size": 9,
    # A dollar sign in the name of a source is no formula.
    "text.parse_math": False,
    "axes.titlesize": 9.5,
    "axes.titleweight": "bold",
    "axes.titlelocation": "left",
    "axes.labelcolor": INK,
    "axes.edgecolor": GREY,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": True,
    "axes.axisbelow": True,
    "grid.color": FAINT,
    "grid.linewidth": 0.7,
    "text.color": INK,
    "xtick.color": GREY,
    "ytick.color": GREY,
    "xtick.labelcolor": INK,
    "ytick.labelcolor": INK,
    "legend.frameon": False,
    "lines.linewidth": 1.7,
    "figure.facecolor": "none",
    "axes.facecolor": "none",
}
# DejaVu Sans comes with matplotlib, not with every browser; Verdana is as wide.
_FONTS = ("'DejaVu Sans'", "'DejaVu Sans', Verdana, sans-serif")
_NO_METADATA = dict.fromkeys(("Date", "Creator", "Format", "Type"))


@dataclass(frozen=True, slots=True)
class Picture:
    """A drawing and the same in words, for who cannot see it."""

    svg: str
    alt: str


@contextmanager
def drawing() -> Iterator[None]:
    """The style of all pictures; nothing outside the block is changed."""
    import matplotlib

    with matplotlib.rc_context(_STYLE):
        yield


def canvas(
    rows: int,
    columns: int,
    height: float,
    *,
    left: float = 0.55,
    below: float = 0.5,
    above: float = 0.3,
    gap: float = 0.5,
    share_y: bool = False,
    width: float = WIDTH,
) -> "tuple[Figure, list[Axes]]":
    """A figure of rows × columns axes; call it inside `drawing`. All lengths are inches.

    Margins are stated, not found by a layout engine, which would draw every picture several
    times: `left` of the first column, `below` and `above` each row, `gap` between columns.
    """
    from matplotlib.figure import Figure

    figure = Figure(figsize=(width, height))
    wide = (width - left - 0.12 - gap * (columns - 1)) / columns
    high = height / rows - below - above
    axes: list[Axes] = []
    for i in range(rows):
        bottom = height * (1 - (i + 1) / rows) + below
        for j in range(columns):
            place = (left + j * (wide + gap), bottom, wide, high)
            box = (place[0] / width, place[1] / height, place[2] / width, place[3] / height)
            axes.append(figure.add_axes(box, sharey=axes[0] if share_y and axes else None))
    return figure, axes


def room_for(labels: Iterable[str]) -> float:
    """Inches that the longest of `labels` takes left of an axis."""
    return 0.15 + 0.078 * max((len(label) for label in labels), default=0)


def finished(figure: "Figure", name: str, alt: str) -> Picture:
    """The figure as an `<svg>` element for a page; `name` keeps its ids apart from others'."""
    buffer = io.StringIO()
    with warnings.catch_warnings():
        # The name of a source may have letters that the font lacks; a browser finds another.
        warnings.filterwarnings("ignore", message="Glyph .* missing from")
        figure.savefig(buffer, format="svg", metadata=_NO_METADATA)
    text = buffer.getvalue()
    text = text[text.index("<svg") :].strip()
    text = re.sub(r'\bid="', f'id="{name}-', text)
    text = re.sub(r'href="#', f'href="#{name}-', text)
    text = text.replace("url(#", f"url(#{name}-").replace(*_FONTS)
    # The figure around it carries the words.
    text = text.replace("<svg ", '<svg aria-hidden="true" focusable="false" ', 1)
    return Picture(text, alt)


def unused(axes: "list[Axes]") -> None:
    """Hide axes that have nothing to show."""
    for axis in axes:
        axis.set_axis_off()
