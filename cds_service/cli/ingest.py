"""`cds-service ingest`."""

from pathlib import Path
from typing import Annotated, Any

import typer

from cds_service.cli import hl7_options as hl7
from cds_service.cli.console import (
    Columns,
    TimeColumn,
    Timezone,
    actor,
    parse_columns,
    progress,
)
from cds_service.cli.senders import ClientOption, FHIRServer, sender
from cds_service.context import ProcessContext
from cds_service.services.deliveries import Received
from cds_service.services.hl7v2 import HL7Service
from cds_service.services.ingesting import ingest_conditions
from cds_service.settings import load_settings
from cds_service.storage.session import check

app = typer.Typer(help="Take in data from files.", no_args_is_help=True)
SHOWN = 20
"""Faults listed on the screen."""


@app.callback()
def ingest() -> None:
    """Take in data from files."""


@app.command("conditions")
def conditions(
    files: Annotated[
        list[Path],
        typer.Argument(
            help="Bundles, resources, NDJSON, or the folder of a bulk export; also .gz."
        ),
    ],
    client: ClientOption = None,
    fhir_server: FHIRServer = None,
) -> None:
    """Take the Conditions of files as diagnoses; the same file again changes nothing."""
    context = ProcessContext.create(load_settings())
    check(context.engine)
    of = sender(context, client)
    with progress() as bar:
        ingested = ingest_conditions(
            context, files, client=of, base=fhir_server or of.base, actor=actor(), progress=bar
        )
    for reason, count in ingested.faults.most_common():
        typer.echo(f"{count} lines passed over: {reason}")
    show_received(ingested.received)
    if ingested.faults and not (ingested.received.stored or ingested.received.unchanged):
        raise typer.Exit(1)


@app.command("hl7")
def hl7_files(
    files: Annotated[
        list[Path], typer.Argument(help="HL7 v2 messages, batches or MLLP captures; also .gz.")
    ],
    client: ClientOption = None,
    fhir_server: FHIRServer = None,
    authority: hl7.Authority = None,
    identifier_type: hl7.IdentifierType = "MR",
    visits: hl7.Visits = True,
    final_type: hl7.FinalType = None,
    home: hl7.Home = None,
    system: hl7.System = None,
    timezone: hl7.Zone = None,
) -> None:
    """Take the diagnoses of HL7 v2 messages; the same file again changes nothing."""
    reading = hl7.reading(authority, identifier_type, visits, final_type, home, system, timezone)
    context = ProcessContext.create(load_settings())
    check(context.engine)
    of = sender(context, client)
    service = HL7Service(context, of, base=fhir_server or of.base, reading=reading, actor=actor())
    with progress() as bar:
        taken = service.take_files(files, progress=bar)
    typer.echo(f"{taken.messages} messages, {taken.repeated} of them taken before.")
    for reason, count in taken.faults.most_common():
        typer.echo(f"{count} messages passed over: {reason}")
    for reason, count in taken.skipped.most_common():
        typer.echo(f"{count} passed over: {reason.replace('_', ' ')}")
    taken.received.issues = taken.issues
    show_received(taken.received)
    if taken.messages and taken.faults.total() == taken.messages:
        raise typer.Exit(1)


@app.command("history")
def history(
    file: Annotated[
        Path | None, typer.Argument(help="Delimited text (.txt, .csv, .tsv, also .gz) or Parquet.")
    ] = None,
    watched: Annotated[
        bool, typer.Option("--watched", help="Take what is new in CDS_HISTORY_WATCH_URL.")
    ] = False,
    listed: Annotated[
        bool, typer.Option("--list", help="List the files that were found there so far.")
    ] = False,
    column: Columns = None,
    time_column: TimeColumn = None,
    timezone: Timezone = None,
    source: Annotated[str | None, typer.Option(help="Name of the source of the rows.")] = None,
    label_version: Annotated[
        str | None,
        typer.Option(help="Version of the rules that made its categories, if not the present."),
    ] = None,
) -> None:
    """Keep history files to learn from later, without training now; known rows are left out."""
    # Imported here, so that a serving process never loads what trains.
    from cds_service.services.history_intake import HistoryIntake
    from cds_service.services.training import HistoryFile
    from cds_service.services.watched_history import HistoryWatchService

    if [file is not None, watched, listed].count(True) != 1:
        raise typer.BadParameter("give a file, or --watched, or --list")
    columns = parse_columns(column)
    context = ProcessContext.create(load_settings())
    check(context.engine)
    if watched:
        typer.echo(HistoryWatchService(context).run(actor=actor()))
    elif listed:
        _show_watched(HistoryWatchService(context).files())
    elif file is not None:
        taken = HistoryIntake(context).take(
            HistoryFile(file, columns, time_column, timezone, source, label_version),
            actor=actor(),
        )
        typer.echo(taken.report.render_text())
        typer.echo(f"{taken.rows} rows kept, {taken.known} known already.")
        if taken.otherwise:
            typer.echo(f"To {taken.otherwise} of these the file gives another category: not used.")


def _show_watched(files: list[dict[str, Any]]) -> None:
    for one in files:
        counts = one["report"]
        said = counts.get("why") or (
            f"{counts.get('rows_kept', 0)} rows kept, {counts.get('rows_known', 0)} known already"
        )
        typer.echo(
            f"{one['id'][:8]}  {one['seen_at']:%Y-%m-%d %H:%M} UTC  {one['state']}  "
            f"{one['name']}  {said.replace('_', ' ')}"
        )
    typer.echo(f"{len(files)} files.")


def show_received(received: Received) -> None:
    """What became of Conditions."""
    typer.echo(f"{received.stored} Conditions stored, {received.unchanged} known already.")
    for count, what in ((received.withdrawn, "withdrawn"), (received.merged, "patients merged")):
        if count:
            typer.echo(f"{count} {what}.")
    for reason, count in received.skipped.most_common():
        typer.echo(f"{count} skipped: {reason.replace('_', ' ')}")
    for issue in received.issues[:SHOWN]:
        typer.echo(f"  {issue}")
    if len(received.issues) > SHOWN:
        typer.echo(f"  and {len(received.issues) - SHOWN} more faults")
    if received.undetermined:
        typer.echo("Stored, but saying nothing of severity, by system and reason:")
        for reason, count in received.undetermined.most_common():
            typer.echo(f"  {count} {reason}")
