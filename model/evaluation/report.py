"""Metrics as plain text for a terminal and as records for JSON."""

from collections.abc import Sequence
from typing import Any

from model.evaluation.metrics import Metric
from model.severity import Severity

_OVERALL = {
    "log_loss": "Log loss (nat)",
    "log_loss_of_frequencies": "  of the frequencies alone",
    "brier": "Brier score (0 to 2)",
    "calibration_error": "Expected calibration error",
    "macro_f1": "Macro-F1 of the decisions",
    "balanced_accuracy": "Balanced accuracy of the decisions",
    "set_size": "Categories in a prediction set",
}
_BY_CATEGORY = {
    "prevalence": "Prevalence",
    "flag_rate": "Decided",
    "recall": "Recall",
    "precision": "Precision",
    "auroc": "AUROC",
    "average_precision": "Average precision",
    "set_coverage": "In its set",
}


def as_records(metrics: Sequence[Metric]) -> list[dict[str, Any]]:
    """One record a figure: metric, category, decided, value, lower, upper, n (JSON types)."""
    return [
        {
            "metric": metric.name,
            "category": None if metric.category is None else metric.category.value,
            "decided": None if metric.decided is None else metric.decided.value,
            "value": metric.value.value,
            "lower": metric.value.lower,
            "upper": metric.value.upper,
            "n": metric.value.n,
        }
        for metric in metrics
    ]


def as_text(metrics: Sequence[Metric]) -> str:
    """Three tables: over all categories, by category, and decided against true."""
    overall = [
        [_OVERALL[m.name], str(m.value), str(m.value.n)] for m in metrics if m.name in _OVERALL
    ]
    categories = list(dict.fromkeys(m.category for m in metrics if m.category is not None))
    names = [name for name in _BY_CATEGORY if any(m.name == name for m in metrics)]
    found = {(m.name, m.category): m.value for m in metrics if m.decided is None}
    by_category = [
        [category.value, _BY_CATEGORY[name], str(value), str(value.n)]
        for category in categories
        for name in names
        if (value := found.get((name, category))) is not None
    ]
    tables = [
        table(["all categories", "value [95 % interval]", "n"], overall),
        table(["category", "metric", "value [95 % interval]", "n"], by_category),
    ]
    counts = {(m.category, m.decided): m.value.value for m in metrics if m.name == "confusion"}
    if counts:
        tables.append(table(["true \\ decided", *categories], _confusion(categories, counts)))
    return "\n\n".join(tables)


def table(header: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """Columns of text, the first to the left and the others to the right, under a rule."""
    lines = [list(header), *(list(row) for row in rows)]
    widths = [max(len(line[i]) for line in lines) for i in range(len(header))]
    text = [
        "  ".join(
            cell.ljust(width) if i == 0 else cell.rjust(width)
            for i, (cell, width) in enumerate(zip(line, widths, strict=True))
        ).rstrip()
        for line in lines
    ]
    return "\n".join([text[0], "-" * (sum(widths) + 2 * (len(widths) - 1)), *text[1:]])


def _confusion(
    categories: list[Severity], counts: dict[tuple[Severity | None, Severity | None], float | None]
) -> list[list[str]]:
    rows: list[list[str]] = []
    for true in categories:
        row = [true.value]
        for decided in categories:
            count = counts.get((true, decided))
            row.append("not enough" if count is None else f"{count:.0f}")
        rows.append(row)
    return rows
