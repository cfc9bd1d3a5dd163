"""Cleaning: what is dropped, repaired, flagged or kept as missing, and that it is said."""

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from model.errors import HistoryError
from model.features import EXTRA_INPUTS
from model.training.cleaning import CLEAN_COLUMNS, CleanedHistory, clean_history
from model.training.cleaning_report import ACTIONS, REASONS, Entry
from model.training.cleaning_values import (
    read_abo_groups,
    read_number,
    read_sexes,
)
from model.training.history import read_history

DEFAULTS = {
    "patient_id": "p",
    "recorded_at": "",
    "age": "54",
    "heart_rate": "88",
    "body_temperature": "36.7",
    "systolic_bp": "131",
    "diastolic_bp": "79",
    "respiratory_rate": "16",
    "oxygen_saturation": "98",
    "sex": "F",
    "severity": "mild",
}


def clean(
    tmp_path: Path, *rows: dict[str, str], without: tuple[str, ...] = (), **options: object
) -> CleanedHistory:
    """Clean rows that differ from `DEFAULTS` where said; each its own patient unless said."""
    table = pd.DataFrame(
        [{**DEFAULTS, "patient_id": f"p{n}", **row} for n, row in enumerate(rows, start=1)]
    ).drop(columns=list(without))
    table.to_csv(tmp_path / "history.csv", index=False)
    require = bool(options.get("require_severity", True))
    raw = read_history(tmp_path / "history.csv", require_severity=require)
    return clean_history(raw, **options)  # type: ignore[arg-type] # test options


def entries(cleaned: CleanedHistory) -> list[tuple[int, str, str, str]]:
    """Everything said, but for empty optional cells."""
    return [tuple(e) for e in cleaned.report if (e.column, e.reason) != ("recorded_at", "empty")]


def test_a_clean_row_becomes_typed_and_nothing_is_said(tmp_path: Path) -> None:
    cleaned = clean(tmp_path, {"recorded_at": "2020-01-02T10:00:00Z", "severity": "Not_Ill"})
    assert tuple(cleaned.frame.columns) == tuple(c for c in CLEAN_COLUMNS if c not in EXTRA_INPUTS)
    assert not set(EXTRA_INPUTS) & set(cleaned.report.missing_share)
    assert str(cleaned.frame["recorded_at"].dtype) == "datetime64[us, UTC]"
    row = cleaned.frame.loc[0]
    assert row["row"] == 1
    assert row["recorded_at"] == pd.Timestamp("2020-01-02T10:00:00Z")
    assert row["body_temperature"] == 36.7
    assert (row["sex"], row["severity"], row["source"]) == ("female", "not-ill", "history.csv")
    assert pd.isna(row["rare_code"])
    assert entries(cleaned) == []


@pytest.mark.parametrize(
    ("cell", "name", "value", "reason"),
    [
        ("72", "heart_rate", 72.0, None),
        ("3.67e+01", "body_temperature", 36.7, None),
        ("72 bpm", "heart_rate", 72.0, "unit_in_cell"),
        ("131 mm Hg", "systolic_bp", 131.0, "unit_in_cell"),
        ("98%", "oxygen_saturation", 98.0, "unit_in_cell"),
        ("36,7 °C", "body_temperature", 36.7, "unit_in_cell"),
        ("38,5", "body_temperature", 38.5, "decimal_mark"),
        ("120*", "heart_rate", 120.0, "range_mark"),
        ("39.1 H", "body_temperature", 39.1, "range_mark"),
        ('="72"', "heart_rate", 72.0, "quotation_marks"),
        ("98.6 F", "body_temperature", 37.0, "fahrenheit_stated"),
        ("12", "exercise_days", 12.0, None),
        ("12 days/month", "exercise_days", 12.0, "unit_in_cell"),
        # 3 x 30/7 = 12.857
        ("3 d/wk", "exercise_days", 12.86, "per_week_stated"),
        ("3 days per week", "exercise_days", 12.86, "per_week_stated"),
        ("3 d/wk", "heart_rate", None, "not_a_number"),
        ("", "heart_rate", None, "empty"),
        ("n/a", "heart_rate", None, "marked_missing"),
        ("-", "heart_rate", None, "marked_missing"),
        ("??", "heart_rate", None, "marked_missing"),
        ("#NULL!", "heart_rate", None, "marked_missing"),
        ("<40", "heart_rate", None, "bound"),
        ("> 200", "systolic_bp", None, "bound"),
        ("120/80", "systolic_bp", None, "not_a_number"),
        ("70-80", "heart_rate", None, "not_a_number"),
        ("120?", "heart_rate", None, "not_a_number"),
        ("1O2", "heart_rate", None, "not_a_number"),
        ("1,200", "heart_rate", None, "not_a_number"),
        ("72 kg", "heart_rate", None, "not_a_number"),
        ("98.6 F", "heart_rate", None, "not_a_number"),
        ("inf", "heart_rate", None, "not_a_number"),
    ],
)
def test_numbers(cell: str, name: str, value: float | None, reason: str | None) -> None:
    assert read_number(cell, name, ".") == (value, reason)


