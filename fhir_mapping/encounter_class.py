"""The class of the encounter, which sets how far back readings count (clinical rule C7).

See https://hl7.org/fhir/R4/encounter.html.
"""

from collections.abc import Sequence

from fhir_mapping.bundles import Entry
from fhir_mapping.codes import ACT_CODE_SYSTEMS, ENCOUNTER_CLASSES
from fhir_mapping.datetimes import parse_instant
from fhir_mapping.elements import Encounter, decode, head
from fhir_mapping.readings import MissingReason, Skipped
from fhir_mapping.references import PatientMatcher
from fhir_mapping.skipping import NOT_USED, OPERATION_OUTCOME, SUPERSEDED, skip

ACUTE_LOOKBACK_HOURS = 12.0
"""How old a reading may be in an emergency or inpatient encounter, h (C7)."""
LOOKBACK_HOURS = 24.0
"""How old a reading may be otherwise, h (C7)."""

_UNDER_WAY = frozenset({"arrived", "triaged", "in-progress", "onleave"})
_USED_STATUSES = _UNDER_WAY | {"finished"}


def default_lookback_hours(encounter_class: str | None) -> float:
    """How far back readings count where the client has no setting of its own, h (C7)."""
    acute = encounter_class in ("emergency", "inpatient")
    return ACUTE_LOOKBACK_HOURS if acute else LOOKBACK_HOURS


def read_encounters(
    entries: Sequence[Entry], patient: PatientMatcher
) -> tuple[str | None, list[Skipped]]:
    """The class of the encounter, and what else was sent.

    Of several encounters one under way comes before a finished one, then the one that began
    last. `None` where no code of v3-ActCode says the class: local codes are not guessed. Never
    raises.
    """
    usable: list[tuple[tuple[bool, float, str], str, Encounter]] = []
    skipped: list[Skipped] = []
    for entry in entries:
        encounter = decode(entry.raw, Encounter)
        if entry.outcome:
            skipped.append(skip(head(entry.raw), OPERATION_OUTCOME))
        elif encounter is None:
            found = head(entry.raw)
            is_encounter = found.resource_type == "Encounter"
            skipped.append(skip(found, MissingReason.MALFORMED if is_encounter else None))
        elif encounter.resource_type != "Encounter":
            skipped.append(skip(encounter))
        elif encounter.subject is None or not patient.matches(encounter.subject.reference):
            skipped.append(skip(encounter, MissingReason.WRONG_PATIENT))
        elif encounter.status not in _USED_STATUSES:
            skipped.append(skip(encounter, MissingReason.WRONG_STATUS))
        elif (name := _class_name(encounter)) is None:
            skipped.append(skip(encounter, NOT_USED))
        else:
            began = parse_instant(encounter.period.start) if encounter.period else None
            rank = (
                encounter.status in _UNDER_WAY,
                began.timestamp() if began else float("-inf"),
                encounter.id or "",
            )
            usable.append((rank, name, encounter))
    usable.sort(key=lambda item: item[:2], reverse=True)
    skipped += [skip(encounter, SUPERSEDED) for _, _, encounter in usable[1:]]
    return (usable[0][1] if usable else None), skipped


def _class_name(encounter: Encounter) -> str | None:
    coding = encounter.class_
    if coding is None or coding.code is None:
        return None
    if coding.system and coding.system not in ACT_CODE_SYSTEMS:
        return None
    return ENCOUNTER_CLASSES.get(coding.code)
