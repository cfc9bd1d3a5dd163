"""`cds-service serve`."""

import socket
from typing import Annotated

import typer
import uvicorn

from cds_service.app import create_app
from cds_service.context import ProcessContext
from cds_service.errors import ConfigurationError
from cds_service.logs import configure_logs
from cds_service.settings import load_settings
from cds_service.storage import session


def application() -> object:
    """The application of one worker process, from the environment."""
    settings = load_settings()
    configure_logs(settings.log_level)
    return create_app(ProcessContext.create(settings))


def serve(
    workers: Annotated[int, typer.Option(min=1, help="Worker processes.")] = 1,
) -> None:
    """Answer CDS Hooks requests on CDS_HOST:CDS_PORT."""
    settings = load_settings()
    if settings.public_url is None and not settings.development:
        raise ConfigurationError(
            "CDS_PUBLIC_URL is not set: cards and codes refer to the https URL under which clients "
            "reach the service"
        )
    context = ProcessContext.create(settings)
    session.check(context.engine)
    _ = context.terminology  # A fault is one sentence here, and a traceback in a worker.
    context.engine.dispose()
    with socket.socket(socket.AF_INET6 if ":" in settings.host else socket.AF_INET) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((settings.host, settings.port))
        except OSError as error:
            raise ConfigurationError(
                f"cannot listen on {settings.host}:{settings.port} ({error.strerror}); "
                "set CDS_PORT or CDS_HOST"
            ) from None
    if settings.development:
        typer.echo(f"Development mode: no authentication. Serving on {settings.base_url}", err=True)
    uvicorn.run(
        "cds_service.cli.serve:application",
        factory=True,
        host=settings.host,
        port=settings.port,
        workers=workers,
        log_config=None,
        access_log=False,
        server_header=False,
    )
