"""The pictures of a report, drawn from the JSON of a study."""

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from model.evaluation.comparators import (
    AGE,
    CONSTANT,
    NEWS2,
    NEWS2_AGE_AND_MISSING,
    NEWS2_AND_AGE,
)
from model.evaluation.drawing import (
    BLUE,
    FAINT,
    GREEN,
    GREY,
    INK,
    ORANGE,
    VERMILION,
    Picture,
    canvas,
    drawing,
    finished,
    room_for,
    unused,
)
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
_COLOURS = {
    MODEL: BLUE,
    CONSTANT: GREY,
    AGE: ORANGE,
    NEWS2: VERMILION,
    NEWS2_AND_AGE: GREEN,
    NEWS2_AGE_AND_MISSING: "#CC79A7",
}
_LONGEST_LABEL = 28
_A_ROW = 3
"""Small pictures beside each other."""


def draw(study: Mapping[str, Any]) -> dict[str, Picture]:
    """Every picture that the study has figures for, by name."""
    makers: dict[str, Callable[[Mapping[str, Any]], Picture | None]] = {
        "losses": _losses,
        "ranking": _ranking,
        "reliability": _reliability,
        "deciles": _deciles,
        "coverage": _coverage,
        "decision": _decision,
        "taken-away": _taken_away,
        "learning": _learning,
        "correlations": _correlations,
        "importance": _importance,
        "by-reading": _by_reading,
        "cohorts": _cohorts,
    }
    with drawing():
        found = {name: make(study) for name, make in makers.items()}
    return {name: picture for name, picture in found.items() if picture is not None}


def words(code: str) -> str:
    """A category as reports name it."""
    return CATEGORY_WORDS.get(code, code)


def _losses(study: Mapping[str, Any]) -> Picture | None:
    entries = [e for e in study["compared"] if e["metric"] == "log_loss" and _has(e["value"])]
    if not entries:
        return None
    labels = [PREDICTION_WORDS[e["prediction"]] for e in entries]
    figure, (axis,) = canvas(1, 1, 0.65 + 0.3 * len(entries), left=room_for(labels), above=0.1)
    colours = [_COLOURS[e["prediction"]] for e in entries]
    _forest(axis, labels, [e["value"] for e in entries], colours)
    axis.set_xlabel("log loss on the held-out rows, nat (lower is better)")
    said = "; ".join(f"{n} {_said(e['value'])}" for n, e in zip(labels, entries, strict=True))
    return finished(figure, "losses", f"Log loss with 95 % intervals: {said}.")


def _ranking(study: Mapping[str, Any]) -> Picture | None:
    classes = [
        code
        for code in study["classes"]
        if any(_is(e, "auroc", code) and _has(e["value"]) for e in study["compared"])
    ]
    if not classes:
        return None
    room = room_for(PREDICTION_WORDS.values())
    figure, axes = _grid(len(classes), 2.0, left=room, gap=0.2)
    said: list[str] = []
    for axis, code in zip(axes, classes, strict=False):
        entries = [e for e in study["compared"] if _is(e, "auroc", code)]
        entries = [e for e in entries if e["prediction"] != CONSTANT]
        labels = [PREDICTION_WORDS[e["prediction"]] for e in entries]
        colours = [_COLOURS[e["prediction"]] for e in entries]
        _forest(axis, labels, [e["value"] for e in entries], colours)
        axis.axvline(0.5, color=GREY, linewidth=1, linestyle=":")
        axis.set_xlim(0.4, 1.0)
        axis.set_xticks([0.5, 0.6, 0.7, 0.8, 0.9])
        axis.set_title(words(code))
        said.append(f"{words(code)}: this model {_said(entries[0]['value'])}")
    for i, axis in enumerate(axes[: len(classes)]):
        if i % _A_ROW:
            axis.set_yticklabels([])
    unused(axes[len(classes) :])
    return finished(
        figure,
        "ranking",
        "Area under the ROC curve of each category, this model beside age and NEWS2. "
        + "; ".join(said)
        + ".",
    )


