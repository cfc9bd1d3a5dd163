"""Which client data belong to, for commands that take it in."""

from typing import Annotated

import typer

from cds_service.context import ProcessContext
from cds_service.errors import ServiceError
from cds_service.security.clients import Client

ClientOption = Annotated[
    str | None,
    typer.Option(
        "--client", help="Client the data belong to; in development the development client."
    ),
]
FHIRServer = Annotated[
    str | None,
    typer.Option(
        "--fhir-server",
        help="FHIR base URL the patients belong to, as the EHR sends it in `fhirServer`. "
        "Default: where the file names none, the first FHIR server of the client.",
    ),
]


def sender(context: ProcessContext, name: str | None) -> Client:
    """The client of that name. Raises `ServiceError` without one, or for one nobody has added."""
    if name is None:
        if context.settings.development:
            return context.directory.development
        raise ServiceError("Name the client the data belong to: --client NAME.")
    client = context.directory.by_name.get(name)
    if client is None:
        raise ServiceError(f"There is no client {name}; see cds-service clients list.")
    return client
