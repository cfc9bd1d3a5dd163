"""The report of a training run as plain text."""

from collections.abc import Mapping, Sequence
from typing import Any

from model.evaluation.report import as_text as metrics_as_text
from model.evaluation.report import table
from model.operating import OperatingPoint
from model.training.run import TrainingResult
from model.training.splits import EARLIER, PARTS, RESERVED

_PART_NAMES = {
    RESERVED: "in no part: reserved for testing",
    EARLIER: "in no part: earlier rows of held-out patients",
}


def as_text(result: TrainingResult) -> str:
    """Rows and parts, candidates and why each was not chosen, thresholds, held-out figures."""
    report = result.report
    rows = report["rows"]
    parts = [[_PART_NAMES.get(name, name), str(n)] for name, n in report["parts"].items() if n]
    found = [
        f"{rows['given']} rows: {rows['used']} used, {rows['without_category']} without a "
        f"category, {rows['out_of_population']} outside the population; "
        f"{report['patients']} patients.",
        table(["part", "rows"], parts),
        table(
            ["category", *PARTS],
            [
                [code, *(str(counts[part]) for part in PARTS)]
                for code, counts in report["rows_by_category"].items()
            ],
        ),
        table(
            ["candidate", "log loss, out of fold", "rounds", "fit, s", "why"],
            [
                *(
                    [
                        *(c.name, f"{c.log_loss:.4f}", "" if c.rounds is None else str(c.rounds)),
                        *(f"{c.seconds:.1f}", c.verdict),
                    ]
                    for c in result.candidates
                ),
                *([name, "", "", "", why] for name, why in report["not_tried"].items()),
            ],
        ),
        table(
            ["threshold of", "flagged", "sensitivity", "PPV", "charts a case"],
            [
                [code.value, *_point(point)]
                for code, point in result.scorer.artefact.operating_points.items()
            ],
        ),
        "On the held-out part:",
        metrics_as_text(result.metrics),
        *_rare(report["rare"]),
        *report["notes"],
    ]
    return "\n\n".join(found)


def _rare(found: Sequence[Mapping[str, Any]]) -> list[str]:
    """What came of each rare disease, in the words of its report."""
    lines = [
        f"{one['code']}{'' if one['name'] is None else ' ' + one['name']}: {one['sentence']}"
        for one in found
    ]
    return ["\n".join(["Rare diseases:", *lines])] if lines else []


def _point(point: OperatingPoint) -> list[str]:
    needed = point.number_needed_to_evaluate
    return [
        f"{point.flag_rate:.1%}",
        _percent(point.sensitivity),
        _percent(point.positive_predictive_value),
        "none" if needed is None else f"{needed:.1f}",
    ]


def _percent(share: float | None) -> str:
    return "none" if share is None else f"{share:.1%}"
