"""History that is dropped into a folder: read once, kept once, or set aside with a report."""

import json
import logging
import os
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from uuid import uuid4

import fsspec
import pandas as pd
import pytest
from sqlalchemy import select

from cds_service.context import ProcessContext
from cds_service.errors import ServiceError
from cds_service.services import history_intake
from cds_service.services.alerts import AlertService
from cds_service.services.histories import read_kept
from cds_service.services.locations import Location, LocationError
from cds_service.services.watched_history import HistoryWatchService
from cds_service.settings import Settings
from cds_service.storage.model_store import ModelStore
from cds_service.storage.session import reading
from cds_service.storage.tables import AUDIT_EVENTS, HISTORY_FILES
from cds_service.storage.watched_file_store import WatchedFileStore
from tests.support.cohorts import small_cohort
from tests.support.commands import done, run
from tests.support.marked import leaks
from tests.support.service import new_context


@pytest.fixture
def drop(tmp_path: Path) -> Path:
    """The watched folder."""
    folder = tmp_path / "drop"
    folder.mkdir()
    return folder


@pytest.fixture
def context(database_url: str, tmp_path: Path, drop: Path) -> Iterator[ProcessContext]:
    context = new_context(tmp_path / "data", database_url, history_watch_url=str(drop))
    yield context
    context.engine.dispose()


def watched(context: ProcessContext, wait: Any = lambda _seconds: None) -> str:
    return HistoryWatchService(context, wait=wait).run(actor="test")


def week(rows: int = 60, seed: int = 1) -> pd.DataFrame:
    """What comes in a week: no two rows are one."""
    return small_cohort(rows, seed, dated=True).drop_duplicates(["patient_id", "recorded_at"])


def write(path: Path, frame: pd.DataFrame, **options: Any) -> Path:
    frame.to_csv(path, index=False, **options)
    return path


def states(context: ProcessContext) -> dict[str, str]:
    return {row["name"]: row["state"] for row in HistoryWatchService(context).files()}


def kept(context: ProcessContext) -> pd.DataFrame:
    """All rows to learn from."""
    with reading(context.engine) as connection:
        rows = ModelStore(connection).histories()
    frames = [read_kept(row) for row in rows]
    return pd.concat(frames, ignore_index=True) if frames else pd.DataFrame()


def alerts(context: ProcessContext) -> list[dict[str, Any]]:
    return AlertService(context.engine).alerts()


def test_a_file_is_read_once(context: ProcessContext, drop: Path) -> None:
    frame = week()
    write(drop / "week-1.csv", frame)
    assert watched(context) == f"Watched history: 1 read, {len(frame)} rows kept."
    assert watched(context) == "Watched history: nothing new."
    assert len(kept(context)) == len(frame)
    (row,) = HistoryWatchService(context).files()
    assert (row["state"], row["report"]["rows_kept"]) == ("read", len(frame))
    assert row["history_id"] is not None
    assert (drop / "week-1.csv").exists()
    with reading(context.engine) as connection:
        audited = connection.execute(select(AUDIT_EVENTS.c.action)).scalars().all()
    assert sorted(audited) == ["add-history", "watched-history"]


def test_the_same_content_and_the_same_rows_are_known(context: ProcessContext, drop: Path) -> None:
    frame = week()
    write(drop / "a.csv", frame)
    watched(context)
    write(drop / "b.csv", frame)  # The same file under another name.
    write(drop / "c.csv", frame.sample(frac=1.0, random_state=1), sep=";")  # The same rows.
    assert watched(context) == "Watched history: 2 known already."
    assert states(context) == {"a.csv": "read", "b.csv": "known", "c.csv": "known"}
    assert len(kept(context)) == len(frame)


def test_rows_that_an_earlier_file_has_are_left_out(context: ProcessContext, drop: Path) -> None:
    frame = week()
    write(drop / "a.csv", frame.iloc[:30])
    watched(context)
    again = frame.iloc[20:].copy()
    again.loc[again.index[:3], "severity"] = "terminal"
    changed = int((again["severity"] != frame.iloc[20:]["severity"]).sum())
    assert changed
    write(drop / "b.csv", again)
    said = watched(context)
    assert said == f"Watched history: 1 read, {len(frame) - 30} rows kept, 10 rows known already."
    assert len(kept(context)) == len(frame)
    (row,) = (row for row in HistoryWatchService(context).files() if row["name"] == "b.csv")
    assert row["report"]["rows_known_otherwise"] == changed


