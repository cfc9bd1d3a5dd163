"""What cleaning did with a history file: counts for people, rows on demand, no patient values."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import NDArray

ACTIONS = ("dropped", "repaired", "flagged", "kept_as_missing")
"""What can happen: to a row (dropped), or to a cell (the others; a flag may concern a row)."""

REASONS: Mapping[str, str] = {
    "too_many_cells": "more cells than the header: values may stand in the wrong columns",
    "duplicate": "the same patient, time and values as an earlier row",
    "no_category": "no severity given",
    "unknown_category": "a severity that is none of the five",
    "out_of_population": "age outside the population of the model",
    "empty": "empty cell, or NA",
    "marked_missing": 'marked as not measured ("n/a", "-", …)',
    "bound": 'a bound such as "<40", not a value',
    "not_a_number": "characters that cannot be read as one number",
    "sentinel": "a stand-in for a missing value (998, -9, 0, …)",
    "impossible": "outside what devices show or life allows",
    "looks_like_fahrenheit": "looks like degrees Fahrenheit: convert the column to Cel",
    "looks_like_tenths_fahrenheit": "looks like tenths of a degree Fahrenheit: convert to Cel",
    "looks_like_tenths_celsius": "looks like tenths of a degree Celsius: convert to Cel",
    "looks_like_fraction": "looks like a fraction: convert the column to percent",
    "looks_like_kilopascal": "looks like kPa: convert the column to mm[Hg]",
    "systolic_not_above_diastolic": "systolic not above diastolic: neither is used",
    "unknown_code": "a code that cannot be read",
    "not_a_time": "not a time in ISO 8601, nor a year, month or day",
    "quotation_marks": "quotation marks taken off",
    "range_mark": 'mark for "out of range" taken off',
    "unit_in_cell": "unit taken off",
    "fahrenheit_stated": "stated in Fahrenheit: converted to Cel",
    "per_week_stated": "stated in days a week: converted to d/mo",
    "decimal_mark": "decimal mark unlike the rest of the file",
    "extreme": "possible but extreme: used, worth a second look",
    "no_reading": "no vital sign in the row at all",
}
"""Every reason in words."""


class Entry(NamedTuple):
    """One thing done to one row; never holds the value."""

    row: int
    """Number in the file: the first row below the header is 1."""
    action: str
    column: str
    """Canonical name; empty when the whole row is meant."""
    reason: str


@dataclass(frozen=True, slots=True)
class Finding:
    """The rows to which one thing was done for one reason."""

    action: str
    column: str
    reason: str
    rows: NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class CleaningReport:
    """Everything there is to say of how a file became training rows."""

    file_name: str
    sha256: str
    encoding: str | None
    separator: str | None
    decimal: str
    columns: Mapping[str, str]
    """Canonical name to the name in the file."""
    unused_columns: tuple[str, ...]
    rows_read: int
    rows_kept: int
    patients: int
    """Distinct patient ids among the rows kept, plus the rows without one."""
    rows_without_patient_id: int
    """Rows kept without `patient_id`: each counts as its own patient."""
    population: tuple[float, float]
    """Youngest and oldest age kept, years."""
    categories: Mapping[str, int]
    """Rows kept per severity code, every category named."""
    rare_rows: int
    missing_share: Mapping[str, float]
    """Share of the rows kept without a value, per column of the model."""
    findings: tuple[Finding, ...]
    notes: tuple[str, ...]

    def count(self, action: str, column: str | None = None, reason: str | None = None) -> int:
        """How many entries match; `None` matches everything."""
        return sum(
            len(finding.rows)
            for finding in self.findings
            if finding.action == action
            and column in (None, finding.column)
            and reason in (None, finding.reason)
        )

    def entries(self) -> pd.DataFrame:
        """Row by row: columns row, action, column, reason, in the order of the file."""
        lengths = [len(finding.rows) for finding in self.findings]
        rows = [finding.rows for finding in self.findings]
        frame = pd.DataFrame(
            {
                "row": np.concatenate(rows) if rows else np.empty(0, dtype=np.int64),
                "action": np.repeat([f.action for f in self.findings], lengths),
                "column": np.repeat([f.column for f in self.findings], lengths),
                "reason": np.repeat([f.reason for f in self.findings], lengths),
            }
        )
        return frame.sort_values("row", kind="stable", ignore_index=True)

    def __iter__(self) -> Iterator[Entry]:
        """Every entry in the order of the file."""
        for row, action, column, reason in self.entries().itertuples(index=False):
            yield Entry(int(row), action, column, reason)

    def to_dict(self) -> dict[str, Any]:
        """The report as JSON types, with counts instead of rows."""
        return {
            "file": {
                "name": self.file_name,
                "sha256": self.sha256,
                "encoding": self.encoding,
                "separator": self.separator,
                "decimal": self.decimal,
            },
            "columns": dict(self.columns),
            "unused_columns": list(self.unused_columns),
            "rows_read": self.rows_read,
            "rows_kept": self.rows_kept,
            "patients": self.patients,
            "rows_without_patient_id": self.rows_without_patient_id,
            "population": list(self.population),
            "categories": dict(self.categories),
            "rare_rows": self.rare_rows,
            "missing_share": dict(self.missing_share),
            "findings": [
                {
                    "action": finding.action,
                    "column": finding.column,
                    "reason": finding.reason,
                    "count": len(finding.rows),
                    "explanation": REASONS[finding.reason],
                }
                for finding in self.findings
            ],
            "notes": list(self.notes),
        }

    def render_text(self) -> str:
        """The report as plain text for a terminal."""
        lines = [
            f"{self.file_name}: {self.rows_read:,} rows read, {self.rows_kept:,} kept, "
            f"{self.patients:,} patients",
            "",
        ]
        table = [("what", "column", "rows", "why")]
        table += [
            (f.action.replace("_", " "), f.column, f"{len(f.rows):,}", REASONS[f.reason])
            for f in self.findings
        ]
        widths = [max(len(line[k]) for line in table) for k in range(3)]
        lines += [
            f"{what:<{widths[0]}}  {column:<{widths[1]}}  {count:>{widths[2]}}  {why}"
            for what, column, count, why in table
        ]
        lines += ["", "Rows kept by category:"]
        lines += [f"  {code:<9} {count:>9,}" for code, count in self.categories.items()]
        lines += ["", "Missing among the rows kept:"]
        lines += [f"  {name:<18} {share:>6.1%}" for name, share in self.missing_share.items()]
        if self.notes:
            lines += ["", *self.notes]
        return "\n".join(lines) + "\n"