def test_numbers_with_a_decimal_comma() -> None:
    assert read_number("36,75", "body_temperature", ",") == (36.75, None)
    assert read_number("36.7", "body_temperature", ",") == (36.7, "decimal_mark")
    assert read_number("1.036,7", "body_temperature", ",") == (None, "not_a_number")


def test_repaired_and_unreadable_cells_are_reported_by_row(tmp_path: Path) -> None:
    cleaned = clean(
        tmp_path, {}, {"heart_rate": "72 bpm", "systolic_bp": "<40"}, {"heart_rate": "fast"}
    )
    assert entries(cleaned) == [
        (2, "repaired", "heart_rate", "unit_in_cell"),
        (2, "kept_as_missing", "systolic_bp", "bound"),
        (3, "kept_as_missing", "heart_rate", "not_a_number"),
    ]
    assert cleaned.frame["heart_rate"].tolist()[:2] == [88.0, 72.0]
    assert np.isnan(cleaned.frame.loc[2, "heart_rate"])
    assert cleaned.frame.loc[1, "diastolic_bp"] == 79.0


@pytest.mark.parametrize(
    ("column", "cell", "reason"),
    [
        ("heart_rate", "998", "sentinel"),
        ("heart_rate", "0", "sentinel"),
        ("systolic_bp", "-9", "sentinel"),
        ("body_temperature", "-17.8", "sentinel"),
        ("heart_rate", "351", "impossible"),
        ("systolic_bp", "321", "impossible"),
        ("body_temperature", "19.9", "impossible"),
        ("oxygen_saturation", "101", "impossible"),
        ("diastolic_bp", "221", "impossible"),
        ("body_temperature", "98.6", "looks_like_fahrenheit"),
        ("body_temperature", "986", "looks_like_tenths_fahrenheit"),
        ("body_temperature", "367", "looks_like_tenths_celsius"),
    ],
)
def test_c5_impossible_values_and_sentinels_stay_missing(
    tmp_path: Path, column: str, cell: str, reason: str
) -> None:
    cleaned = clean(tmp_path, {column: cell})
    assert entries(cleaned) == [(1, "kept_as_missing", column, reason)]
    assert np.isnan(cleaned.frame.loc[0, column])


def test_c5_systolic_not_above_diastolic_loses_both(tmp_path: Path) -> None:
    cleaned = clean(tmp_path, {"systolic_bp": "80", "diastolic_bp": "80"})
    assert entries(cleaned) == [
        (1, "kept_as_missing", "systolic_bp", "systolic_not_above_diastolic"),
        (1, "kept_as_missing", "diastolic_bp", "systolic_not_above_diastolic"),
    ]
    assert cleaned.frame[["systolic_bp", "diastolic_bp"]].isna().all(axis=None)


def test_c5_extreme_is_used_and_flagged(tmp_path: Path) -> None:
    cleaned = clean(tmp_path, {"systolic_bp": "300", "diastolic_bp": "150"})
    assert entries(cleaned) == [
        (1, "flagged", "systolic_bp", "extreme"),
        (1, "flagged", "diastolic_bp", "extreme"),
    ]
    assert cleaned.frame.loc[0, "systolic_bp"] == 300.0