def test_rows_without_a_patient_are_known_only_with_their_whole_file(
    context: ProcessContext, drop: Path
) -> None:
    frame = small_cohort(50, 1, patients=False)
    write(drop / "a.csv", frame)
    watched(context)
    write(drop / "b.csv", frame, sep=";")
    write(drop / "c.csv", frame.iloc[:40])
    watched(context)
    assert states(context) == {"a.csv": "read", "b.csv": "known", "c.csv": "read"}


def test_a_file_that_still_changes_is_left(context: ProcessContext, drop: Path) -> None:
    frame = week()
    path = write(drop / "a.csv", frame.iloc[:20])

    def grows(_seconds: float) -> None:
        write(path, frame)

    assert watched(context, grows) == "Watched history: 1 still changing."
    assert states(context) == {}
    assert f"{len(frame)} rows kept" in watched(context)


def test_a_file_that_comes_while_waiting_is_read_the_next_time(
    context: ProcessContext, drop: Path
) -> None:
    write(drop / "a.csv", week())

    def comes(_seconds: float) -> None:
        (drop / "a.csv.columns.json").write_text("{}")

    # Its mapping has only now come, and may be half of one.
    assert watched(context, comes) == "Watched history: 1 still changing."
    assert "1 read" in watched(context)


def test_what_is_on_its_way_hidden_or_beside_a_file_is_no_history(
    context: ProcessContext, drop: Path
) -> None:
    names = (".a.csv", "_a.csv", "a.csv.partial", "a.csv.tmp", "a.csv.columns.json")
    for name in (*names, "columns.json", "a.report.json"):
        (drop / name).write_text("xqz")
    (drop / "folder.csv").mkdir()
    assert watched(context) == "Watched history: nothing new."


def test_a_mapping_beside_a_file_says_how_it_is_read(context: ProcessContext, drop: Path) -> None:
    odd = {"heart_rate": "HR", "recorded_at": "WHEN"}
    frame = week().rename(columns=odd)
    frame["WHEN"] = frame["WHEN"].dt.tz_localize(None)
    write(drop / "a.csv", frame)
    watched(context)
    assert states(context) == {"a.csv": "set_aside"}
    assert alerts(context)
    os.replace(drop / "set-aside" / "a.csv", drop / "a.csv")
    mapping = {"columns": {"heart_rate": "HR"}, "time_column": "WHEN", "timezone": "Europe/Madrid"}
    (drop / "a.csv.columns.json").write_text(json.dumps(mapping | {"source": "ward 3"}))
    assert "1 read" in watched(context)
    assert set(kept(context)["source"]) == {"ward 3"}
    assert kept(context)["recorded_at"].max() < frame["WHEN"].dt.tz_localize("UTC").max()
    assert not alerts(context)  # The cause has passed.


def test_one_mapping_may_be_for_all(context: ProcessContext, drop: Path) -> None:
    (drop / "columns.json").write_text('{"columns": {"heart_rate": "HR"}, "label_version": "ours"}')
    write(drop / "a.csv", week().rename(columns={"heart_rate": "HR"}))
    assert "1 read" in watched(context)
    with reading(context.engine) as connection:
        (row,) = connection.execute(select(HISTORY_FILES)).all()
    assert row.label_version == "ours"


def test_versions_of_the_rules_are_not_pooled(context: ProcessContext, drop: Path) -> None:
    frame = week()
    write(drop / "a.csv", frame)
    watched(context)
    (drop / "b.csv.columns.json").write_text('{"label_version": "ours"}')
    write(drop / "b.csv", frame)
    assert f"1 read, {len(frame)} rows kept." in watched(context)


BAD = {
    "columns.csv": ("xqz,heart_rate\n1,2\n", "not_readable"),
    "empty.csv": ("", "not_readable"),
    "xqz.xlsx": ("PK\x03\x04 xqz", "not_readable"),
    "damaged.parquet": ("PAR1 xqz", "not_readable"),
    "labels.csv": (week().assign(severity="xqz").to_csv(index=False), "not_readable"),
}


