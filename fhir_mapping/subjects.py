"""Literal references to a Patient or an Encounter, taken apart (FHIR R4, references)."""

import re
from collections.abc import Mapping
from typing import Any, NamedTuple

_LITERAL = re.compile(
    r"(?:(?P<base>https?://[^?#\s]+?)/)?(?P<type>Patient|Encounter)/(?P<id>[A-Za-z0-9\-.]{1,64})"
    r"(?:/_history/[A-Za-z0-9\-.]+)?"
)
_UUID = re.compile(r"urn:uuid:(?P<id>[A-Za-z0-9\-.]{1,64})")


class Literal(NamedTuple):
    """Where a reference points."""

    base: str | None
    """FHIR base URL; `None` for a relative reference and for `urn:uuid:`."""
    id: str


def literal(element: object, type_name: str) -> Literal | None:
    """The Reference `element` to a `type_name`; `None` for anything else. Never raises."""
    reference = element.get("reference") if isinstance(element, Mapping) else None
    if not isinstance(reference, str):
        return None
    uuid = _UUID.fullmatch(reference)
    if uuid:
        return Literal(None, uuid["id"])
    match = _LITERAL.fullmatch(reference)
    if match is None or match["type"] != type_name:
        return None
    return Literal(match["base"], match["id"])


def subject_of(resource: Mapping[str, Any]) -> Literal | None:
    """Whose resource it is."""
    return literal(resource.get("subject"), "Patient")


def encounter_of(resource: Mapping[str, Any]) -> str | None:
    """Id of the encounter it belongs to."""
    found = literal(resource.get("encounter"), "Encounter")
    return None if found is None else found.id
