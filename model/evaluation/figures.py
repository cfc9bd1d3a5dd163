"""The pictures of a report, drawn from the JSON of a study."""

from collections.abc import Callable, Mapping
from typing import Any

from model.evaluation.comparators import CONSTANT, NEWS2_AND_AGE
from model.evaluation.drawing import (
    BLUE,
    GREEN,
    GREY,
    Picture,
    canvas,
    drawing,
    finished,
    room_for,
    unused,
)
from model.evaluation.figure_parts import (
    A_ROW,
    COLOURS,
    PREDICTION_WORDS,
    forest,
    grid,
    has,
    is_of,
    lower,
    said_of,
    short,
    upper,
    words,
)
from model.evaluation.figures_calibration import coverage, deciles, reliability
from model.evaluation.figures_inputs import by_reading, correlations, importance, taken_away


def draw(study: Mapping[str, Any]) -> dict[str, Picture]:
    """Every picture that the study has figures for, by name."""
    makers: dict[str, Callable[[Mapping[str, Any]], Picture | None]] = {
        "losses": _losses,
        "ranking": _ranking,
        "reliability": reliability,
        "deciles": deciles,
        "coverage": coverage,
        "decision": _decision,
        "taken-away": taken_away,
        "learning": _learning,
        "correlations": correlations,
        "importance": importance,
        "by-reading": by_reading,
        "cohorts": _cohorts,
    }
    with drawing():
        found = {name: make(study) for name, make in makers.items()}
    return {name: picture for name, picture in found.items() if picture is not None}


def _losses(study: Mapping[str, Any]) -> Picture | None:
    entries = [e for e in study["compared"] if e["metric"] == "log_loss" and has(e["value"])]
    if not entries:
        return None
    labels = [PREDICTION_WORDS[e["prediction"]] for e in entries]
    figure, (axis,) = canvas(1, 1, 0.65 + 0.3 * len(entries), left=room_for(labels), above=0.1)
    colours = [COLOURS[e["prediction"]] for e in entries]
    forest(axis, labels, [e["value"] for e in entries], colours)
    axis.set_xlabel("log loss on the held-out rows, nat (lower is better)")
    said = "; ".join(f"{n} {said_of(e['value'])}" for n, e in zip(labels, entries, strict=True))
    return finished(figure, "losses", f"Log loss with 95 % intervals: {said}.")


def _ranking(study: Mapping[str, Any]) -> Picture | None:
    classes = [
        code
        for code in study["classes"]
        if any(is_of(e, "auroc", code) and has(e["value"]) for e in study["compared"])
    ]
    if not classes:
        return None
    room = room_for(PREDICTION_WORDS.values())
    figure, axes = grid(len(classes), 2.0, left=room, gap=0.2)
    said: list[str] = []
    for axis, code in zip(axes, classes, strict=False):
        entries = [e for e in study["compared"] if is_of(e, "auroc", code)]
        entries = [e for e in entries if e["prediction"] != CONSTANT]
        labels = [PREDICTION_WORDS[e["prediction"]] for e in entries]
        colours = [COLOURS[e["prediction"]] for e in entries]
        forest(axis, labels, [e["value"] for e in entries], colours)
        axis.axvline(0.5, color=GREY, linewidth=1, linestyle=":")
        axis.set_xlim(0.4, 1.0)
        axis.set_xticks([0.5, 0.6, 0.7, 0.8, 0.9])
        axis.set_title(words(code))
        said.append(f"{words(code)}: this model {said_of(entries[0]['value'])}")
    for i, axis in enumerate(axes[: len(classes)]):
        if i % A_ROW:
            axis.set_yticklabels([])
    unused(axes[len(classes) :])
    return finished(
        figure,
        "ranking",
        "Area under the ROC curve of each category, this model beside age and NEWS2. "
        + "; ".join(said)
        + ".",
    )


def _decision(study: Mapping[str, Any]) -> Picture | None:
    curves = study["decision_curves"]
    if not curves:
        return None
    figure, axes = grid(len(curves), 2.3)
    for axis, curve in zip(axes, curves, strict=False):
        x = [100 * t for t in curve["thresholds"]]
        axis.axhline(0, color=GREY, linewidth=1)
        axis.plot(x, curve["treat_all"], color=GREY, linestyle=":", label="everybody")
        axis.plot(x, curve[NEWS2_AND_AGE], color=GREEN, linewidth=1.2, label="NEWS2 and age")
        axis.plot(x, curve["model"], color=BLUE, label="this model")
        best = max(*curve["model"], *curve["treat_all"])
        axis.set_ylim(-0.15 * best, 1.1 * best)
        axis.set_title(words(curve["category"]))
        axis.set_xlabel("threshold, %")
    axes[0].set_ylabel("net benefit a chart")
    axes[0].legend(loc="upper right", fontsize=7.5)
    unused(axes[len(curves) :])
    return finished(
        figure,
        "decision",
        "Net benefit over thresholds for each category: this model, NEWS2 and age, and flagging "
        "everybody; flagging nobody is the line at 0.",
    )


def _learning(study: Mapping[str, Any]) -> Picture | None:
    entries = [e for e in study["learning_curve"] if has(e["log_loss"])]
    if len(entries) < 2:
        return None
    figure, axes = canvas(1, 2, 2.3)
    x = [e["patients"] for e in entries]
    losses = [e["log_loss"] for e in entries]
    axes[0].vlines(x, [lower(v) for v in losses], [upper(v) for v in losses], color=BLUE)
    axes[0].plot(x, [v["value"] for v in losses], color=BLUE, marker="o", markersize=4)
    axes[0].set_title("Log loss, nat")
    known = [(e["patients"], e["auroc"]) for e in entries if e["auroc"] is not None]
    if known:
        axes[1].plot(*zip(*known, strict=True), color=BLUE, marker="o", markersize=4)
    axes[1].set_title(f"AUROC of {words(study['focus']).lower()}")
    for axis in axes:
        axis.set_xlabel("patients learnt from")
        axis.locator_params(axis="x", nbins=4)
    said = "; ".join(f"{e['patients']} patients {said_of(e['log_loss'])}" for e in entries)
    return finished(figure, "learning", f"Held-out log loss by training patients: {said}.")


def _cohorts(study: Mapping[str, Any]) -> Picture | None:
    entries = [e for e in study["cohorts"] if has(e["auroc"])]
    if len(entries) < 2:
        return None
    labels = [short(f"{e['cohort']}: {e['level']}") for e in entries]
    high = 0.7 + 0.26 * len(entries)
    figure, axes = canvas(1, 2, high, left=room_for(labels), below=0.35, gap=0.25, share_y=True)
    for axis, name, title in (
        (axes[0], "auroc", "AUROC"),
        (axes[1], "recall", "Sensitivity of the decisions"),
    ):
        forest(axis, labels, [e[name] for e in entries], [BLUE] * len(entries))
        axis.set_title(title)
        axis.locator_params(axis="x", nbins=5)
    axes[1].tick_params(labelleft=False)
    said = "; ".join(f"{n} {said_of(e['auroc'])}" for n, e in zip(labels, entries, strict=True))
    name = words(study["focus"]).lower()
    return finished(figure, "cohorts", f"AUROC of {name} by group of patients: {said}.")
