"""Kills a job before one of its commits, starts it again, and compares what is left.

    python -m tests.support.kill_points FOLDER MOST [SCENARIO …]

FOLDER holds data folders as the scenarios name them. Before at most MOST of the commits of each
scenario, evenly spread and the last among them, it is killed. Each run is a child of its own, and
what all need is imported once. Prints one JSON object a scenario.
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
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from importlib import import_module
from itertools import count
from pathlib import Path
from typing import Any

from sqlalchemy import Engine, event, select
from sqlmodel import SQLModel

from cds_service.context import ProcessContext
from cds_service.logs import configure_logs
from cds_service.services import jobs, lifecycle, retraining, watched_history
from cds_service.services.evaluating import EvaluatingService
from cds_service.services.job_desk import JobDesk
from cds_service.services.lifecycle import LifecycleService
from cds_service.services.reviewing import Answer, ReviewingService
from cds_service.services.schedule import JOBS, Schedule
from cds_service.settings import Settings
from cds_service.storage import session
from cds_service.storage.tables import MODEL_VERSIONS
from model.scorer import Scorer
from model.severity import Severity
from model.training.design import TrainingSettings
from tests.support.commands import QUICK

STARTED = datetime(2026, 6, 1, 3, tzinfo=UTC)
AGAIN = STARTED + timedelta(minutes=10)
"""When the lease of the killed process, and every claim it held, has ended."""
LOADED = (
    "imblearn.over_sampling",
    "mlflow.store.model_registry.sqlalchemy_store",
    "mlflow.store.tracking.sqlalchemy_store",
    "mlflow.tracking",
    "sklearn.linear_model",
    "xgboost",
)
"""What children would else load one by one."""
SETTINGS: dict[str, Any] = {
    "minimum_held_out": 40,
    "watch_outcomes": 100,
    # Of so few rows chance alone is more.
    "gate_category": 1.0,
    "gate_sensitivity": 1.0,
    "gate_fairness": 1.0,
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


def refresh(context: ProcessContext) -> None:
    # What was trained when it was killed goes on by `release`.
    LifecycleService(context).refresh(actor="test", with_report=False)
    job("release")(context)


def search(context: ProcessContext) -> None:
    LifecycleService(context).search(actor="test", with_report=False)
    job("release")(context)


def recalibrate(context: ProcessContext) -> None:
    LifecycleService(context).recalibrate(actor="test")
    job("release")(context)


def compare_again(context: ProcessContext) -> None:
    desk = JobDesk(context)
    if desk.comparison("a", "b") is None:
        desk.compare("a", "b", actor="user:ana")
    job("compare")(context)


def quick_search(champion: Scorer, seed: int) -> TrainingSettings:
    """Two kinds instead of nine, and two trials instead of thirty."""
    design = retraining.like_champion(champion, seed)
    kinds = ("logistic", "logistic_splines")
    return replace(design, estimators=kinds, search=True, trials=2, folds=2)


@dataclass(frozen=True)
class Scenario:
    """What is done, and to which data."""

    template: str
    run: Callable[[ProcessContext], None]


SCENARIOS: dict[str, Scenario] = {
    name: Scenario(template, job(name))
    for template, names in {
        "watched": ("alerts", "outcomes-pull", "shadow", "inputs", "evaluate", "review", "export"),
        "dropped": ("history",),
        "worse": ("release",),
        "rare": ("rare",),
    }.items()
    for name in names
} | {
    "answer": Scenario("watched", answer),
    "refresh": Scenario("worse", refresh),
    "search": Scenario("worse", search),
    "recalibrate": Scenario("shifted", recalibrate),
    "compare": Scenario("worse", compare_again),
}


def context_of(folder: Path, at: datetime) -> ProcessContext:
    settings = Settings(
        development=True,
        data_dir=folder,
        export_url=(folder / "export").as_uri(),
        history_watch_url=(folder / "drop").as_uri(),
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
        _watch(kill_before, writer)
        SCENARIOS[scenario].run(context)
        code = 0
    except BaseException:
        traceback.print_exc()
    finally:
        sys.stderr.flush()
        os._exit(code)


def _watch(kill_before: int, writer: int) -> None:
    """Of every database: the registry of models has its own."""
    numbers = count(1)

    def commit(_connection: object) -> None:
        if next(numbers) == kill_before:
            os.kill(os.getpid(), signal.SIGKILL)
        os.write(writer, b".")

    def connect(connection: sqlite3.Connection, _record: object) -> None:
        # A killed process loses nothing that the system has; without waiting for the disk.
        connection.execute("PRAGMA synchronous=OFF")

    event.listen(Engine, "commit", commit)
    event.listen(Engine, "connect", connect)


def state(folder: Path) -> dict[str, list[str]]:
    """What is in the tables and in the folder of the export, without what any two runs differ in:
    random ids, the times of the run, what is encrypted, and what is said of the run itself."""
    engine = session.create_database_engine(f"sqlite:///{folder / 'cds.sqlite3'}")
    found: dict[str, list[str]] = {}
    with session.reading(engine) as connection:
        made = select(MODEL_VERSIONS.c.version).where(MODEL_VERSIONS.c.created_at >= STARTED)
        versions = list(connection.execute(made.order_by(MODEL_VERSIONS.c.created_at)).scalars())
        for table in SQLModel.metadata.sorted_tables:
            rows = [dict(row._mapping) for row in connection.execute(select(table))]
            found[table.name] = sorted(_told(table.name, row, versions) for row in rows)
    engine.dispose()
    # A run that is done again is audited again, and is a run of its own.
    for name in ("audit_events", "runs"):
        found[name] = sorted(set(found[name]))
    found["files"] = sorted(
        f"{path.relative_to(folder)} {sha256(path.read_bytes()).hexdigest()}"
        for path in (folder / "export").rglob("*")
        if path.is_file()
    )
    return found


_RANDOM = (
    re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}"),
    re.compile(r"(?<=\"run_id\": \")[0-9a-f]{32}"),
    # What the alert about a file calls it, and when the copy of the file was made.
    re.compile(r"(?<=\"file\": \")[0-9a-f]{8}"),
    re.compile(r"\b\d+\.\d+\|\d+\.\d+\b"),
)
_DURING = re.compile(rf"{STARTED:%Y-%m-%d}[T ]{STARTED:%H}:\d\d:\d\d(\.\d+)?(\+00:00|Z)?")
_LEFT_OUT = {
    # How far each run came, the killed one too; of what it did the other tables tell.
    "runs": {"started_at", "seen_at", "ended_at", "step", "share", "state", "result"},
    "jobs": {"result", "due_at"},
    # How long an answer takes is measured each time.
    "evaluations": {"result"},
    "model_versions": {"location", "checksum", "metrics"},
    "release_watches": {"digest"},
    "audit_events": {"detail", "object_id"},
    # How long an answer takes is among the reasons.
    "comparison_requests": {"tries", "result"},
    # A delivery that was under way is made again under the same id.
    "alert_deliveries": {"attempts", "next_attempt_at"},
}


def _told(table: str, row: dict[str, Any], versions: list[str]) -> str:
    """A row as text. New versions are numbered here: the registry gives no number twice."""
    kept = {
        name: round(value, 9) if isinstance(value, float) else value
        for name, value in row.items()
        if not isinstance(value, bytes)
        and not (name == "id" and isinstance(value, int))
        and name not in _LEFT_OUT.get(table, ())
    }
    text = json.dumps(kept, default=str, sort_keys=True)
    for number, version in enumerate(versions):
        # The version of the label rules may be the same text.
        told = rf'(?<!"label_version": )"{version}"'
        text = re.sub(told, f'"new-{number}"', text)
        text = re.sub(rf"(?<=ersion ){version}\b", f"new-{number}", text)
    for pattern in _RANDOM:
        text = pattern.sub("id", text)
    return _DURING.sub("during", text)


def _first_difference(one: list[str], other: list[str]) -> str:
    """Where the first rows that differ begin to differ."""
    (a, b) = ((sorted(set(x) - set(y)) or [""])[0] for x, y in ((one, other), (other, one)))
    same = next((i for i, (x, y) in enumerate(zip(a, b, strict=False)) if x != y), 0)
    part = slice(max(same - 60, 0), same + 100)
    return f"{len(one)} rows …{a[part]} | {len(other)} …{b[part]}"


def compare(folder: Path, scenario: str, most: int) -> dict[str, Any]:
    """Run it undisturbed, then killed before some commits and again."""
    place = folder / f"killed-{scenario}"
    shutil.copytree(folder / SCENARIOS[scenario].template, place)
    before = state(place)
    ended, commits = run(place, scenario, at=STARTED)
    assert ended == 0, f"{scenario} does not run"
    whole = state(place)
    changed = [name for name in whole if whole[name] != before[name]]
    different = []
    chosen = sorted({commits - commits * i // most for i in range(most)} - {0})
    for number in chosen:
        shutil.rmtree(place)
        shutil.copytree(folder / SCENARIOS[scenario].template, place)
        ended, _ = run(place, scenario, at=STARTED, kill_before=number)
        assert ended == -signal.SIGKILL, f"{scenario} ended with {ended} before commit {number}"
        ended, _ = run(place, scenario, at=AGAIN)
        if ended != 0:
            different.append(f"commit {number}: it does not run again")
            continue
        after = state(place)
        different += [
            f"commit {number}: {name}: {_first_difference(after[name], whole[name])}"
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
    for module in (*LOADED, *(f"cds_service.services.{one.module}" for one in JOBS)):
        import_module(module)
    # How many bootstrap draws there are makes no difference to what is compared.
    EvaluatingService.__init__.__kwdefaults__["replicates"] = 5
    retraining.TrainingSettings = QUICK
    lifecycle.full_search = quick_search
    watched_history.SETTLE_SECONDS = 0.0
    # On a busy machine a renewal would be one commit more, now and then.
    jobs.RENEW_SECONDS = 3_600.0
    for name in names or SCENARIOS:
        print(json.dumps(compare(Path(folder), name, int(most))), flush=True)  # noqa: T201


if __name__ == "__main__":
    main()
