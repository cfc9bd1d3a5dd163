"""`models compare`, and what the other commands say of gates, looks and floors."""

import json
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from sqlalchemy import Engine, select

from cds_service.services.comparing import Comparing
from cds_service.services.training import TrainingService
from cds_service.storage.session import create_database_engine, reading
from cds_service.storage.tables import ALERTS, AUDIT_EVENTS, EVALUATIONS, HELD_OUT_LOOKS
from model.training.gate_records import TITLES
from model.training.splits import part_of
from tests.support.cohorts import small_cohort
from tests.support.commands import COLUMNS, done, history, run
from tests.support.service import TestClock, new_context

FEW = {"CDS_MINIMUM_HELD_OUT": "100"}


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Version 2 of a history is live over the simulated 1; 3 is of another history."""
    folder = tmp_path_factory.mktemp("trained")
    done(folder, "db", "upgrade")
    done(folder, "train", "--no-report")
    for seed in (3, 4):
        file = history(folder / f"history-{seed}.csv", seed=seed)
        done(folder, "train", "--no-report", "--history", file, *COLUMNS)
    return folder


@pytest.fixture
def var(trained: Path, tmp_path: Path) -> Path:
    """A copy of `trained`, whose versions lie in `trained`."""
    return Path(shutil.copytree(trained, tmp_path / "var"))


@contextmanager
def database(folder: Path) -> Iterator[Engine]:
    engine = create_database_engine(f"sqlite:///{folder / 'cds.sqlite3'}")
    try:
        yield engine
    finally:
        engine.dispose()


def stored(folder: Path, table: Any) -> list[dict[str, Any]]:
    with database(folder) as engine, reading(engine) as connection:
        return [dict(row._mapping) for row in connection.execute(select(table))]


def test_compare_prints_and_keeps_every_gate(var: Path) -> None:
    target = var / "gates.json"
    out = done(var, "models", "compare", "champion", "3", "--output", target, **FEW)
    for title in TITLES.values():
        assert title in out
    assert "This held-out part" in out
    told = json.loads(target.read_text())
    assert (told["champion"], told["challenger"]) == ("2", "3")
    assert [gate["name"] for gate in told["gates"]] == list(TITLES)
    assert told["reason"] in out
    assert {g["name"]: g["passed"] for g in told["gates"]}["latency"] is not None
    (kept,) = [row for row in stored(var, EVALUATIONS) if row["kind"] == "compare"]
    assert kept["model_version"] == "3"
    assert kept["result"] == told
    (event,) = [row for row in stored(var, AUDIT_EVENTS) if row["action"] == "compare"]
    assert event["detail"]["outcome"] == told["outcome"]
    assert json.loads(done(var, "models", "show", "champion"))["version"] == "2"


def test_only_patients_neither_has_learnt_from_are_compared(var: Path) -> None:
    frames = [small_cohort(1_200, seed) for seed in (3, 4)]
    both = pd.concat(frames)
    unseen = [part_of(patient) == "held_out" for patient in both["patient_id"]]
    target = var / "gates.json"
    done(var, "models", "compare", "2", "3", "--output", target, **FEW)
    assert json.loads(target.read_text())["rows"] == sum(unseen)
    # Patients of another file that share a name with one of the histories count as learnt from.
    file = history(var / "other.csv", 600, seed=9)
    options = ("--history", file, *COLUMNS, "--output", target)
    done(var, "models", "compare", "2", "3", *options, **FEW)
    others = small_cohort(600, 9)["patient_id"]
    assert json.loads(target.read_text())["rows"] == sum(
        part_of(patient) == "held_out" for patient in others
    )
    # The simulated starter has learnt from nobody: only the other version counts.
    done(var, "models", "compare", "1", "2", "--output", target, **FEW)
    kept = frames[0]["patient_id"]
    assert json.loads(target.read_text())["rows"] == sum(
        part_of(patient) == "held_out" for patient in kept
    )


def test_looks_at_the_same_rows_are_counted(var: Path) -> None:
    said = [done(var, "models", "compare", "2", "3", **FEW) for _ in range(2)]
    assert "was looked at 0 times before." in said[0]
    assert "was looked at 1 time before (since " in said[1]
    looks = [row for row in stored(var, HELD_OUT_LOOKS) if row["purpose"] == "compare"]
    assert len({row["fingerprint"] for row in looks}) == 1
    assert {row["model_version"] for row in looks} == {"3"}
    trained = [row for row in stored(var, HELD_OUT_LOOKS) if row["purpose"] == "train"]
    assert {row["model_version"] for row in trained} == {"1", "2", "3"}


def test_retrain_shows_gates_and_looks(var: Path) -> None:
    out = done(var, "retrain", "--no-promote", **FEW)
    assert "log loss of each category" in out
    # `train` looked at the same part of the same history, and so has this run before comparing.
    assert "was looked at 2 times before" in out
    shown = json.loads(done(var, "models", "show", "4"))
    (comparison,) = shown["comparisons"]
    assert comparison["kind"] == "retrain"
    assert [look["purpose"] for look in shown["looks"]] == ["retrain", "retrain"]
    assert shown["metrics"]["held_out_part"]["fingerprint"] == shown["looks"][0]["fingerprint"]


def test_promote_tells_what_the_last_comparison_said(var: Path) -> None:
    out = done(var, "models", "promote", "3", "--reason", "tried it")
    assert "Warning: version 3 was never compared" in out
    assert "is live" in out
    assert "not enough to decide" in done(var, "models", "compare", "3", "2").lower()
    out = done(var, "models", "promote", "2", "--reason", "the site knows better")
    assert "log loss of each category" in out
    assert "Warning: that comparison does not speak for it. Not enough to decide" in out
    assert "Model version 2 is live." in out
    done(var, "models", "compare", "2", "1", **FEW)
    done(var, "models", "promote", "3", "--reason", "r")
    out = done(var, "models", "promote", "1", "--reason", "r")
    assert "now version 3 is live" in out


def test_a_champion_of_the_past_year_is_a_measure_too(var: Path) -> None:
    done(var, "models", "promote", "3", "--reason", "r")
    done(var, "retrain", "--no-promote", **FEW)
    target = var / "gates.json"
    done(var, "models", "compare", "champion", "4", "--output", target, **FEW)
    told = json.loads(target.read_text())
    # Version 1 is simulated, but was live; 3 is the champion itself.
    assert set(told["past_champions"]) == {"1", "2"}


def test_champions_of_earlier_years_are_none(var: Path) -> None:
    context = new_context(var)
    assert isinstance(context.clock, TestClock)
    training = TrainingService(context.engine, context.settings, context.clock)
    comparing = Comparing(context, training)
    live, other = (training.models.version(name) for name in ("2", "3"))
    now = datetime.now(UTC)
    for years, versions in ((0, ["1"]), (2, [])):
        context.clock.time = now.replace(year=now.year + years, day=1)
        found = comparing._past_champions(live, other)
        assert [row["version"] for row in found] == versions
    context.engine.dispose()


def test_tampering_is_refused(var: Path) -> None:
    for version in ("2", "3"):
        folder = Path(json.loads(done(var, "models", "show", version))["location"])
        path = folder / "thresholds.json"
        before = path.read_text()
        path.write_text(before.replace("0.", "0.9", 1))
        try:
            assert "damaged" in run(var, "models", "compare", "2", "3", **FEW).sentence()
            if version == "3":
                said = run(var, "models", "promote", "3", "--reason", "r").sentence()
                assert "damaged" in said
        finally:
            path.write_text(before)
    assert not [row for row in stored(var, EVALUATIONS) if row["kind"] == "compare"]


def test_a_floor_raises_an_alert_and_blocks_nothing(var: Path) -> None:
    high = {"CDS_FLOOR_ACUTE_SENSITIVITY": "0.99", **FEW}
    target = var / "gates.json"
    out = done(var, "models", "compare", "2", "3", "--output", target, **high)
    assert "Floor: sensitivity for acute" in out
    with_floor = json.loads(target.read_text())
    done(var, "models", "compare", "2", "3", "--output", target, **FEW)
    without = json.loads(target.read_text())
    assert with_floor["outcome"] == without["outcome"]
    (alert,) = stored(var, ALERTS)
    assert alert["kind"] == "business_floor"
    assert alert["model_version"] == "3"
    assert "Open alerts:" in done(var, "evaluate")
    assert "below the floor of 0.99" in done(var, "evaluate")
    file = history(var / "again.csv")
    out = done(var, "train", "--no-report", "--history", file, *COLUMNS, **high)
    assert "below the floor of 0.99" in out
    assert len(stored(var, ALERTS)) == 2


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("2", "2"), "with itself"),
        (("2", "9"), "no model version 9"),
        (("2", "3", "--history", "nothing.csv"), "nothing.csv"),
        (("2", "3", "--output", "/nowhere/x.json"), "/nowhere"),
    ],
)
def test_compare_refuses_in_a_sentence(
    trained: Path, arguments: tuple[str, ...], words: str
) -> None:
    assert words in run(trained, "models", "compare", *arguments).sentence()


def test_options_of_a_file_need_the_file(trained: Path) -> None:
    assert run(trained, "models", "compare", "2", "3", "--column", "age=AGE").code == 2
