"""Cleaning history: text cells into typed rows, with a report of everything that was done.

Clinical rules kept here: C1 (population), C5 (impossible, extreme, units never guessed), C8
(missing stays missing), C19 (every category is counted, covered or not).
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from model.errors import HistoryError
from model.features import EXTRA_INPUTS, FEATURE, READINGS, ROW_NAMES, FloatArray
from model.population import ages_in_range
from model.rare_codes import normal_rare_code
from model.severity import SEVERITIES, parse_severity
from model.training.cleaning_report import ACTIONS, CleaningReport, Finding
from model.training.cleaning_values import (
    NO_VALUE,
    read_abo_groups,
    read_number,
    read_sexes,
)
from model.training.history import NUMERIC_COLUMNS, RawHistory
from model.training.history_times import names_a_day, parse_times, zone_called

BoolArray = NDArray[np.bool_]

CLEAN_COLUMNS: tuple[str, ...] = (
    "row",
    "patient_id",
    "recorded_at",
    *ROW_NAMES,
    "severity",
    "rare_code",
    "source",
)
"""Columns of a cleaned frame, extra inputs only where the file has them; `row` is the number in
the file."""

_REPAIRS = frozenset(
    {"quotation_marks", "range_mark", "unit_in_cell", "fahrenheit_stated", "per_week_stated"}
    | {"decimal_mark"}
)
_CODES: Mapping[str, Callable[[Iterable[str]], Mapping[str, str | None]]] = {
    "sex": read_sexes,
    "abo_group": read_abo_groups,
    "rare_code": lambda cells: {cell: normal_rare_code(cell) for cell in cells},
}
"""What the distinct cells of a column of codes mean."""


@dataclass(frozen=True, slots=True)
class CleanedHistory:
    """Typed rows and how they came to be."""

    frame: pd.DataFrame
    """`CLEAN_COLUMNS`: numbers as float64 in the units of `FEATURES`, `recorded_at` as
    datetime64[us, UTC], the rest as text; missing is NaN, NaT or a missing text."""
    report: CleaningReport


class _Findings:
    """Collects what was done to which rows; a row is dropped once, for the first reason."""

    def __init__(self, rows: NDArray[np.int64]) -> None:
        self.rows = rows
        self.dropped = np.zeros(len(rows), dtype=np.bool_)
        self._seen: list[tuple[str, str, str, BoolArray]] = []

    def drop(self, column: str, reason: str, mask: BoolArray) -> None:
        """Drop rows that were not dropped before."""
        mask = mask & ~self.dropped
        self.dropped = self.dropped | mask
        self._seen.append(("dropped", column, reason, mask))

    def add(self, action: str, column: str, reason: str, mask: BoolArray) -> None:
        """Note what happened to cells; those of rows that get dropped are not reported."""
        self._seen.append((action, column, reason, mask))

    def listed(self) -> tuple[Finding, ...]:
        """What happened at least once, by action and then in the order it was noted."""
        order = sorted(self._seen, key=lambda seen: ACTIONS.index(seen[0]))
        found = []
        for action, column, reason, mask in order:
            rows = self.rows[mask if action == "dropped" else mask & ~self.dropped]
            if len(rows):
                found.append(Finding(action, column, reason, rows))
        return tuple(found)


def clean_history(
    raw: RawHistory,
    *,
    min_age: float = 18.0,
    max_age: float = 110.0,
    require_severity: bool = True,
) -> CleanedHistory:
    """Read every cell of `raw`; drop, repair, flag or keep as missing, and report each.

    Dropped: rows too long for the header, duplicates, rows without one of the five categories
    (unless `require_severity` is false, for scoring: an unreadable one is then missing), rows
    whose age is unknown or outside `min_age` to `max_age` completed years (C1). A cell that is
    impossible or a sentinel is missing, one that is extreme is flagged and used (C5); a unit is
    never guessed. Nothing is imputed (C8). Raises `HistoryError` if no row is left, or if a time
    column holds no time.
    """
    findings = _Findings(raw.frame.index.to_numpy(dtype=np.int64))
    text = {name: raw.frame[name] for name in raw.frame.columns}
    notes: list[str] = []
    findings.drop("", "too_many_cells", raw.too_long)

    columns: dict[str, object] = {"row": findings.rows}
    columns["patient_id"] = _or_missing(text.get("patient_id"), raw.frame.index)
    columns["recorded_at"] = _times(raw, findings)
    columns["severity"] = _severity(text, require_severity, findings)
    numbers = _numbers(text, raw.decimal, findings)
    columns |= numbers
    for name in _CODES:
        columns[name] = _coded(name, text, findings)
    source = _or_missing(text.get("source"), raw.frame.index)
    columns["source"] = source.fillna(raw.source)
    frame = pd.DataFrame(columns, index=raw.frame.index)[_present(raw, CLEAN_COLUMNS)]

    age = numbers["age"]
    outside = np.isfinite(age) & ~ages_in_range(age, min_age, max_age)
    findings.drop("age", "out_of_population", outside)
    _drop_duplicates(frame, raw, findings, notes)
    findings.add("flagged", "", "no_reading", frame[list(READINGS)].isna().all(axis=1).to_numpy())

    kept = frame[~findings.dropped].reset_index(drop=True)
    listed = findings.listed()
    if kept.empty:
        why = "; ".join(f"{len(f.rows):,} {f.reason}" for f in listed if f.action == "dropped")
        raise HistoryError(f"Nothing is left of {raw.file_name} after cleaning: {why}.")
    return CleanedHistory(kept, _report(raw, kept, listed, notes, (min_age, max_age)))


def _report(
    raw: RawHistory,
    kept: pd.DataFrame,
    findings: tuple[Finding, ...],
    notes: list[str],
    population: tuple[float, float],
) -> CleaningReport:
    """The report of one cleaning, with what should be said beside the counts."""
    without_id = int(kept["patient_id"].isna().sum())
    if without_id:
        notes.append(
            f"{without_id:,} rows have no patient_id: each counts as its own patient, so rows of "
            "one person may stand on both sides of a split."
        )
    if raw.unused_columns:
        notes.append(f"Columns that nothing reads: {', '.join(raw.unused_columns)}.")
    counts = kept["severity"].value_counts()
    return CleaningReport(
        file_name=raw.file_name,
        sha256=raw.sha256,
        encoding=raw.encoding,
        separator=raw.separator,
        decimal=raw.decimal,
        columns=raw.columns,
        unused_columns=raw.unused_columns,
        rows_read=len(raw.frame),
        rows_kept=len(kept),
        patients=int(kept["patient_id"].nunique()) + without_id,
        rows_without_patient_id=without_id,
        population=population,
        categories={s.value: int(counts.get(s.value, 0)) for s in SEVERITIES},
        rare_rows=int(kept["rare_code"].notna().sum()),
        missing_share={name: float(kept[name].isna().mean()) for name in _present(raw, ROW_NAMES)},
        findings=findings,
        notes=tuple(notes),
    )


def _present(raw: RawHistory, names: Iterable[str]) -> list[str]:
    """`names` without the extra inputs that the file does not have."""
    return [name for name in names if name not in EXTRA_INPUTS or name in raw.frame]


def _or_missing(cells: "pd.Series[str] | None", index: pd.Index) -> "pd.Series[str]":
    """Text cells with empty ones and NA missing; all missing where the file has no such column."""
    if cells is None:
        return pd.Series([None] * len(index), index=index, dtype="str")
    return cells.mask(cells.str.lower().isin(NO_VALUE))


def _times(raw: RawHistory, findings: _Findings) -> "pd.Series[pd.Timestamp]":
    """`recorded_at` as UTC; raises `HistoryError` if a filled column holds no time at all."""
    if "recorded_at" not in raw.frame:
        return parse_times(_or_missing(None, raw.frame.index), None)
    cells = raw.frame["recorded_at"]
    times = parse_times(cells, zone_called(raw.timezone))
    filled = _or_missing(cells, cells.index).notna().to_numpy()
    unread = times.isna().to_numpy() & filled
    if filled.any() and (unread == filled).all():
        raise HistoryError(
            f'No value of the column "{raw.columns["recorded_at"]}" is a time in ISO 8601, '
            "a year, a month or a day."
        )
    findings.add("kept_as_missing", "recorded_at", "empty", ~filled)
    findings.add("kept_as_missing", "recorded_at", "not_a_time", unread)
    return times


def _numbers(
    text: dict[str, "pd.Series[str]"], decimal: str, findings: _Findings
) -> dict[str, FloatArray]:
    """Every numeric input as float64, NaN where it cannot be used (C5).

    A row whose age cannot be used cannot be placed in the population (C1): it is dropped for the
    reason its age is missing.
    """

    def missing(name: str, reason: str, mask: BoolArray) -> None:
        if name == "age":
            findings.drop(name, reason, mask)
        else:
            findings.add("kept_as_missing", name, reason, mask)

    values: dict[str, FloatArray] = {}
    for name in NUMERIC_COLUMNS:
        cells = text.get(name)
        if cells is None:
            values[name] = np.full(len(findings.rows), np.nan)
            continue
        codes, distinct = pd.factorize(cells)
        read = [read_number(str(cell), name, decimal) for cell in distinct]
        column = np.array([np.nan if r.value is None else r.value for r in read])[codes]
        why = np.array([r.reason or "" for r in read], dtype=object)[codes]
        for reason in dict.fromkeys(r.reason for r in read if r.reason):
            if reason in _REPAIRS:
                findings.add("repaired", name, reason, why == reason)
            else:
                missing(name, reason, why == reason)
        values[name] = column
    for name, reason, mask in (*_wrong_units(values), *_unusable(values)):
        # What an earlier rule made missing keeps its first reason.
        new = mask & np.isfinite(values[name])
        missing(name, reason, new)
        values[name] = np.where(new, np.nan, values[name])
    crossed = values["systolic_bp"] <= values["diastolic_bp"]
    for name in ("systolic_bp", "diastolic_bp"):
        findings.add("kept_as_missing", name, "systolic_not_above_diastolic", crossed)
        values[name] = np.where(crossed, np.nan, values[name])
    for name in READINGS:
        low, high = FEATURE[name].usual
        extreme = (values[name] < low) | (values[name] > high)
        findings.add("flagged", name, "extreme", extreme)
    return values


def _wrong_units(values: dict[str, FloatArray]) -> Sequence[tuple[str, str, BoolArray]]:
    """Columns that are plainly in another unit: made missing and said, never converted (C5).

    Most values of a column must lie in the band of the other unit: a saturation of 1 % is 100 %
    written as a fraction if the rest of its column is fractions, and a systolic pressure of 21 is
    kPa if the rest of its column is about 16.
    """

    def mostly(name: str, low: float, high: float, at_least: int) -> bool:
        known = values[name][np.isfinite(values[name])]
        return len(known) >= at_least and float(np.mean((known >= low) & (known <= high))) > 0.5

    saturation = values["oxygen_saturation"]
    wrong: list[tuple[str, str, BoolArray]] = []
    if mostly("oxygen_saturation", 0.3, 1.0, 2):
        wrong.append(("oxygen_saturation", "looks_like_fraction", saturation <= 1.0))
    # A few patients may all be in shock; half of twenty are not below 40 mm[Hg].
    if mostly("systolic_bp", 6.0, 40.0, 20):
        everything = np.ones(len(saturation), dtype=np.bool_)
        wrong.append(("systolic_bp", "looks_like_kilopascal", everything))
        wrong.append(("diastolic_bp", "looks_like_kilopascal", everything))
    return wrong


def _unusable(values: dict[str, FloatArray]) -> Sequence[tuple[str, str, BoolArray]]:
    """Sentinels and impossible values of every input, as `model.features.is_possible` has them."""
    found: list[tuple[str, str, BoolArray]] = []
    for name in NUMERIC_COLUMNS:
        feature, column = FEATURE[name], values[name]
        sentinel = np.zeros(len(column), dtype=np.bool_)
        for value in feature.sentinels:
            sentinel |= np.abs(column - value) < 0.05
        found.append((name, "sentinel", sentinel))
        if name == "body_temperature":
            # Bands of human temperature (32 to 43 Cel) in the other units files come in.
            found.append((name, "looks_like_fahrenheit", (column >= 89) & (column <= 110)))
            found.append((name, "looks_like_tenths_fahrenheit", (column >= 890) & (column <= 1100)))
            found.append((name, "looks_like_tenths_celsius", (column >= 320) & (column <= 430)))
        low, high = feature.possible
        found.append((name, "impossible", (column < low) | (column > high)))
    return found


def _coded(name: str, text: dict[str, "pd.Series[str]"], findings: _Findings) -> "pd.Series[str]":
    """A column of codes (`_CODES`) in canonical form; unreadable codes are missing."""
    index = pd.Index(findings.rows)
    cells = _or_missing(text.get(name), index)
    distinct = [str(cell) for cell in cells.dropna().unique()]
    meaning = _CODES[name](distinct)
    unread = cells.isin([cell for cell, code in meaning.items() if code is None]).to_numpy()
    findings.add("kept_as_missing", name, "unknown_code", unread)
    if name in ROW_NAMES and name in text:
        findings.add("kept_as_missing", name, "empty", cells.isna().to_numpy())
    return cells.map(meaning).astype("str")


def _severity(
    text: dict[str, "pd.Series[str]"], require: bool, findings: _Findings
) -> "pd.Series[str]":
    """Severity codes; rows without one are dropped if it is required."""
    cells = _or_missing(text.get("severity"), pd.Index(findings.rows))
    meaning = {str(cell): parse_severity(str(cell)) for cell in cells.dropna().unique()}
    codes = cells.map({cell: s.value if s else None for cell, s in meaning.items()}).astype("str")
    empty = cells.isna().to_numpy()
    unknown = codes.isna().to_numpy() & ~empty
    if require:
        findings.drop("severity", "no_category", empty)
        findings.drop("severity", "unknown_category", unknown)
    else:
        findings.add("kept_as_missing", "severity", "unknown_category", unknown)
    return codes


def _drop_duplicates(
    frame: pd.DataFrame, raw: RawHistory, findings: _Findings, notes: list[str]
) -> None:
    """Drop rows written twice: sure of it only where a patient or a row is identified.

    Dropped: a row equal to an earlier one in every column of the file, if it names its patient or
    if some column tells the file's rows apart; and a row of the same patient, the same time (a
    day or more exact) and the same values. Equal rows of nobody in particular are kept: with a
    few whole numbers each, two patients can well have the same.
    """
    named = frame["patient_id"].notna().to_numpy()
    sure = raw.repeated & (named | raw.rows_identified)
    findings.drop("", "duplicate", sure)
    if "recorded_at" in raw.frame:
        exact = raw.frame["recorded_at"].map(names_a_day).to_numpy(dtype=np.bool_)
        comparable = named & exact & frame["recorded_at"].notna().to_numpy() & ~findings.dropped
        same = np.zeros(len(frame), dtype=np.bool_)
        values = [name for name in frame.columns if name not in ("row", "source")]
        same[comparable] = frame.loc[comparable, values].duplicated().to_numpy()
        findings.drop("", "duplicate", same)
    unsure = int((raw.repeated & ~sure & ~findings.dropped).sum())
    if unsure:
        notes.append(
            f"{unsure:,} rows equal an earlier row, but neither patient_id nor any other column "
            "tells whether they are the same patient: kept."
        )
