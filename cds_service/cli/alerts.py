"""`cds-service alerts`."""

import json
from typing import Annotated, Any

import typer

from cds_service.cli.console import actor
from cds_service.context import ProcessContext, now
from cds_service.logs import configure_logs
from cds_service.services.alert_delivery import AlertDelivery
from cds_service.services.alerts import AlertService
from cds_service.settings import load_settings
from cds_service.storage.session import check, create_database_engine

app = typer.Typer(help="List, acknowledge, resolve and send alerts.", no_args_is_help=True)
Alert = Annotated[
    str, typer.Argument(help="Id of the alert; its first characters if no other begins so.")
]
_SHOWN_ID = 8


def _service() -> AlertService:
    engine = create_database_engine(load_settings().database)
    check(engine)
    return AlertService(engine)


def _delivery() -> AlertDelivery:
    settings = load_settings()
    configure_logs(settings.log_level)
    context = ProcessContext.create(settings)
    check(context.engine)
    return AlertDelivery(context)


@app.command("list")
def list_alerts(
    everything: Annotated[
        bool, typer.Option("--all", help="Also those that are resolved.")
    ] = False,
) -> None:
    """Open alerts, oldest first."""
    alerts = _service().alerts(resolved=everything)
    if not alerts:
        typer.echo("No alert was ever raised." if everything else "No alert is open.")
    for alert in alerts:
        typer.echo(
            f"{alert['id'][:_SHOWN_ID]}  {alert['at']:%Y-%m-%d %H:%M} UTC  {alert['severity']}  "
            f"{alert['kind']}  {_state(alert)}, seen {alert['times_seen']} times\n"
            f"          {alert['message']}"
        )
        if alert["note"] is not None:
            typer.echo(f"          Note: {alert['note']}")


@app.command("show")
def show(alert: Alert) -> None:
    """One alert as JSON: its figures, who did what, and what was told of it."""
    typer.echo(json.dumps(_service().alert(alert), indent=2, default=str, ensure_ascii=False))


@app.command("acknowledge")
def acknowledge(
    alert: Alert,
    note: Annotated[
        str,
        typer.Option("--note", help="What you do about it; kept with the alert. Name no patient."),
    ] = "",
) -> None:
    """Say that you are at it; it stays open."""
    found = _service().acknowledge(alert, actor=actor(), at=now(), note=note)
    typer.echo(f"Alert {found['id'][:_SHOWN_ID]} ({found['kind']}) is acknowledged.")


@app.command("resolve")
def resolve(
    alert: Alert,
    reason: Annotated[
        str, typer.Option("--reason", help="Why; kept with the alert, never sent anywhere.")
    ],
) -> None:
    """Close an alert; if its cause goes on, a new one is raised."""
    found = _service().resolve(alert, reason=reason, actor=actor(), at=now())
    typer.echo(f"Alert {found['id'][:_SHOWN_ID]} ({found['kind']}) is resolved.")


@app.command("send")
def send() -> None:
    """Tell the webhook and by e-mail what is new of alerts; what failed is tried again."""
    typer.echo(_delivery().run(actor=actor()))


@app.command("test")
def test() -> None:
    """Send a test message over every channel; exit code 1 if one fails."""
    tried = _delivery().test()
    for one in tried:
        typer.echo(f"{one.channel}: {'sent' if one.fault is None else one.fault}")
    if any(one.fault is not None for one in tried):
        raise typer.Exit(1)


def _state(alert: dict[str, Any]) -> str:
    if alert["resolved_at"] is not None:
        return f"resolved by {alert['resolved_by']}"
    if alert["acknowledged_at"] is not None:
        return f"acknowledged by {alert['acknowledged_by']}"
    return "open"
