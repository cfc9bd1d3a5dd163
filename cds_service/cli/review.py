"""`cds-service review`: assessments that a clinician is asked about."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from cds_service.cli.console import actor, require_folder
from cds_service.context import ProcessContext
from cds_service.services.reviewing import Answer, Prediction, ReviewingService
from cds_service.settings import load_settings
from cds_service.storage.session import check

if TYPE_CHECKING:
    from cds_service.services.review_view import ReviewView, ShownReading

app = typer.Typer(help="Ask clinicians what assessments were, and learn it.", no_args_is_help=True)

Id = Annotated[str, typer.Argument(help="Id of the assessment, or how it begins.")]
Reviewer = Annotated[
    str | None, typer.Option("--reviewer", help="Who answers; by default who runs the command.")
]
WithIds = Annotated[
    bool, typer.Option("--with-ids", help="Name the patient, to open the chart; audited.")
]
_MINUTES_AN_HOUR = 60


def _context() -> ProcessContext:
    context = ProcessContext.create(load_settings())
    check(context.engine)
    return context


@app.command("fill")
def fill() -> None:
    """Queue what teaches most and the random audit sample; again on a day adds no more."""
    # Imported here, so that a serving process never loads what evaluates.
    from cds_service.services.review_queue import ReviewQueueService

    typer.echo(ReviewQueueService(_context()).run(actor=actor()))


@app.command("list")
def list_items(
    agreement: Annotated[
        bool, typer.Option("--agreement", help="How far two reviewers said the same.")
    ] = False,
) -> None:
    """Count the items of the queue, and name those that are open."""
    from cds_service.services.review_queue import ReviewQueueService

    context = _context()
    service = ReviewingService(context)
    counts = service.summary()
    typer.echo(
        f"{counts['open']} open ({counts['open_audit']} of the audit sample), "
        f"{counts['answered']} answered, {counts['skipped']} skipped, {counts['expired']} expired."
    )
    for identifier in service.open_ids():
        typer.echo(identifier)
    if agreement:
        found = ReviewQueueService(context).agreement()
        kappa = "not defined" if found.kappa is None else f"{found.kappa:.2f}"
        typer.echo(
            f"{found.assessments} answered by two reviewers; {found.agreed} alike, "
            f"{found.assessments - found.agreed} not. Cohen's kappa: {kappa}."
        )


@app.command("show")
def show(
    assessment: Annotated[
        str | None, typer.Argument(metavar="[ID]", help="As above; without it the next.")
    ] = None,
    with_ids: WithIds = False,
    reviewer: Reviewer = None,
) -> None:
    """Show the readings of an item, and nothing that was predicted."""
    service, who = ReviewingService(_context()), reviewer or actor()
    view = (
        service.next(who, with_ids=with_ids)
        if assessment is None
        else service.show(assessment, who, with_ids=with_ids)
    )
    typer.echo("Nothing is open." if view is None else "\n".join(_lines(view, with_ids)))


@app.command("answer")
def answer(
    assessment: Id,
    category: Annotated[
        str, typer.Option("--category", help="What it was: a category, or undetermined.")
    ],
    rare: Annotated[
        str | None, typer.Option("--rare", help="It is this rare disease (ORPHAcode).")
    ] = None,
    reviewer: Reviewer = None,
) -> None:
    """Say what an assessment was; it becomes its outcome. Then the prediction is shown."""
    said = Answer.of(category, rare)
    service, who = ReviewingService(_context()), reviewer or actor()
    found = service.answer(assessment, said, who, actor=actor())
    if found is not None:
        _show_prediction(found)


@app.command("skip")
def skip(assessment: Id, reviewer: Reviewer = None) -> None:
    """Leave an item; one of the audit sample stays open for other reviewers."""
    service, who = ReviewingService(_context()), reviewer or actor()
    service.answer(assessment, Answer("skip"), who, actor=actor())
    typer.echo("Skipped.")


@app.command("export")
def export(
    file: Annotated[Path, typer.Argument(help="CSV or Parquet file to write.")],
    with_ids: WithIds = False,
) -> None:
    """Write the open items to a sheet that a reviewer fills in."""
    from cds_service.services.review_sheets import ReviewSheets

    require_folder(file)
    count = ReviewSheets(_context()).export(file, actor=actor(), with_ids=with_ids)
    typer.echo(f"{count} items written to {file}. Fill in the column category.")


@app.command("ingest")
def ingest(
    file: Annotated[Path, typer.Argument(help="Sheet of `review export`, filled in.")],
    reviewer: Reviewer = None,
) -> None:
    """Take the answers of a filled sheet; exit code 1 if a row could not be taken."""
    from cds_service.services.review_sheets import ReviewSheets

    taken = ReviewSheets(_context()).take(file, reviewer=reviewer, actor=actor())
    counts = ", ".join(f"{kind} {count}" for kind, count in sorted(taken.answers.items()))
    typer.echo(f"Answers: {counts or 'none'}.")
    for problem in taken.problems:
        typer.echo(problem)
    if taken.problems:
        raise typer.Exit(1)


def _lines(view: "ReviewView", with_ids: bool) -> list[str]:
    lines = [f"Assessment {view.assessment_id} of {view.assessed_at:%Y-%m-%d %H:%M} UTC"]
    if with_ids:
        lines += (
            ["The patient cannot be named: no secret key of now reads the ids."]
            if view.ids is None
            else [
                f"Patient {view.ids.patient} of {view.ids.base}",
                f"Encounter {view.ids.encounter or 'none'}",
            ]
        )
    age = "unknown" if view.age is None else f"{view.age:.0f} years"
    lines += [
        f"Age {age}, sex {view.sex or 'unknown'}, encounter {view.encounter_class or 'unknown'}",
        "",
        "Readings:",
        *(f"  {_reading(reading)}" for reading in view.readings),
    ]
    if view.missing:
        lines.append("Missing:")
        lines += [
            f"  {name.replace('_', ' ')}" + (f": {why.replace('_', ' ')}" if why else "")
            for name, why in view.missing
        ]
    return [
        *lines,
        "",
        f"What was it? cds-service review answer {view.assessment_id} --category …",
    ]


def _reading(reading: "ShownReading") -> str:
    value = reading.value if isinstance(reading.value, str) else f"{reading.value:g}"
    notes = []
    if reading.minutes_before is not None:
        minutes = round(reading.minutes_before)
        hours, rest = divmod(minutes, _MINUTES_AN_HOUR)
        notes.append(f"{hours} h {rest} min before" if hours else f"{rest} min before")
    if reading.usual is not None:
        notes.append(f"usual {reading.usual[0]:g} to {reading.usual[1]:g}")
    notes += [flag.replace("_", " ") for flag in reading.flags]
    told = f" ({'; '.join(notes)})" if notes else ""
    return f"{reading.name.replace('_', ' ')} {value} {reading.unit}".rstrip() + told


def _show_prediction(found: Prediction) -> None:
    agreed = {True: "as you said", False: "not as you said", None: ""}[found.agreed]
    typer.echo("Kept. Predicted was " + ", ".join(filter(None, [found.category, agreed])) + ":")
    for category, probability in found.probabilities.items():
        mark = "  in the set" if category in found.prediction_set else ""
        typer.echo(f"  {category:<10}{probability:>7.1%}{mark}")
    if found.atypicality is not None:
        typer.echo(f"Readings this unusual: {found.atypicality:.1%} of charts.")
    typer.echo(f"Model version {found.model_version}.")
