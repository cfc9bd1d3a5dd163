"""`cds-service outcomes`."""

import json
from contextlib import closing
from typing import Annotated

import typer

from cds_service.cli.console import actor
from cds_service.cli.ingest import show_received
from cds_service.context import ProcessContext
from cds_service.logs import configure_logs
from cds_service.services.backend_services import public_jwks
from cds_service.services.outcome_puller import pull_outcomes
from cds_service.services.pulling import OutcomePulls, Pulled
from cds_service.settings import load_settings
from cds_service.storage.session import check

app = typer.Typer(help="Ask FHIR servers what became of patients.", no_args_is_help=True)


@app.callback()
def outcomes() -> None:
    """Ask FHIR servers what became of patients."""


@app.command("pull")
def pull(
    client: Annotated[str | None, typer.Option(help="Only this client.")] = None,
    now: Annotated[
        bool, typer.Option("--now", help="Also patients whose day has not come yet.")
    ] = False,
) -> None:
    """Ask for the diagnoses that are due, and follow notices; exit code 1 if all failed."""
    settings = load_settings()
    configure_logs(settings.log_level)
    context = ProcessContext.create(settings)
    check(context.engine)
    pulls = OutcomePulls(context)
    if not pulls.clients(client):
        typer.echo("No client has given us access of our own: nothing to ask.")
        return
    with closing(context.fhir):
        pulled = pull_outcomes(context, pulls, actor=actor(), name=client, early=now)
    _show(pulled)
    if pulled.all_failed:
        raise typer.Exit(1)


@app.command("jwks")
def jwks(client: Annotated[str, typer.Argument(help="Name of the client.")]) -> None:
    """Print the public key that the client's EHR needs to know of us, as a JWKS."""
    context = ProcessContext.create(load_settings())
    check(context.engine)
    (one,) = OutcomePulls(context).clients(client)
    if one.settings.backend is not None:
        typer.echo(json.dumps(public_jwks(one.settings.backend), indent=2))


def _show(pulled: Pulled) -> None:
    typer.echo(f"{pulled.asked} patients asked for, {pulled.notices} notices followed.")
    show_received(pulled.received)
    for reason, count in pulled.ended.most_common():
        typer.echo(f"{count} not asked for again: {reason}")
    for kind, count in pulled.failed.most_common():
        typer.echo(f"{count} failed, to be tried again: {kind.replace('_', ' ')}")
    for problem in pulled.problems:
        typer.echo(problem)
    due = pulled.next_due
    typer.echo("Nothing else is due." if due is None else f"Next due: {due.isoformat()}")
