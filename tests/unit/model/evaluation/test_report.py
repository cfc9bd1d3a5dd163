"""Metrics as text and as records."""

import json

import numpy as np

from model.evaluation.metrics import evaluate
from model.evaluation.report import as_records, as_text, table
from model.severity import Severity

CLASSES = (Severity.MILD, Severity.ACUTE)


def _metrics(rows: int) -> list:  # type: ignore[type-arg]  # the list of `evaluate`
    rng = np.random.default_rng(1)
    first = rng.random(rows)
    outcome = (rng.random(rows) > first).astype(int)
    p = np.column_stack([first, 1 - first])
    return evaluate(p, outcome, p.argmax(axis=1), range(rows), CLASSES, replicates=20)


def test_table_by_hand() -> None:
    assert table(["name", "n"], [["a", "10"], ["long name", "9"]]) == (
        "name        n\n-------------\na          10\nlong name   9"
    )


def test_records_are_a_long_table() -> None:
    records = as_records(_metrics(200))
    assert {tuple(record) for record in records} == {
        ("metric", "category", "decided", "value", "lower", "upper", "n")
    }
    assert json.loads(json.dumps(records, allow_nan=False)) == records
    recall = next(r for r in records if r["metric"] == "recall" and r["category"] == "acute")
    assert recall["lower"] <= recall["value"] <= recall["upper"]


def test_text_shows_each_figure_with_its_interval_and_count() -> None:
    metrics = _metrics(200)
    text = as_text(metrics)
    loss = next(m for m in metrics if m.name == "log_loss").value
    line = next(line for line in text.splitlines() if line.startswith("Log loss"))
    assert str(loss) in line
    assert line.endswith("200")
    assert "true \\ decided" in text
    counts = [m.value.value for m in metrics if m.name == "confusion"]
    last = text.splitlines()[-1].split()
    assert last == ["acute", f"{counts[2]:.0f}", f"{counts[3]:.0f}"]


def test_text_says_not_enough() -> None:
    text = as_text(_metrics(12))
    assert "not enough" in next(line for line in text.splitlines() if line.startswith("Log loss"))
