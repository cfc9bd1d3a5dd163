"""Chunks: bounds that stay, ties together, and a fingerprint of what figures rest on."""

from datetime import UTC, datetime, timedelta
from itertools import pairwise

import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from cds_service.services.evaluation_chunks import FEWEST, Chunk, cut, fingerprint

START = datetime(2026, 3, 1, tzinfo=UTC)
HOUR, DAY = timedelta(hours=1), timedelta(days=1)
LATER = START + 400 * DAY
INSTANT = timedelta(microseconds=1)


def every(step: timedelta, count: int) -> list[datetime]:
    return [START + step * i for i in range(count)]


def test_a_chunk_closes_with_its_count() -> None:
    times = every(HOUR, 401)
    chunks = cut(times, until=LATER, rows=200, days=30)
    assert [chunk.number for chunk in chunks] == [1, 2]
    assert chunks[0] == Chunk(1, START, START + 199 * HOUR + INSTANT)
    assert chunks[1].started_at == chunks[0].ended_at
    # The last row waits for others, for its chunk has too few to close by time.
    assert cut(times, until=START + 401 * HOUR, rows=200, days=30) == chunks[:2]


def test_a_chunk_closes_by_time_once_that_time_has_matured() -> None:
    times = every(6 * HOUR, 130)  # 120 of them within 30 days.
    (chunk,) = cut(times, until=times[-1] + HOUR, rows=500, days=30)
    assert (chunk.started_at, chunk.ended_at) == (START, START + 30 * DAY)
    assert cut(times[:119], until=START + 30 * DAY - INSTANT, rows=500, days=30) == []


def test_a_small_chunk_grows_until_it_has_enough() -> None:
    times = every(DAY, 150)
    (chunk,) = cut(times, until=LATER, rows=500, days=30)
    assert chunk.ended_at == times[FEWEST - 1] + INSTANT
    assert cut(times[: FEWEST - 1], until=LATER, rows=500, days=30) == []


def test_assessments_of_one_instant_stay_together() -> None:
    times = sorted([*every(HOUR, 150), *[START + 99 * HOUR] * 20])
    first = cut(times, until=LATER, rows=100, days=300)[0]
    assert first.ended_at == START + 99 * HOUR + INSTANT
    assert sum(time < first.ended_at for time in times) == 120


@given(
    gaps=st.lists(st.integers(0, 40), min_size=100, max_size=700),
    looks=st.lists(st.integers(0, 20_000), min_size=1, max_size=5),
    rows=st.integers(100, 250),
    days=st.integers(5, 60),
)
def test_when_it_is_looked_at_changes_no_bound(
    gaps: list[int], looks: list[int], rows: int, days: int
) -> None:
    times, at = [], START
    for gap in gaps:
        at += gap * HOUR
        times.append(at)
    kept: list[Chunk] = []
    for look in [*sorted(looks), 40_000]:
        until = START + look * HOUR
        matured = [time for time in times if time < until]
        kept += cut(matured, until=until, rows=rows, days=days, after=kept[-1] if kept else None)
    assert kept == cut(times, until=START + 40_000 * HOUR, rows=rows, days=days)
    for one, other in pairwise(kept):
        assert one.ended_at == other.started_at
        assert one.number + 1 == other.number
    for chunk in kept:
        inside = sum(chunk.started_at <= time < chunk.ended_at for time in times)
        assert inside >= FEWEST


def frame() -> pd.DataFrame:
    return pd.DataFrame(
        {
            "assessment_id": ["a", "b", "c"],
            "patient_id": ["p", "q", "p"],
            "severity": ["mild", None, "acute"],
            "verified": [True, False, True],
            "author": [None, None, "reviewer"],
            "prompted": False,
            "accepted": False,
            "overridden": False,
            "model_version": "1",
        }
    )


def test_a_new_key_of_patients_changes_no_fingerprint() -> None:
    before = fingerprint(frame(), {}, label_version="1")
    renamed = frame().assign(patient_id=["x", "y", "x"])
    assert fingerprint(renamed, {}, label_version="1") == before


@pytest.mark.parametrize(
    "changes",
    [
        {"severity": ["mild", None, "chronic"]},
        {"verified": [True, False, False]},
        {"patient_id": ["p", "p", "p"]},
        {"author": [None, None, None]},
        {"prompted": [True, False, False]},
        {"overridden": [True, False, False]},
        {"model_version": ["1", "1", "2"]},
    ],
    ids=lambda changes: next(iter(changes)),
)
def test_what_becomes_known_later_changes_it(changes: dict[str, list[object]]) -> None:
    before = fingerprint(frame(), {}, label_version="1")
    assert fingerprint(frame().assign(**changes), {}, label_version="1") != before


def test_so_do_other_rules_and_new_scores() -> None:
    told = {
        fingerprint(frame(), versions, label_version=label)
        for versions, label in (({}, "1"), ({}, "2"), ({"2": 1}, "1"), ({"2": 2}, "1"))
    }
    assert len(told) == 4
