"""History files as they come: delimited text or Parquet into text cells under canonical names.

Nothing is interpreted here beyond the form of the file; `model.training.cleaning` reads the
values, and says what it did with each.
"""

import difflib
import hashlib
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow
import pyarrow.parquet
from numpy.typing import NDArray

from model.errors import HistoryError
from model.features import CORE, FEATURES, ROW_NAMES
from model.training.delimited_text import TextTable, read_delimited
from model.training.history_times import has_clock, lacks_offset, zone_called

NUMERIC_COLUMNS: tuple[str, ...] = tuple(feature.name for feature in FEATURES)
HISTORY_COLUMNS: tuple[str, ...] = (
    "patient_id",
    "recorded_at",
    *ROW_NAMES,
    "severity",
    "rare_code",
    "source",
)
"""Canonical column names of history, in the order of the documentation; units in `FEATURES`."""

TEXT_ENDINGS = (".txt", ".csv", ".tsv", ".txt.gz", ".csv.gz", ".tsv.gz")
PARQUET_ENDING = ".parquet"

_OFTEN_CALLED: Mapping[str, tuple[str, ...]] = {
    "patient_id": ("subject_id", "person_id", "mrn", "patient", "id_paciente"),
    "recorded_at": ("time", "date", "datetime", "timestamp", "charttime", "fecha", "year"),
    "age": ("age_years", "anchor_age", "edad"),
    "heart_rate": ("hr", "pulse", "heartrate", "bpm", "fc"),
    "body_temperature": ("temp", "temp_c", "temperature", "temperatura"),
    "systolic_bp": ("sbp", "sysbp", "systolic", "bp_sys", "tas", "pas"),
    "diastolic_bp": ("dbp", "diabp", "diastolic", "bp_dia", "tad", "pad"),
    "respiratory_rate": ("rr", "resprate", "resp_rate", "fr"),
    "oxygen_saturation": ("spo2", "o2sat", "sao2", "sat"),
    "sex": ("gender", "sexo"),
    "abo_group": ("abo", "blood_group", "blood_type", "grupo_sanguineo"),
    "exercise_days": ("exercise", "exercise_days_per_month", "dias_ejercicio"),
    "severity": ("severity5", "label", "category", "gravedad"),
    "rare_code": ("orpha", "orphacode"),
}
"""Names seen in public and hospital files: used to suggest `--column`, never to map by itself."""


@dataclass(frozen=True, slots=True)
class RawHistory:
    """A history file, not yet interpreted."""

    frame: pd.DataFrame
    """Text cells under canonical names, '' where empty; the index is the row number: the first
    row below the header is 1, blank lines do not count."""
    repeated: NDArray[np.bool_]
    """Rows equal to an earlier one in every column of the file, mapped or not."""
    too_long: NDArray[np.bool_]
    """Rows with more cells than the header: their values may stand in the wrong columns."""
    rows_identified: bool
    """Whether some column tells rows apart (a row id, a time stamp), so that two equal rows are
    one row written twice and not two patients with the same readings."""
    columns: Mapping[str, str]
    """Canonical name to the name in the file."""
    unused_columns: tuple[str, ...]
    """Columns of the file that nothing reads."""
    file_name: str
    sha256: str
    """Of the file as it is stored (compressed, if it is)."""
    encoding: str | None
    """`None` for Parquet."""
    separator: str | None
    decimal: str
    """Decimal mark of the numbers: "." or ","."""
    timezone: str | None
    source: str
    """Name of the source for rows whose `source` cell is empty or absent."""


