"""History in any dress reads the same; cleaning keeps its promises for any cells."""

import csv
import io
import tempfile
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from model.errors import HistoryError
from model.features import ABO_GROUPS, EXTRA_INPUTS, READINGS, is_possible
from model.training.cleaning import clean_history
from model.training.cleaning_values import read_number
from model.training.history import NUMERIC_COLUMNS, read_history

COLUMNS = (*NUMERIC_COLUMNS, "abo_group", "sex", "severity")

plausible = st.tuples(
    st.integers(180, 950).map(lambda tenths: tenths / 10),
    st.integers(30, 200),
    st.integers(340, 420).map(lambda tenths: tenths / 10),
    st.integers(100, 250),
    st.integers(30, 99),
    st.integers(6, 50),
    st.integers(60, 100),
    st.integers(0, 300).map(lambda tenths: tenths / 10),
    st.sampled_from(["A", "B", "AB", "O"]),
    st.sampled_from(["F", "M"]),
    st.sampled_from(["not-ill", "mild", "acute", "chronic", "terminal"]),
)
any_cell = st.one_of(
    st.integers(-20, 1100).map(str),
    st.floats(-50, 1100, allow_nan=False).map(lambda value: f"{value:.1f}"),
    st.sampled_from(["", "n/a", "72 bpm", "<40", "36,7", "120*", "98.6 F", "120/80"]),
    st.text(st.characters(codec="utf-8", exclude_characters="\0\r\n"), max_size=6),
)


def write(path: Path, rows: list[list[str]], delimiter: str, encoding: str) -> None:
    text = io.StringIO(newline="")
    writer = csv.writer(text, delimiter=delimiter)
    writer.writerow(COLUMNS)
    writer.writerows(rows)
    path.write_bytes(text.getvalue().encode(encoding))


@settings(max_examples=40, deadline=None)
@given(
    rows=st.lists(plausible, min_size=1, max_size=6),
    delimiter=st.sampled_from([",", ";", "\t", "|"]),
    decimal=st.sampled_from([".", ","]),
    encoding=st.sampled_from(["utf-8", "utf-8-sig", "utf-16"]),
)
def test_the_dress_of_a_file_does_not_change_its_values(
    rows: list[tuple[object, ...]], delimiter: str, decimal: str, encoding: str
) -> None:
    cells = [
        [str(cell).replace(".", decimal) if isinstance(cell, float) else str(cell) for cell in row]
        for row in rows
    ]
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "history.csv"
        write(path, cells, delimiter, encoding)
        raw = read_history(path)
        cleaned = clean_history(raw)
    assert (raw.separator, raw.decimal) == (delimiter, decimal)
    numbers = cleaned.frame[list(NUMERIC_COLUMNS)].to_numpy()
    expected = [[float(cell) for cell in row[:8]] for row in rows]  # type: ignore[arg-type] # numbers
    np.testing.assert_array_equal(numbers, expected)
    assert cleaned.frame["abo_group"].tolist() == [row[8] for row in rows]
    assert cleaned.frame["severity"].tolist() == [row[10] for row in rows]
    assert not any(cleaned.report.count(a) for a in ("dropped", "repaired", "kept_as_missing"))


@settings(max_examples=60, deadline=None)
@given(rows=st.lists(st.lists(any_cell, min_size=11, max_size=11), min_size=1, max_size=8))
def test_c5_cleaned_values_are_possible_and_every_row_is_accounted_for(
    rows: list[list[str]],
) -> None:
    cells = [["54", *row[1:10], "mild"] for row in rows[:-1]] + [["54", *rows[-1][1:]]]
    cells.append(["54", "80", "36.7", "120", "70", "16", "98", "12", "A", "F", "mild"])
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "history.csv"
        write(path, cells, ",", "utf-8")
        cleaned = clean_history(read_history(path))
    frame, report = cleaned.frame, cleaned.report
    dropped = [entry.row for entry in report if entry.action == "dropped"]
    assert len(dropped) == len(set(dropped))
    assert sorted([*dropped, *frame["row"]]) == list(range(1, len(cells) + 1))
    for name in NUMERIC_COLUMNS:
        assert all(is_possible(name, value) for value in frame[name].dropna())
    assert not (frame["systolic_bp"] <= frame["diastolic_bp"]).any()
    said = {(e.row, e.column) for e in report if e.action == "kept_as_missing"}
    assert set(frame["abo_group"].dropna()) <= set(ABO_GROUPS)
    for name in (*READINGS, *EXTRA_INPUTS):
        missing = frame.loc[frame[name].isna(), "row"]
        assert all((row, name) in said for row in missing)


@given(cell=st.text(max_size=12), name=st.sampled_from(NUMERIC_COLUMNS))
def test_a_cell_without_digits_is_never_a_number(cell: str, name: str) -> None:
    value, reason = read_number(cell, name, ".")
    assert (value is None) <= (reason is not None)
    if not any(character.isnumeric() for character in cell):
        assert value is None


@settings(max_examples=60, deadline=None)
@given(content=st.binary(max_size=300))
def test_any_bytes_give_an_error_in_words(content: bytes) -> None:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "history.csv"
        path.write_bytes(content)
        with pytest.raises(HistoryError, match=r"[.?]$"):
            read_history(path)
