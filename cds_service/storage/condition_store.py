"""Conditions as received and classified, and the outcomes decided from them."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, delete, insert, select, update

from cds_service.storage.tables import CONDITIONS, OUTCOMES


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

    def put(self, condition: Mapping[str, Any], source_keys: Sequence[str]) -> None:
        """Store a Condition; an earlier version of it is superseded, not overwritten."""
        self._connection.execute(
            update(CONDITIONS)
            .where(CONDITIONS.c.source_key.in_(source_keys), CONDITIONS.c.superseded_at.is_(None))
            .values(superseded_at=condition["received_at"])
        )
        self._connection.execute(insert(CONDITIONS), condition)

    def move(self, old_keys: Sequence[str], new_key: str) -> None:
        """Give rows under older secret keys the patient's newest key."""
        self._connection.execute(
            update(CONDITIONS)
            .where(CONDITIONS.c.patient_key.in_(old_keys))
            .values(patient_key=new_key)
        )

    def pregnant(self, patient_keys: Sequence[str], at: datetime) -> bool:
        """Whether a Condition as it stands now says that the patient is pregnant (C1)."""
        query = select(CONDITIONS.c.id).where(
            CONDITIONS.c.patient_key.in_(patient_keys),
            CONDITIONS.c.superseded_at.is_(None),
            CONDITIONS.c.pregnancy_until >= at,
        )
        return self._connection.execute(query.limit(1)).first() is not None

    def current(self, patient_key: str | None = None) -> list[dict[str, Any]]:
        """Conditions as they stand now, of one patient or of all."""
        query = select(CONDITIONS).where(CONDITIONS.c.superseded_at.is_(None))
        if patient_key is not None:
            query = query.where(CONDITIONS.c.patient_key == patient_key)
        return [dict(row._mapping) for row in self._connection.execute(query)]


class OutcomeStore:
    """SQL of outcomes."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def replace(self, assessment_ids: Sequence[str], outcomes: Sequence[Mapping[str, Any]]) -> None:
        """Put `outcomes` in the place of those of the same assessments and rule version."""
        versions = {outcome["label_version"] for outcome in outcomes}
        for start in range(0, len(assessment_ids), 500):  # SQLite takes 32,766 parameters.
            self._connection.execute(
                delete(OUTCOMES).where(
                    OUTCOMES.c.assessment_id.in_(assessment_ids[start : start + 500]),
                    OUTCOMES.c.label_version.in_(versions),
                )
            )
        if outcomes:
            self._connection.execute(insert(OUTCOMES), list(outcomes))

    def decided(self, label_version: str) -> dict[str, dict[str, Any]]:
        """Outcomes of one rule version (C17: versions are not pooled) by assessment id."""
        query = select(OUTCOMES).where(OUTCOMES.c.label_version == label_version)
        return {row.assessment_id: dict(row._mapping) for row in self._connection.execute(query)}
