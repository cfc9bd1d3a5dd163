"""One delivery of Conditions: what came, and what became of each (C15 to C21)."""

import json
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any
from uuid import uuid4

from sqlalchemy import Connection

from cds_service.context import ProcessContext
from cds_service.services.deciding import renew_outcomes
from cds_service.services.known_conditions import ConditionReader, content_hash
from cds_service.services.merging import merge_patients, resolve_patient
from cds_service.services.rereading import fingerprint
from cds_service.services.rotation import move_to_newest_keys
from cds_service.storage.assessment_store import AssessmentStore
from cds_service.storage.audit_store import AuditStore
from cds_service.storage.condition_store import ConditionStore, OutcomeStore
from cds_service.storage.session import IN_LIST
from fhir_mapping.bundles import Entry
from fhir_mapping.code_systems import shown_system
from fhir_mapping.labels import ConditionFacts
from fhir_mapping.patient_links import Merge
from fhir_mapping.pregnancy import PREGNANCY_SPAN, read_conditions
from fhir_mapping.references import PatientMatcher
from fhir_mapping.resources import Issue, parse_resource

CHANNELS = (
    "problem-list-item-create",
    "encounter-discharge",
    "patient-view",
    "fhir-create",
    "fhir-bundle",
    "subscription",
    "pull",
    "hl7v2",
    "bulk",
    "ingest",
)
"""How Conditions come."""

MESSAGES = "hl7v2"
"""The channel of HL7 v2."""

WITHDRAWN = "withdrawn"
"""In the place of the content hash of a Condition that was deleted where it came from."""

STORED, UNCHANGED, OUTDATED = "stored", "unchanged", "outdated"


@dataclass(frozen=True, slots=True)
class Incoming:
    """A Condition with what the caller knows about it."""

    resource: Mapping[str, Any]
    """Decoded JSON, not validated yet."""
    base: str
    """FHIR base URL of its source (C3)."""
    patient_id: str | None
    """Whose it is; `None` where its subject is nobody that may be meant here."""
    encounter_id: str | None = None
    ended_at_home: bool | None = None
    expected_version: int | None = None
    """Take it only if that is the version that stands now (`If-Match`)."""


@dataclass(frozen=True, slots=True)
class Withdrawal:
    """A Condition that was deleted on its server: as if it had been entered in error."""

    base: str
    condition_id: str = field(repr=False)
    expected_version: int | None = None


@dataclass(frozen=True, slots=True)
class Taken:
    """What became of one Condition."""

    result: str
    """`STORED`, `UNCHANGED`, or why it was skipped: `wrong_patient`, `invalid`, `restricted`,
    `version_conflict`, `outdated` (a newer version stands)."""
    id: str | None = field(default=None, repr=False)
    """Its own, or one made for it that is the same whenever it comes."""
    version: int = 0
    """How many versions of it are stored."""
    facts: ConditionFacts | None = field(default=None, repr=False)
    issues: tuple[Issue, ...] = ()

    @property
    def accepted(self) -> bool:
        """Whether it stands now as it was sent."""
        return self.result in (STORED, UNCHANGED)


@dataclass
class Received:
    """What became of a delivery of Conditions."""

    stored: int = 0
    unchanged: int = 0
    skipped: Counter[str] = field(default_factory=Counter)
    """By reason."""
    issues: list[str] = field(default_factory=list)
    """Of Conditions that are not valid FHIR: index, element and fault, without values."""
    undetermined: Counter[str] = field(default_factory=Counter)
    """Stored Conditions that say nothing of severity, by reason (C15)."""
    withdrawn: int = 0
    merged: int = 0
    taken: list[Taken] = field(default_factory=list)
    """Of each Condition, in order."""
    removed: list[Taken] = field(default_factory=list)
    """Of each withdrawal, in order."""

    def counts(self) -> dict[str, Any]:
        """For the audit trail."""
        counts: dict[str, Any] = {
            "stored": self.stored,
            "unchanged": self.unchanged,
            "skipped": dict(self.skipped),
            "undetermined": dict(self.undetermined),
        }
        others = {"withdrawn": self.withdrawn, "merged": self.merged}
        return counts | {name: count for name, count in others.items() if count}


