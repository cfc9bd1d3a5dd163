"""What an HL7 v2 message says of diagnoses: DG1 and PRB as FHIR Conditions, and patients merged.

See HL7 v2.5.1, chapters 3 (patient administration), 6 (DG1) and 12 (PRB). The Conditions go
through the same rules as those a FHIR server sends (C15 to C17). Free text (DG1-4, texts of codes)
is not taken over.
"""

import re
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import tzinfo
from hashlib import sha256
from typing import Any, Final, NamedTuple

from fhir_mapping.code_systems import KNOWN_SYSTEMS, system_of_v2
from fhir_mapping.hl7v2 import Components, HL7Error, Message, Segment, fhir_time, offset_of, part

KINDS: Final = ("ADT", "BAR", "PPR")
"""Message codes that carry DG1 or PRB."""
_CANCELLED = frozenset({"A11", "A12", "A23", "A25", "A27", "A29", "A32", "A33", "A38"})
"""Events that take something back; what they repeat of diagnoses is no news."""
_MERGES = frozenset({"A18", "A34", "A36", "A39", "A40", "A47"})
"""Events after which MRG-1 names nobody else than PID-3. A30 and A46 are about other identifiers;
A35, A41, A44, A45 move accounts and visits."""
_TERMINOLOGY = "http://terminology.hl7.org/CodeSystem"
_VERIFICATION = f"{_TERMINOLOGY}/condition-ver-status"
_VERIFICATION_CODES = (
    "unconfirmed",
    "provisional",
    "differential",
    "confirmed",
    "refuted",
    "entered-in-error",
)
_CLINICAL_CODES = ("active", "recurrence", "relapse", "inactive", "remission", "resolved")
_FHIR_ID = re.compile(r"[A-Za-z0-9\-.]{1,64}")
_LOCAL = re.compile(r"L|LOCAL|99[A-Z0-9]{1,6}")

HOME_DISPOSITIONS: Final = frozenset({"01", "1"})
"""HL7 table 0112: discharged to home or self care. The table is the user's to change."""
_OTHER_DISPOSITIONS = re.compile(r"0?[2-9]|[1-4][0-9]")
"""The rest of the suggested table: other care, died, still a patient."""
FINAL_TYPES: Final = frozenset({"F"})
"""HL7 table 0052, diagnosis type: final."""
_WORKING_TYPES = frozenset({"A", "W"})
"""Admitting and working."""

_PRB_DELETED = frozenset({"DE", "D"})
_PRB_ADDED = frozenset({"AD", "A"})


@dataclass(frozen=True, slots=True)
class Reading:
    """How one site writes its messages."""

    authority: str | None = None
    """PID-3.4, namespace or universal id, of the identifier that is the FHIR Patient id."""
    identifier_type: str = "MR"
    """PID-3.5 of that identifier."""
    visits: bool = True
    """PV1-19 is the FHIR Encounter id. Else it is not used, and time alone joins (C16)."""
    final_types: frozenset[str] = FINAL_TYPES
    """DG1-6 of confirmed diagnoses."""
    home_dispositions: frozenset[str] = HOME_DISPOSITIONS
    """PV1-36 of who went home."""
    systems: Mapping[str, str] = field(default_factory=dict)
    """The site's coding systems, in upper case, → URI; they win over those of table 0396."""
    zone: tzinfo | None = None
    """Of times that state no offset, in a message whose MSH-7 states none either."""

    def spelled(self) -> str:
        """All of it, the same in every process."""
        sets = (sorted(self.final_types), sorted(self.home_dispositions), sorted(self.systems))
        uris = [self.systems[name] for name in sets[2]]
        return repr((self.authority, self.identifier_type, self.visits, sets, uris, str(self.zone)))


class Merge(NamedTuple):
    """Two patient ids that turned out to be one patient's."""

    from_id: str
    into_id: str


@dataclass(frozen=True, slots=True)
class Diagnoses:
    """What one message says."""

    patient_id: str | None = None
    encounter_id: str | None = None
    ended_at_home: bool | None = None
    conditions: tuple[dict[str, Any], ...] = ()
    """Condition-shaped, not validated yet."""
    merges: tuple[Merge, ...] = ()
    skipped: Counter[str] = field(default_factory=Counter)
    """By reason: `test_message`, `other_event`, `no_patient_id`, `no_code`, `no_merge_ids`."""

    @property
    def unusable(self) -> bool:
        """Whether it says something of a patient who cannot be told."""
        return bool(self.skipped["no_patient_id"] or self.skipped["no_merge_ids"])


