"""`cds-service models report`."""

from pathlib import Path
from typing import Annotated

import typer

from cds_service.cli.console import actor, require_folder
from cds_service.context import now
from cds_service.errors import ServiceError
from cds_service.settings import load_settings
from cds_service.storage.session import check, create_database_engine


def report(
    version: Annotated[str, typer.Argument(help="Version, or `champion`.")],
    output: Annotated[
        Path | None,
        typer.Option(help="Write it to this file; otherwise report-VERSION.html is written here."),
    ] = None,
) -> None:
    """Write the report of a version, with pictures, as one HTML page."""
    # Imported here, so that a serving process never loads what trains and evaluates.
    from cds_service.services.kept_reports import ModelReportService
    from cds_service.services.models import ModelService

    settings = load_settings()
    engine = create_database_engine(settings.database)
    check(engine)
    models = ModelService(engine, settings, now)
    if version == "champion":
        champion = models.champion()
        if champion is None:
            raise ServiceError("There is no champion yet: run cds-service train.")
        version = champion["version"]
    else:
        version = models.version(version)["version"]
    path = output or Path(f"report-{version}.html")
    require_folder(path)
    text = ModelReportService(engine, settings, now).page(version, actor=actor())
    path.write_text(text, encoding="utf-8")
    typer.echo(f"The report of model version {version}: {path}")