def test_c5_a_column_of_fractions_or_kilopascal_is_never_converted(tmp_path: Path) -> None:
    rows = [{"oxygen_saturation": "0.97", "systolic_bp": "16", "diastolic_bp": "10"}] * 19
    rows.append({"oxygen_saturation": "1.0", "systolic_bp": "21.5", "diastolic_bp": "11"})
    cleaned = clean(tmp_path, *rows)
    columns = ["oxygen_saturation", "systolic_bp", "diastolic_bp"]
    assert cleaned.frame[columns].isna().all(axis=None)
    report = cleaned.report
    assert report.count("kept_as_missing", "oxygen_saturation", "looks_like_fraction") == 20
    assert report.count("kept_as_missing", "systolic_bp", "looks_like_kilopascal") == 20


def test_c5_three_patients_in_shock_are_not_kilopascal(tmp_path: Path) -> None:
    cleaned = clean(tmp_path, *[{"systolic_bp": "38", "diastolic_bp": "20"}] * 3)
    assert cleaned.frame["systolic_bp"].tolist() == [38.0] * 3
    assert cleaned.report.count("flagged", "systolic_bp", "extreme") == 3


def test_c8_nothing_is_imputed_and_a_row_without_reading_is_kept(tmp_path: Path) -> None:
    empty = dict.fromkeys(("heart_rate", "body_temperature", "systolic_bp"), "")
    empty |= dict.fromkeys(("diastolic_bp", "respiratory_rate", "oxygen_saturation"), "")
    cleaned = clean(tmp_path, {}, empty)
    assert cleaned.frame.loc[1, "heart_rate":"oxygen_saturation"].isna().all()
    assert cleaned.report.count("flagged", "", "no_reading") == 1
    assert cleaned.report.count("kept_as_missing", reason="empty") >= 6
    assert cleaned.report.missing_share["heart_rate"] == 0.5


def test_c1_out_of_population_and_unknown_age_are_dropped_and_counted(tmp_path: Path) -> None:
    ages = ["17.9", "18", "110.7", "111", "", "-9", "old"]
    cleaned = clean(tmp_path, *({"age": age} for age in ages))
    assert cleaned.frame["age"].tolist() == [18.0, 110.7]
    assert entries(cleaned) == [
        (1, "dropped", "age", "out_of_population"),
        (4, "dropped", "age", "out_of_population"),
        (5, "dropped", "age", "empty"),
        (6, "dropped", "age", "impossible"),
        (7, "dropped", "age", "not_a_number"),
    ]
    assert cleaned.report.population == (18.0, 110.0)


def test_c1_min_age_widens_the_population(tmp_path: Path) -> None:
    cleaned = clean(tmp_path, {"age": "12"}, {"age": "11"}, min_age=12)
    assert cleaned.frame["age"].tolist() == [12.0]


def test_c19_categories_without_rows_are_counted_as_zero(tmp_path: Path) -> None:
    cleaned = clean(tmp_path, {}, {"severity": " ACUTE "}, {"severity": ""}, {"severity": "dire"})
    assert cleaned.report.categories == {
        "not-ill": 0,
        "mild": 1,
        "acute": 1,
        "chronic": 0,
        "terminal": 0,
    }
    assert entries(cleaned) == [
        (3, "dropped", "severity", "no_category"),
        (4, "dropped", "severity", "unknown_category"),
    ]


def test_na_written_by_a_program_is_an_empty_cell_in_every_column(tmp_path: Path) -> None:
    nothing = dict.fromkeys(("patient_id", "recorded_at", "sex", "rare_code"), "NA")
    cleaned = clean(tmp_path, {"recorded_at": "2020"}, nothing, nothing, {"severity": "NA"})
    assert cleaned.report.rows_without_patient_id == 2
    assert entries(cleaned) == [
        (2, "kept_as_missing", "sex", "empty"),
        (3, "kept_as_missing", "sex", "empty"),
        (4, "dropped", "severity", "no_category"),
    ]


def test_scoring_keeps_rows_without_category(tmp_path: Path) -> None:
    cleaned = clean(tmp_path, {"severity": ""}, {"severity": "dire"}, require_severity=False)
    assert cleaned.frame["severity"].isna().tolist() == [True, True]
    assert entries(cleaned) == [(2, "kept_as_missing", "severity", "unknown_category")]


def test_a_row_is_dropped_once_and_its_cells_are_not_reported(tmp_path: Path) -> None:
    cleaned = clean(tmp_path, {}, {"severity": "", "age": "5", "heart_rate": "fast"})
    assert entries(cleaned) == [(2, "dropped", "severity", "no_category")]


