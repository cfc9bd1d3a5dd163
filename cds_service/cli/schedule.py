"""`cds-service schedule`."""

import os
import signal
import sys
import threading
from contextlib import closing
from types import FrameType
from typing import TYPE_CHECKING, Annotated, NoReturn

import typer

from cds_service.cli.console import actor, progress
from cds_service.context import ProcessContext
from cds_service.logs import configure_logs
from cds_service.settings import load_settings
from cds_service.storage.session import check

if TYPE_CHECKING:
    from cds_service.services.jobs import Ran
    from cds_service.services.schedule import Entry, Schedule


def schedule(
    once: Annotated[
        bool, typer.Option("--once", help="Run what is due and end; exit code 1 if one failed.")
    ] = False,
    listing: Annotated[
        bool, typer.Option("--list", help="Show each job: due, last result, who is at it.")
    ] = False,
    run: Annotated[
        str | None, typer.Option("--run", metavar="JOB", help="Run this job now, due or not.")
    ] = None,
) -> None:
    """Run each job at its time until stopped; several processes may, and one acts."""
    # Imported here, so that a serving process never loads what trains and evaluates.
    from cds_service.services.schedule import Schedule

    if once + listing + (run is not None) > 1:
        raise typer.BadParameter("--once, --list and --run exclude each other")
    settings = load_settings()
    configure_logs(settings.log_level)
    context = ProcessContext.create(settings)
    check(context.engine)
    stopping = threading.Event()
    jobs = Schedule(context, stopping=stopping)
    if listing:
        _show(jobs.entries())
        return
    hurry = _told_to_stop(stopping)
    with closing(context.fhir):
        if run is not None:
            with progress() as bar:
                ran = [jobs.run(run, actor=actor(), progress=bar)]
        elif once:
            ran = jobs.once()
        else:
            _loop(jobs, context, hurry)
            return
    _told(ran)


def _loop(jobs: "Schedule", context: ProcessContext, hurry: threading.Event) -> None:
    # Clients are added and paused while this runs.
    context.directory.start()
    try:
        ended = jobs.loop(hurry=hurry)
    finally:
        context.directory.stop()
    if not ended:
        _leave()


def _told_to_stop(stopping: threading.Event) -> threading.Event:
    """Stop at SIGTERM and SIGINT; the event that is returned says that they came twice."""
    hurry = threading.Event()

    def stop(_signal: int, _frame: FrameType | None) -> None:
        (hurry if stopping.is_set() else stopping).set()

    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, stop)
    return hurry


def _told(runs: list["Ran"]) -> None:
    for ran in runs:
        typer.echo(f"{ran.name}: {ran.end}. {ran.result}")
    if not runs:
        typer.echo("Nothing is due.")
    if any(ran.end == "failed" for ran in runs):
        raise typer.Exit(1)


def _leave() -> NoReturn:
    """End at once, although a thread is still at a job that another process may take now."""
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(0)


def _show(entries: list["Entry"]) -> None:
    from model.evaluation.report import table

    heads = ["job", "every", "due", "last end", "failures", "result", "at it"]
    rows = []
    for entry in entries:
        row = entry.row or {}
        due, ended, lease = entry.due_at, row.get("finished_at"), row.get("lease_until")
        rows.append(
            [
                entry.name,
                entry.every,
                entry.note or ("" if due is None else f"{due:%Y-%m-%d %H:%M}"),
                "never" if ended is None else f"{ended:%Y-%m-%d %H:%M}",
                str(row.get("failures", 0)),
                row.get("result") or "",
                "" if lease is None else f"{row['owner'][:8]} until {lease:%H:%M:%S}",
            ]
        )
    typer.echo("Times are UTC.\n" + table(heads, rows))
