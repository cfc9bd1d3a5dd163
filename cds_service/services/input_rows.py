"""What stored assessments say of their inputs: values, gaps with reasons, codes and units."""

from collections import Counter
from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import Any

import numpy as np

from fhir_mapping.readings import MissingReason
from model.evaluation.input_watch import UNUSABLE, Figure, Kind, quantity
from model.features import EXTRA_INPUTS, FEATURE, READINGS, ROW_NAMES, FloatArray
from model.severity import SEVERITIES

FEMALE = {"female": 1.0, "male": 0.0}
"""Sex as a yes-no input: its D is the difference in the share of women."""
Row = Mapping[str, Any]
_REASON_OF = {
    Kind.STALE: MissingReason.STALE,
    Kind.IMPLAUSIBLE: MissingReason.IMPLAUSIBLE,
    Kind.UNKNOWN_UNIT: MissingReason.UNKNOWN_UNIT,
}


def watched_inputs(extra: Iterable[str]) -> tuple[str, ...]:
    """The inputs of a model that uses the extra inputs `extra`, in table order."""
    asked = set(extra)
    return tuple(name for name in ROW_NAMES if name not in EXTRA_INPUTS or name in asked)


def measured(names: Iterable[str]) -> tuple[str, ...]:
    """Those of them that have a distribution: numbers, and sex as the share of women."""
    return tuple(name for name in names if name in FEATURE or name == "sex")


def values_of(features: Sequence[Mapping[str, Any]], name: str) -> FloatArray:
    """An input of stored feature rows, float64 of shape (n,), NaN where there is none."""
    given = [row.get(name) for row in features]
    if name == "sex":
        given = [FEMALE.get(value, np.nan) if value else np.nan for value in given]
    return np.asarray([np.nan if v is None else v for v in given], dtype=np.float64)


def reasons_of(row: Row) -> dict[str, str]:
    """Input → why it has no value."""
    return {entry["feature"]: entry["reason"] for entry in (row["provenance"] or {})["missing"]}


def share_figures(rows: Sequence[Row], names: Sequence[str]) -> dict[str, Figure]:
    """Shares of rows without each input, by what is watched of the reasons.

    `implausible` and `unknown_unit` are shares of the rows for which a reading came that was used
    or could have been, were it not for this; a value that an older reading stood in for counts
    too. Rows from before provenance was kept count in nothing.
    """
    rows = [row for row in rows if row["provenance"] is not None]
    missing: Counter[str] = Counter()
    hits: Counter[tuple[Kind, str]] = Counter()
    came: Counter[str] = Counter()
    for row in rows:
        reasons = reasons_of(row)
        rejected: dict[str, set[str]] = {name: {reason} for name, reason in reasons.items()}
        for entry in row["provenance"]["skipped"]:
            if entry["feature"] is not None and entry["reason"] != MissingReason.STALE:
                rejected.setdefault(entry["feature"], set()).add(entry["reason"])
        missing.update(reasons.keys())
        used = {entry["feature"] for entry in row["provenance"]["readings"]}
        for name in names:
            found = {k for k, reason in _REASON_OF.items() if reason in rejected.get(name, ())}
            hits.update((kind, name) for kind in found)
            came[name] += bool(name in used or found.intersection(UNUSABLE))
    figures: dict[str, Figure | None] = {}
    for name in names:
        figures[quantity(Kind.MISSING, name)] = Figure.share(missing[name], len(rows))
        if name in READINGS:
            figures[quantity(Kind.STALE, name)] = Figure.share(hits[Kind.STALE, name], len(rows))
            for kind in UNUSABLE:
                figures[quantity(kind, name)] = Figure.share(hits[kind, name], came[name])
    return {name: figure for name, figure in figures.items() if figure is not None}


def category_figures(
    rows: Sequence[Row], versions: Collection[str], *, fewest: int
) -> dict[str, Figure]:
    """Share of each category among the answers of some versions; none below `fewest` answers."""
    given = [row["category"] for row in rows if row["model_version"] in versions]
    given = [code for code in given if code is not None]
    if len(given) < fewest:
        return {}
    counts = Counter(given)
    found = {
        quantity(Kind.CATEGORY, code.value): Figure.share(counts[code.value], len(given))
        for code in SEVERITIES
    }
    return {name: figure for name, figure in found.items() if figure is not None}


def missing_table(rows: Sequence[Row], names: Sequence[str]) -> dict[str, dict[str, int]]:
    """Input → reason → rows."""
    counts: dict[str, Counter[str]] = {name: Counter() for name in names}
    for row in rows:
        if row["provenance"] is not None:
            for name, reason in reasons_of(row).items():
                if name in counts:
                    counts[name][reason] += 1
    return {name: dict(sorted(found.items())) for name, found in counts.items() if found}
