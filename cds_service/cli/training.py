"""`cds-service train` and `cds-service retrain`."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from cds_service.cli.console import (
    Columns,
    ProgressCallback,
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
from model.severity import SEVERITIES, Severity, parse_severity

if TYPE_CHECKING:
    from cds_service.services.runs import Run
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
    *("min_age", "max_age", "flag_rate", "rare_flag_rate", "extra_input", "seed"),
    *("search", "trials", "search_minutes", "workers"),
)
"""Options of `train` that mean nothing to the simulated patients."""
OF_SEARCH = ("trials", "search_minutes", "workers")
OF_RETRAIN = ("promote", "include_open", "allow_fewer_categories", "seed")
"""Options of `retrain` that decide at once."""


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
        list[str] | None,
        typer.Option(
            metavar="[CATEGORY=]RATE",
            help="Share of charts to flag, such as 0.05; of acute illness without a category, "
            "whose default is 0.05. Repeatable.",
        ),
    ] = None,
    rare_flag_rate: Annotated[
        float,
        typer.Option(help="Share of charts that the head of a rare disease may flag."),
    ] = 0.01,
    extra_input: Annotated[
        list[str] | None,
        typer.Option(
            metavar="NAME", help=f"Learn from it too: {' or '.join(EXTRA_INPUTS)}. Repeatable."
        ),
    ] = None,
    seed: Annotated[int, typer.Option(min=0, help="Same data and seed, same model.")] = 20_260,
    search: Annotated[
        bool,
        typer.Option(
            "--search", help="Compare every kind of model and remedy, and tune the best three."
        ),
    ] = False,
    trials: Annotated[
        int, typer.Option(min=1, help="Sets of parameters to try for each way that is tuned.")
    ] = 30,
    search_minutes: Annotated[
        float | None,
        typer.Option(min=0.0, help="End the search after so many minutes with what there is."),
    ] = None,
    workers: Annotated[
        int | None,
        typer.Option(min=1, help="Processes of the search; as many as processors by default."),
    ] = None,
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
    from model.training.design import BALANCINGS, ESTIMATORS, TrainingSettings

    if history is None:
        _refuse_options(context, OF_HISTORY, "--history")
    if not search:
        _refuse_options(context, OF_SEARCH, "--search")
    if row_report is not None:
        require_folder(row_report)
    columns = parse_columns(column)
    flag_rates = parse_flag_rates(flag_rate)
    settings = load_settings()
    engine = create_database_engine(settings.database)
    check(engine)
    service = TrainingService(engine, settings, now)
    champion = service.models.champion()
    if if_none and champion is not None:
        typer.echo(f"Model version {champion['version']} is live; nothing to train.")
        return
    if history is None:
        with _shown(engine, "train") as (bar, run):
            report = service.train_starter(actor=actor(), progress=bar, with_report=with_report)
            run.result = f"Model version {report.version}. {report.why}"
    else:
        design = TrainingSettings(
            seed=seed,
            min_age=min_age,
            max_age=max_age,
            flag_rates=dict(TrainingSettings().flag_rates) | flag_rates,
            rare_flag_rate=rare_flag_rate,
            extra_inputs=tuple(extra_input or ()),
        )
        if search:
            design = replace(
                design, estimators=ESTIMATORS, balancings=BALANCINGS, search=True, trials=trials
            )
        file = HistoryFile(history, columns, time_column, timezone, source, label_version)
        with _shown(engine, "train") as (bar, run):
            report = service.train_history(
                file,
                design,
                actor=actor(),
                progress=bar,
                allow_fewer_categories=allow_fewer_categories,
                with_report=with_report,
                workers=workers or os.cpu_count() or 1,
                search_minutes=search_minutes,
            )
            run.result = f"Model version {report.version}. {report.why}"
    _print(report, row_report)


def parse_flag_rates(given: list[str] | None) -> dict[Severity, float]:
    """Flag rates by category; raises `typer.BadParameter`, also for one given twice."""
    found: dict[Severity, float] = {}
    for text in given or ():
        name, equals, rate = text.rpartition("=")
        category = parse_severity(name) if equals else Severity.ACUTE
        try:
            share = float(rate)
        except ValueError:
            raise typer.BadParameter(f"--flag-rate {text}: {rate} is not a number") from None
        if category is None:
            raise typer.BadParameter(f"--flag-rate {text}: categories are {', '.join(SEVERITIES)}")
        if category in found:
            raise typer.BadParameter(f"--flag-rate names {category} twice")
        found[category] = share
    return found


@contextmanager
def _shown(engine: Any, kind: str) -> Iterator[tuple[ProgressCallback, "Run"]]:
    """A bar here, and a run that the dashboard shows."""
    from cds_service.services.runs import recorded

    with recorded(engine, now, kind, actor=actor()) as run, progress() as bar:

        def both(step: str, share: float) -> None:
            bar(step, share)
            run.progress(step, share)

        yield both, run


def _refuse_options(context: typer.Context, names: tuple[str, ...], needs: str) -> None:
    """Raise `typer.BadParameter` for an option that would be passed over in silence."""
    for name in names:
        source = context.get_parameter_source(name)
        if source is not None and source.name == "COMMANDLINE":
            raise typer.BadParameter(f"--{name.replace('_', '-')} needs {needs}")


def _on_its_way(way: str, *, with_report: bool) -> None:
    """Send a challenger on its way, as the schedule does."""
    from cds_service.services.lifecycle import LifecycleService

    process = ProcessContext.create(load_settings())
    check(process.engine)
    service = LifecycleService(process)
    kind = {"--search": "search", "--shadow": "refresh"}.get(way, "recalibrate")
    with _shown(process.engine, kind) as (bar, run):
        if way in ("--recalibrate", "--if-asked"):
            asked = way == "--recalibrate"
            said = service.recalibrate(
                actor=actor(), progress=bar, asked=asked, with_report=with_report
            )
        else:
            begin = service.search if way == "--search" else service.refresh
            said = begin(actor=actor(), progress=bar, asked=True, with_report=with_report)
        run.result = said
    typer.echo(said)


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
    context: typer.Context,
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
    shadow: Annotated[
        bool,
        typer.Option(
            "--shadow", help="As the schedule does: the champion's kind again, then into shadow."
        ),
    ] = False,
    search: Annotated[
        bool,
        typer.Option("--search", help="Compare every kind and tune the best, then into shadow."),
    ] = False,
    recalibrate: Annotated[
        bool,
        typer.Option("--recalibrate", help="Give the champion other priors, then into shadow."),
    ] = False,
    if_asked: Annotated[
        bool,
        typer.Option(
            "--if-asked", help="Only what open alerts and new outcomes ask for, then into shadow."
        ),
    ] = False,
) -> None:
    """Train a challenger on history and confirmed outcomes, and compare it with the champion.

    It replaces the champion only if it is shown not to be worse on patients neither learnt from:
    at once, or as the schedule does it after a time in shadow and a person's approval.
    """
    ways = {
        "--shadow": shadow,
        "--search": search,
        "--recalibrate": recalibrate,
        "--if-asked": if_asked,
    }
    chosen = [name for name, given in ways.items() if given]
    if len(chosen) > 1:
        raise typer.BadParameter(f"{' and '.join(chosen)} are two ways; say one")
    if chosen:
        _refuse_options(context, OF_RETRAIN, "a comparison at once")
        _on_its_way(chosen[0], with_report=with_report)
        return
    from cds_service.services.retraining import RetrainingService
    from model.training.gate_records import gates_as_text

    process = ProcessContext.create(load_settings())
    check(process.engine)
    with _shown(process.engine, "retrain") as (bar, run):
        report = RetrainingService(process).retrain(
            actor=actor(),
            progress=bar,
            promote=promote,
            include_open=include_open,
            allow_fewer_categories=allow_fewer_categories,
            seed=seed,
            with_report=with_report,
        )
        run.result = f"Model version {report.version}: {report.reason}"
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