def read_diagnoses(message: Message, reading: Reading) -> Diagnoses:
    """The Conditions and merges of a message; raises `HL7Error` for one of another kind.

    A training or debugging message (MSH-11 T or D) says nothing.
    """
    if message.kind not in KINDS:
        raise HL7Error("no message of ADT, BAR or PPR", element="MSH-9")
    if message.header.value(11).upper() in ("T", "D"):
        return Diagnoses(skipped=Counter(test_message=1))
    if message.kind == "ADT" and message.event in _MERGES:
        return _merges(message, reading)
    if message.kind == "ADT" and message.event in _CANCELLED:
        return Diagnoses(skipped=Counter(other_event=1))
    segments = message.all("PRB" if message.kind == "PPR" else "DG1")
    if not segments:
        return Diagnoses()
    pid = message.first("PID")
    patient = None if pid is None else _identifier(pid.repetitions(3), reading)
    if patient is None:
        return Diagnoses(skipped=Counter(no_patient_id=len(segments)))
    return _Reader(message, reading, patient).read(segments)


def _merges(message: Message, reading: Reading) -> Diagnoses:
    """Each PID with the MRG after it."""
    merges, skipped, into = [], Counter[str](), None
    for segment in message.segments:
        if segment.name == "PID":
            into = _identifier(segment.repetitions(3), reading)
        elif segment.name == "MRG":
            old = _identifier(segment.repetitions(1), reading)
            if into is None or old is None:
                skipped["no_merge_ids"] += 1
            elif old != into:
                merges.append(Merge(old, into))
    if not merges and not skipped:
        skipped["no_merge_ids"] += 1
    return Diagnoses(merges=tuple(merges), skipped=skipped)


def _identifier(repetitions: list[Components], reading: Reading) -> str | None:
    """The patient's id: of the authority and type asked for; `None` where it cannot be told.

    A guess would be another patient (C3): where the type does not tell, one alone is taken, of
    the authority asked for or without any type.
    """
    given = [one for one in repetitions if part(one, 1)]
    if reading.authority is not None:
        given = [one for one in given if reading.authority in _authority(one)]
    typed = [one for one in given if part(one, 5).upper() == reading.identifier_type.upper()]
    if not typed and len(given) == 1 and (reading.authority is not None or not part(given[0], 5)):
        typed = given
    ids = {part(one, 1) for one in typed}
    return ids.pop() if len(ids) == 1 else None


def _authority(identifier: Components) -> list[str]:
    """The names of an assigning authority (HD): namespace and universal id."""
    return [name for name in (part(identifier, 4, 1), part(identifier, 4, 2)) if name]


