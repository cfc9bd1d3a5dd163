"""`cds-service train` and `cds-service retrain`."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

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
from cds_service.context import ProcessContext, now
from cds_service.settings import load_settings
from cds_service.storage.session import check, create_database_engine
from model.features import EXTRA_INPUTS
from model.severity import Severity

if TYPE_CHECKING:
    from cds_service.services.training import TrainReport

AllowFewer = Annotated[
    bool, typer.Option(help="Let the champion lose a category that the data do not hold.")
]
WithReport = Annotated[
    bool,
    typer.Option("--report/--no-report", help="Write the report, which takes some seconds more."),
]


OF_HISTORY = (
    *("column", "time_column", "timezone", "source", "label_version", "row_report"),
    *("min_age", "max_age", "flag_rate", "extra_input", "seed"),
)
"""Options of `train` that mean nothing to the simulated patients."""


def train(  # every option is one the user types
    context: typer.Context,
    history: Annotated[
        Path | None, typer.Option(help="Delimited text (.txt, .csv, .tsv, also .gz) or Parquet.")
    ] = None,
    column: Columns = None,
    time_column: TimeColumn = None,
    timezone: Timezone = None,
    source: Annotated[str | None, typer.Option(help="Name of the source of the rows.")] = None,
    label_version: Annotated[
        str | None,
        typer.Option(help="Version of the rules that made its categories, if not the present."),
    ] = None,
    row_report: Annotated[
        Path | None, typer.Option(help="Write what cleaning did, row by row, to this csv file.")
    ] = None,
    min_age: Annotated[float, typer.Option(help="Youngest age of the population, a.")] = 18.0,
    max_age: Annotated[float, typer.Option(help="Oldest age of the population, a.")] = 110.0,
    flag_rate: Annotated[
        float, typer.Option(help="Share of charts to flag as acute illness.")
    ] = 0.05,
    extra_input: Annotated[
        list[str] | None,
        typer.Option(
            metavar="NAME", help=f"Learn from it too: {' or '.join(EXTRA_INPUTS)}. Repeatable."
        ),
    ] = None,
    seed: Annotated[int, typer.Option(min=0, help="Same data and seed, same model.")] = 20_260,
    allow_fewer_categories: AllowFewer = False,
    with_report: WithReport = True,
    if_none: Annotated[
        bool, typer.Option("--if-none", help="Only if there is no champion.")
    ] = False,
) -> None:
    """Train on a history file, or without one on simulated patients (the starter model).

    The new model goes live by itself only where there is no champion or only a simulated one.
    """
    # Imported here, so that a serving process never loads what trains and evaluates.
    from cds_service.services.training import HistoryFile, TrainingService
    from model.training.design import TrainingSettings

    if history is None:
        _refuse_options_of_history(context)
    if row_report is not None:
        require_folder(row_report)
    columns = parse_columns(column)
    settings = load_settings()
    engine = create_database_engine(settings.database)
    check(engine)
    service = TrainingService(engine, settings, now)
    champion = service.models.champion()
    if if_none and champion is not None:
        typer.echo(f"Model version {champion['version']} is live; nothing to train.")
        return
    if history is None:
        with progress() as bar:
            report = service.train_starter(actor=actor(), progress=bar, with_report=with_report)
    else:
        design = TrainingSettings(
            seed=seed,
            min_age=min_age,
            max_age=max_age,
            flag_rates={Severity.ACUTE: flag_rate},
            extra_inputs=tuple(extra_input or ()),
        )
        file = HistoryFile(history, columns, time_column, timezone, source, label_version)
        with progress() as bar:
            report = service.train_history(
                file,
                design,
                actor=actor(),
                progress=bar,
                allow_fewer_categories=allow_fewer_categories,
                with_report=with_report,
            )
    _print(report, row_report)


def _refuse_options_of_history(context: typer.Context) -> None:
    """Raise `typer.BadParameter` for an option that would be passed over in silence."""
    for name in OF_HISTORY:
        source = context.get_parameter_source(name)
        if source is not None and source.name == "COMMANDLINE":
            raise typer.BadParameter(f"--{name.replace('_', '-')} needs --history")


def _print(report: "TrainReport", row_report: Path | None) -> None:
    from model.training.summary import as_text

    if report.cleaning is not None:
        typer.echo(report.cleaning.render_text() + "\n")
        if row_report is not None:
            report.cleaning.entries().to_csv(row_report, index=False)
            typer.echo(f"What was done to each row: {row_report}\n")
    typer.echo(as_text(report.result) + "\n")
    for figure in report.result.report["floors"]:
        typer.echo(f"Floor: {figure}.")
    typer.echo(report.result.report["held_out"]["said"])
    typer.echo(f"Model version {report.version}. {report.why}")


def retrain(
    promote: Annotated[
        bool, typer.Option("--promote/--no-promote", help="Hold it even if it passes.")
    ] = True,
    include_open: Annotated[
        bool,
        typer.Option(
            help="Also use outcomes whose window is still open. They may change: for trying out."
        ),
    ] = False,
    allow_fewer_categories: AllowFewer = False,
    with_report: WithReport = True,
    seed: Annotated[int, typer.Option(min=0, help="Same data and seed, same model.")] = 20_260,
) -> None:
    """Train a challenger on history and confirmed outcomes, and compare it with the champion.

    It replaces the champion only if it is shown not to be worse on patients neither learnt from.
    """
    from cds_service.services.retraining import RetrainingService
    from model.training.gate_records import gates_as_text

    context = ProcessContext.create(load_settings())
    check(context.engine)
    with progress() as bar:
        report = RetrainingService(context).retrain(
            actor=actor(),
            progress=bar,
            promote=promote,
            include_open=include_open,
            allow_fewer_categories=allow_fewer_categories,
            seed=seed,
            with_report=with_report,
        )
    for note in report.notes:
        typer.echo(f"Note: {note}")
    typer.echo(gates_as_text(report.gates))
    for figure in report.floors:
        typer.echo(f"Floor: {figure}.")
    typer.echo(str(report.looks))
    typer.echo(f"Model version {report.version}: {report.reason}")
    typer.echo(
        f"Version {report.champion} is live."
        if report.promoted
        else f"Version {report.champion} stays live."
    )
