"""Pictures of the inputs: gaps, correlations, importance."""

from collections.abc import Mapping
from typing import Any

from model.evaluation.drawing import BLUE, GREY, INK, Picture, canvas, finished, room_for, unused
from model.evaluation.figure_parts import A_ROW, forest, grid, has, said_of, words


def taken_away(study: Mapping[str, Any]) -> Picture | None:
    """What it costs to take readings away."""
    entries = [e for e in study["missing"]["taken_away"] if has(e["log_loss_increase"])]
    if not entries:
        return None
    labels = [e["measurement"] for e in entries]
    figure, (axis,) = canvas(1, 1, 0.65 + 0.28 * len(entries), left=room_for(labels), above=0.1)
    forest(
        axis,
        labels,
        [e["log_loss_increase"] for e in entries],
        [BLUE] * len(entries),
    )
    axis.axvline(0, color=GREY, linewidth=1)
    axis.set_xlabel("log loss gained by taking it away, nat")
    said = "; ".join(f"{e['measurement']} {said_of(e['log_loss_increase'])}" for e in entries)
    return finished(figure, "taken-away", f"Rise of the log loss without each: {said}.")


def correlations(study: Mapping[str, Any]) -> Picture | None:
    """Correlations of the inputs."""
    names, values = study["correlations"]["names"], study["correlations"]["values"]
    if len(names) < 2:
        return None
    labels = [name.replace("_", " ") for name in names]
    room = room_for(labels)
    high = 0.9 + 0.34 * len(names)
    figure, (axis,) = canvas(1, 1, high, left=room, below=0.85, above=0.05, width=5.8)
    shown = [[0.0 if v is None else v for v in row] for row in values]
    # Squares, not an image: a page that loads nothing shows no image.
    axis.pcolormesh(shown, cmap="PuOr_r", vmin=-1, vmax=1)
    axis.invert_yaxis()
    for i, row in enumerate(values):
        for j, value in enumerate(row):
            text = "–" if value is None else f"{value:+.2f}"
            colour = "white" if value is not None and abs(value) > 0.65 else INK
            axis.text(j + 0.5, i + 0.5, text, ha="center", va="center", fontsize=8, color=colour)
    middle = [i + 0.5 for i in range(len(names))]
    axis.set_xticks(middle, labels, rotation=30, ha="right")
    axis.set_yticks(middle, labels)
    axis.grid(visible=False)
    axis.spines[:].set_visible(False)
    axis.tick_params(length=0)
    pairs = [
        (abs(values[i][j]), f"{labels[i]} and {labels[j]} {values[i][j]:+.2f}")
        for i in range(len(names))
        for j in range(i)
        if values[i][j] is not None
    ]
    said = "; ".join(text for _, text in sorted(pairs, reverse=True)[:3])
    return finished(figure, "correlations", f"Rank correlations of inputs; largest: {said}.")


def importance(study: Mapping[str, Any]) -> Picture | None:
    """How much each input matters."""
    found = study["importance"]
    if found is None:
        return None
    classes = list(found["by_category"])
    labels = [name.replace("_", " ") for name in found["reasons"]]
    high = 0.65 + 0.19 * len(labels)
    figure, axes = grid(len(classes), high, left=room_for(labels), below=0.35, gap=0.2)
    top = max(max(sizes) for sizes in found["by_category"].values()) * 1.05
    said: list[str] = []
    for i, (axis, code) in enumerate(zip(axes, classes, strict=False)):
        sizes = found["by_category"][code]
        axis.barh(range(len(sizes)), sizes, color=BLUE, height=0.65)
        axis.set_yticks(range(len(sizes)), labels if i % A_ROW == 0 else [""] * len(sizes))
        axis.invert_yaxis()
        axis.grid(axis="y", visible=False)
        axis.set_xlim(0, top)
        axis.set_title(words(code))
        said.append(f"{words(code)}: {labels[sizes.index(max(sizes))]}")
    unused(axes[len(classes) :])
    return finished(
        figure,
        "importance",
        "Mean size of the contribution of each reason to the log-odds, by category. Strongest: "
        + "; ".join(said)
        + ".",
    )


def by_reading(study: Mapping[str, Any]) -> Picture | None:
    """How contributions go with each reading."""
    entries = (study["importance"] or {"by_reading": []})["by_reading"]
    entries = [e for e in entries if len(e["groups"]) > 1]
    if not entries:
        return None
    figure, axes = grid(len(entries), 1.7, below=0.35, gap=0.35, share_y=True)
    for axis, entry in zip(axes, entries, strict=False):
        axis.axhline(0, color=GREY, linewidth=1)
        axis.plot(
            [g["reading"] for g in entry["groups"]],
            [g["contribution"] for g in entry["groups"]],
            *("-o",),
            color=BLUE,
            markersize=3.5,
        )
        axis.set_title(entry["reason"].replace("_", " "))
    unused(axes[len(entries) :])
    return finished(
        figure,
        "by-reading",
        f"Mean contribution to the log-odds of {words(study['focus']).lower()} along each reading.",
    )
