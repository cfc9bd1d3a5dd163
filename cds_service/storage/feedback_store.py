"""Feedback on cards."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, insert, select

from cds_service.storage.spans import seen_between
from cds_service.storage.tables import ASSESSMENTS, CARDS, FEEDBACK


@dataclass(frozen=True, slots=True)
class Reaction:
    """What clinicians did with the card of an assessment."""

    accepted: bool
    """Somebody took it up at some time: what became known later may rest on it (C18)."""
    overridden: bool
    """The newest word is that it was overridden."""


class FeedbackStore:
    """SQL of feedback; every entry is kept, because a clinician may change their mind (R54)."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def add(self, entries: Sequence[Mapping[str, Any]]) -> None:
        """Store a batch."""
        if entries:
            self._connection.execute(insert(FEEDBACK), list(entries))

    def reactions(
        self, since: datetime | None = None, until: datetime | None = None
    ) -> dict[str, Reaction]:
        """Reactions by assessment, of those whose card got feedback from its own client; of the
        assessments from `since` on and before `until`."""
        query = (
            select(CARDS.c.assessment_id, FEEDBACK.c.outcome, FEEDBACK.c.accepted_suggestions)
            .select_from(FEEDBACK)
            .join(CARDS, CARDS.c.uuid == FEEDBACK.c.card_uuid)
            .join(ASSESSMENTS, ASSESSMENTS.c.id == CARDS.c.assessment_id)
            .where(FEEDBACK.c.client == ASSESSMENTS.c.client)
            .order_by(FEEDBACK.c.received_at, FEEDBACK.c.outcome_timestamp, FEEDBACK.c.id)
        )
        query = seen_between(query, since, until)
        found: dict[str, Reaction] = {}
        for row in self._connection.execute(query):
            before = found.get(row.assessment_id)
            taken_up = row.outcome == "accepted" or bool(row.accepted_suggestions)
            found[row.assessment_id] = Reaction(
                accepted=taken_up or (before is not None and before.accepted),
                overridden=row.outcome == "overridden",
            )
        return found
