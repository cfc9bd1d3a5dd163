"""`cds-service models advance`, `challengers`, `approve`, `withdraw` and `digest`."""

import json
from typing import TYPE_CHECKING, Annotated

import typer

from cds_service.cli.console import actor
from cds_service.context import ProcessContext
from cds_service.settings import load_settings
from cds_service.storage.session import check

if TYPE_CHECKING:
    from cds_service.services.lifecycle import LifecycleService

Reason = Annotated[str, typer.Option("--reason", help="Why; kept in the audit trail.")]


def _service() -> "LifecycleService":
    # Imported here, so that a serving process never loads what trains and evaluates.
    from cds_service.services.lifecycle import LifecycleService

    context = ProcessContext.create(load_settings())
    check(context.engine)
    return LifecycleService(context)


def advance() -> None:
    """Take challengers and the watched release as far as they can go now."""
    typer.echo(_service().advance(actor=actor()))


def challengers() -> None:
    """Every challenger, and where it stands."""
    from model.evaluation.report import table

    rows = [
        [
            row["version"],
            row["stage"],
            row["detail"].get("kind", ""),
            row["origin"],
            row["champion"],
            f"{row['created_at']:%Y-%m-%d}",
            "" if row["shadow_until"] is None else f"{row['shadow_until']:%Y-%m-%d}",
            row["reason"],
        ]
        for row in _service().challengers()
    ]
    if not rows:
        typer.echo("There is no challenger.")
        return
    heads = ["version", "stage", "kind", "asked by", "against", "created", "shadow until", "why"]
    typer.echo(table(heads, rows))


def approve(
    version: Annotated[str, typer.Argument(help="Version that waits for an approver.")],
    reason: Reason,
) -> None:
    """Make a challenger live that waits for an approver."""
    _service().approve(version, actor=actor(), reason=reason)
    typer.echo(f"Model version {version} is live.")


def withdraw(
    version: Annotated[str, typer.Argument(help="Challenger that is not to go on.")],
    reason: Reason,
) -> None:
    """Take a challenger off its way; the champion stays."""
    _service().withdraw(version, actor=actor(), reason=reason)
    typer.echo(f"Model version {version} is withdrawn.")


def digest(
    version: Annotated[
        str | None, typer.Argument(help="Version; the newest promotion by default.")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="All of it, as JSON.")] = False,
) -> None:
    """What changed when a version took the place of another."""
    from cds_service.services.digests import digest_text

    found = _service().digest(version)
    typer.echo(json.dumps(found, indent=2, ensure_ascii=False) if as_json else digest_text(found))
