"""Diagnoses come back: Conditions are classified, kept, and become outcomes (C15 to C21)."""

import json
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from hashlib import sha256
from typing import Any
from uuid import uuid4

from sqlalchemy import Connection

from cds_service.context import ProcessContext
from cds_service.services.rotation import move_to_newest_keys
from cds_service.storage.assessment_store import AssessmentStore
from cds_service.storage.audit_store import AuditStore
from cds_service.storage.condition_store import ConditionStore, OutcomeStore
from cds_service.storage.session import IN_LIST, reading
from fhir_mapping.bundles import Entry
from fhir_mapping.labels import LABEL_RULE_VERSION, ConditionFacts, classify
from fhir_mapping.outcomes import AssessmentRef, StoredCondition, decide_outcome
from fhir_mapping.pregnancy import PREGNANCY_SPAN, read_conditions
from fhir_mapping.references import PatientMatcher
from fhir_mapping.resources import parse_resource


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

    def counts(self) -> dict[str, Any]:
        """For the audit trail."""
        return {
            "stored": self.stored,
            "unchanged": self.unchanged,
            "skipped": dict(self.skipped),
            "undetermined": dict(self.undetermined),
        }


class OutcomeService:
    """Keeps Conditions and decides outcomes from them."""

    def __init__(self, context: ProcessContext) -> None:
        self._context = context

    def receive(
        self,
        conditions: Iterable[Incoming],
        *,
        client: str,
        channel: str,
        actor: str,
        first: int = 1,
    ) -> Received:
        """Store Conditions and renew the outcomes of their patients, in one transaction.

        The same Condition again changes nothing, unless more is known of it now; a changed one
        supersedes the earlier. One that is invalid, restricted (C21) or somebody else's (C3) is
        skipped with its reason; what was stored of one that is restricted now is erased. `first`
        is the number of the first in messages.
        """
        received, patients = Received(), set[str]()
        at = self._context.clock()
        with self._context.engine.begin() as connection:
            OutcomeStore(connection).lock()
            for number, incoming in enumerate(conditions, start=first):
                patients |= self._take(
                    connection, number, incoming, received, at, client=client, channel=channel
                )
            for some in _parts(sorted(patients)):
                _refresh(connection, at, some)
            AuditStore(connection).add(
                at=at,
                actor=actor,
                action="receive-conditions",
                object_type="channel",
                object_id=channel,
                detail=received.counts(),
            )
        return received

    def refresh(self) -> None:
        """Decide every outcome anew: assessments may be older or newer than their Conditions.

        Some patients in each transaction, so that nobody who writes waits for long.
        """
        at = self._context.clock()
        with reading(self._context.engine) as connection:
            patients = AssessmentStore(connection).patients()
        for some in _parts(patients):
            with self._context.engine.begin() as connection:
                OutcomeStore(connection).lock()
                _refresh(connection, at, some)

    def _take(
        self,
        connection: Connection,
        number: int,
        incoming: Incoming,
        received: Received,
        at: datetime,
        *,
        client: str,
        channel: str,
    ) -> set[str]:
        """Take one Condition; the keys of the patients whose Conditions changed by it."""
        if incoming.patient_id is None:
            received.skipped["wrong_patient"] += 1
            return set()
        resource = parse_resource("Condition", incoming.resource)
        if isinstance(resource, list):
            received.skipped["invalid"] += 1
            received.issues += [f"{number}: {issue}" for issue in resource]
            return set()
        facts = self._classified(resource, incoming.ended_at_home)
        secrecy, store = self._context.secrecy, ConditionStore(connection)
        content = sha256(json.dumps(resource, sort_keys=True, default=str).encode()).hexdigest()
        identifier = f"Condition/{facts.source_id or content}"
        sources = secrecy.source_keys(incoming.base, identifier)
        if facts.restricted:
            received.skipped["restricted"] += 1
            return store.remove(sources)
        patients = secrecy.patient_keys(incoming.base, incoming.patient_id)
        encounters = (
            None
            if incoming.encounter_id is None
            else secrecy.encounter_keys(incoming.base, incoming.encounter_id)
        )
        move_to_newest_keys(connection, patients, encounters)
        if self._is_known(store.current_hash(sources), resource, content, incoming.ended_at_home):
            received.unchanged += 1
            return set()
        received.stored += 1
        if facts.severity is None:
            system = facts.decided_by.system if facts.decided_by else "no system"
            received.undetermined[f"{system} {facts.reason}"] += 1
        return store.put(
            {
                "id": str(uuid4()),
                "source_key": sources[0],
                "content_hash": _fingerprint(content, facts),
                "client": client,
                "channel": channel,
                "patient_key": patients[0],
                "encounter_key": None if encounters is None else encounters[0],
                "received_at": at,
                "superseded_at": None,
                "pregnancy_until": _pregnancy_until(incoming, min(facts.known_at or at, at), at),
                "label_version": facts.label_version,
                "facts": facts.stored(),
            },
            sources,
        )

    def _classified(
        self, resource: Mapping[str, Any], ended_at_home: bool | None
    ) -> ConditionFacts:
        return classify(
            resource,
            encounter_ended_at_home=ended_at_home,
            terminology=self._context.terminology,
        )

    def _is_known(
        self,
        known: str | None,
        resource: Mapping[str, Any],
        content: str,
        ended_at_home: bool | None,
    ) -> bool:
        """Whether `known` is the hash of this very Condition, read as it is read now.

        Who does not know how the encounter ended takes back nothing of what was known of it.
        """
        if known is None:
            return False
        ends = (None, True, False) if ended_at_home is None else (ended_at_home,)
        return any(known == _fingerprint(content, self._classified(resource, end)) for end in ends)


