"""Training-serving skew: what was stored of an assessment, computed again from its readings.

A row that training would compute otherwise than serving did is a fault of the service, not a
change among patients, and is told at its first occurrence.
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from cds_service.services.alerts import Finding
from cds_service.services.records import row_of
from fhir_mapping.codes import UCUM
from fhir_mapping.units import convert
from model.errors import ModelError
from model.features import EXTRA_INPUTS, FEATURE, READINGS, ROW_NAMES, row_matrix
from model.scorer import MINUTES_BEFORE, Scorer

TOLERANCE = 1e-5
"""Of probabilities: one row at a time and many at once differ in the last bits."""
_MINUTES = 1e-3
Row = Mapping[str, Any]


@dataclass(slots=True)
class Skew:
    """What was computed again, and what came out otherwise."""

    rows: int = 0
    """Whose features could be computed again."""
    inputs: Counter[str] = field(default_factory=Counter)
    """Input, or `derived` → rows in which it differs."""
    answers: dict[str, dict[str, int]] = field(default_factory=dict)
    """Version → answers, and those that differ."""
    unreadable: list[str] = field(default_factory=list)
    """Versions whose files cannot be read."""
    differing: int = 0
    """Rows of which an input differs."""

    def as_json(self) -> dict[str, Any]:
        """JSON types."""
        return {
            "rows": self.rows,
            "differing": self.differing,
            "inputs": dict(sorted(self.inputs.items())),
            "answers": self.answers,
            "unreadable": self.unreadable,
        }

    def findings(self, where: str) -> list[Finding]:
        """One alert for inputs, one for the answers of each version."""
        found = []
        if self.differing:
            named = ", ".join(f"{name} {n}" for name, n in self.inputs.most_common())
            found.append(
                Finding(
                    "serving_skew",
                    "serving_skew:inputs",
                    "critical",
                    f"The stored inputs of {self.differing} of {self.rows} assessments {where} are "
                    f"not what their readings give ({named}). The service is at fault.",
                    detail=self.as_json(),
                )
            )
        for version, counts in self.answers.items():
            if counts["differing"]:
                found.append(
                    Finding(
                        "serving_skew",
                        f"serving_skew:answers:{version}",
                        "critical",
                        f"The stored probabilities of {counts['differing']} of {counts['rows']} "
                        f"assessments {where} are not what version {version} says of the same "
                        "inputs. The service, or the files of the version, are at fault.",
                        version,
                        counts,
                    )
                )
        return found


class SkewCheck:
    """Computes stored assessments again; keeps the models it has loaded."""

    def __init__(self) -> None:
        self._scorers: dict[str, Scorer | None] = {}

    def of(self, rows: Sequence[Row], versions: Mapping[str, Mapping[str, Any]]) -> Skew:
        """Compare rows with what their readings and the versions that answered give.

        `versions` are rows of `model_versions` by version. Rows from before provenance was kept
        have nothing to be computed from; those that were not scored have no answer.
        """
        skew = Skew()
        for row in rows:
            if row["provenance"] is not None:
                skew.rows += 1
                wrong = differing_inputs(row)
                skew.inputs.update(wrong)
                skew.differing += bool(wrong)
        answered: dict[str, list[Row]] = {}
        for row in rows:
            if row["probabilities"] is not None:
                answered.setdefault(str(row["model_version"]), []).append(row)
        for version, given in sorted(answered.items()):
            scorer = self.scorer(version, versions.get(version))
            if scorer is None:
                skew.unreadable.append(version)
            else:
                skew.answers[version] = {"rows": len(given), "differing": _answers(scorer, given)}
        return skew

    def scorer(self, version: str, row: Mapping[str, Any] | None) -> Scorer | None:
        """The model of a row of `model_versions`; `None` if its files cannot be read."""
        if version not in self._scorers:
            scorer = None
            if row is not None:
                try:
                    scorer = Scorer.load(
                        Path(row["location"]), version=version, expected_checksum=row["checksum"]
                    )
                except (ModelError, OSError):
                    scorer = None
            self._scorers[version] = scorer
        return self._scorers[version]


def differing_inputs(row: Row) -> set[str]:
    """Inputs of a stored row, or `derived`, that its readings give otherwise."""
    stored = row["features"] or {}
    again: dict[str, Any] = {
        name: stored[name] for name in ("age", "sex") if stored.get(name) is not None
    }
    minutes: dict[str, float] = {}
    wrong = set()
    for entry in row["provenance"]["readings"]:
        name = entry["feature"]
        again[name] = entry["value"]
        if not _converted(entry):
            wrong.add(name)
        if name not in EXTRA_INPUTS:
            minutes[name] = _minutes(entry, row["prediction_time"])
    kept = {name: stored[name] for name in ROW_NAMES if stored.get(name) is not None}
    wrong |= {name for name in {*kept, *again} if kept.get(name) != again.get(name)}
    told = stored.get("minutes_before", {})
    wrong |= {
        name
        for name in {*told, *minutes}
        if abs(told.get(name, np.inf) - minutes.get(name, -np.inf)) > _MINUTES
    }
    derived = row_matrix(row_of(again | {"minutes_before": minutes}))
    if not np.array_equal(row_matrix(row_of(kept | {"minutes_before": told})), derived, True):
        wrong.add("derived")
    return wrong


def _converted(entry: Mapping[str, Any]) -> bool:
    """Whether what was received gives the value, its unit read as a code or as a text."""
    name, unit, received = entry["feature"], entry["received_unit"], entry["received_value"]
    if name not in FEATURE:
        return True
    as_code = convert(name, received, None, UCUM, unit)
    without_system = convert(name, received, None, None, unit)
    return entry["value"] in (as_code, without_system, convert(name, received, unit, None, None))


def _minutes(entry: Mapping[str, Any], prediction_time: datetime) -> float:
    time = datetime.fromisoformat(entry["time"])
    return max((prediction_time - time).total_seconds() / 60, 0.0)


def _answers(scorer: Scorer, rows: Sequence[Row]) -> int:
    """Answers that the version would not give again."""
    found = scorer.score_frame(_frame(rows))
    wrong = np.asarray(found["category"].to_numpy() != [row["category"] for row in rows])
    for code in scorer.classes:
        stored = np.asarray([row["probabilities"].get(code.value, np.nan) for row in rows])
        again = found[f"probability_{code.column}"].to_numpy(dtype=np.float64)
        wrong |= ~(np.abs(stored - again) <= TOLERANCE)
    return int(np.count_nonzero(wrong))


def _frame(rows: Sequence[Row]) -> pd.DataFrame:
    """Stored features as a frame that is scored as history is."""
    features = [row["features"] or {} for row in rows]
    columns: dict[str, Any] = {}
    for name in ROW_NAMES:
        kind = np.float64 if name in FEATURE else object
        columns[name] = np.asarray([one.get(name) for one in features], dtype=kind)
    for name in READINGS:
        given = [one.get("minutes_before", {}).get(name) for one in features]
        columns[MINUTES_BEFORE + name] = np.asarray(given, dtype=np.float64)
    return pd.DataFrame(columns)
