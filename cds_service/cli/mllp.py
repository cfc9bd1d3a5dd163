"""`cds-service mllp`."""

import asyncio
import signal
from ipaddress import ip_network
from typing import Annotated

import typer

from cds_service.cli import hl7_options as hl7
from cds_service.cli.senders import ClientOption, FHIRServer, sender
from cds_service.context import ProcessContext
from cds_service.errors import ConfigurationError
from cds_service.logs import configure_logs
from cds_service.services.hl7v2 import HL7Service
from cds_service.services.mllp import MLLPListener, Network
from cds_service.settings import Settings, is_loopback, load_settings
from cds_service.storage.session import check


def mllp(
    client: ClientOption = None,
    fhir_server: FHIRServer = None,
    allow_from: Annotated[
        list[str] | None,
        typer.Option(help="Address or network that may connect; may be repeated."),
    ] = None,
    authority: hl7.Authority = None,
    identifier_type: hl7.IdentifierType = "MR",
    visits: hl7.Visits = True,
    final_type: hl7.FinalType = None,
    home: hl7.Home = None,
    system: hl7.System = None,
    timezone: hl7.Zone = None,
) -> None:
    """Listen for HL7 v2 messages on CDS_MLLP_HOST:CDS_MLLP_PORT and take their diagnoses."""
    reading = hl7.reading(authority, identifier_type, visits, final_type, home, system, timezone)
    allowed = _networks(allow_from or [])
    settings = load_settings()
    if not allowed and not is_loopback(settings.mllp_host):
        raise ConfigurationError(
            "MLLP knows no passwords: with CDS_MLLP_HOST beyond this machine name who may "
            "connect with --allow-from ADDRESS"
        )
    configure_logs(settings.log_level)
    context = ProcessContext.create(settings)
    check(context.engine)
    of = sender(context, client)
    service = HL7Service(
        context, of, base=fhir_server or of.base, reading=reading, actor=f"client:{of.name}"
    )
    listener = MLLPListener(service.answer, refuse=service.refuse, allowed=allowed)
    asyncio.run(_serve(listener, settings))


async def _serve(listener: MLLPListener, settings: Settings) -> None:
    """Listen until the process is told to end."""
    try:
        port = await listener.start(settings.mllp_host, settings.mllp_port)
    except OSError as error:
        raise ConfigurationError(
            f"cannot listen on {settings.mllp_host}:{settings.mllp_port} ({error.strerror}); "
            "set CDS_MLLP_PORT or CDS_MLLP_HOST"
        ) from None
    typer.echo(f"Listening for HL7 v2 on {settings.mllp_host}:{port}", err=True)
    ended = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, ended.set)
    await ended.wait()
    await listener.stop()


def _networks(texts: list[str]) -> list[Network]:
    try:
        return [ip_network(text, strict=False) for text in texts]
    except ValueError:
        raise typer.BadParameter(
            "--allow-from takes an address or a network, like 10.0.0.5 or 10.0.0.0/24"
        ) from None
