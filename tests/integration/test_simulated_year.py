"""The simulated year in short: what is fed is what calls give, and what the service makes of it.

The whole year is `python -m benchmarks.year`.
"""

from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest
from sqlalchemy import select

from benchmarks.year_calendar import BAD_CHALLENGER, CUFFS, RARE_DISEASE, THERMOMETER, Calendar
from benchmarks.year_feed import Hospital, serving
from benchmarks.year_promises import Line, Promises
from benchmarks.year_replay import Replay
from benchmarks.year_world import START, Events, World
from cds_service.security.secrecy import Secrecy
from cds_service.services.labelled import labelled
from cds_service.storage.session import reading
from cds_service.storage.tables import ASSESSMENTS

BROKEN = Events(fahrenheit=(20, 22), unknown_unit=(22, 24), rare_cases=(5, 6))
NEW_EACH_TIME = ("id", "hook_instance", "request_hash", "identifiers", "response", "advice_hash")


@pytest.fixture(scope="module")
def hospital(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Hospital]:
    """Twenty-four days of a small hospital, with diagnoses until seven weeks later."""
    made = Hospital(
        World(1, per_day=15.0, days=24, history_rows=2_500, events=BROKEN),
        tmp_path_factory.mktemp("year"),
    )
    made.open()
    for day in range(24):
        made.see(made.visits[made.visits["day"].astype(int) == day])
        made.clock.time = START + timedelta(days=day + 1)
        made.deliver()
    made.clock.time = START + timedelta(days=100)
    made.deliver()
    yield made
    made.context.engine.dispose()


def test_a_row_that_is_fed_is_the_row_of_a_call(tmp_path: Path) -> None:
    """The same visits, once in batch and once over HTTP, give the same rows of every kind."""
    world = World(2, per_day=15.0, days=24, history_rows=2_500, events=BROKEN)
    fed, called = Hospital(world, tmp_path / "fed"), Hospital(world, tmp_path / "called")
    fed.folder.mkdir()
    called.folder.mkdir()
    fed.open()
    called.open()
    day = world.year["day"].astype(int)
    chosen = fed.visits[day.isin([5, 6, 21, 23])]
    fed.see(chosen)
    with serving(called.context) as http:
        for visit in chosen.to_dict("records"):
            called.post(http, visit)
    rows = []
    for one in (fed, called):
        with reading(one.context.engine) as connection:
            query = select(ASSESSMENTS).order_by(ASSESSMENTS.c.prediction_time, ASSESSMENTS.c.id)
            found = [dict(row._mapping) for row in connection.execute(query)]
        rows.append(found)
        secrecy: Secrecy = one.context.secrecy
        for row in found:
            row["named"] = secrecy.decrypt(row["identifiers"])
            for name in NEW_EACH_TIME:
                del row[name]
    assert len(rows[0]) == len(chosen)
    for ours, theirs in zip(*rows, strict=True):
        assert ours == theirs
    kinds = {row["situation"] for row in rows[0]}
    assert "scored" in kinds
    reasons = {missing["reason"] for row in rows[0] for missing in row["provenance"]["missing"]}
    assert {"implausible", "unknown_unit", "no_observation"} <= reasons
    assert any(row["suppressed"] is None for row in rows[0])
    assert any(row["suppressed"] == "category_not_wanted" for row in rows[0])


def test_diagnoses_become_the_outcomes_that_the_world_knows(hospital: Hospital) -> None:
    with reading(hospital.context.engine) as connection:
        found = labelled(
            connection,
            now=hospital.clock(),
            label_version=hospital.context.terminology.label_version,
        )
        query = select(ASSESSMENTS.c.id, ASSESSMENTS.c.prediction_time, ASSESSMENTS.c.patient_key)
        rows = connection.execute(query).all()
    visits = hospital.visits
    assert len(rows) == len(visits)
    assert found.counts["with_outcome"] == len(found.frame)
    assert found.counts.get("window_open", 0) == 0
    truth = dict(zip(visits["at"], visits["severity"], strict=True))
    verified = dict(zip(visits["at"], visits["verified"], strict=True))
    for at, severity in zip(found.frame["recorded_at"], found.frame["severity"], strict=True):
        assert verified[at.to_pydatetime()]
        assert severity == truth[at.to_pydatetime()]
    for at in found.unverified["recorded_at"]:
        assert not verified[at.to_pydatetime()]


def test_cards_say_that_the_temperature_was_rejected(hospital: Hospital) -> None:
    visits = hospital.visits
    broken = visits["sent_unit"].notna() & visits["body_temperature"].isna()
    for days, words in (((20, 22), "value not possible"), ((22, 24), "unit missing or unknown")):
        rows = visits[broken & visits["day"].between(*days, inclusive="left")]
        # Of those one whose other readings are dangerous gets a card in any case.
        rows = rows.sort_values("risk", ascending=False).head(3)
        with serving(hospital.context) as http:
            cards = [
                card["detail"]
                for visit in rows.assign(visit=rows["visit"] + "-again").to_dict("records")
                for card in hospital.post(http, visit)["cards"]
            ]
        assert cards
        assert all(f"temperature ({words})" in card for card in cards), cards[0]


SHORT = Calendar(
    days=46,
    history_rows=3_000,
    cuffs=(7, 20),
    fahrenheit=(34, 38),
    unknown_unit=(38, 42),
    new_disease=365,
    rare_cases=(1, 2, 3, 4, 5),
    bad_challenger=44,
)
"""Six weeks; what takes months to become known is left to the whole year."""


@pytest.fixture(scope="module")
def lines(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, Line]]:
    """What became of the short year, by scenario."""
    replay = Replay(
        1,
        (CUFFS, THERMOMETER, RARE_DISEASE, BAD_CHALLENGER),
        tmp_path_factory.mktemp("short"),
        SHORT,
        settings={"minimum_held_out": 300},
    )
    replay.run()
    yield {line.scenario: line for line in Promises(replay).lines()}
    replay.close()


@pytest.mark.parametrize("name", [CUFFS, THERMOMETER, RARE_DISEASE, BAD_CHALLENGER, "jobs"])
def test_the_short_year_is_as_promised(lines: dict[str, Line], name: str) -> None:
    assert lines[name].held, lines[name].said