@pytest.mark.parametrize("name", BAD)
def test_a_bad_file_is_set_aside_with_its_report(
    context: ProcessContext, drop: Path, name: str, caplog: pytest.LogCaptureFixture
) -> None:
    text, why = BAD[name]
    (drop / name).write_text(text)
    write(drop / "good.csv", week())
    with caplog.at_level(logging.DEBUG):
        said = watched(context)
    assert "1 set aside" in said
    assert "1 read" in said  # The others are read all the same.
    assert states(context) == {name: "set_aside", "good.csv": "read"}
    assert not (drop / name).exists()
    assert (drop / "set-aside" / name).read_text() == text
    report = json.loads((drop / "set-aside" / f"{name}.report.json").read_text())
    assert report["reason"]
    (alert,) = alerts(context)
    assert (alert["kind"], alert["detail"]["why"]) == ("history_set_aside", why)
    # What stands in the file, and what it is called, goes nowhere but beside it.
    row = next(row for row in HistoryWatchService(context).files() if row["name"] == name)
    told = [said, str(alert), str(row["report"]["why"])]
    told += [str(vars(record)) for record in caplog.records if record.name == "cds_service"]
    assert not leaks("\n".join(told))
    assert watched(context) == "Watched history: nothing new."
    assert len(alerts(context)) == 1


def test_a_file_in_another_unit_is_set_aside(context: ProcessContext, drop: Path) -> None:
    frame = week()
    frame["body_temperature"] = frame["body_temperature"] * 9 / 5 + 32
    write(drop / "a.csv", frame)
    watched(context)
    report = json.loads((drop / "set-aside" / "a.csv.report.json").read_text())
    assert report["reason"].startswith("The column body_temperature stands in another unit")
    assert report["cleaning"]["findings"]
    assert kept(context).empty


