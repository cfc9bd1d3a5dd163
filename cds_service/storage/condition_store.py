"""Conditions as received and classified, and the outcomes decided from them."""

from collections.abc import Collection, Mapping, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, bindparam, delete, insert, select, update

from cds_service.storage.session import IN_LIST
from cds_service.storage.tables import CONDITIONS, OUTCOMES

_LOCK = 725265
"""Number of PostgreSQL's advisory lock; `session.upgrade` has the one before."""

# Asked at every opening of a chart: built once.
_PREGNANT = (
    select(CONDITIONS.c.id)
    .where(
        CONDITIONS.c.patient_key.in_(bindparam("keys", expanding=True)),
        CONDITIONS.c.superseded_at.is_(None),
        CONDITIONS.c.pregnancy_until >= bindparam("at"),
    )
    .limit(1)
)


class ConditionStore:
    """SQL of Conditions."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def current_hash(self, source_keys: Sequence[str]) -> str | None:
        """Content hash of the Condition as it stands now; `None` if it is new."""
        return self._connection.execute(
            select(CONDITIONS.c.content_hash).where(
                CONDITIONS.c.source_key.in_(source_keys), CONDITIONS.c.superseded_at.is_(None)
            )
        ).scalar_one_or_none()

    def put(self, condition: Mapping[str, Any], source_keys: Sequence[str]) -> set[str]:
        """Store a Condition; an earlier version of it is superseded, not overwritten.

        Returns the keys of the patients of that version and of this one: a Condition may have
        been moved from one chart to another.
        """
        earlier = (CONDITIONS.c.source_key.in_(source_keys), CONDITIONS.c.superseded_at.is_(None))
        patients = self._connection.execute(select(CONDITIONS.c.patient_key).where(*earlier))
        changed = {*patients.scalars(), condition["patient_key"]}
        self._connection.execute(
            update(CONDITIONS).where(*earlier).values(superseded_at=condition["received_at"])
        )
        self._connection.execute(insert(CONDITIONS), condition)
        return changed

    def remove(self, source_keys: Sequence[str]) -> set[str]:
        """Erase every version of a Condition; returns the keys of its patients."""
        versions = CONDITIONS.c.source_key.in_(source_keys)
        patients = self._connection.execute(select(CONDITIONS.c.patient_key).where(versions))
        changed = set(patients.scalars())
        if changed:
            self._connection.execute(delete(CONDITIONS).where(versions))
        return changed

    def move(self, old_keys: Sequence[str], new_key: str) -> None:
        """Give rows under older secret keys the patient's newest key."""
        self._connection.execute(
            update(CONDITIONS)
            .where(CONDITIONS.c.patient_key.in_(old_keys))
            .values(patient_key=new_key)
        )

    def move_encounter(self, patient_key: str, old_keys: Sequence[str], new_key: str) -> None:
        """The same for one of the patient's encounters."""
        self._connection.execute(
            update(CONDITIONS)
            .where(CONDITIONS.c.patient_key == patient_key)
            .where(CONDITIONS.c.encounter_key.in_(old_keys))
            .values(encounter_key=new_key)
        )

    def pregnant(self, patient_keys: Sequence[str], at: datetime) -> bool:
        """Whether a Condition as it stands now says that the patient is pregnant (C1)."""
        found = self._connection.execute(_PREGNANT, {"keys": list(patient_keys), "at": at})
        return found.first() is not None

    def current(self, patient_key: str | Sequence[str]) -> list[dict[str, Any]]:
        """Conditions as they stand now, of one patient or of some hundreds."""
        keys = [patient_key] if isinstance(patient_key, str) else patient_key
        query = select(CONDITIONS).where(
            CONDITIONS.c.superseded_at.is_(None), CONDITIONS.c.patient_key.in_(keys)
        )
        return [dict(row._mapping) for row in self._connection.execute(query)]


class OutcomeStore:
    """SQL of outcomes."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def lock(self) -> None:
        """Decide outcomes alone until the transaction ends; SQLite has one writer anyway.

        Else two deliveries of one Condition would both find it new.
        """
        if self._connection.dialect.name == "postgresql":
            self._connection.exec_driver_sql(f"SELECT pg_advisory_xact_lock({_LOCK})")

    def replace(self, assessment_ids: Sequence[str], outcomes: Sequence[Mapping[str, Any]]) -> None:
        """Put `outcomes` in the place of those of the same assessments and rule version."""
        self.remove(assessment_ids, {outcome["label_version"] for outcome in outcomes})
        if outcomes:
            self._connection.execute(insert(OUTCOMES), list(outcomes))

    def remove(self, assessment_ids: Sequence[str], label_versions: Collection[str]) -> None:
        """Take back outcomes, of the given rule versions only."""
        for start in range(0, len(assessment_ids), IN_LIST):
            self._connection.execute(
                delete(OUTCOMES).where(
                    OUTCOMES.c.assessment_id.in_(assessment_ids[start : start + IN_LIST]),
                    OUTCOMES.c.label_version.in_(label_versions),
                )
            )

    def decided(self, label_version: str) -> dict[str, dict[str, Any]]:
        """Outcomes of one rule version (C17: versions are not pooled) by assessment id."""
        query = select(OUTCOMES).where(OUTCOMES.c.label_version == label_version)
        return {row.assessment_id: dict(row._mapping) for row in self._connection.execute(query)}