def test_duplicates_of_the_same_patient_and_time(tmp_path: Path) -> None:
    time = {"patient_id": "a", "recorded_at": "2020-01-02T10:00:00Z"}
    cleaned = clean(
        tmp_path,
        time,
        {**time, "recorded_at": "2020-01-02T11:00:00+01:00", "body_temperature": "36.70"},
        {**time, "heart_rate": "90"},
        {**time, "recorded_at": "2020-01-03T10:00:00Z"},
        {**time, "patient_id": "b"},
    )
    assert entries(cleaned) == [(2, "dropped", "", "duplicate")]
    assert cleaned.report.patients == 2


def test_a_year_is_no_time_to_recognise_a_duplicate_by(tmp_path: Path) -> None:
    visit = {"patient_id": "a", "recorded_at": "2020"}
    cleaned = clean(tmp_path, {**visit, "sex": "F"}, {**visit, "sex": "f"})
    assert len(cleaned.frame) == 2


def test_equal_rows_of_nobody_in_particular_are_kept_and_said(tmp_path: Path) -> None:
    cleaned = clean(tmp_path, {}, {}, without=("patient_id", "recorded_at"))
    assert len(cleaned.frame) == 2
    assert any("1 rows equal an earlier row" in note for note in cleaned.report.notes)
    assert cleaned.report.rows_without_patient_id == 2
    assert cleaned.report.patients == 2
    assert any("its own patient" in note for note in cleaned.report.notes)


def test_rows_equal_in_every_column_with_a_row_id_are_one_row(tmp_path: Path) -> None:
    cleaned = clean(
        tmp_path, {"row_id": "1"}, {"row_id": "1"}, {"row_id": "2"}, without=("patient_id",)
    )
    assert entries(cleaned) == [(2, "dropped", "", "duplicate")]
    assert cleaned.report.unused_columns == ("row_id",)


def test_rows_with_shifted_cells_are_dropped(tmp_path: Path) -> None:
    path = tmp_path / "history.csv"
    header = "age,heart_rate,body_temperature,systolic_bp,diastolic_bp,severity"
    path.write_text(f"{header}\n54,88,36.7,131,79,mild\n54,88,36,7,131,79,mild\n")
    cleaned = clean_history(read_history(path))
    assert entries(cleaned) == [(2, "dropped", "", "too_many_cells")]


def test_times_that_cannot_be_read(tmp_path: Path) -> None:
    cleaned = clean(tmp_path, {"recorded_at": "2020"}, {"recorded_at": "01/02/2020"})
    assert entries(cleaned) == [(2, "kept_as_missing", "recorded_at", "not_a_time")]
    with pytest.raises(HistoryError, match='No value of the column "recorded_at" is a time'):
        clean(tmp_path, {"recorded_at": "01/02/2020"}, {"recorded_at": "yesterday"})


def test_nothing_left_says_why_without_values(tmp_path: Path) -> None:
    with pytest.raises(HistoryError, match=r"Nothing is left.*: 2 out_of_population"):
        clean(tmp_path, {"age": "5"}, {"age": "6"})


@pytest.mark.parametrize(
    ("cells", "expected"),
    [
        ({"F", "m", "Female"}, {"F": "female", "m": "male", "Female": "female"}),
        ({"H", "M"}, {"H": "male", "M": "female"}),
        ({"H", "M", "F"}, {"H": "male", "M": None, "F": "female"}),
        ({"Mujer", "Varón"}, {"Mujer": "female", "Varón": "male"}),
        ({"X", "U", "1", "2"}, {"X": "other", "U": "unknown", "1": None, "2": None}),
    ],
)
def test_sexes(cells: set[str], expected: dict[str, str | None]) -> None:
    assert read_sexes(cells) == expected


def test_unknown_sex_and_rare_codes_are_kept_as_missing(tmp_path: Path) -> None:
    cleaned = clean(tmp_path, {"sex": "1"}, {"rare_code": "ORPHA:422"}, {"rare_code": "E24"})
    assert entries(cleaned) == [
        (1, "kept_as_missing", "sex", "unknown_code"),
        (3, "kept_as_missing", "rare_code", "unknown_code"),
    ]
    assert cleaned.report.rare_rows == 1
    assert cleaned.frame["rare_code"].tolist()[1] == "ORPHA:422"


