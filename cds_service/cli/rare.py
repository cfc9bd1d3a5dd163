"""`cds-service rare`: the reviewed list of rare cases (C20)."""

from typing import TYPE_CHECKING, Annotated

import typer

from cds_service.cli.console import actor
from cds_service.context import ProcessContext
from cds_service.settings import load_settings
from cds_service.storage.session import check

if TYPE_CHECKING:
    from cds_service.services.rare_cases import RareCase, RareCaseService

app = typer.Typer(help="List and review cases of rare diseases.", no_args_is_help=True)
_SHOWN_KEY = 8
"""Characters of a patient key, which is a keyed hash."""


def _service() -> "RareCaseService":
    # Imported here, so that a serving process never loads what trains.
    from cds_service.services.rare_cases import RareCaseService

    context = ProcessContext.create(load_settings())
    check(context.engine)
    return RareCaseService(context)


@app.command("list")
def list_cases() -> None:
    """Every known case of a rare disease: where it came from, and who confirmed it."""
    from model.evaluation.report import table

    cases = _service().cases(actor=actor())
    if not cases:
        typer.echo("No case of a rare disease is known.")
        return
    heads = ["case", "patient", "code", "name", "from", "second source", "counts", "review"]
    typer.echo(
        table(
            heads,
            [
                [
                    case.id,
                    case.patient_key[:_SHOWN_KEY] + "…",
                    case.code,
                    case.name or "",
                    ", ".join(case.origins),
                    "yes" if case.second_source else "no",
                    "yes" if case.counts else "no",
                    _reviewed(case),
                ]
                for case in cases
            ],
        )
    )


@app.command("review")
def review(
    case: Annotated[str, typer.Argument(help="Case, as `rare list` names it.")],
    reason: Annotated[str, typer.Option("--reason", help="Why; kept with the review.")],
    confirm: Annotated[bool, typer.Option("--confirm", help="It is this disease.")] = False,
    reject: Annotated[bool, typer.Option("--reject", help="It is not: never learnt from.")] = False,
) -> None:
    """Confirm or reject a case; the newest word counts."""
    if confirm == reject:
        raise typer.BadParameter("say either --confirm or --reject")
    found = _service().review(case, confirm=confirm, reason=reason, actor=actor())
    typer.echo(f"Case {found.id} ({found.code}) is {'confirmed' if confirm else 'rejected'}.")
    said = _update()
    if said.startswith("Version"):
        typer.echo(said)


@app.command("update")
def update() -> None:
    """Let the champion's heads of rare diseases follow the confirmed cases."""
    typer.echo(_update())


def _update() -> str:
    # Imported here, so that a serving process never loads what trains.
    from cds_service.services.rare_updates import RareUpdateService

    context = ProcessContext.create(load_settings())
    check(context.engine)
    return RareUpdateService(context).run(actor=actor())


def _reviewed(case: "RareCase") -> str:
    if case.review is None:
        return "none"
    return f"{case.review['decision']} by {case.review['actor']} on {case.review['at']:%Y-%m-%d}"
