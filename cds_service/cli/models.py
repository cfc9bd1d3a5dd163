"""`cds-service models`."""

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from cds_service.cli.console import (
    Columns,
    TimeColumn,
    Timezone,
    actor,
    parse_columns,
    require_folder,
)
from cds_service.cli.model_report import report
from cds_service.context import ProcessContext, now
from cds_service.errors import ServiceError
from cds_service.settings import load_settings
from cds_service.storage.session import check, create_database_engine

if TYPE_CHECKING:
    from cds_service.services.models import ModelService

app = typer.Typer(
    help="List, show, report, compare, promote and roll back model versions.", no_args_is_help=True
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
    """One version as JSON: where it lies, its held-out figures, comparisons and looks."""
    service = _service()
    version = _named(service, version)
    row = service.version(version)
    row["releases"] = [
        {key: release[key] for key in ("action", "at", "actor", "reason")}
        for release in service.releases()
        if release["version"] == version
    ]
    row["comparisons"] = service.comparisons(version)
    row["looks"] = service.looks(version)
    row["challenger"] = service.challenger(version)
    typer.echo(json.dumps(row, indent=2, default=str))


app.command("report")(report)


@app.command("compare")
def compare(
    first: Annotated[str, typer.Argument(help="Version to hold against, or `champion`.")],
    second: Annotated[str, typer.Argument(help="Version to judge.")],
    history: Annotated[
        Path | None,
        typer.Option(
            help="Compare on this file; else on the kept histories and confirmed outcomes."
        ),
    ] = None,
    column: Columns = None,
    time_column: TimeColumn = None,
    timezone: Timezone = None,
    output: Annotated[Path | None, typer.Option(help="Write all figures to this file.")] = None,
    include_open: Annotated[
        bool, typer.Option(help="Also use outcomes whose window is still open.")
    ] = False,
    allow_fewer_categories: Annotated[
        bool, typer.Option(help="Do not refuse a version for a category it lacks.")
    ] = False,
    seed: Annotated[int, typer.Option(min=0, help="Same rows and seed, same figures.")] = 20_260,
) -> None:
    """Judge one version against another on patients neither has learnt from; promotes nothing."""
    # Imported here, so that a serving process never loads what trains and evaluates.
    from cds_service.services.comparing import Comparing
    from cds_service.services.training import TrainingService
    from model.training.gate_records import gates_as_text

    columns = parse_columns(column)
    if history is None and (columns or time_column or timezone):
        raise typer.BadParameter("--column, --time-column and --timezone need --history")
    if output is not None:
        require_folder(output)
    context = ProcessContext.create(load_settings())
    check(context.engine)
    training = TrainingService(context.engine, context.settings, context.clock)
    report = Comparing(context, training).compare_versions(
        _named(training.models, first),
        _named(training.models, second),
        actor=actor(),
        seed=seed,
        history=history,
        columns=columns,
        time_column=time_column,
        timezone=timezone,
        include_open=include_open,
        allow_fewer_categories=allow_fewer_categories,
    )
    told = report.as_json()
    for note in told["notes"]:
        typer.echo(f"Note: {note}")
    typer.echo(gates_as_text(told["gates"]))
    for figure in told["floors"]:
        typer.echo(f"Floor: {figure}.")
    typer.echo(str(report.looks))
    typer.echo(told["reason"])
    if output is not None:
        output.write_text(json.dumps(told, indent=2, ensure_ascii=False) + "\n", "utf-8")
        typer.echo(f"All figures: {output}")


@app.command("promote")
def promote(
    version: Annotated[str, typer.Argument(help="Version to make live.")],
    reason: Reason,
    allow_fewer_categories: Annotated[
        bool, typer.Option(help="Let the champion lose a category.")
    ] = False,
) -> None:
    """Make a version live."""
    service = _service()
    _tell_gates(service, version)
    service.promote(
        version, actor=actor(), reason=reason, allow_fewer_categories=allow_fewer_categories
    )
    typer.echo(f"Model version {version} is live.")


@app.command("rollback")
def rollback(reason: Reason) -> None:
    """Make the version live that was live before."""
    version = _service().rollback(actor=actor(), reason=reason)
    typer.echo(f"Model version {version} is live again.")


def _named(service: "ModelService", version: str) -> str:
    """The version, also for `champion`."""
    if version != "champion":
        return version
    champion = service.champion()
    if champion is None:
        raise ServiceError("There is no champion yet: run cds-service train.")
    return str(champion["version"])


def _tell_gates(service: "ModelService", version: str) -> None:
    """What the last comparison said, and a warning where it does not speak for the version.

    It forbids nothing: a person decides, whose name and reason are kept.
    """
    from model.training.gate_records import gates_as_text

    champion = service.champion()
    if champion is None:
        return
    compared = service.comparisons(version)
    if not compared:
        typer.echo(
            f"Warning: version {version} was never compared: "
            f"cds-service models compare champion {version}"
        )
        return
    last = compared[0]
    typer.echo(f"Compared with version {last['champion']} on {last['at']:%Y-%m-%d %H:%M}:")
    typer.echo(gates_as_text(last["gates"]))
    if not last["promote"]:
        typer.echo(f"Warning: that comparison does not speak for it. {last['reason']}")
    if last["champion"] != champion["version"]:
        typer.echo(f"Warning: now version {champion['version']} is live, which is another.")