def test_a_file_of_which_most_rows_are_wrong_is_set_aside(
    context: ProcessContext, drop: Path
) -> None:
    frame = week()
    frame.loc[frame.index[: len(frame) // 2 + 1], "severity"] = "moderate"
    write(drop / "a.csv", frame)
    assert "1 set aside" in watched(context)
    frame["severity"] = "mild"
    frame.loc[frame.index[: len(frame) // 2 + 1], "age"] = 7.0  # Not of the population: harmless.
    write(drop / "b.csv", frame)
    assert "1 read" in watched(context)


def test_a_bad_mapping_sets_its_file_aside(context: ProcessContext, drop: Path) -> None:
    write(drop / "a.csv", week())
    (drop / "a.csv.columns.json").write_text('{"column": {"age": "xqz"}, "timezone": 3}')
    watched(context)
    report = json.loads((drop / "set-aside" / "a.csv.report.json").read_text())
    assert report["reason"] == "The mapping file is wrong at: column, timezone."


def test_a_second_bad_file_of_a_name_does_not_take_the_place_of_the_first(
    context: ProcessContext, drop: Path
) -> None:
    for text in ("one", "two"):
        (drop / "a.csv").write_text(text)
        watched(context)
    lying = {path.read_text() for path in (drop / "set-aside").glob("*a.csv")}
    assert lying == {"one", "two"}
    assert len(alerts(context)) == 1


def test_where_nothing_can_be_written_the_file_stays(
    context: ProcessContext, drop: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refused(*_args: object) -> None:
        raise LocationError("The location cannot be written (Permission denied).")

    (drop / "a.csv").write_text("bad")
    with monkeypatch.context() as patch:
        patch.setattr(Location, "write", refused)
        patch.setattr(Location, "move", refused)
        assert "1 set aside" in watched(context)
        assert watched(context) == "Watched history: nothing new."
    assert (drop / "a.csv").exists()
    assert alerts(context)[0]["detail"]["report_written"] is False
    assert watched(context) == "Watched history: 1 moved aside."
    assert not (drop / "a.csv").exists()


@pytest.mark.parametrize(
    ("owner", "place"),
    [
        (history_intake, "write_history"),
        (ModelStore, "add_history"),
        (WatchedFileStore, "add"),
        (Location, "move"),
        (Location, "write"),
    ],
)
def test_a_run_that_was_killed_anywhere_comes_to_the_same(
    context: ProcessContext, drop: Path, owner: Any, place: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    frame = week()
    write(drop / "good.csv", frame)
    (drop / "bad.csv").write_text("bad")

    def dies(*_args: object, **_options: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(owner, place, dies)
        with pytest.raises(KeyboardInterrupt):
            watched(context)
    watched(context)
    assert states(context) == {"good.csv": "read", "bad.csv": "set_aside"}
    assert len(HistoryWatchService(context).files()) == 2
    assert len(kept(context)) == len(frame)
    assert len(alerts(context)) == 1
    assert (drop / "set-aside" / "bad.csv").exists()
    folder = context.settings.data_dir / "history"
    lying = [path for path in folder.rglob("*") if path.is_file()]
    assert len(lying) == 1  # Nothing of a patient is left about.


def test_what_a_killed_process_left_of_patients_is_cleared_up(
    context: ProcessContext, drop: Path
) -> None:
    folder = context.settings.data_dir / "history"
    old, new = folder / ".0123.partial", folder / ".4567.partial"
    copied = folder / ".incoming" / "old"
    copied.mkdir(parents=True)
    for path in (old, new, copied / "a.csv"):
        path.write_text("rows of patients")
    for path in (old, copied):
        os.utime(path, (0, 0))
    write(drop / "a.csv", week())
    watched(context)
    assert [path.exists() for path in (old, new, copied)] == [False, True, False]


def test_two_processes_at_once_keep_each_row_once(context: ProcessContext, drop: Path) -> None:
    frame = week(200)
    for number in range(4):  # Files that overlap.
        write(drop / f"{number}.csv", frame.iloc[number * 30 : number * 30 + 60])
    start, faults = threading.Barrier(3), list[Exception]()

    def work() -> None:
        start.wait()
        try:
            watched(context)
        except Exception as error:
            faults.append(error)

    threads = [threading.Thread(target=work) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not faults
    rows = kept(context)
    assert len(rows) == len(rows.drop_duplicates(["patient_id", "recorded_at"])) == 150


def test_history_from_object_storage(context: ProcessContext) -> None:
    url = f"memory://bucket/{uuid4()}"
    changed = context.settings.model_dump() | {"history_watch_url": url}
    object.__setattr__(context, "settings", Settings(**changed))
    assert watched(context) == "Watched history: nothing new."
    with fsspec.open(f"{url}/a.csv", "w") as file:
        week().to_csv(file, index=False)
    with fsspec.open(f"{url}/b.csv", "w") as file:
        file.write("bad")
    said = watched(context)
    assert "1 read" in said
    assert "1 set aside" in said
    aside = Location.open(f"{url}/set-aside", None)
    assert [one.name for one in aside.listed()] == ["b.csv", "b.csv.report.json"]


def test_a_location_that_cannot_be_reached_is_an_error(
    context: ProcessContext, monkeypatch: pytest.MonkeyPatch
) -> None:
    def away(*_args: object, **_options: object) -> None:
        raise PermissionError(13, "Permission denied", "/xqz")

    location = HistoryWatchService(context)._location()
    monkeypatch.setattr(location._files, "ls", away)
    monkeypatch.setattr(HistoryWatchService, "_location", lambda _self: location)
    with pytest.raises(ServiceError, match=r"cannot be listed \(Permission denied\)") as error:
        watched(context)
    assert not leaks(str(error.value))


def test_the_command(tmp_path: Path, drop: Path) -> None:
    data = tmp_path / "data"
    done(data, "db", "upgrade")
    assert run(data, "ingest", "history").code == 2
    assert "CDS_HISTORY_WATCH_URL" in run(data, "ingest", "history", "--watched").sentence()
    frame = week().rename(columns={"heart_rate": "HR"})
    path = write(tmp_path / "a.csv", frame)
    assert "--column heart_rate=HR" in run(data, "ingest", "history", path).sentence()
    said = done(data, "ingest", "history", path, "--column", "heart_rate=HR")
    assert said.endswith(f"{len(frame)} rows kept, 0 known already.\n")
    assert "Rows kept by category" in said
    again = done(data, "ingest", "history", path, "--column", "heart_rate=HR")
    assert again.endswith(f"0 rows kept, {len(frame)} known already.\n")
    (drop / "xqz.csv").write_text("bad")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("cds_service.services.watched_history.SETTLE_SECONDS", 0.0)
        said = done(data, "ingest", "history", "--watched", CDS_HISTORY_WATCH_URL=str(drop))
    assert said == "Watched history: 1 set aside.\n"
    listed = done(data, "ingest", "history", "--list")
    assert "set_aside  xqz.csv  not readable" in listed


def test_the_population_is_that_of_the_live_model(
    context: ProcessContext, drop: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    frame = week()
    frame.loc[frame.index[:5], "age"] = 16.0
    write(drop / "a.csv", frame)
    intake = history_intake.HistoryIntake
    monkeypatch.setattr(intake, "_population", lambda _self: (16.0, 110.0))
    watched(context)
    assert (kept(context)["age"] == 16.0).sum() == 5
