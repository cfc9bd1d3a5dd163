"""Kills a job before one of its commits, starts it again, and compares what is left.

    python -m tests.support.kill_points FOLDER MOST [SCENARIO …]

FOLDER holds a database as `template`. Before at most MOST of the commits of each scenario, evenly
spread and the last among them, it is killed. Each run is a child of its own, and what all need is
imported once. Prints one JSON object a scenario.
"""

import json
import os
import re
import shutil
import signal
import sqlite3
import sys
import traceback
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from importlib import import_module
from importlib.util import find_spec
from itertools import count
from pathlib import Path
from typing import Any

from sqlalchemy import Engine, event, select
from sqlmodel import SQLModel

from cds_service.context import ProcessContext
from cds_service.logs import configure_logs
from cds_service.services.evaluating import EvaluatingService
from cds_service.services.reviewing import Answer, ReviewingService
from cds_service.services.schedule import JOBS, Schedule
from cds_service.settings import Settings
from cds_service.storage import session
from model.severity import Severity

STARTED = datetime(2026, 6, 1, 3, tzinfo=UTC)
AGAIN = STARTED + timedelta(minutes=10)
"""When the lease of the killed process, and every claim it held, has ended."""
SETTINGS: dict[str, Any] = {
    "review_audit_share": 0.1,
    "evaluation_chunk_rows": 150,
    "input_chunk_rows": 300,
    "minimum_outcomes": 50,
}


def job(name: str) -> Callable[[ProcessContext], None]:
    def run(context: ProcessContext) -> None:
        ran = Schedule(context).run(name, actor="test")
        assert ran.end == "done", ran.result

    return run


def answer(context: ProcessContext) -> None:
    # What was said before is not said again, as with a sheet.
    said, service = Answer("category", Severity.ACUTE, "ORPHA:558"), ReviewingService(context)
    if not service.given("asked-0", said, "dr a"):
        service.answer("asked-0", said, "dr a")


SCENARIOS: dict[str, Callable[[ProcessContext], None]] = {
    name: job(name)
    for name in ("alerts", "outcomes-pull", "shadow", "inputs", "evaluate", "review", "export")
} | {"answer": answer}


def context_of(folder: Path, at: datetime) -> ProcessContext:
    settings = Settings(
        development=True,
        data_dir=folder,
        export_url=(folder / "export").as_uri(),
        alert_webhook_url=os.environ.get("WEBHOOK"),
        alert_webhook_secret=os.environ.get("WEBHOOK_SECRET"),
        **SETTINGS,
    )
    return ProcessContext.create(settings, clock=lambda: at)


def run(folder: Path, scenario: str, *, at: datetime, kill_before: int = 0) -> tuple[int, int]:
    """How the child ended (0, 1 or minus the number of the signal) and how often it committed."""
    reader, writer = os.pipe()
    child = os.fork()
    if child:
        os.close(writer)
        ended = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
        with os.fdopen(reader, "rb") as told:
            return ended, len(told.read())
    code = 1
    try:
        context = context_of(folder, at)
        _watch(context.engine, kill_before, writer)
        SCENARIOS[scenario](context)
        code = 0
    except BaseException:
        traceback.print_exc()
    finally:
        sys.stderr.flush()
        os._exit(code)


def _watch(engine: Engine, kill_before: int, writer: int) -> None:
    numbers = count(1)

    def commit(_connection: object) -> None:
        if next(numbers) == kill_before:
            os.kill(os.getpid(), signal.SIGKILL)
        os.write(writer, b".")

    def connect(connection: sqlite3.Connection, _record: object) -> None:
        # A killed process loses nothing that the system has; without waiting for the disk.
        connection.execute("PRAGMA synchronous=OFF")

    event.listen(engine, "commit", commit)
    event.listen(engine, "connect", connect)


def state(folder: Path) -> dict[str, list[str]]:
    """What is in the tables and in the folder of the export, without what any two runs differ in:
    random ids, the times of the run, what is encrypted, and what is said of the run itself."""
    engine = session.create_database_engine(f"sqlite:///{folder / 'cds.sqlite3'}")
    found: dict[str, list[str]] = {}
    with session.reading(engine) as connection:
        for table in SQLModel.metadata.sorted_tables:
            rows = [dict(row._mapping) for row in connection.execute(select(table))]
            found[table.name] = sorted(_told(table.name, row) for row in rows)
    engine.dispose()
    # A run that is done again is audited again.
    found["audit_events"] = sorted(set(found["audit_events"]))
    found["files"] = sorted(
        f"{path.relative_to(folder)} {sha256(path.read_bytes()).hexdigest()}"
        for path in (folder / "export").rglob("*")
        if path.is_file()
    )
    return found


_UUID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")
_DURING = re.compile(rf"{STARTED:%Y-%m-%d}[T ]{STARTED:%H}:\d\d:\d\d(\.\d+)?(\+00:00|Z)?")
_LEFT_OUT = {
    "jobs": {"result", "due_at"},
    "audit_events": {"detail", "object_id"},
    # A delivery that was under way is made again under the same id.
    "alert_deliveries": {"attempts", "next_attempt_at"},
}


def _told(table: str, row: dict[str, Any]) -> str:
    kept = {
        name: round(value, 9) if isinstance(value, float) else value
        for name, value in row.items()
        if not isinstance(value, bytes)
        and not (name == "id" and isinstance(value, int))
        and name not in _LEFT_OUT.get(table, ())
    }
    text = json.dumps(kept, default=str, sort_keys=True)
    return _DURING.sub("during", _UUID.sub("id", text))


def compare(folder: Path, scenario: str, most: int) -> dict[str, Any]:
    """Run it undisturbed, then killed before some commits and again."""
    place = folder / scenario
    shutil.copytree(folder / "template", place)
    before = state(place)
    ended, commits = run(place, scenario, at=STARTED)
    assert ended == 0, f"{scenario} does not run"
    whole = state(place)
    changed = [name for name in whole if whole[name] != before[name]]
    different = []
    chosen = sorted({commits - commits * i // most for i in range(most)} - {0})
    for number in chosen:
        shutil.rmtree(place)
        shutil.copytree(folder / "template", place)
        ended, _ = run(place, scenario, at=STARTED, kill_before=number)
        assert ended == -signal.SIGKILL, f"{scenario} was not killed"
        ended, _ = run(place, scenario, at=AGAIN)
        if ended != 0:
            different.append(f"commit {number}: it does not run again")
            continue
        after = state(place)
        different += [
            f"commit {number}: {name}: {sorted(set(after[name]) ^ set(whole[name]))[:2]}"
            for name in whole
            if after[name] != whole[name]
        ]
    shutil.rmtree(place)
    return {
        "scenario": scenario,
        "commits": commits,
        "killed": len(chosen),
        "changed": changed,
        "different": different,
    }


def main() -> None:
    """All scenarios that are named, or every one."""
    folder, most, *names = sys.argv[1:]
    configure_logs("ERROR")
    for one in JOBS:
        module = f"cds_service.services.{one.module}"
        if find_spec(module) is not None:
            import_module(module)
    # How many bootstrap draws there are makes no difference to what is compared.
    EvaluatingService.__init__.__kwdefaults__["replicates"] = 5
    for name in names or SCENARIOS:
        print(json.dumps(compare(Path(folder), name, int(most))), flush=True)  # noqa: T201


if __name__ == "__main__":
    main()
