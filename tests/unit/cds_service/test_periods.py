"""Periods of jobs, and their grids in time."""

from datetime import UTC, datetime, time, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cds_service.periods import (
    DEFAULT_PERIODS,
    Days,
    Months,
    Night,
    Seconds,
    parse_period,
    parse_time,
)

UTC_NIGHT = Night(time(2), 1, UTC)
MADRID = Night(time(2), 1, ZoneInfo("Europe/Madrid"))


def at(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


@pytest.mark.parametrize(
    ("text", "period"),
    [
        ("90s", Seconds(90)),
        ("5min", Seconds(300)),
        ("24 h", Seconds(86_400)),
        ("1d", Days(1)),
        ("2w", Days(14)),
        ("3MO", Months(3)),
        ("off", None),
    ],
)
def test_a_period_is_read(text: str, period: object) -> None:
    assert parse_period(text) == period


@pytest.mark.parametrize("text", ["", "5", "m", "0min", "-1h", "25h", "5mo", "367d", "1y", "on"])
def test_what_is_no_period_is_refused_in_words(text: str) -> None:
    with pytest.raises(ValueError, match="must"):
        parse_period(text)


def test_every_default_is_a_period() -> None:
    assert all(parse_period(text) is not None for text in DEFAULT_PERIODS.values())


def test_times_of_day() -> None:
    assert parse_time("23:05") == time(23, 5)
    for text in ("24:00", "2:00", "02:60", "noon", "02:00:00"):
        with pytest.raises(ValueError, match="time of day"):
            parse_time(text)


def test_seconds_are_a_grid_of_their_own() -> None:
    assert Seconds(300).after(at("2026-03-01T12:03:04"), UTC_NIGHT) == at("2026-03-01T12:05:00")
    # Missed for a day: due once, at the next point.
    assert Seconds(300).after(at("2026-03-02T12:05:00"), UTC_NIGHT) == at("2026-03-02T12:10:00")


def test_days_follow_the_calendar_of_the_site() -> None:
    # Winter: UTC+1. Summer: UTC+2. On 29 March 2026 the clocks skip 02:00.
    assert Days(1).after(at("2026-03-01T00:59:59"), MADRID) == at("2026-03-01T01:00")
    assert Days(1).after(at("2026-03-28T12:00"), MADRID) == at("2026-03-29T01:00")
    assert Days(1).after(at("2026-03-29T01:00"), MADRID) == at("2026-03-30T00:00")
    # On 25 October the hour from 02:00 comes twice: the job runs in the first.
    assert Days(1).after(at("2026-10-24T12:00"), MADRID) == at("2026-10-25T00:00")
    assert Days(1).after(at("2026-10-25T00:00"), MADRID) == at("2026-10-26T01:00")


def test_every_seventh_day_is_a_monday() -> None:
    assert Days(7).after(at("2026-03-03T00:00"), UTC_NIGHT) == at("2026-03-09T02:00")
    assert at("2026-03-09T02:00").isoweekday() == 1


def test_months_are_calendar_months() -> None:
    night = Night(time(2), 15, UTC)
    assert Months(1).after(at("2026-01-15T02:00"), night) == at("2026-02-15T02:00")
    assert Months(1).after(at("2026-12-15T02:00"), night) == at("2027-01-15T02:00")
    assert Months(3).after(at("2026-01-15T01:59"), night) == at("2026-01-15T02:00")
    assert Months(3).after(at("2026-01-15T02:00"), night) == at("2026-04-15T02:00")
    assert Months(12).after(at("2026-02-01T00:00"), night) == at("2027-01-15T02:00")


@given(
    hours=st.floats(0, 24 * 365 * 15),
    period=st.sampled_from(
        [Seconds(7), Seconds(300), Days(1), Days(5), Days(7), Months(1), Months(6)]
    ),
    night=st.sampled_from([UTC_NIGHT, MADRID]),
)
def test_the_next_point_stays_the_next_until_it_is_reached(
    hours: float, period: Seconds | Days | Months, night: Night
) -> None:
    moment = at("2020-01-01T00:00") + timedelta(hours=hours)
    due = period.after(moment, night)
    assert due > moment
    assert period.after(due - timedelta(microseconds=1), night) == due
    assert period.after(moment + (due - moment) / 2, night) == due
    assert period.after(due, night) > due
