"""Reading history files of every form people send."""

import gzip
import hashlib
from datetime import UTC, datetime
from pathlib import Path

import pandas as pd
import pytest

from model.errors import HistoryError
from model.training.history import HISTORY_COLUMNS, RawHistory, read_history
from model.training.history_times import names_a_day, parse_time, zone_called

HEADER = "patient_id,age,heart_rate,body_temperature,systolic_bp,diastolic_bp,severity"
ROW = "p1,54,88,36.7,131,79,mild"


def write(tmp_path: Path, text: str, name: str = "history.csv", encoding: str = "utf-8") -> Path:
    path = tmp_path / name
    path.write_bytes(text.encode(encoding))
    return path


def read(tmp_path: Path, text: str, **options: object) -> RawHistory:
    return read_history(write(tmp_path, text), **options)  # type: ignore[arg-type] # test options


def test_canonical_columns_are_those_of_the_documentation() -> None:
    assert HISTORY_COLUMNS == (
        "patient_id",
        "recorded_at",
        "age",
        "heart_rate",
        "body_temperature",
        "systolic_bp",
        "diastolic_bp",
        "respiratory_rate",
        "oxygen_saturation",
        "sex",
        "abo_group",
        "exercise_days",
        "severity",
        "rare_code",
        "source",
    )


@pytest.mark.parametrize("separator", [",", ";", "\t", "|", " ", "   "])
def test_separators(tmp_path: Path, separator: str) -> None:
    text = f"{HEADER}\n{ROW}\n".replace(",", separator)
    raw = read_history(write(tmp_path, text, "history.txt"))
    assert raw.separator == separator[0]
    assert raw.frame.loc[1].tolist() == ["p1", "54", "88", "36.7", "131", "79", "mild"]


def test_semicolons_with_decimal_commas_and_quoted_cells(tmp_path: Path) -> None:
    text = (
        '"Patient ID";Age;"Heart-Rate";BODY_TEMPERATURE;Systolic  BP;diastolic bp;Severity;'
        "notes\r\n"
        'p1;54,5;88;"36,7";131;79;mild;"a; b, ""c""\r\nsecond line"\r\n'
    )
    raw = read(tmp_path, text)
    assert (raw.separator, raw.decimal) == (";", ",")
    assert raw.frame.loc[1].tolist() == ["p1", "54,5", "88", "36,7", "131", "79", "mild"]
    assert raw.unused_columns == ("notes",)
    assert raw.columns["heart_rate"] == "Heart-Rate"


def test_commas_inside_a_name_do_not_outvote_the_separator(tmp_path: Path) -> None:
    header = HEADER.replace(",", ";") + ";notes (a, b, c, d, e, f, g, h)"
    raw = read(tmp_path, f"{header}\n{ROW.replace(',', ';')};ok\n")
    assert raw.separator == ";"


def test_decimal_comma_in_quotes_between_commas(tmp_path: Path) -> None:
    raw = read(tmp_path, f'{HEADER}\np1,54,88,"36,7",131,79,mild\n')
    assert (raw.separator, raw.decimal) == (",", ",")


@pytest.mark.parametrize(
    ("encoding", "said"),
    [("utf-8", "utf-8"), ("utf-8-sig", "utf-8"), ("latin-1", "latin-1"), ("utf-16", "utf-16")],
)
def test_encodings(tmp_path: Path, encoding: str, said: str) -> None:
    text = f"{HEADER},notas\n{ROW},niño\n"
    raw = read_history(write(tmp_path, text, encoding=encoding))
    assert raw.encoding == said
    assert raw.frame.loc[1, "patient_id"] == "p1"


def test_gzip_whatever_the_name_and_the_checksum_is_of_the_stored_file(tmp_path: Path) -> None:
    path = tmp_path / "history.csv"
    path.write_bytes(gzip.compress(f"{HEADER}\n{ROW}\n".encode()))
    raw = read_history(path)
    assert len(raw.frame) == 1
    assert raw.sha256 == hashlib.sha256(path.read_bytes()).hexdigest()


def test_column_map_and_time_column(tmp_path: Path) -> None:
    text = "age,HR,temp_c,SBP,dbp,cls,year\n54,88,36.7,131,79,mild,2015\n"
    raw = read(
        tmp_path,
        text,
        column_map={
            "heart_rate": "hr",
            "body_temperature": "temp_c",
            "systolic_bp": "sbp",
            "diastolic_bp": "dbp",
            "severity": "cls",
        },
        time_column="year",
    )
    assert raw.frame.loc[1, ["recorded_at", "heart_rate", "severity"]].tolist() == [
        "2015",
        "88",
        "mild",
    ]
    assert raw.columns["heart_rate"] == "HR"


