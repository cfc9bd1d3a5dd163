"""`cds-service models export`."""

from pathlib import Path
from typing import Annotated

import typer

from cds_service.cli.console import (
    Columns,
    TimeColumn,
    Timezone,
    actor,
    parse_columns,
    progress,
    require_folder,
)
from cds_service.context import now
from cds_service.errors import ServiceError
from cds_service.settings import load_settings
from cds_service.storage.session import check, create_database_engine


def export(
    version: Annotated[str, typer.Argument(help="Version, or `champion`.")],
    target: Annotated[Path, typer.Option("--output", help="File to write: .onnx.")],
    rows: Annotated[
        Path | None,
        typer.Option(
            "--rows",
            help="Rows to compare on, delimited text or Parquet. Default: the history it was "
            "trained on.",
        ),
    ] = None,
    column: Columns = None,
    time_column: TimeColumn = None,
    timezone: Timezone = None,
) -> None:
    """Write a version as ONNX, and a JSON beside it; refused if its answers are not the same.

    The JSON says how the columns are computed, and holds thresholds and limits of the sets.
    """
    # Imported here, so that a serving process never loads what trains and evaluates.
    from cds_service.services.exporting import ExportService, RowsFile

    if target.suffix != ".onnx":
        raise ServiceError(f"{target.name} is of no kind that can be written: .onnx.")
    require_folder(target)
    file = None
    if rows is not None:
        file = RowsFile(rows, parse_columns(column), time_column, timezone)
    engine = create_database_engine(load_settings().database)
    check(engine)
    with progress() as bar:
        report = ExportService(engine, now).export(
            version, target, actor=actor(), rows=file, progress=bar
        )
    typer.echo(
        f"Model version {report.version}: {report.onnx} and {report.details.name}.\n"
        f"Largest difference of a probability on {report.rows} rows ({report.compared_on}, and the "
        f"same with values missing): {report.largest_difference:.1e}."
    )