def read_history(
    path: Path,
    *,
    column_map: Mapping[str, str] | None = None,
    time_column: str | None = None,
    timezone: str | None = None,
    source: str | None = None,
    require_severity: bool = True,
) -> RawHistory:
    """Read a history file: .txt, .csv or .tsv (also .gz), or .parquet.

    `column_map` says what the file calls a canonical column (`{"heart_rate": "HR"}`);
    `time_column` is short for the same with `recorded_at`. Without it, case, space, "-" and "_"
    in names are alike. `timezone` (IANA) is for times that state no offset. `source` defaults to
    the file's name. Raises `HistoryError`, in words a user can act on, if the file cannot be read
    or lacks the core inputs or, with `require_severity`, the category.
    """
    zone_called(timezone)
    wanted = _wanted(dict(column_map or {}), time_column)
    if not path.is_file():
        raise HistoryError(f"There is no file {path}.")
    name = path.name.lower()
    if name.endswith(PARQUET_ENDING):
        table = _read_parquet(path)
    elif name.endswith(TEXT_ENDINGS):
        named = {_alike(given) for given in wanted.values()}
        known = named | set(HISTORY_COLUMNS)
        table = read_delimited(path, lambda cell: _alike(cell) in known)
    else:
        raise HistoryError(
            f"{path.name} is of no kind that can be read: "
            f"{', '.join((*TEXT_ENDINGS, PARQUET_ENDING))}."
        )
    positions = _positions(table.header, wanted)
    _require(positions, table.header, path.name, require_severity)
    rows = np.arange(1, len(table.cells) + 1)
    frame = pd.DataFrame({name: table.cells[at].array for name, at in positions.items()}, rows)
    if timezone is None and "recorded_at" in frame:
        unclear = [cell for cell in frame["recorded_at"].unique() if lacks_offset(cell)]
        if unclear:
            raise HistoryError(
                f'The column "{table.header[positions["recorded_at"]]}" of {path.name} holds '
                "times without an offset: say where they were taken, "
                "for example --timezone Europe/Madrid."
            )
    repeated = table.cells.duplicated().to_numpy()
    used = set(positions.values())
    free = [at for at in range(len(table.header)) if at not in used]
    return RawHistory(
        frame=frame,
        repeated=repeated,
        too_long=table.too_long,
        rows_identified=any(_tells_apart(table.cells[at][~repeated]) for at in free)
        or ("recorded_at" in frame and _tells_apart(_of_the_day(frame["recorded_at"])[~repeated])),
        columns={name: table.header[at] for name, at in positions.items()},
        unused_columns=tuple(table.header[at] or "(unnamed)" for at in free),
        file_name=path.name,
        sha256=_sha256(path),
        encoding=table.encoding or None,
        separator=table.separator or None,
        decimal=_decimal(frame),
        timezone=timezone,
        source=source or path.name,
    )


def _wanted(column_map: dict[str, str], time_column: str | None) -> dict[str, str]:
    """Canonical name to the name given by the user; raises `HistoryError` on contradictions."""
    if time_column is not None:
        if "recorded_at" in column_map:
            raise HistoryError("Give --time-column or --column recorded_at=…, not both.")
        column_map["recorded_at"] = time_column
    for name in column_map:
        if name not in HISTORY_COLUMNS:
            near = difflib.get_close_matches(_alike(name), HISTORY_COLUMNS, 1)
            hint = f" Did you mean {near[0]}?" if near else ""
            raise HistoryError(
                f'"{name}" is no column of history.{hint} '
                f"The columns are {', '.join(HISTORY_COLUMNS)}."
            )
    return column_map


def _alike(name: str) -> str:
    """A column name with case, space, "-" and "_" made alike."""
    return re.sub(r"[\s_-]+", "_", name.strip().lower())


def _positions(header: tuple[str, ...], wanted: Mapping[str, str]) -> dict[str, int]:
    """Canonical name to its place in the header, in canonical order."""
    found: dict[str, int] = {}
    for name, given in wanted.items():
        at = [k for k, cell in enumerate(header) if cell == given] or [
            k for k, cell in enumerate(header) if _alike(cell) == _alike(given)
        ]
        if not at:
            near = difflib.get_close_matches(given, header, 1, 0.5)
            hint = f' The nearest is "{near[0]}".' if near else ""
            raise HistoryError(f'The file has no column "{given}" (given for {name}).{hint}')
        found[name] = _only(at, header)
    taken = list(found.values())
    for at_once in {k for k in taken if taken.count(k) > 1}:
        names = " and ".join(name for name, k in found.items() if k == at_once)
        raise HistoryError(f'The column "{header[at_once]}" is given for both {names}.')
    for name in HISTORY_COLUMNS:
        if name not in found:
            at = [k for k, c in enumerate(header) if _alike(c) == name and k not in taken]
            if at:
                found[name] = _only(at, header)
    return {name: found[name] for name in HISTORY_COLUMNS if name in found}