def test_a_mapped_column_wins_over_one_of_the_canonical_name(tmp_path: Path) -> None:
    raw = read(tmp_path, f"{HEADER},hr2\n{ROW},99\n", column_map={"heart_rate": "hr2"})
    assert raw.frame.loc[1, "heart_rate"] == "99"
    assert raw.unused_columns == ("heart_rate",)


def test_rows_are_numbered_below_the_header_and_blank_lines_do_not_count(tmp_path: Path) -> None:
    raw = read(tmp_path, f"\n{HEADER}\n{ROW}\n\n{ROW.replace('p1', 'p2')}\n")
    assert raw.frame.index.tolist() == [1, 2]


def test_short_rows_are_filled_and_long_ones_marked(tmp_path: Path) -> None:
    raw = read(tmp_path, f"{HEADER}\np1,54\n{ROW},,\n{ROW},5\n{ROW}\n")
    assert raw.frame.loc[1].tolist() == ["p1", "54", "", "", "", "", ""]
    assert raw.too_long.tolist() == [False, False, True, False]


def test_repeated_rows_and_what_tells_rows_apart(tmp_path: Path) -> None:
    plain = read(tmp_path, f"{HEADER}\n{ROW}\n{ROW}\n")
    assert plain.repeated.tolist() == [False, True]
    assert not plain.rows_identified
    numbered = read(tmp_path, f"n,{HEADER}\n1,{ROW}\n1,{ROW}\n2,{ROW}\n")
    assert numbered.repeated.tolist() == [False, True, False]
    assert numbered.rows_identified
    timed = f"{HEADER},recorded_at\n{ROW},2020-01-02T10:00Z\n{ROW},2020-01-02T10:01Z\n"
    assert read(tmp_path, timed).rows_identified
    assert not read(tmp_path, timed.replace("T10:00Z", "").replace("T10:01Z", "")).rows_identified


def test_severity_is_needed_for_training_only(tmp_path: Path) -> None:
    text = "age,heart_rate,body_temperature,systolic_bp,diastolic_bp\n54,88,36.7,131,79\n"
    assert len(read(tmp_path, text, require_severity=False).frame) == 1
    with pytest.raises(HistoryError, match="lacks the column severity"):
        read(tmp_path, text)


def test_parquet_reads_like_text(tmp_path: Path) -> None:
    frame = pd.DataFrame(
        {
            "patient_id": pd.array([1, None], dtype="Int64"),
            "recorded_at": pd.to_datetime(["2020-01-01T10:00Z", "2020-01-02T11:30Z"]),
            "age": [54.0, 61.0],
            "heart_rate": [88.0, None],
            "body_temperature": pd.Series([36.7, 37.1], dtype="float32"),
            "systolic_bp": [131, 120],
            "diastolic_bp": [79, 70],
            "severity": pd.Categorical(["mild", None]),
            "tags": [["a"], []],
        }
    ).set_index("patient_id")
    frame.to_parquet(tmp_path / "history.parquet")
    raw = read_history(tmp_path / "history.parquet")
    assert raw.encoding is None
    assert raw.frame.loc[1].tolist() == [
        "1",
        "2020-01-01 10:00:00+00:00",
        "54",
        "88",
        "36.7",
        "131",
        "79",
        "mild",
    ]
    assert raw.frame.loc[2, ["patient_id", "heart_rate", "severity"]].tolist() == ["", "", ""]


@pytest.mark.parametrize(
    ("content", "name", "says"),
    [
        (b"", "a.csv", "a.csv is empty"),
        (b"\xef\xbb\xbf\r\n", "a.csv", "a.csv is empty"),
        (b"\xff\xfe", "a.csv", "a.csv is empty"),
        (b"\xff\xfea\0b", "a.csv", "not text in one encoding"),
        (f'{HEADER}\n"{ROW}\n{ROW}\n"x,1\n'.encode(), "a.csv", "runs over whole rows"),
        (HEADER.encode(), "a.csv", "a header and no rows"),
        (b"p1,54,88,36.7,131,79,mild\np2,60,70,36,120,70,mild\n", "a.csv", "has no header"),
        (b"\x89PNG\r\n\x1a\n\x00\x00", "a.csv", "binary file"),
        (b"PK\x03\x04rest", "a.csv", "Excel workbook"),
        (b"\x1f\x8b\x08\x00broken", "a.csv.gz", "is damaged"),
        (b"whatever", "a.parquet", "cannot be read as Parquet"),
        (b"whatever", "a.xlsx", "of no kind that can be read"),
        (b'age,heart_rate\n"5' + b"x" * 200_000, "a.csv", "quotation mark left open"),
    ],
)
def test_files_that_cannot_be_read(tmp_path: Path, content: bytes, name: str, says: str) -> None:
    (tmp_path / name).write_bytes(content)
    with pytest.raises(HistoryError, match=says):
        read_history(tmp_path / name)


