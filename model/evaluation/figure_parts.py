"""What the pictures of a report share: words, colours, intervals."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from model.evaluation.comparators import AGE, CONSTANT, NEWS2, NEWS2_AGE_AND_MISSING, NEWS2_AND_AGE
from model.evaluation.drawing import BLUE, FAINT, GREEN, GREY, ORANGE, VERMILION, canvas
from model.evaluation.study import MODEL

if TYPE_CHECKING:
    from matplotlib.axes import Axes


CATEGORY_WORDS: Mapping[str, str] = {
    "not-ill": "Not ill",
    "mild": "Mild",
    "acute": "Acute",
    "chronic": "Chronic",
    "terminal": "Life-limiting",
}
PREDICTION_WORDS: Mapping[str, str] = {
    MODEL: "This model",
    CONSTANT: "Constant",
    AGE: "Age alone",
    NEWS2: "NEWS2 points",
    NEWS2_AND_AGE: "NEWS2 and age",
    NEWS2_AGE_AND_MISSING: "NEWS2, age, gaps",
}
COLOURS = {
    MODEL: BLUE,
    CONSTANT: GREY,
    AGE: ORANGE,
    NEWS2: VERMILION,
    NEWS2_AND_AGE: GREEN,
    NEWS2_AGE_AND_MISSING: "#CC79A7",
}
LONGEST_LABEL = 28
A_ROW = 3
"""Small pictures beside each other."""


def words(code: str) -> str:
    """A category as reports name it."""
    return CATEGORY_WORDS.get(code, code)


def forest(
    axis: "Axes",
    labels: Sequence[str],
    values: Sequence[Mapping[str, Any]],
    colours: Sequence[str],
) -> None:
    """Points with their intervals, the first on top."""
    for i, (value, colour) in enumerate(zip(values, colours, strict=True)):
        if not has(value):
            continue
        axis.hlines(i, lower(value), upper(value), color=colour, linewidth=2)
        axis.plot(value["value"], i, "o", color=colour, markersize=5)
    axis.set_yticks(range(len(labels)), labels)
    axis.set_ylim(len(labels) - 0.5, -0.5)
    axis.grid(axis="y", visible=False)
    axis.tick_params(axis="y", length=0)
    axis.spines["left"].set_color(FAINT)


def grid(count: int, height: float, **margins: Any) -> "tuple[Any, list[Axes]]":
    """Small pictures in rows of `A_ROW`, each row `height` inches."""
    rows = -(-count // A_ROW)
    return canvas(rows, A_ROW, height * rows, **margins)


def short(label: str) -> str:
    """The name of a source may be of any length."""
    return label if len(label) <= LONGEST_LABEL else label[: LONGEST_LABEL - 1] + "…"


def is_of(entry: Mapping[str, Any], metric: str, code: str) -> bool:
    """Whether an entry is of this metric and category."""
    return bool(entry["metric"] == metric and entry["category"] == code)


def has(value: Mapping[str, Any] | None) -> bool:
    """Whether there is a figure."""
    return value is not None and value["value"] is not None


def lower(value: Mapping[str, Any]) -> float:
    """Lower end of the interval, or the figure where there is none."""
    return float(value["value"] if value["lower"] is None else value["lower"])


def upper(value: Mapping[str, Any]) -> float:
    """Upper end of the interval, or the figure where there is none."""
    return float(value["value"] if value["upper"] is None else value["upper"])


def said_of(value: Mapping[str, Any]) -> str:
    """A figure in words."""
    if not has(value):
        return "not enough"
    return f"{value['value']:.3f} ({lower(value):.3f} to {upper(value):.3f})"
