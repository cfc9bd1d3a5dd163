"""FHIR dates and times as instants."""

from datetime import UTC, date, datetime

import pytest

from fhir_mapping.datetimes import parse_date, parse_instant


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("2026-03-07T11:50:00Z", datetime(2026, 3, 7, 11, 50, tzinfo=UTC)),
        ("2026-03-07T11:50:00+02:00", datetime(2026, 3, 7, 9, 50, tzinfo=UTC)),
        ("2026-03-07T23:30:00-05:30", datetime(2026, 3, 8, 5, 0, tzinfo=UTC)),
        ("2026-03-07T11:50:00-00:00", datetime(2026, 3, 7, 11, 50, tzinfo=UTC)),
        ("2026-03-07T11:50:00.5Z", datetime(2026, 3, 7, 11, 50, 0, 500_000, tzinfo=UTC)),
        ("2026-03-07T11:50:00.1234567891Z", datetime(2026, 3, 7, 11, 50, 0, 123_456, tzinfo=UTC)),
        ("2026-03-07T24:00:00Z", datetime(2026, 3, 8, tzinfo=UTC)),
        ("2026-12-31T24:00:00.000+01:00", datetime(2026, 12, 31, 23, tzinfo=UTC)),
        ("2016-12-31T23:59:60Z", datetime(2016, 12, 31, 23, 59, 59, tzinfo=UTC)),
        ("2016-12-31T23:59:60.25Z", datetime(2016, 12, 31, 23, 59, 59, 250_000, tzinfo=UTC)),
    ],
)
def test_reads_times_in_utc(text: str, expected: datetime) -> None:
    assert parse_instant(text) == expected
    assert parse_instant(text).tzinfo is UTC  # type: ignore[union-attr] - shown above not to be None.


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("2026-03-07", datetime(2026, 3, 7, tzinfo=UTC)),
        ("2026-03", datetime(2026, 3, 1, tzinfo=UTC)),
        ("2026", datetime(2026, 1, 1, tzinfo=UTC)),
    ],
)
def test_c7_a_date_counts_as_the_start_of_its_day(text: str, expected: datetime) -> None:
    assert parse_instant(text) == expected


@pytest.mark.parametrize(
    "text",
    [
        None,
        "",
        "yesterday",
        "2026-03-07T11:50:00",  # no offset: which instant is not known
        "2026-03-07T11:50Z",
        "2026-03-07 11:50:00Z",
        "2026-02-30",
        "2026-13",
        "0000",
        "2026-03-07T25:00:00Z",
        "2026-03-07T24:00:01Z",
        "2026-03-07T11:60:00Z",
        "2026-03-07T11:50:61Z",
        "2026-03-07T11:50:00+15:00",
        "2026-03-07T11:50:00+0200",
        "2026-W10-6",
        "20260307",
        "２０２６-03-07",
        " 2026-03-07",
        "2026-03-07\n",
        "0001-01-01T00:00:00+14:00",
        "9999-12-31T24:00:00Z",
        "9999-12-31T23:59:59-14:00",
    ],
)
def test_what_cannot_be_read_is_none(text: str | None) -> None:
    assert parse_instant(text) is None


@pytest.mark.parametrize(
    ("text", "first", "last"),
    [
        ("1957-04-02", date(1957, 4, 2), date(1957, 4, 2)),
        ("1957-04", date(1957, 4, 1), date(1957, 4, 30)),
        ("1957-12", date(1957, 12, 1), date(1957, 12, 31)),
        ("2024-02", date(2024, 2, 1), date(2024, 2, 29)),
        ("1957", date(1957, 1, 1), date(1957, 12, 31)),
    ],
)
def test_a_partial_date_is_a_span_of_days(text: str, first: date, last: date) -> None:
    assert parse_date(text) == (first, last)


@pytest.mark.parametrize(
    "text", [None, "", "1957-04-02T00:00:00Z", "1957-04-31", "1957-00", "57", "9999-12", "0000"]
)
def test_no_date_is_none(text: str | None) -> None:
    assert parse_date(text) is None
