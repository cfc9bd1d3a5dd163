"""Exports: each row in exactly one file, whatever happens meanwhile, on SQLite and PostgreSQL."""

import json
import threading
from collections.abc import Iterator
from datetime import date, datetime, timedelta
from io import BytesIO
from pathlib import Path
from typing import Any
from uuid import uuid4

import pandas as pd
import pyarrow.parquet as pq
import pytest
from sqlalchemy import delete, insert, select, update

from cds_service.context import ProcessContext
from cds_service.errors import ConfigurationError, ServiceError
from cds_service.location_urls import location_url
from cds_service.services import exports
from cds_service.services.export_rows import SCHEMAS
from cds_service.services.exports import ExportService
from cds_service.services.locations import Location
from cds_service.settings import Settings, load_settings, read_secret_keys
from cds_service.storage.export_store import ExportStore
from cds_service.storage.session import reading
from cds_service.storage.tables import ASSESSMENTS, AUDIT_EVENTS, EVALUATIONS, EXPORTED_ROWS
from model.training.history import HISTORY_COLUMNS
from tests.support.builders import condition
from tests.support.commands import done, run
from tests.support.marked import PATIENT, leaks, marked_condition
from tests.support.service import new_context
from tests.support.stored import SEEN, assessed, receive, set_time, use_keys

HOUR = timedelta(hours=1)
DAY = timedelta(days=1)


@pytest.fixture
def context(database_url: str, tmp_path: Path) -> Iterator[ProcessContext]:
    context = new_context(tmp_path / "data", database_url, export_url=str(tmp_path / "out"))
    set_time(context, SEEN + DAY)
    yield context
    context.engine.dispose()


def exported(context: ProcessContext) -> str:
    return ExportService(context).run(actor="test")


def files(context: ProcessContext) -> dict[str, bytes]:
    """What lies in the folder, by its path below."""
    root = Path(str(context.settings.export_url))
    return {
        path.relative_to(root).as_posix(): path.read_bytes()
        for path in sorted(root.rglob("*"))
        if path.is_file()
    }


def table(context: ProcessContext, dataset: str) -> pd.DataFrame:
    """All rows of a dataset."""
    parts = [
        pq.read_table(BytesIO(data)).to_pandas()
        for name, data in files(context).items()
        if name.startswith(f"dataset={dataset}/")
    ]
    return pd.concat(parts, ignore_index=True) if parts else pd.DataFrame()


def report(context: ProcessContext, at: datetime, **result: Any) -> None:
    row = {"id": str(uuid4()), "at": at, "kind": "evaluate", "model_version": "1", "result": result}
    with context.engine.begin() as connection:
        connection.execute(insert(EVALUATIONS), row)


def filled(context: ProcessContext, days: int = 3, a_day: int = 3) -> list[str]:
    """Assessments of some days up to `SEEN`, with an outcome each and reports."""
    found = []
    for back in range(days):
        for number in range(a_day):
            at = SEEN - back * DAY + timedelta(minutes=number)
            found.append(assessed(context, patient=f"p{number}", at=at))
        report(context, SEEN - back * DAY, log_loss=0.5)
    set_time(context, SEEN + HOUR)
    for number in range(a_day):
        known = (SEEN + HOUR).isoformat()
        receive(
            context,
            condition("I21.4", id=f"c{number}", subject=f"Patient/p{number}", recordedDate=known),
            patient_id=f"p{number}",
        )
    set_time(context, SEEN + 2 * DAY)
    return found


def test_each_row_is_in_one_file_of_its_day(context: ProcessContext) -> None:
    ids = filled(context)
    said = exported(context)
    assert "9 assessments" in said
    first = files(context)
    assert exported(context) == "Everything is exported already."
    assert files(context) == first
    rows = table(context, "assessments")
    assert len(rows) == rows["assessment_id"].nunique() == len(ids)
    for name, data in first.items():
        dataset, day = name.split("/")[0].removeprefix("dataset="), name.split("/day=")[1][:10]
        column = {"assessments": "recorded_at", "outcomes": "decided_at", "reports": "at"}[dataset]
        assert {str(at.date()) for at in pq.read_table(BytesIO(data)).to_pandas()[column]} == {day}
    assert len([name for name in first if name.startswith("dataset=assessments")]) == 3
    outcomes = table(context, "outcomes")
    assert set(outcomes["assessment_id"]) <= set(rows["assessment_id"])
    assert set(outcomes["category"]) == {"acute"}
    reported = table(context, "reports")["result"].map(json.loads)
    assert list(reported) == [{"log_loss": 0.5}] * 3


