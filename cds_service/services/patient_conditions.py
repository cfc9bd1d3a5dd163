"""What a FHIR server says of one patient's diagnoses, read with access of our own.

Only what is needed is read: problems and encounter diagnoses, the Patient for its links, and the
Encounters that were assessed.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from cds_service.services.deliveries import Incoming
from fhir_mapping.bundles import read_contents
from fhir_mapping.client import FHIRSession
from fhir_mapping.elements import head
from fhir_mapping.encounters import ended_at_home
from fhir_mapping.errors import AccessFault, FHIRAccessError
from fhir_mapping.patient_links import Merge, merges_of
from fhir_mapping.subjects import encounter_of, subject_of

CATEGORIES: Final = ("problem-list-item", "encounter-diagnosis")
"""US Core: a server SHALL search Condition by patient and category."""


@dataclass(frozen=True, slots=True)
class Found:
    """What a server said of one patient."""

    incoming: list[Incoming]
    merges: list[Merge]
    incomplete: bool
    """A search was cut short, or one of the categories is not searched there."""


def read_patient(
    session: FHIRSession, *, base: str, patient_id: str, encounters: frozenset[str]
) -> Found:
    """The Conditions of one patient, and of whom the patient was merged into.

    `encounters` are ids of those that were assessed. Raises `FHIRAccessError`.
    """
    merges = _merges(session, base, patient_id)
    mine = {patient_id, *(merge.into_id for merge in merges)}
    conditions, faults = _Conditions(), list[FHIRAccessError]()
    for identifier in sorted(mine):
        for category in CATEGORIES:
            try:
                result = session.search(
                    "Condition", [("patient", identifier), ("category", category)]
                )
            except FHIRAccessError as error:
                # A server that does not know one category may know the other.
                if error.kind is not AccessFault.REJECTED:
                    raise
                faults.append(error)
                continue
            conditions.add(result.bundles, cut_short=result.cut_short)
    if len(faults) == len(mine) * len(CATEGORIES):
        raise faults[0]
    homes = _homes(session, encounters, conditions)
    return Found(
        [_incoming(resource, base, mine, homes) for resource in conditions.found.values()],
        merges,
        incomplete=conditions.cut_short or bool(faults),
    )


def decoded(body: bytes) -> dict[str, Any]:
    """A resource; an empty one for what is no JSON object, which no rule takes for anything."""
    try:
        resource = json.loads(body)
    except (ValueError, RecursionError):
        return {}
    return resource if isinstance(resource, dict) else {}


def _merges(session: FHIRSession, base: str, patient_id: str) -> list[Merge]:
    try:
        resource = decoded(session.read("Patient", patient_id))
    except FHIRAccessError as error:
        # Access to Conditions alone is enough; the search says whether there is any.
        if error.kind in (AccessFault.UNAUTHORIZED, AccessFault.REJECTED):
            return []
        raise
    return [merge for merge in merges_of(resource, base) if merge.from_id == patient_id]


def _homes(
    session: FHIRSession, encounters: frozenset[str], conditions: "_Conditions"
) -> dict[str, bool | None]:
    """Whether the assessed encounters that Conditions name ended at home."""
    named = {encounter_of(resource) for resource in conditions.found.values()}
    homes = {}
    for encounter in sorted(encounters & named):
        try:
            homes[encounter] = ended_at_home(decoded(session.read("Encounter", encounter)))
        except FHIRAccessError:
            continue  # It is only not known.
    return homes


class _Conditions:
    """The Conditions of several searches, each once."""

    def __init__(self) -> None:
        self.found: dict[str, dict[str, Any]] = {}
        self.cut_short = False

    def add(self, bundles: Sequence[bytes], *, cut_short: bool) -> None:
        self.cut_short = self.cut_short or cut_short
        for bundle in bundles:
            contents = read_contents(bundle)
            self.cut_short = self.cut_short or contents.unreadable_entries > 0
            for entry in contents.entries:
                if head(entry.raw).resource_type == "Condition":
                    resource = decoded(bytes(entry.raw))
                    name = resource.get("id")
                    key = name if isinstance(name, str) else f"#{len(self.found)}"
                    self.found[key] = resource


def _incoming(
    resource: Mapping[str, Any], base: str, mine: set[str], homes: Mapping[str, bool | None]
) -> Incoming:
    """A Condition that a search brought; one of another patient is nobody's (C3)."""
    subject, encounter = subject_of(resource), encounter_of(resource)
    here = subject is not None and subject.base in (None, base)
    return Incoming(
        resource=resource,
        base=base,
        patient_id=subject.id if subject is not None and here and subject.id in mine else None,
        encounter_id=encounter,
        ended_at_home=None if encounter is None else homes.get(encounter),
    )
