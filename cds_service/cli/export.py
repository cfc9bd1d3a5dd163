"""`cds-service export`."""

from datetime import date
from typing import Annotated

import typer

from cds_service.cli.console import actor
from cds_service.context import ProcessContext
from cds_service.settings import load_settings
from cds_service.storage.session import check


def export(
    to: Annotated[
        str | None, typer.Option(help="Folder or URL to export to; else CDS_EXPORT_URL.")
    ] = None,
    day: Annotated[str | None, typer.Option(help="Only this day, like 2026-03-01 (UTC).")] = None,
    listed: Annotated[
        bool, typer.Option("--list", help="Export nothing: list the files that were written.")
    ] = False,
) -> None:
    """Write assessments, outcomes and reports as Parquet, each row once, pseudonymous."""
    # Imported here, so that a serving process does not load it.
    from cds_service.services.exports import ExportService

    only = _day(day)
    context = ProcessContext.create(load_settings())
    check(context.engine)
    service = ExportService(context)
    if not listed:
        typer.echo(service.run(actor=actor(), to=to, day=only))
        return
    parts = [part for part in service.parts(to) if only is None or part["day"] == str(only)]
    for part in parts:
        state = "" if part["state"] == "written" else f"  {part['state']}"
        typer.echo(f"{part['name']}  {part['rows']} rows{state}")
    typer.echo(f"{len(parts)} files with {sum(part['rows'] for part in parts)} rows.")


def _day(text: str | None) -> date | None:
    if text is None:
        return None
    try:
        return date.fromisoformat(text)
    except ValueError:
        raise typer.BadParameter(f"'{text}' is not a day, like 2026-03-01") from None
