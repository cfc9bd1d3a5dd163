"""Patients that turned out to be one: `Patient.link` (FHIR R4, patient.html#links)."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from fhir_mapping.references import normal_base
from fhir_mapping.subjects import literal


@dataclass(frozen=True, slots=True)
class Merge:
    """What is on record for one Patient belongs to another of the same server."""

    base: str
    """FHIR base URL of both (C3)."""
    from_id: str = field(repr=False)
    into_id: str = field(repr=False)


def merges_of(patient: Mapping[str, Any], base: str) -> list[Merge]:
    """The merges that a Patient of the server `base` tells of. Never raises.

    `replaced-by` stands on the one that is given up, `replaces` on the one that stays. Other
    links, and links to RelatedPersons, to itself and to other servers, merge nothing.
    """
    identifier, links = patient.get("id"), patient.get("link")
    if not isinstance(identifier, str) or not isinstance(links, list):
        return []
    found = []
    for link in links:
        kind = link.get("type") if isinstance(link, Mapping) else None
        other = literal(link.get("other"), "Patient") if isinstance(link, Mapping) else None
        if other is None or other.id == identifier:
            continue
        if other.base is not None and normal_base(other.base) != normal_base(base):
            continue
        if kind == "replaced-by":
            found.append(Merge(base, identifier, other.id))
        elif kind == "replaces":
            found.append(Merge(base, other.id, identifier))
    return found
