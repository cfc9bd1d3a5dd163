"""How a resource that was not used is named: its type, its reference and the reason."""

import re
from typing import Final

from fhir_mapping.codes import LOINC_SYSTEMS
from fhir_mapping.elements import CodeableConcept, Head
from fhir_mapping.readings import MissingReason, Skipped

NOT_USED: Final = "not_used"
"""A code that no input has, or a resource that decides nothing."""
SUPERSEDED: Final = "superseded"
"""A valid reading that is older than the one used, or stands behind it at the same time."""
UNPAIRED: Final = "unpaired"
"""A valid pressure that is newer than the pair used, or of another time than the lone one (C4)."""
OPERATION_OUTCOME: Final = "operation_outcome"
WRONG_TYPE: Final = "wrong_type"

_MAX_ID = 128
"""FHIR allows 64 characters; some servers send more. A longer id is not kept."""

# What is kept beside a reading that was not used must be a code or a unit, not a text about a
# patient: one word of the length that these have.
_CODE = re.compile(r"[!-~]{1,40}")
_SYSTEM = re.compile(r"[!-~]{1,120}")
_LONGEST_UNIT = 16


def received_code(concept: CodeableConcept | None) -> str | None:
    """The first code of an Observation: a LOINC code as it is, another as `system|code`."""
    for coding in (concept.coding if concept else None) or ():
        code, system = coding.code, coding.system
        if code is None or not _CODE.fullmatch(code):
            continue
        if system in LOINC_SYSTEMS:
            return code
        known = system is not None and _SYSTEM.fullmatch(system)
        return f"{system if known else ''}|{code}"
    return None


def unknown_unit(unit: str | None) -> str:
    """A unit that is not known, to be kept: itself, `none` where there is none, or `text`."""
    if not unit:
        return "none"
    short = len(unit) <= _LONGEST_UNIT and unit.isprintable() and not any(map(str.isspace, unit))
    return unit if short else "text"


def resource_reference(resource_type: str, resource_id: str | None) -> str | None:
    """`Type/id`, or `None` without an id that can be kept and shown."""
    if not resource_id or len(resource_id) > _MAX_ID or not resource_id.isprintable():
        return None
    return f"{resource_type}/{resource_id}"


def skip(found: Head, reason: str | None = None, feature: str | None = None) -> Skipped:
    """Name what was skipped; without `reason`, by its type.

    A resource whose type cannot be read is called `unknown`: the name is sent by the client and
    ends in records.
    """
    name = found.resource_type
    known = name is not None and name.isascii() and name.isalpha() and len(name) <= 40
    resource_type = name if name is not None and known else "unknown"
    if reason is None:
        if resource_type == "OperationOutcome":
            reason = OPERATION_OUTCOME
        else:
            reason = WRONG_TYPE if known else MissingReason.MALFORMED
    return Skipped(resource_type, resource_reference(resource_type, found.id), str(reason), feature)