def _only(at: list[int], header: tuple[str, ...]) -> int:
    """The one place of a column; raises `HistoryError` if the file has it twice."""
    if len(at) > 1:
        names = " and ".join(f'"{header[k]}"' for k in at)
        raise HistoryError(f"The file has a duplicate column: {names} mean the same. Rename one.")
    return at[0]


def _require(
    positions: Mapping[str, int], header: tuple[str, ...], file_name: str, severity: bool
) -> None:
    """Raise `HistoryError` naming every required column that is missing, with suggestions."""
    required = (*CORE, "severity") if severity else CORE
    missing = [name for name in required if name not in positions]
    if not missing:
        return
    free = {_alike(cell): cell for k, cell in enumerate(header) if k not in set(positions.values())}
    hints = []
    for name in missing:
        often = [free[alias] for alias in _OFTEN_CALLED.get(name, ()) if alias in free]
        near = often or [free[n] for n in difflib.get_close_matches(name, free, 1)]
        hints.append(f"--column {name}={near[0] if near else 'NAME'}")
    columns = "columns" if len(missing) > 1 else "column"
    raise HistoryError(
        f"{file_name} lacks the {columns} {', '.join(missing)}. If the file calls them otherwise, "
        f"say so: {' '.join(hints)}. Its columns are {', '.join(header)}."
    )


def _tells_apart(cells: "pd.Series[str]") -> bool:
    """Whether nearly every row has its own value; equal rows were set aside before."""
    return bool(cells[cells != ""].nunique() >= 0.9 * len(cells))


def _of_the_day(cells: "pd.Series[str]") -> "pd.Series[str]":
    """Times of day; years, months and days, which many rows share by chance, as ''."""
    return cells.where(cells.map(has_clock), "")


def _decimal(frame: pd.DataFrame) -> str:
    """The decimal mark most numbers of the file use."""
    commas = points = 0
    for name in NUMERIC_COLUMNS:
        if name in frame:
            for cell, count in frame[name].value_counts().items():
                commas += int(count) * bool(re.fullmatch(r"[+-]?[0-9]+,[0-9]+", str(cell)))
                points += int(count) * bool(re.fullmatch(r"[+-]?[0-9]+\.[0-9]+", str(cell)))
    return "," if commas > points else "."


def _read_parquet(path: Path) -> TextTable:
    """A Parquet file as a table of text; raises `HistoryError` if it is none or has no rows."""
    try:
        frame = pyarrow.parquet.read_table(path).to_pandas(ignore_metadata=True)
    except (pyarrow.ArrowException, OSError) as error:
        raise HistoryError(f"{path.name} cannot be read as Parquet.") from error
    if frame.empty:
        raise HistoryError(f"{path.name} has no rows.")
    header = tuple(str(name) for name in frame.columns)
    cells = pd.DataFrame({k: _as_text(frame.iloc[:, k]) for k in range(len(header))})
    return TextTable(header, cells, np.zeros(len(cells), dtype=np.bool_), "", "")


def _as_text(column: "pd.Series[Any]") -> "pd.Series[str]":
    """Typed cells as text: whole floats (integers beside gaps) without ".0", gaps as ''."""
    empty = column.isna()
    if pd.api.types.is_float_dtype(column):
        values = column.to_numpy(dtype=np.float64, na_value=np.nan)
        filled = values[~empty.to_numpy()]
        if np.isfinite(filled).all() and (filled == np.floor(filled)).all():
            column = column.astype("Int64")
    elif isinstance(column.dtype, pd.CategoricalDtype):
        column = column.astype("object")
    return column.astype("str").mask(empty, "").str.strip().reset_index(drop=True)


def _sha256(path: Path) -> str:
    """SHA-256 of the stored bytes, in hexadecimal."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