def test_a_file_without_header_puts_no_value_into_the_message(tmp_path: Path) -> None:
    with pytest.raises(HistoryError) as error:
        read(tmp_path, "Maria Lopez,88,36.7\nJohn Doe,70,36.1\n")
    assert "Maria" not in str(error.value)


def test_no_file(tmp_path: Path) -> None:
    with pytest.raises(HistoryError, match="There is no file"):
        read_history(tmp_path / "none.csv")


def test_missing_columns_are_named_with_suggestions(tmp_path: Path) -> None:
    with pytest.raises(HistoryError) as error:
        read(tmp_path, "age,HR,systolic_pressure,dbp,severity\n1,2,3,4,mild\n")
    message = str(error.value)
    assert "lacks the columns heart_rate, body_temperature, systolic_bp, diastolic_bp" in message
    assert "--column heart_rate=HR" in message
    assert "--column body_temperature=NAME" in message
    assert "--column systolic_bp=systolic_pressure" in message
    assert "--column diastolic_bp=dbp" in message


@pytest.mark.parametrize(
    ("header", "options", "says"),
    [
        (HEADER + ",Heart Rate", {}, 'duplicate column: "heart_rate" and "Heart Rate"'),
        (HEADER, {"column_map": {"heartrate": "hr"}}, "Did you mean heart_rate"),
        (HEADER, {"column_map": {"sex": "gendr"}}, 'no column "gendr"'),
        (HEADER, {"column_map": {"sex": "severity", "source": "severity"}}, "given for both"),
        (HEADER, {"column_map": {"recorded_at": "a"}, "time_column": "b"}, "not both"),
        (HEADER, {"timezone": "Europe/Nowhere"}, "no time zone called"),
    ],
)
def test_contradictions(tmp_path: Path, header: str, options: dict[str, object], says: str) -> None:
    with pytest.raises(HistoryError, match=says):
        read(tmp_path, f"{header}\n{ROW}\n", **options)


def test_times_of_day_without_offset_need_a_time_zone(tmp_path: Path) -> None:
    text = f"{HEADER},recorded_at\n{ROW},2020-07-01 10:00\n"
    with pytest.raises(HistoryError, match="--timezone"):
        read(tmp_path, text)
    assert read(tmp_path, text, timezone="Europe/Madrid").timezone == "Europe/Madrid"


@pytest.mark.parametrize(
    ("cell", "zone", "expected"),
    [
        ("2015", None, datetime(2015, 1, 1, tzinfo=UTC)),
        ("2015.0", None, datetime(2015, 1, 1, tzinfo=UTC)),
        ("2015-03", None, datetime(2015, 3, 1, tzinfo=UTC)),
        ("2015-03-09", None, datetime(2015, 3, 9, tzinfo=UTC)),
        ("2020-07-01", "Europe/Madrid", datetime(2020, 6, 30, 22, tzinfo=UTC)),
        ("2020-07-01T10:00:00+02:00", None, datetime(2020, 7, 1, 8, tzinfo=UTC)),
        ("2020-07-01 10:00", "Europe/Madrid", datetime(2020, 7, 1, 8, tzinfo=UTC)),
        # Clocks go back at 03:00: 02:30 happens twice, the first time at 00:30 UTC.
        ("2020-10-25T02:30", "Europe/Madrid", datetime(2020, 10, 25, 0, 30, tzinfo=UTC)),
        ("2020-07-01 10:00", None, None),
        ("9999-12-31", None, None),
        ("0001", None, None),
        ("2015-13", None, None),
        ("01/02/2015", None, None),
        ("", None, None),
    ],
)
def test_c7_times(cell: str, zone: str | None, expected: datetime | None) -> None:
    assert parse_time(cell, zone_called(zone)) == expected


def test_a_year_or_month_names_no_day() -> None:
    assert [names_a_day(c) for c in ("2015", "2015-03", "", "2015-03-09")] == [
        False,
        False,
        False,
        True,
    ]
