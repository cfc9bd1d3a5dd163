"""`cds-service evaluate`."""

import json
from datetime import datetime
from math import isnan
from typing import TYPE_CHECKING, Annotated, Any

import typer

from cds_service.cli.console import actor, parse_since
from cds_service.cli.evaluation_chunks import print_chunks
from cds_service.context import ProcessContext, now
from cds_service.settings import load_settings
from cds_service.storage.session import check

if TYPE_CHECKING:
    from cds_service.services.monitoring import EvaluationReport


def evaluate(
    since: Annotated[
        str | None, typer.Option(help="Only assessments from this ISO 8601 date or time on.")
    ] = None,
    include_open: Annotated[
        bool,
        typer.Option(
            help="Also count outcomes whose window is still open. They may change: no headline."
        ),
    ] = False,
    chunks: Annotated[int, typer.Option(help="How many of the newest chunks to show.", min=0)] = 6,
    as_json: Annotated[bool, typer.Option("--json", help="Print everything as JSON.")] = False,
) -> None:
    """Join assessments with their outcomes and measure the models on them."""
    # Imported here, so that a serving process never loads what trains and evaluates.
    from cds_service.services.evaluating import EvaluatingService, EvaluationError
    from cds_service.services.monitoring import MonitoringService

    start = parse_since(since)
    context = ProcessContext.create(load_settings(), clock=now)
    check(context.engine)
    report = MonitoringService(context).evaluate(
        actor=actor(), since=start, include_open=include_open
    )
    evaluating = EvaluatingService(context)
    failure = None
    try:
        # Outcomes have just been decided anew.
        done = evaluating.run(actor=actor(), refresh=False)
    except EvaluationError as error:  # Told at the end: what was measured is printed all the same.
        done, failure = "Not every chunk could be judged.", error
    newest = evaluating.newest(chunks)
    if as_json:
        typer.echo(json.dumps(_as_json(report, newest), default=_iso))
    else:
        _print(report, include_open=include_open)
        print_chunks(done, newest)
    if failure is not None:
        raise failure


def _as_json(report: "EvaluationReport", chunks: list[dict[str, Any]]) -> dict[str, Any]:
    from model.evaluation.report import as_records

    return {
        "counts": dict(report.counts),
        "share_without_outcome": report.share_without_outcome,
        "shown": report.shown,
        "suppressed": dict(report.suppressed),
        "minimum": report.minimum,
        "versions": [
            {
                "version": one.version,
                "with_outcome": one.with_outcome,
                "metrics": as_records(one.metrics),
                "not_covered": dict(one.not_covered),
                "floors": [str(figure) for figure in report.floors.get(one.version, ())],
            }
            for one in report.versions
        ],
        "readings": [
            {
                name: None if isinstance(value, float) and isnan(value) else value
                for name, value in row.items()
            }
            for row in report.readings.to_dict("records")
        ],
        "alerts": list(report.alerts),
        "chunks": chunks,
    }


def _iso(value: object) -> str:
    """For JSON: what it does not know are times."""
    if isinstance(value, datetime):
        return value.isoformat()
    raise TypeError(f"{type(value).__name__} is not JSON")


def _print(report: "EvaluationReport", *, include_open: bool) -> None:
    from model.evaluation.report import as_text, table

    words = {
        "assessments": "scored assessments",
        "with_outcome": "index assessments with an outcome that counts",
        "without_outcome": "index assessments without one, "
        + ("so far" if include_open else "window passed"),
        "window_open": "index assessments whose outcome window is still open",
        "later_in_encounter": "later assessments of the same encounter",
        "after_diagnosis": "made after the outcome was known",
        "rare_rejected": "outcomes of a rare disease that a reviewer rejected",
    }
    typer.echo(
        table(
            ["assessments", "count"],
            [[words[name], str(report.counts.get(name, 0))] for name in words],
        )
    )
    if report.suppressed:
        reasons = ", ".join(f"{reason} {count}" for reason, count in report.suppressed.items())
        typer.echo(f"\nAnswers without a card, by reason: {reasons}.")
    if report.share_without_outcome is not None:
        typer.echo(
            f"\nWithout outcome: {report.share_without_outcome:.0%}. Every figure below is of the "
            "verified part only."
        )
        typer.echo(f"Card shown for {report.shown} of those with outcome.\n")
        rows = [
            [str(row.iloc[0]), *("-" if isnan(value) else f"{value:.2f}" for value in row.iloc[1:])]
            for _, row in report.readings.iterrows()
        ]
        typer.echo(table(list(report.readings.columns), rows))
    if include_open:
        typer.echo(
            "\nOutcomes whose window is still open are included: early figures, which may change."
        )
    if not report.versions:
        typer.echo("\nNo assessment has an outcome that counts yet: no figures.")
    for version in report.versions:
        typer.echo(f"\nModel version {version.version}: {version.with_outcome} outcomes.")
        if version.not_covered:
            lost = ", ".join(f"{code} {count}" for code, count in version.not_covered.items())
            typer.echo(f"Not counted, because the version does not know the category: {lost}.")
        if not version.metrics:
            typer.echo(f"Fewer than {report.minimum}: too few for figures (CDS_MINIMUM_OUTCOMES).")
        else:
            typer.echo("\n" + as_text(version.metrics))
        for figure in report.floors.get(version.version, ()):
            typer.echo(f"Floor: {figure}.")
    if report.alerts:
        typer.echo("\nOpen alerts:\n" + "\n".join(report.alerts))