class NotTakenError(Exception):
    """Some of what must be taken together could not be; nothing is stored."""

    def __init__(self, received: Received) -> None:
        super().__init__("nothing was stored")
        self.received = received


class Delivery:
    """One delivery, in the caller's transaction."""

    def __init__(
        self,
        context: ProcessContext,
        connection: Connection,
        client: str,
        channel: str,
        actor: str,
        allow_restricted: bool,
    ) -> None:
        self._context = context
        self._connection = connection
        self._client = client
        self._channel = channel
        self._actor = actor
        self._allow_restricted = allow_restricted
        self._at = context.clock()
        self._store = ConditionStore(connection)
        self._reader = ConditionReader(context)
        self._patients: set[str] = set()
        self.received = Received()

    def merge(self, merge: Merge) -> None:
        """Merge two patients."""
        secrecy = self._context.secrecy
        merged = merge_patients(
            self._connection,
            secrecy.patient_keys(merge.base, merge.from_id),
            secrecy.patient_keys(merge.base, merge.into_id),
            client=self._client,
            channel=self._channel,
            at=self._at,
        )
        if merged is None:
            return
        self.received.merged += 1
        self._patients.add(merged.survivor)
        self._audit(
            "merge-patients",
            "patient-merge",
            merged.id,
            {
                "channel": self._channel,
                "assessments": merged.assessments,
                "conditions": merged.conditions,
            },
        )

    def withdraw(self, withdrawal: Withdrawal) -> None:
        """Take back a Condition: a version that does not count supersedes the one that stands."""
        sources = self._reader.sources(withdrawal.base, withdrawal.condition_id)
        versions = self._store.versions(sources)
        identifier, version = withdrawal.condition_id, versions.count
        if _conflict(withdrawal.expected_version, versions.count):
            self.received.skipped["version_conflict"] += 1
            self.received.removed.append(Taken("version_conflict", identifier, version))
            return
        if versions.current_id is None or versions.current_hash == WITHDRAWN:
            self.received.removed.append(Taken(UNCHANGED, identifier, version))
            return
        earlier = self._store.by_id(versions.current_id)
        facts = earlier["facts"] | {
            "verification_status": "entered-in-error",
            "counts": False,
            "why_not": "entered-in-error",
        }
        if not self._same_clock(earlier):
            facts["last_updated"] = None
        changes = {
            "id": str(uuid4()),
            "content_hash": WITHDRAWN,
            "client": self._client,
            "channel": self._channel,
            "received_at": self._at,
            "pregnancy_until": None,
            "facts": facts,
        }
        self._patients |= self._store.put(earlier | changes, sources)
        self.received.withdrawn += 1
        self.received.removed.append(Taken(STORED, identifier, version + 1))

    def take(self, number: int, incoming: Incoming) -> None:
        """Take one Condition."""
        taken = self._take(incoming)
        received = self.received
        received.taken.append(taken)
        if taken.result == STORED:
            received.stored += 1
        elif taken.result == UNCHANGED:
            received.unchanged += 1
        else:
            received.skipped[taken.result] += 1
            received.issues += [f"{number}: {issue}" for issue in taken.issues]

    def finish(self) -> None:
        """Renew the outcomes of everybody whose Conditions changed, and say what was done."""
        for some in parts(sorted(self._patients)):
            renew_outcomes(self._connection, self._at, some, self._context.terminology)
        self._audit("receive-conditions", "channel", self._channel, self.received.counts())

    def _take(self, incoming: Incoming) -> Taken:
        if incoming.patient_id is None:
            return Taken("wrong_patient")
        resource = parse_resource("Condition", incoming.resource)
        if isinstance(resource, list):
            return Taken("invalid", issues=tuple(resource))
        reader = self._reader
        facts = reader.classified(resource, incoming.ended_at_home)
        content = content_hash(resource)
        identifiers = reader.identifiers(incoming.base, resource, content)
        sources = [key for one in identifiers for key in reader.sources(incoming.base, one)]
        if facts.restricted and not self._allow_restricted:
            self._erase(sources)
            return Taken("restricted", identifiers[0], facts=facts)
        versions = self._store.versions(sources)
        if _conflict(incoming.expected_version, versions.count):
            return Taken("version_conflict", identifiers[0], versions.count, facts)
        secrecy = self._context.secrecy
        named = secrecy.patient_keys(incoming.base, incoming.patient_id)
        encounters = (
            None
            if incoming.encounter_id is None
            else secrecy.encounter_keys(incoming.base, incoming.encounter_id)
        )
        move_to_newest_keys(self._connection, named, encounters)
        if reader.is_known(versions.current_hash, resource, content, incoming.ended_at_home):
            return Taken(UNCHANGED, identifiers[0], versions.count, facts)
        prompted_by = facts.prompted_by
        if versions.current_id is not None:
            earlier = self._store.by_id(versions.current_id)
            if self._is_older(facts, earlier):
                return Taken(OUTDATED, identifiers[0], versions.count, facts)
            home = earlier["facts"].get("ended_at_home")
            same = encounters is not None and earlier["encounter_key"] in encounters
            if incoming.ended_at_home is None and home is not None and same:
                facts = reader.classified(resource, home)
            prompted_by = prompted_by or earlier["facts"]["prompted_by"]
        if facts.severity is None:
            system = shown_system(facts.decided_by.system) if facts.decided_by else "no system"
            self.received.undetermined[f"{system} {facts.reason}"] += 1
        known = min(facts.known_at or self._at, self._at)
        self._patients |= self._store.put(
            {
                "id": str(uuid4()),
                "source_key": sources[0],
                "content_hash": fingerprint(content, facts.stored()),
                "client": self._client,
                "channel": self._channel,
                "patient_key": resolve_patient(self._connection, named)[0],
                "encounter_key": None if encounters is None else encounters[0],
                "received_at": self._at,
                "superseded_at": None,
                "pregnancy_until": _pregnancy_until(incoming, known, self._at),
                "label_version": facts.label_version,
                "facts": facts.stored() | {"prompted_by": prompted_by},
            },
            sources,
        )
        return Taken(STORED, identifiers[0], versions.count + 1, facts)

    def _is_older(self, facts: ConditionFacts, stands: Mapping[str, Any]) -> bool:
        """Whether a newer version stands, by the clock of the server that both come from.

        HL7 v2 messages have a clock of their own: that of when they were made.
        """
        now, then = facts.last_updated, stands["facts"].get("last_updated")
        if now is None or then is None or not self._same_clock(stands):
            return False
        return now < datetime.fromisoformat(then)

    def _same_clock(self, stands: Mapping[str, Any]) -> bool:
        return (self._channel == MESSAGES) is (stands["channel"] == MESSAGES)

    def _erase(self, sources: Sequence[str]) -> None:
        """Take out what was stored of a Condition that is restricted, and what came of it."""
        erased = self._store.erase(sources)
        self._patients |= erased.patient_keys
        references = AssessmentStore(self._connection).references(sorted(erased.patient_keys))
        OutcomeStore(self._connection).erase(
            [reference["id"] for reference in references], erased.condition_ids
        )

    def _audit(
        self, action: str, object_type: str, object_id: str, detail: Mapping[str, Any]
    ) -> None:
        AuditStore(self._connection).add(
            at=self._at,
            actor=self._actor,
            action=action,
            object_type=object_type,
            object_id=object_id,
            detail=detail,
        )


def _conflict(expected: int | None, stored: int) -> bool:
    return expected is not None and expected != stored


def parts(patients: Sequence[str]) -> Iterator[Sequence[str]]:
    """Some hundreds at a time: an IN list has a limit."""
    for start in range(0, len(patients), IN_LIST):
        yield patients[start : start + IN_LIST]


def _pregnancy_until(incoming: Incoming, known: datetime, at: datetime) -> datetime | None:
    """Until when the Condition makes its patient known to be pregnant; `None` if it does not."""
    entry = Entry(json.dumps(incoming.resource).encode())
    # Whose it is, on which server, is settled: an absolute subject must not be judged again.
    matcher = PatientMatcher(incoming.patient_id or "", None)
    pregnant, _ = read_conditions([entry], matcher, at)
    return known + PREGNANCY_SPAN if pregnant else None