def test_a_day_is_exported_an_hour_after_its_end(context: ProcessContext) -> None:
    assessed(context)
    midnight = SEEN.replace(hour=0) + DAY
    set_time(context, midnight + timedelta(minutes=59, seconds=59))
    assert exported(context) == "Everything is exported already."
    with pytest.raises(ServiceError, match=r"2026-03-01 has not been over for an hour"):
        ExportService(context).run(actor="test", day=date(2026, 3, 1))
    set_time(context, midnight + HOUR)
    assert "1 assessments" in exported(context)


def test_late_rows_go_in_a_further_file(context: ProcessContext) -> None:
    assessed(context, patient="p1")
    exported(context)
    first = files(context)
    assessed(context, patient="p2")
    assert "1 assessments" in exported(context)
    assert len(files(context)) == 2
    assert first.items() <= files(context).items()


def test_one_day_alone(context: ProcessContext) -> None:
    filled(context)
    ExportService(context).run(actor="test", day=date(2026, 2, 28))
    assert {name.split("/")[1] for name in files(context)} == {"day=2026-02-28"}
    exported(context)
    assert len(table(context, "assessments")) == 9


@pytest.mark.parametrize("place", ["write", "written", "plan"])
def test_a_run_that_was_killed_anywhere_ends_in_the_same_files(
    context: ProcessContext, place: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(exports, "PART_ROWS", 4)
    filled(context)
    to = f"{context.settings.export_url}-whole"
    ExportService(context).run(actor="test", to=to)
    owner: type = Location if place == "write" else ExportStore
    original = getattr(owner, place)
    calls = {"made": 0, "allowed": 0}

    def killed(self: Any, *arguments: Any, **options: Any) -> Any:
        calls["made"] += 1
        if calls["made"] > calls["allowed"]:
            if place == "write":  # After the file is there, before anybody knows.
                original(self, *arguments, **options)
            raise KeyboardInterrupt
        return original(self, *arguments, **options)

    monkeypatch.setattr(owner, place, killed)
    for allowed in range(20):  # Each run gets one step further than the one before.
        calls.update(made=0, allowed=allowed)
        try:
            exported(context)
        except KeyboardInterrupt:
            continue
        break
    else:
        raise AssertionError("no run came to its end")
    whole = {
        path.relative_to(to).as_posix(): path.read_bytes()
        for path in Path(to).rglob("*")
        if path.is_file()
    }
    rows = table(context, "assessments")
    assert len(rows) == rows["assessment_id"].nunique() == 9
    # What was planned is finished as it was planned.
    assert files(context) == whole
    states = {part["state"] for part in ExportService(context).parts()}
    assert states == {"written"}


def test_several_processes_at_once_export_each_row_once(
    context: ProcessContext, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(exports, "PART_ROWS", 2)
    filled(context)
    start = threading.Barrier(3)
    faults: list[Exception] = []

    def work() -> None:
        start.wait()
        try:
            exported(context)
        except Exception as error:
            faults.append(error)

    threads = [threading.Thread(target=work) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not faults
    exported(context)
    rows = table(context, "assessments")
    assert len(rows) == rows["assessment_id"].nunique() == 9
    assert len(table(context, "outcomes")) == table(context, "outcomes")["outcome_id"].nunique()


def test_a_row_that_was_erased_before_it_was_written_is_in_no_file(
    context: ProcessContext, monkeypatch: pytest.MonkeyPatch
) -> None:
    gone = assessed(context, patient="p1")
    assessed(context, patient="p2")

    def dies(*_args: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(Location, "write", dies)
        with pytest.raises(KeyboardInterrupt):
            exported(context)
    with context.engine.begin() as connection:
        connection.execute(delete(ASSESSMENTS).where(ASSESSMENTS.c.id == gone))
    exported(context)
    assert len(table(context, "assessments")) == 1
    (part,) = ExportService(context).parts()
    assert part["rows"] == 1


def test_every_version_of_an_outcome_is_a_row_and_its_end_is_told(context: ProcessContext) -> None:
    assessed(context)
    at = [SEEN + HOUR, SEEN + 2 * HOUR, SEEN + 3 * HOUR]
    for code, now in zip(("J00", "I21.4"), at, strict=False):
        set_time(context, now)
        receive(context, condition(code, id="c", recordedDate=at[0].isoformat()))
    set_time(context, at[2])
    wrong = {"verificationStatus": {"coding": [{"code": "entered-in-error"}]}}
    receive(context, condition("I21.4", id="c", recordedDate=at[0].isoformat(), **wrong))
    set_time(context, SEEN + 2 * DAY)
    exported(context)
    outcomes = table(context, "outcomes").sort_values("decided_at")
    ends = table(context, "outcome_ends")
    stand = outcomes[~outcomes["outcome_id"].isin(ends["outcome_id"])]
    assert "acute" in set(outcomes["category"])
    assert len(outcomes) >= 2
    assert not (stand["category"] == "acute").any()
    # The next version ends the one before: nothing is exported twice.
    exported(context)
    assert len(table(context, "outcomes")) == len(outcomes)


def test_columns_have_the_shared_names_and_values_are_those_of_the_database(
    context: ProcessContext,
) -> None:
    assert set(SCHEMAS["assessments"].names) >= set(HISTORY_COLUMNS) - {
        "severity",
        "rare_code",
        "source",
    }
    assessed(context)
    assessed(context, patient="p2", situation="insufficient_data")
    exported(context)
    rows = table(context, "assessments").set_index("situation")
    scored = rows.loc["scored"]
    assert scored["recorded_at"] == pd.Timestamp(SEEN)
    assert (scored["age"], scored["heart_rate"]) == (60.0, 90.0)
    assert (scored["probability_mild"], scored["probability_acute"]) == (0.6, 0.4)
    # What the model does not cover is empty, never 0 (C19).
    assert pd.isna(scored["probability_terminal"])
    assert scored["prediction_set"] == "mild|acute"
    assert pd.isna(rows.loc["insufficient_data", "category"])


def test_nothing_in_a_file_names_a_patient_or_can_be_joined(context: ProcessContext) -> None:
    identifier = assessed(
        context, patient=PATIENT, encounter="xqz-encounter-99", base="https://xqz.example/fhir"
    )
    receive(
        context,
        marked_condition(recordedDate=(SEEN + HOUR).isoformat()),
        patient_id=PATIENT,
        base="https://xqz.example/fhir",
    )
    assessed(context, patient="excluded", situation="excluded")
    set_time(context, SEEN + 3 * DAY)
    exported(context)
    told = "\n".join(
        [*files(context), *(table(context, name).to_csv() for name in SCHEMAS)]
        + [data.decode("latin-1") for data in files(context).values()]
    )
    assert len(table(context, "assessments")) == 1
    assert len(table(context, "outcomes")) == 1
    assert not leaks(told)
    with reading(context.engine) as connection:
        row = connection.execute(select(ASSESSMENTS).where(ASSESSMENTS.c.id == identifier)).one()
        audited = connection.execute(
            select(AUDIT_EVENTS.c.detail).where(AUDIT_EVENTS.c.action == "export")
        ).scalars()
        assert [event["rows"] for event in audited] == [1, 1]
    for hidden in (identifier, row.patient_key, row.encounter_key, row.hook_instance):
        assert hidden not in told


def test_a_patient_has_one_name_also_after_keys_were_rotated(context: ProcessContext) -> None:
    old = read_secret_keys(context.settings)
    assessed(context)
    exported(context)
    rotated = [b"n" * 32, *old]
    use_keys(context, *rotated)
    object.__setattr__(
        context, "settings", Settings(**_settings(context) | {"secret_keys": _json(rotated)})
    )
    assessed(context)
    exported(context)
    assert table(context, "assessments")["patient_id"].nunique() == 1
    # With the old key away nobody can read whose the rows are: they still have a name.
    use_keys(context, b"o" * 32)
    object.__setattr__(
        context, "settings", Settings(**_settings(context) | {"secret_keys": _json([b"o" * 32])})
    )
    with context.engine.begin() as connection:
        connection.execute(update(EXPORTED_ROWS).values(target="elsewhere"))
    exported(context)
    assert table(context, "assessments")["patient_id"].notna().all()


def test_a_key_of_the_site_names_patients(context: ProcessContext, tmp_path: Path) -> None:
    assessed(context)
    exported(context)
    derived = table(context, "assessments")["patient_id"].item()
    key = _json([b"e" * 32])[2:-2]
    changed = {"export_key": key, "export_url": str(tmp_path / "other")}
    object.__setattr__(context, "settings", Settings(**_settings(context) | changed))
    exported(context)
    assert table(context, "assessments")["patient_id"].item() != derived


def _settings(context: ProcessContext) -> dict[str, Any]:
    return context.settings.model_dump(exclude_none=True)


def _json(keys: list[bytes]) -> str:
    from base64 import b64encode

    return json.dumps([b64encode(key).decode() for key in keys])


def test_object_storage_gets_whole_objects(context: ProcessContext) -> None:
    assessed(context)
    to = f"memory://bucket/{uuid4()}"
    ExportService(context).run(actor="test", to=to)
    (part,) = ExportService(context).parts(to)
    location = Location.open(f"{to}/dataset=assessments/day=2026-03-01", None)
    (found,) = location.listed()
    assert part["name"].endswith(found.name)
    # Another location has rows of its own.
    assert "1 assessments" in exported(context)


def test_a_location_that_cannot_be_used_is_told_in_a_sentence(
    context: ProcessContext, tmp_path: Path
) -> None:
    assessed(context)
    (tmp_path / "xqz-file").write_text("no folder")
    with pytest.raises(ServiceError, match=r"cannot be written \((Not a directory|File exists)"):
        ExportService(context).run(actor="test", to=str(tmp_path / "xqz-file"))
    # What was planned is written when the location is there.
    (tmp_path / "xqz-file").unlink()
    assert "1 assessments" in ExportService(context).run(
        actor="test", to=str(tmp_path / "xqz-file")
    )
    with pytest.raises(ServiceError, match=r"needs the extra `s3`: pip install"):
        ExportService(context).run(actor="test", to="s3://bucket/folder")
    with pytest.raises(ServiceError, match="must be a folder") as error:
        ExportService(context).run(actor="test", to="ftp://xqz:xqz@host/x")
    assert not leaks(str(error.value))


@pytest.mark.parametrize(
    "url",
    [
        "",
        "http://host/x",
        "memory://x",
        "s3://key:secret@bucket/x",
        "s3://bucket/x?token=1",
        "s3://bucket/../x",
        "s3://bucket/a//b",
        "s3:///x",
        "file://",
    ],
)
def test_urls_that_are_no_location_are_refused(url: str) -> None:
    with pytest.raises(ValueError, match="must"):
        location_url(url, development=False)


def test_a_location_has_one_spelling(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    spellings = ["out", "out/", "./out", f"file://{tmp_path}/out", str(tmp_path / "x/../out")]
    found = {location_url(text, development=False) for text in spellings}
    assert found == {f"file://{tmp_path.resolve()}/out"}
    account = "abfs://container@account.dfs.core.windows.net/a b/"
    assert location_url(account, development=False) == account.rstrip("/")


@pytest.mark.parametrize(
    ("variables", "words"),
    [
        ({"EXPORT_URL": "s3://xqz:xqz@bucket"}, "CDS_EXPORT_URL must hold no password"),
        (
            {"EXPORT_STORAGE_OPTIONS": '["xqz"]'},
            "CDS_EXPORT_STORAGE_OPTIONS: must be a JSON object",
        ),
        ({"EXPORT_STORAGE_OPTIONS": "xqz"}, "CDS_EXPORT_STORAGE_OPTIONS: must be a JSON object"),
        ({"EXPORT_KEY": "xqz"}, "CDS_EXPORT_KEY: must be base64 of 32 bytes"),
    ],
)
def test_settings_that_cannot_work_are_refused_without_their_values(
    variables: dict[str, str], words: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in variables.items():
        monkeypatch.setenv(f"CDS_{name}", value)
    with pytest.raises(ConfigurationError, match=words) as error:
        load_settings()
    assert not leaks(str(error.value))


def test_the_command(tmp_path: Path) -> None:
    done(tmp_path / "data", "db", "upgrade")
    assert "--to" in run(tmp_path / "data", "export").sentence()
    context = ProcessContext.create(Settings(development=True, data_dir=tmp_path / "data"))
    assessed(context)
    context.engine.dispose()
    out = tmp_path / "out"
    assert done(tmp_path / "data", "export", "--to", out) == "1 files written: 1 assessments.\n"
    listed = done(tmp_path / "data", "export", "--list", CDS_EXPORT_URL=str(out))
    assert listed.endswith("1 files with 1 rows.\n")
    assert "dataset=assessments/day=2026-03-01/part-" in listed
    assert run(tmp_path / "data", "export", "--to", out, "--day", "yesterday").code == 2