def _reliability(study: Mapping[str, Any]) -> Picture | None:
    curves = [
        curve
        for curve in study["calibration"]["curves"]
        if any(_has(group["observed"]) for group in curve["groups"])
    ]
    if not curves:
        return None
    figure, axes = _grid(len(curves), 2.3)
    for axis, curve in zip(axes, curves, strict=False):
        groups = [g for g in curve["groups"] if _has(g["observed"])]
        x = [g["predicted"] for g in groups]
        y = [g["observed"]["value"] for g in groups]
        top = max([*x, *(_upper(g["observed"]) for g in groups), 0.02]) * 1.05
        axis.plot([0, top], [0, top], color=GREY, linewidth=1, linestyle=":")
        axis.vlines(
            x,
            [_lower(g["observed"]) for g in groups],
            [_upper(g["observed"]) for g in groups],
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


def _deciles(study: Mapping[str, Any]) -> Picture | None:
    groups = [
        group
        for curve in study["calibration"]["curves"]
        if curve["category"] == study["focus"]
        for group in curve["groups"]
        if _has(group["observed"])
    ]
    if not groups:
        return None
    figure, (axis,) = canvas(1, 1, 2.5, above=0.1)
    places = range(1, len(groups) + 1)
    observed = [100 * g["observed"]["value"] for g in groups]
    axis.bar(places, observed, color="#9cc6e2", width=0.7, label="observed")
    axis.vlines(
        places,
        [100 * _lower(g["observed"]) for g in groups],
        [100 * _upper(g["observed"]) for g in groups],
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


def _coverage(study: Mapping[str, Any]) -> Picture | None:
    entries = [e for e in study["coverage"]["by_category"] if _has(e["covered"])]
    if not entries:
        return None
    labels = [words(e["category"]) for e in entries]
    high = 0.75 + 0.3 * max(len(entries), 4)
    figure, axes = canvas(1, 2, high, left=room_for(labels), below=0.35)
    _forest(
        axes[0],
        labels,
        [e["covered"] for e in entries],
        [BLUE] * len(entries),
    )
    axes[0].axvline(study["coverage"]["promised"], color=VERMILION, linewidth=1.2, linestyle="--")
    axes[0].set_title("In its set (dashed: promised)")
    lowest = min(_lower(e["covered"]) for e in entries)
    axes[0].set_xlim(min(0.75, lowest - 0.02), 1.0)
    sizes = study["coverage"]["sizes"]
    axes[1].bar([s["size"] for s in sizes], [100 * s["share"] for s in sizes], color="#9cc6e2")
    axes[1].set_xticks([s["size"] for s in sizes])
    axes[1].grid(axis="x", visible=False)
    axes[1].set_title("Categories in a set, % of rows")
    said = "; ".join(f"{words(e['category'])} {_said(e['covered'])}" for e in entries)
    spread = ", ".join(f"{s['size']}: {s['share']:.0%}" for s in sizes)
    return finished(
        figure,
        "coverage",
        f"How often a category is in its set: {said}. Share of rows by size of the set: {spread}.",
    )


def _decision(study: Mapping[str, Any]) -> Picture | None:
    curves = study["decision_curves"]
    if not curves:
        return None
    figure, axes = _grid(len(curves), 2.3)
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


def _taken_away(study: Mapping[str, Any]) -> Picture | None:
    entries = [e for e in study["missing"]["taken_away"] if _has(e["log_loss_increase"])]
    if not entries:
        return None
    labels = [e["measurement"] for e in entries]
    figure, (axis,) = canvas(1, 1, 0.65 + 0.28 * len(entries), left=room_for(labels), above=0.1)
    _forest(
        axis,
        labels,
        [e["log_loss_increase"] for e in entries],
        [BLUE] * len(entries),
    )
    axis.axvline(0, color=GREY, linewidth=1)
    axis.set_xlabel("log loss gained by taking it away, nat")
    said = "; ".join(f"{e['measurement']} {_said(e['log_loss_increase'])}" for e in entries)
    return finished(figure, "taken-away", f"Rise of the log loss without each: {said}.")


def _learning(study: Mapping[str, Any]) -> Picture | None:
    entries = [e for e in study["learning_curve"] if _has(e["log_loss"])]
    if len(entries) < 2:
        return None
    figure, axes = canvas(1, 2, 2.3)
    x = [e["patients"] for e in entries]
    losses = [e["log_loss"] for e in entries]
    axes[0].vlines(x, [_lower(v) for v in losses], [_upper(v) for v in losses], color=BLUE)
    axes[0].plot(x, [v["value"] for v in losses], color=BLUE, marker="o", markersize=4)
    axes[0].set_title("Log loss, nat")
    known = [(e["patients"], e["auroc"]) for e in entries if e["auroc"] is not None]
    if known:
        axes[1].plot(*zip(*known, strict=True), color=BLUE, marker="o", markersize=4)
    axes[1].set_title(f"AUROC of {words(study['focus']).lower()}")
    for axis in axes:
        axis.set_xlabel("patients learnt from")
        axis.locator_params(axis="x", nbins=4)
    said = "; ".join(f"{e['patients']} patients {_said(e['log_loss'])}" for e in entries)
    return finished(figure, "learning", f"Held-out log loss by training patients: {said}.")


def _correlations(study: Mapping[str, Any]) -> Picture | None:
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


def _importance(study: Mapping[str, Any]) -> Picture | None:
    found = study["importance"]
    if found is None:
        return None
    classes = list(found["by_category"])
    labels = [name.replace("_", " ") for name in found["reasons"]]
    high = 0.65 + 0.19 * len(labels)
    figure, axes = _grid(len(classes), high, left=room_for(labels), below=0.35, gap=0.2)
    top = max(max(sizes) for sizes in found["by_category"].values()) * 1.05
    said: list[str] = []
    for i, (axis, code) in enumerate(zip(axes, classes, strict=False)):
        sizes = found["by_category"][code]
        axis.barh(range(len(sizes)), sizes, color=BLUE, height=0.65)
        axis.set_yticks(range(len(sizes)), labels if i % _A_ROW == 0 else [""] * len(sizes))
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


def _by_reading(study: Mapping[str, Any]) -> Picture | None:
    entries = (study["importance"] or {"by_reading": []})["by_reading"]
    entries = [e for e in entries if len(e["groups"]) > 1]
    if not entries:
        return None
    figure, axes = _grid(len(entries), 1.7, below=0.35, gap=0.35, share_y=True)
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


def _cohorts(study: Mapping[str, Any]) -> Picture | None:
    entries = [e for e in study["cohorts"] if _has(e["auroc"])]
    if len(entries) < 2:
        return None
    labels = [_short(f"{e['cohort']}: {e['level']}") for e in entries]
    high = 0.7 + 0.26 * len(entries)
    figure, axes = canvas(1, 2, high, left=room_for(labels), below=0.35, gap=0.25, share_y=True)
    for axis, name, title in (
        (axes[0], "auroc", "AUROC"),
        (axes[1], "recall", "Sensitivity of the decisions"),
    ):
        _forest(axis, labels, [e[name] for e in entries], [BLUE] * len(entries))
        axis.set_title(title)
        axis.locator_params(axis="x", nbins=5)
    axes[1].tick_params(labelleft=False)
    said = "; ".join(f"{n} {_said(e['auroc'])}" for n, e in zip(labels, entries, strict=True))
    name = words(study["focus"]).lower()
    return finished(figure, "cohorts", f"AUROC of {name} by group of patients: {said}.")


def _forest(
    axis: "Axes",
    labels: Sequence[str],
    values: Sequence[Mapping[str, Any]],
    colours: Sequence[str],
) -> None:
    """Points with their intervals, the first on top."""
    for i, (value, colour) in enumerate(zip(values, colours, strict=True)):
        if not _has(value):
            continue
        axis.hlines(i, _lower(value), _upper(value), color=colour, linewidth=2)
        axis.plot(value["value"], i, "o", color=colour, markersize=5)
    axis.set_yticks(range(len(labels)), labels)
    axis.set_ylim(len(labels) - 0.5, -0.5)
    axis.grid(axis="y", visible=False)
    axis.tick_params(axis="y", length=0)
    axis.spines["left"].set_color(FAINT)


def _grid(count: int, height: float, **margins: Any) -> "tuple[Any, list[Axes]]":
    """Small pictures in rows of `_A_ROW`, each row `height` inches."""
    rows = -(-count // _A_ROW)
    return canvas(rows, _A_ROW, height * rows, **margins)


def _short(label: str) -> str:
    """The name of a source may be of any length."""
    return label if len(label) <= _LONGEST_LABEL else label[: _LONGEST_LABEL - 1] + "…"


def _is(entry: Mapping[str, Any], metric: str, code: str) -> bool:
    return bool(entry["metric"] == metric and entry["category"] == code)


def _has(value: Mapping[str, Any] | None) -> bool:
    return value is not None and value["value"] is not None


def _lower(value: Mapping[str, Any]) -> float:
    return float(value["value"] if value["lower"] is None else value["lower"])


def _upper(value: Mapping[str, Any]) -> float:
    return float(value["value"] if value["upper"] is None else value["upper"])


def _said(value: Mapping[str, Any]) -> str:
    if not _has(value):
        return "not enough"
    return f"{value['value']:.3f} ({_lower(value):.3f} to {_upper(value):.3f})"
