"""Options of the commands that read HL7 v2: how one site writes its messages."""

from datetime import tzinfo
from typing import Annotated
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import typer

from fhir_mapping.hl7v2_diagnoses import FINAL_TYPES, HOME_DISPOSITIONS, Reading

Authority = Annotated[
    str | None,
    typer.Option(
        "--patient-authority",
        help="PID-3.4 (namespace or OID) of the identifier that is the FHIR Patient id.",
    ),
]
IdentifierType = Annotated[str, typer.Option("--patient-type", help="PID-3.5 of that identifier.")]
Visits = Annotated[
    bool,
    typer.Option("--visits/--no-visits", help="Whether PV1-19 is the id of the FHIR Encounter."),
]
FinalType = Annotated[
    list[str] | None,
    typer.Option(help="DG1-6 of a confirmed diagnosis; may be repeated. Default: F."),
]
Home = Annotated[
    list[str] | None,
    typer.Option(
        "--home-disposition", help="PV1-36 of who went home; may be repeated. Default: 01."
    ),
]
System = Annotated[
    list[str] | None,
    typer.Option(
        "--code-system",
        help="NAME=URI of a coding system in DG1-3.3 or PRB-3.3, such as "
        "I10=http://hl7.org/fhir/sid/icd-10-cm; may be repeated.",
    ),
]
Zone = Annotated[
    str | None,
    typer.Option(
        "--timezone",
        help="IANA zone of times that state no offset; without it only their day counts.",
    ),
]


def reading(
    authority: str | None,
    identifier_type: str,
    visits: bool,
    final_types: list[str] | None,
    homes: list[str] | None,
    systems: list[str] | None,
    timezone: str | None,
) -> Reading:
    """How messages are read. Raises `typer.BadParameter`."""
    return Reading(
        authority=authority,
        identifier_type=identifier_type,
        visits=visits,
        final_types=frozenset(t.upper() for t in final_types) if final_types else FINAL_TYPES,
        home_dispositions=frozenset(h.upper() for h in homes) if homes else HOME_DISPOSITIONS,
        systems=dict(_system(pair) for pair in systems or []),
        zone=_zone(timezone),
    )


def _system(pair: str) -> tuple[str, str]:
    name, separator, uri = pair.partition("=")
    if not separator or not name.strip() or ":" not in uri:
        raise typer.BadParameter(f"'{pair}' is not NAME=URI")
    return name.strip().upper(), uri.strip()


def _zone(name: str | None) -> tzinfo | None:
    if name is None:
        return None
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        raise typer.BadParameter(f"'{name}' is no IANA time zone, like Europe/Madrid") from None