class _Reader:
    """Reads the segments of one message."""

    def __init__(self, message: Message, reading: Reading, patient: str) -> None:
        self._message = message
        self._reading = reading
        self._patient = patient
        visit = message.first("PV1")
        self._visit = "" if visit is None else visit.value(19)
        self._disposition = "" if visit is None else visit.value(36).upper()
        self._zone = offset_of(message.header.value(7)) or reading.zone
        sent = fhir_time(message.header.value(7), self._zone)
        self._made = sent if sent and "T" in sent else None
        self._problems = message.kind == "PPR"

    def read(self, segments: list[Segment]) -> Diagnoses:
        conditions: dict[str, dict[str, Any]] = {}
        skipped = Counter[str]()
        for segment in segments:
            read = self._problem(segment) if self._problems else self._diagnosis(segment)
            if read is None:
                skipped["no_code"] += 1
                continue
            known = conditions.get(read["id"])
            # The admitting and the final line of one diagnosis are one Condition, confirmed.
            if known is None or not _is_confirmed(known):
                conditions[read["id"]] = read
        return Diagnoses(
            patient_id=self._patient,
            encounter_id=self._visit if self._visit and self._reading.visits else None,
            ended_at_home=self._ended_at_home(),
            conditions=tuple(conditions.values()),
            skipped=skipped,
        )

    def _diagnosis(self, segment: Segment) -> dict[str, Any] | None:
        """DG1 (6.5.2); `None` without a code or an identifier."""
        codings = list(self._codings(segment, 3, segment.value(2)))
        entity = segment.value(20)
        action = segment.value(21).upper()
        if not codings and not (entity and action == "D"):
            return None
        kind = segment.value(6).upper()
        if action == "D":
            verification = "entered-in-error"
        elif kind in self._reading.final_types:
            verification = "confirmed"
        else:
            verification = "provisional" if kind in _WORKING_TYPES else "unconfirmed"
        added = self._recorded() if action == "A" else None
        known = self._time(segment, 5) or self._time(segment, 19) or added
        return self._condition(
            identifier=_identifier_of(entity, "DG1") or self._stable_id(codings, known),
            category="encounter-diagnosis",
            codings=codings,
            verification=verification,
            recordedDate=known,
            meta=_RESTRICTED if segment.value(18).upper() == "Y" else None,
        )

    def _problem(self, segment: Segment) -> dict[str, Any] | None:
        """PRB (12.4.2); `None` without a code or an identifier."""
        codings = list(self._codings(segment, 3, ""))
        entity = segment.value(4)
        action = segment.value(1).upper()
        deleted = action in _PRB_DELETED or (not action and self._message.event == "PC3")
        if not codings and not (entity and deleted):
            return None
        status = segment.value(13).lower()
        if deleted:
            verification: str | None = "entered-in-error"
        elif status:
            # What is no code of FHIR's is the site's own word: it must not count by accident.
            verification = status if status in _VERIFICATION_CODES else "unconfirmed"
        else:
            verification = None
        added = self._time(segment, 2) if action in _PRB_ADDED else None
        known = self._time(segment, 7) or added
        clinical = segment.value(14).lower()
        return self._condition(
            identifier=_identifier_of(entity, "PRB") or self._stable_id(codings, known),
            category="problem-list-item",
            codings=codings,
            verification=verification,
            clinicalStatus=(
                _concept(f"{_TERMINOLOGY}/condition-clinical", clinical)
                if clinical in _CLINICAL_CODES and not deleted
                else None
            ),
            recordedDate=known,
            onsetDateTime=self._time(segment, 16),
            meta=_RESTRICTED if segment.value(25).upper() in ("R", "V") else None,
        )

    def _condition(
        self,
        *,
        identifier: str,
        category: str,
        codings: list[dict[str, str]],
        verification: str | None,
        **elements: Any,
    ) -> dict[str, Any]:
        encounter = self._visit if self._visit and self._reading.visits else None
        made = self._made
        resource = {
            "resourceType": "Condition",
            "id": identifier,
            "verificationStatus": verification and _concept(_VERIFICATION, verification),
            "category": [_concept(f"{_TERMINOLOGY}/condition-category", category)],
            "code": {"coding": codings} if codings else None,
            "subject": {"reference": f"Patient/{self._patient}"},
            "encounter": encounter and {"reference": f"Encounter/{encounter}"},
            **elements,
            # So that a message which others have overtaken is seen to be the older.
            "meta": {**(elements.get("meta") or {}), **({"lastUpdated": made} if made else {})},
        }
        return {name: value for name, value in resource.items() if value}

    def _codings(self, segment: Segment, number: int, method: str) -> Iterator[dict[str, str]]:
        """The codings of a CWE: identifier, alternate and second alternate (2.A.13)."""
        repetitions = segment.repetitions(number)
        components = repetitions[0] if repetitions else []
        for code, system, oid in ((1, 3, 14), (4, 6, 17), (10, 12, 20)):
            if part(components, code):
                named = part(components, system) or (method if code == 1 else "")
                uri = self._system(named, part(components, oid))
                yield {"code": part(components, code)} | ({"system": uri} if uri else {})

    def _system(self, name: str, oid: str) -> str | None:
        """The URI of a coding system; `None` for one that is neither known nor a local name.

        Whatever else stands there may be anything, so it is not repeated.
        """
        upper = name.upper()
        own = self._reading.systems.get(upper)
        if own is not None:
            return own
        found = [system_of_v2(name), system_of_v2(oid)]
        for system in found:
            if system in KNOWN_SYSTEMS:
                return system
        for system in found:
            if system.startswith("urn:oid:"):
                return system
        return f"urn:hl7v2:{upper}" if _LOCAL.fullmatch(upper) else None

    def _stable_id(self, codings: list[dict[str, str]], known: str | None) -> str:
        """An id for a diagnosis without one: of patient, visit and first code.

        The set id is no part of it: it numbers lines, and the next message may number otherwise.
        Without a visit the day keeps two episodes apart.
        """
        first = codings[0] if codings else {}
        place = self._visit or (known or "")[:10]
        parts = (self._patient, place, first.get("system", ""), first.get("code", ""))
        digest = sha256("\0".join((*parts, "PRB" if self._problems else "DG1")).encode())
        return f"hl7v2-{digest.hexdigest()[:40]}"

    def _recorded(self) -> str | None:
        """When the event was recorded (EVN-2)."""
        event = self._message.first("EVN")
        return None if event is None else self._time(event, 2)

    def _time(self, segment: Segment, number: int) -> str | None:
        return fhir_time(segment.value(number), self._zone)

    def _ended_at_home(self) -> bool | None:
        """By PV1-36; `None` while there is no discharge, or its code is not known."""
        if self._disposition in self._reading.home_dispositions:
            return True
        known = _OTHER_DISPOSITIONS.fullmatch(self._disposition) is not None
        return False if known else None


_RESTRICTED = {"security": [{"system": f"{_TERMINOLOGY}/v3-Confidentiality", "code": "R"}]}


def _identifier_of(entity: str, segment: str) -> str | None:
    """A Condition id of an entity identifier (EI.1): itself, or a hash where FHIR allows it not."""
    if not entity:
        return None
    if _FHIR_ID.fullmatch(entity):
        return entity
    return f"hl7v2-{sha256(f'{segment} {entity}'.encode()).hexdigest()[:40]}"


def _is_confirmed(condition: Mapping[str, Any]) -> bool:
    return condition.get("verificationStatus") == _concept(_VERIFICATION, "confirmed")


def _concept(system: str, code: str) -> dict[str, Any]:
    return {"coding": [{"system": system, "code": code}]}
