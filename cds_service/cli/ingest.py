"""`cds-service ingest`."""

from pathlib import Path
from typing import Annotated

import typer

from cds_service.cli.console import actor, progress
from cds_service.context import ProcessContext
from cds_service.security.clients import DEVELOPMENT_CLIENT
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
    file: Annotated[Path, typer.Argument(help="A Bundle, a resource or NDJSON; also .gz.")],
    fhir_server: Annotated[
        str | None,
        typer.Option(
            help="FHIR base URL the patients belong to, as the EHR sends it in `fhirServer`. "
            "Not needed where the file names it, or the EHR sends none."
        ),
    ] = None,
) -> None:
    """Take the Conditions of a file as diagnoses; the same file again changes nothing."""
    context = ProcessContext.create(load_settings())
    check(context.engine)
    client = DEVELOPMENT_CLIENT
    with progress() as bar:
        received = ingest_conditions(
            context,
            file,
            client=client.name,
            base=fhir_server or client.base,
            actor=actor(),
            progress=bar,
        )
    typer.echo(f"{received.stored} Conditions stored, {received.unchanged} known already.")
    for reason, count in received.skipped.most_common():
        typer.echo(f"{count} skipped: {reason.replace('_', ' ')}")
    for issue in received.issues[:SHOWN]:
        typer.echo(f"  Condition {issue}")
    if len(received.issues) > SHOWN:
        typer.echo(f"  and {len(received.issues) - SHOWN} more faults")
    if received.undetermined:
        typer.echo("Stored, but saying nothing of severity, by system and reason:")
        for reason, count in received.undetermined.most_common():
            typer.echo(f"  {count} {reason}")