def _fingerprint(content: str, facts: ConditionFacts) -> str:
    """Of a Condition and what it came to: other rules or value sets make it another."""
    found = json.dumps(facts.stored(), sort_keys=True)
    return sha256(f"{content} {found}".encode()).hexdigest()


def _parts(patients: Sequence[str]) -> Iterator[Sequence[str]]:
    for start in range(0, len(patients), IN_LIST):
        yield patients[start : start + IN_LIST]


def _pregnancy_until(incoming: Incoming, known: datetime, at: datetime) -> datetime | None:
    """Until when the Condition makes its patient known to be pregnant; `None` if it does not."""
    entry = Entry(json.dumps(incoming.resource).encode())
    # Whose it is, on which server, is settled: an absolute subject must not be judged again.
    matcher = PatientMatcher(incoming.patient_id or "", None)
    pregnant, _ = read_conditions([entry], matcher, at)
    return known + PREGNANCY_SPAN if pregnant else None


def _refresh(connection: Connection, at: datetime, patient_keys: Sequence[str]) -> None:
    """Decide the outcomes of these patients' assessments; without Conditions there are none."""
    conditions: dict[str, list[StoredCondition]] = defaultdict(list)
    for row in ConditionStore(connection).current(patient_keys):
        conditions[row["patient_key"]].append(
            StoredCondition.of(
                row["facts"],
                id=row["id"],
                patient_key=row["patient_key"],
                encounter_key=row["encounter_key"],
                source=row["client"],
            )
        )
    references = AssessmentStore(connection).references(patient_keys)
    outcomes = [
        _outcome(reference, conditions[reference["patient_key"]], at)
        for reference in references
        if reference["patient_key"] in conditions
    ]
    store = OutcomeStore(connection)
    store.remove([reference["id"] for reference in references], {LABEL_RULE_VERSION})
    store.replace([outcome["assessment_id"] for outcome in outcomes], outcomes)


def _outcome(
    row: Mapping[str, Any], conditions: list[StoredCondition], at: datetime
) -> dict[str, Any]:
    decision = decide_outcome(
        AssessmentRef(
            id=row["id"],
            patient_key=row["patient_key"],
            prediction_time=row["prediction_time"],
            encounter_key=row["encounter_key"],
            encounter_class=row["encounter_class"],
            enough_data=row["situation"] == "scored",
        ),
        conditions,
    )
    return {
        "id": str(uuid4()),
        "assessment_id": row["id"],
        "label_version": decision.label_version,
        "category": None if decision.category is None else decision.category.value,
        "classes": [severity.value for severity in decision.classes],
        "pre_existing": [severity.value for severity in decision.pre_existing],
        "reason": decision.reason,
        "known_at": decision.known_at,
        "after_diagnosis": decision.after_diagnosis,
        "prompted": decision.prompted,
        "needs_second_source": decision.needs_second_source,
        "rare_codes": list(decision.rare_codes),
        "condition_ids": list(decision.condition_ids),
        "decided_at": at,
    }