def test_a_rare_row_is_cleaned_as_a_common_one(tmp_path: Path) -> None:
    """The same rows with and without a rare disease: the same are dropped, none is merged."""
    twice = {"patient_id": "twice", "recorded_at": "2020-01-02T10:00:00Z"}
    rows: list[dict[str, str]] = [
        {},
        {"heart_rate": "300"},
        {"body_temperature": "98.6", "systolic_bp": "998"},
        {"age": "17"},
        {"severity": "unheard of"},
        twice,
        twice | {"rare_code": "558"},
        twice | {"rare_code": "ORPHA:558"},
        twice,
    ]
    common = clean(tmp_path, *rows)
    rare = clean(
        tmp_path, *[{"rare_code": "http://www.orpha.net/ORDO/Orphanet_558"} | row for row in rows]
    )

    # Of the last four rows those with a code are one, and those without another.
    assert common.frame["row"].tolist() == [1, 2, 3, 6, 7]
    assert rare.frame["row"].tolist() == [1, 2, 3, 6]
    assert set(rare.frame["rare_code"]) == {"ORPHA:558"}
    assert common.frame["rare_code"].dropna().tolist() == ["ORPHA:558"]
    seen = [
        [(e.row, e.action, e.reason) for e in found.report if e.row <= 5]
        for found in (common, rare)
    ]
    assert seen[0] == seen[1]


def test_extra_inputs_are_read_checked_and_counted(tmp_path: Path) -> None:
    cells = [("A", "3"), ("O Rh-", "0"), ("ab pos", "31"), ("A or B", "-9"), ("", "8 d/wk")]
    cleaned = clean(tmp_path, *({"abo_group": a, "exercise_days": d} for a, d in cells))
    assert tuple(cleaned.frame.columns) == CLEAN_COLUMNS
    assert cleaned.frame["abo_group"].fillna("").tolist() == ["A", "O", "AB", "", ""]
    assert cleaned.frame["exercise_days"].fillna(-1).tolist() == [3.0, 0.0, -1, -1, -1]
    assert entries(cleaned) == [
        (3, "kept_as_missing", "exercise_days", "impossible"),
        (4, "kept_as_missing", "exercise_days", "sentinel"),
        (4, "kept_as_missing", "abo_group", "unknown_code"),
        (5, "repaired", "exercise_days", "per_week_stated"),
        (5, "kept_as_missing", "exercise_days", "impossible"),
        (5, "kept_as_missing", "abo_group", "empty"),
    ]
    assert cleaned.report.missing_share["abo_group"] == 0.4
    assert cleaned.report.missing_share["exercise_days"] == 0.6


@pytest.mark.parametrize(
    ("cells", "zero"),
    [
        (["A", "B", "0"], "O"),
        (["A+", "0", "0+"], None),  # the file has other ways to say O
        (["A", "0", "O"], None),
        (["A", "0", "1"], None),  # codes
        (["0"], None),
    ],
)
def test_a_bare_zero_is_group_o_only_among_letters(cells: list[str], zero: str | None) -> None:
    assert read_abo_groups(cells)["0"] == zero


def test_report_as_json_and_text(tmp_path: Path) -> None:
    cleaned = clean(tmp_path, {}, {"heart_rate": "72 bpm"}, {"age": "7"})
    as_dict = json.loads(json.dumps(cleaned.report.to_dict()))
    assert (as_dict["rows_read"], as_dict["rows_kept"]) == (3, 2)
    assert {
        "action": "dropped",
        "column": "age",
        "reason": "out_of_population",
        "count": 1,
        "explanation": REASONS["out_of_population"],
    } in as_dict["findings"]
    text = cleaned.report.render_text()
    assert "3 rows read, 2 kept, 2 patients" in text
    assert "unit taken off" in text
    assert "72" not in text
    frame = cleaned.report.entries()
    assert list(frame.columns) == list(Entry._fields)
    assert set(frame["action"]) <= set(ACTIONS)


def test_a_report_with_nothing_to_say_has_no_entries(tmp_path: Path) -> None:
    report = clean(tmp_path, {}, without=("recorded_at",)).report
    assert report.entries().empty
    assert list(report) == []
