"""What a client was told of a patient before, and what became of it."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import ColumnElement, Connection, and_, func, select

from cds_service.storage.tables import ASSESSMENTS, CARDS, FEEDBACK


@dataclass(frozen=True, slots=True)
class Told:
    """Whose cards are asked for."""

    client: str
    service: str
    patient_keys: Sequence[str]
    """Under every secret key."""
    encounter_keys: Sequence[str] | None
    """The same; `None`: cards that were shown without an encounter."""


@dataclass(frozen=True, slots=True)
class Verdict:
    """What a clinician did with a card."""

    accepted: bool
    at: datetime
    """When, as the client says, but never after we heard of it: clocks differ."""


class FatigueStore:
    """SQL of cards that were shown to one client, by patient (an index leads there)."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def same_advice(self, told: Told, advice_hash: str, since: datetime | None) -> list[bytes]:
        """Encrypted identifiers of assessments whose card said the same."""
        query = (
            select(ASSESSMENTS.c.identifiers)
            .join(CARDS, CARDS.c.assessment_id == ASSESSMENTS.c.id)
            .where(
                _of(told),
                ASSESSMENTS.c.advice_hash == advice_hash,
                ASSESSMENTS.c.suppressed.is_(None),
            )
        )
        if since is not None:
            query = query.where(ASSESSMENTS.c.prediction_time >= since)
        return list(self._connection.execute(query).scalars())

    def verdicts(self, told: Told, situation: str, category: str | None) -> list[Verdict]:
        """Feedback on cards of this kind and category."""
        query = (
            select(FEEDBACK.c.outcome, FEEDBACK.c.outcome_timestamp, FEEDBACK.c.received_at)
            .join(CARDS, CARDS.c.uuid == FEEDBACK.c.card_uuid)
            .join(ASSESSMENTS, ASSESSMENTS.c.id == CARDS.c.assessment_id)
            .where(
                _of(told),
                FEEDBACK.c.client == told.client,
                ASSESSMENTS.c.situation == situation,
                ASSESSMENTS.c.category.is_(None)
                if category is None
                else ASSESSMENTS.c.category == category,
            )
        )
        return [
            Verdict(row.outcome == "accepted", min(row.outcome_timestamp, row.received_at))
            for row in self._connection.execute(query)
        ]


def _of(told: Told) -> ColumnElement[bool]:
    encounter = ASSESSMENTS.c.encounter_key
    return and_(
        ASSESSMENTS.c.patient_key.in_(told.patient_keys),
        # As expressions, for which there is no index: SQLite would else take that of
        # (client, service, hook_instance) and read every assessment of the client.
        func.coalesce(ASSESSMENTS.c.client, "") == told.client,
        func.coalesce(ASSESSMENTS.c.service, "") == told.service,
        encounter.is_(None) if told.encounter_keys is None else encounter.in_(told.encounter_keys),
    )
