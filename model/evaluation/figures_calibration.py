"""Pictures of calibration and coverage."""

from collections.abc import Mapping
from typing import Any

from model.evaluation.drawing import (
    BLUE,
    GREY,
    VERMILION,
    Picture,
    canvas,
    finished,
    room_for,
    unused,
)
from model.evaluation.figure_parts import forest, grid, has, lower, said_of, upper, words


def reliability(study: Mapping[str, Any]) -> Picture | None:
    """Observed frequency against predicted probability, by category."""
    curves = [
        curve
        for curve in study["calibration"]["curves"]
        if any(has(group["observed"]) for group in curve["groups"])
    ]
    if not curves:
        return None
    figure, axes = grid(len(curves), 2.3)
    for axis, curve in zip(axes, curves, strict=False):
        groups = [g for g in curve["groups"] if has(g["observed"])]
        x = [g["predicted"] for g in groups]
        y = [g["observed"]["value"] for g in groups]
        top = max([*x, *(upper(g["observed"]) for g in groups), 0.02]) * 1.05
        axis.plot([0, top], [0, top], color=GREY, linewidth=1, linestyle=":")
        axis.vlines(
            x,
            [lower(g["observed"]) for g in groups],
            [upper(g["observed"]) for g in groups],
            color=BLUE,
            linewidth=1.2,
        )
        axis.plot(x, y, color=BLUE, marker="o", markersize=3.5, linewidth=1)
        axis.set_xlim(0, top)
        axis.set_ylim(0, top)
        axis.set_title(words(curve["category"]))
        axis.set_xlabel("predicted")
    axes[0].set_ylabel("observed")
    unused(axes[len(curves) :])
    return finished(
        figure,
        "reliability",
        "Observed share of cases against predicted probability in ten groups of equal count, "
        "for each category; points on the dotted line are right.",
    )


def deciles(study: Mapping[str, Any]) -> Picture | None:
    """Observed and expected frequency of the focus category by tenth of its probability."""
    groups = [
        group
        for curve in study["calibration"]["curves"]
        if curve["category"] == study["focus"]
        for group in curve["groups"]
        if has(group["observed"])
    ]
    if not groups:
        return None
    figure, (axis,) = canvas(1, 1, 2.5, above=0.1)
    places = range(1, len(groups) + 1)
    observed = [100 * g["observed"]["value"] for g in groups]
    axis.bar(places, observed, color="#9cc6e2", width=0.7, label="observed")
    axis.vlines(
        places,
        [100 * lower(g["observed"]) for g in groups],
        [100 * upper(g["observed"]) for g in groups],
        color=BLUE,
        linewidth=1.2,
    )
    expected = [100 * g["predicted"] for g in groups]
    axis.plot(places, expected, "D", color=VERMILION, markersize=5, label="predicted")
    axis.set_xticks(list(places))
    axis.grid(axis="x", visible=False)
    axis.set_xlabel("tenth of the rows by predicted risk, lowest first")
    axis.set_ylabel("% of rows")
    axis.legend(loc="upper left")
    said = ", ".join(f"{o:.1f} ({e:.1f})" for o, e in zip(observed, expected, strict=True))
    name = words(study["focus"]).lower()
    return finished(
        figure,
        "deciles",
        f"Share of {name} cases in per cent by tenth of predicted risk, observed (predicted): "
        f"{said}.",
    )


def coverage(study: Mapping[str, Any]) -> Picture | None:
    """How often each category is in its set."""
    entries = [e for e in study["coverage"]["by_category"] if has(e["covered"])]
    if not entries:
        return None
    labels = [words(e["category"]) for e in entries]
    high = 0.75 + 0.3 * max(len(entries), 4)
    figure, axes = canvas(1, 2, high, left=room_for(labels), below=0.35)
    forest(
        axes[0],
        labels,
        [e["covered"] for e in entries],
        [BLUE] * len(entries),
    )
    axes[0].axvline(study["coverage"]["promised"], color=VERMILION, linewidth=1.2, linestyle="--")
    axes[0].set_title("In its set (dashed: promised)")
    lowest = min(lower(e["covered"]) for e in entries)
    axes[0].set_xlim(min(0.75, lowest - 0.02), 1.0)
    sizes = study["coverage"]["sizes"]
    axes[1].bar([s["size"] for s in sizes], [100 * s["share"] for s in sizes], color="#9cc6e2")
    axes[1].set_xticks([s["size"] for s in sizes])
    axes[1].grid(axis="x", visible=False)
    axes[1].set_title("Categories in a set, % of rows")
    said = "; ".join(f"{words(e['category'])} {said_of(e['covered'])}" for e in entries)
    spread = ", ".join(f"{s['size']}: {s['share']:.0%}" for s in sizes)
    return finished(
        figure,
        "coverage",
        f"How often a category is in its set: {said}. Share of rows by size of the set: {spread}.",
    )
