"""`cds-service models`."""

import json
from typing import TYPE_CHECKING, Annotated

import typer

from cds_service.cli.console import actor
from cds_service.cli.model_report import report
from cds_service.context import now
from cds_service.errors import ServiceError
from cds_service.settings import load_settings
from cds_service.storage.session import check, create_database_engine

if TYPE_CHECKING:
    from cds_service.services.models import ModelService

app = typer.Typer(
    help="List, show, report, promote and roll back model versions.", no_args_is_help=True
)
Reason = Annotated[str, typer.Option("--reason", help="Why; kept in the audit trail.")]


def _service() -> "ModelService":
    # Imported here, so that a serving process never loads what trains and evaluates.
    from cds_service.services.models import ModelService

    settings = load_settings()
    engine = create_database_engine(settings.database)
    check(engine)
    return ModelService(engine, settings, now)


@app.command("list")
def list_versions() -> None:
    """Every version; the live one is marked."""
    from model.evaluation.report import table

    rows = [
        [
            row["version"],
            "champion" if row["live"] else "",
            row["kind"],
            "simulated" if row["simulated"] else "history",
            f"{row['created_at']:%Y-%m-%d %H:%M}",
            row["created_by"],
            row["note"],
        ]
        for row in _service().versions()
    ]
    typer.echo(table(["version", "live", "kind", "data", "created", "by", "note"], rows))


@app.command("show")
def show(version: Annotated[str, typer.Argument(help="Version, or `champion`.")]) -> None:
    """One version as JSON: where it lies, what it was trained on, and its held-out figures."""
    service = _service()
    if version == "champion":
        champion = service.champion()
        if champion is None:
            raise ServiceError("There is no champion yet: run cds-service train.")
        version = champion["version"]
    row = service.version(version)
    row["releases"] = [
        {key: release[key] for key in ("action", "at", "actor", "reason")}
        for release in service.releases()
        if release["version"] == version
    ]
    typer.echo(json.dumps(row, indent=2, default=str))


app.command("report")(report)


@app.command("promote")
def promote(
    version: Annotated[str, typer.Argument(help="Version to make live.")],
    reason: Reason,
    allow_fewer_categories: Annotated[
        bool, typer.Option(help="Let the champion lose a category.")
    ] = False,
) -> None:
    """Make a version live."""
    _service().promote(
        version, actor=actor(), reason=reason, allow_fewer_categories=allow_fewer_categories
    )
    typer.echo(f"Model version {version} is live.")


@app.command("rollback")
def rollback(reason: Reason) -> None:
    """Make the version live that was live before."""
    version = _service().rollback(actor=actor(), reason=reason)
    typer.echo(f"Model version {version} is live again.")
