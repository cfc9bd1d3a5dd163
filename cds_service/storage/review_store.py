"""What reviewers are asked, and what they answered."""

from collections.abc import Collection, Iterator, Mapping, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, func, insert, select, update

from cds_service.storage.locks import Lock, hold
from cds_service.storage.rows import dicts
from cds_service.storage.session import IN_LIST
from cds_service.storage.tables import (
    ASSESSMENTS,
    CARDS,
    FEEDBACK,
    REVIEW_ANSWERS,
    REVIEW_ITEMS,
)

OPEN, ANSWERED, SKIPPED, EXPIRED = "open", "answered", "skipped", "expired"
AUDIT = "audit"
_BATCH = 2_000


class ReviewStore:
    """SQL of `review_items` and `review_answers`; the caller owns the transaction."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def lock(self) -> None:
        """Fill the queue alone until the transaction ends; SQLite has one writer anyway."""
        hold(self._connection, Lock.REVIEWS)

    def predicted(self, since: datetime) -> Iterator[dict[str, Any]]:
        """Scored assessments from `since` on with what decides whether to ask, oldest first."""
        query = (
            select(
                ASSESSMENTS.c.id,
                ASSESSMENTS.c.patient_key,
                ASSESSMENTS.c.prediction_time,
                ASSESSMENTS.c.encounter_key,
                ASSESSMENTS.c.encounter_class,
                ASSESSMENTS.c.features,
                ASSESSMENTS.c.provenance,
                ASSESSMENTS.c.probabilities,
                ASSESSMENTS.c.prediction_set,
                ASSESSMENTS.c.atypicality,
                ASSESSMENTS.c.model_version,
            )
            .where(ASSESSMENTS.c.situation == "scored", ASSESSMENTS.c.prediction_time >= since)
            .order_by(ASSESSMENTS.c.prediction_time, ASSESSMENTS.c.id)
        )
        for row in self._connection.execution_options(yield_per=_BATCH).execute(query):
            yield dict(row._mapping)

    def overridden(self, since: datetime) -> set[str]:
        """Assessments whose card was overridden by the newest feedback that came since."""
        query = (
            select(CARDS.c.assessment_id, FEEDBACK.c.outcome)
            .join(CARDS, CARDS.c.uuid == FEEDBACK.c.card_uuid)
            .where(FEEDBACK.c.received_at >= since, FEEDBACK.c.known_card.is_(True))
            .order_by(FEEDBACK.c.outcome_timestamp, FEEDBACK.c.received_at, FEEDBACK.c.id)
        )
        newest = {row.assessment_id: row.outcome for row in self._connection.execute(query)}
        return {identifier for identifier, outcome in newest.items() if outcome == "overridden"}

    def withdrawn(self) -> dict[str, datetime]:
        """Patients who opted out, or are test patients, with the last time they were seen so."""
        query = (
            select(ASSESSMENTS.c.patient_key, func.max(ASSESSMENTS.c.prediction_time).label("at"))
            .where(ASSESSMENTS.c.suppressed.in_(("opted_out", "test_patient")))
            .group_by(ASSESSMENTS.c.patient_key)
        )
        return {row.patient_key: row.at for row in self._connection.execute(query)}

    def add(self, items: Sequence[Mapping[str, Any]]) -> int:
        """Queue assessments; those that were queued ever before stay as they are.

        Returns how many are new.
        """
        there = self.known([item["assessment_id"] for item in items])
        new = [dict(item) for item in items if item["assessment_id"] not in there]
        if new:
            self._connection.execute(insert(REVIEW_ITEMS), new)
        return len(new)

    def known(self, assessment_ids: Sequence[str]) -> set[str]:
        """Which of these are in the queue, in any state."""
        found: set[str] = set()
        for start in range(0, len(assessment_ids), IN_LIST):
            query = select(REVIEW_ITEMS.c.assessment_id).where(
                REVIEW_ITEMS.c.assessment_id.in_(assessment_ids[start : start + IN_LIST])
            )
            found |= set(self._connection.execute(query).scalars())
        return found

    def items(self, states: Collection[str] | None = None) -> list[dict[str, Any]]:
        """Items in these states, or all, the first to be asked first."""
        query = select(REVIEW_ITEMS).order_by(
            REVIEW_ITEMS.c.priority.desc(), REVIEW_ITEMS.c.queued_at, REVIEW_ITEMS.c.assessment_id
        )
        if states is not None:
            query = query.where(REVIEW_ITEMS.c.state.in_(sorted(states)))
        return list(dicts(self._connection.execute(query)))

    def queued_since(self, since: datetime) -> list[dict[str, Any]]:
        """Items that came into the queue from `since` on, with their reasons."""
        query = select(REVIEW_ITEMS.c.assessment_id, REVIEW_ITEMS.c.reasons).where(
            REVIEW_ITEMS.c.queued_at >= since
        )
        return list(dicts(self._connection.execute(query)))

    def open_but_audit(self, assessment_ids: Sequence[str]) -> list[str]:
        """Which of these are open and not of the audit sample."""
        query = select(REVIEW_ITEMS.c.assessment_id, REVIEW_ITEMS.c.reasons).where(
            REVIEW_ITEMS.c.state == OPEN, REVIEW_ITEMS.c.assessment_id.in_(assessment_ids)
        )
        rows = self._connection.execute(query)
        return [row.assessment_id for row in rows if AUDIT not in row.reasons]

    def close(self, assessment_ids: Sequence[str], state: str, *, at: datetime) -> None:
        """Give items their last state."""
        for start in range(0, len(assessment_ids), IN_LIST):
            self._connection.execute(
                update(REVIEW_ITEMS)
                .where(REVIEW_ITEMS.c.assessment_id.in_(assessment_ids[start : start + IN_LIST]))
                .values(state=state, closed_at=at)
            )

    def found(self, identifier: str) -> list[dict[str, Any]]:
        """Items whose assessment has this id or an id that begins so; at most two."""
        column = REVIEW_ITEMS.c.assessment_id
        query = (
            select(REVIEW_ITEMS)
            .where(column.startswith(identifier, autoescape=True))
            .order_by(column)
            .limit(2)
        )
        return list(dicts(self._connection.execute(query)))

    def assessments(self, identifiers: Sequence[str]) -> dict[str, dict[str, Any]]:
        """Assessments by id, every column."""
        found: dict[str, dict[str, Any]] = {}
        for start in range(0, len(identifiers), IN_LIST):
            query = select(ASSESSMENTS).where(
                ASSESSMENTS.c.id.in_(identifiers[start : start + IN_LIST])
            )
            found |= {row.id: dict(row._mapping) for row in self._connection.execute(query)}
        return found

    def add_answer(self, answer: Mapping[str, Any]) -> None:
        """Keep an answer; earlier ones stay."""
        self._connection.execute(insert(REVIEW_ANSWERS), answer)

    def answers(self, assessment_ids: Sequence[str] | None = None) -> list[dict[str, Any]]:
        """Answers to these, or all, oldest first."""
        if assessment_ids is None:
            query = select(REVIEW_ANSWERS).order_by(REVIEW_ANSWERS.c.id)
            return list(dicts(self._connection.execute(query)))
        found: list[dict[str, Any]] = []
        for start in range(0, len(assessment_ids), IN_LIST):
            some = assessment_ids[start : start + IN_LIST]
            query = select(REVIEW_ANSWERS).where(REVIEW_ANSWERS.c.assessment_id.in_(some))
            found += list(dicts(self._connection.execute(query)))
        return sorted(found, key=lambda row: int(row["id"]))

    def last_answered(self, reviewer: str) -> str | None:
        """The assessment in the queue that a reviewer answered or skipped last."""
        query = (
            select(REVIEW_ANSWERS.c.assessment_id)
            .join(REVIEW_ITEMS, REVIEW_ITEMS.c.assessment_id == REVIEW_ANSWERS.c.assessment_id)
            .where(REVIEW_ANSWERS.c.reviewer == reviewer)
            .order_by(REVIEW_ANSWERS.c.id.desc())
            .limit(1)
        )
        found: str | None = self._connection.execute(query).scalar_one_or_none()
        return found

    def states(self) -> dict[str, int]:
        """How many items are in each state."""
        query = select(REVIEW_ITEMS.c.state, func.count().label("n")).group_by(REVIEW_ITEMS.c.state)
        return {row.state: row.n for row in self._connection.execute(query)}


def standing(answers: Sequence[Mapping[str, Any]]) -> dict[str, Mapping[str, Any]]:
    """The answer that counts of each assessment: the newest that is not `skip`.

    `answers` are oldest first. One that is `undetermined` takes an earlier category back.
    """
    return {one["assessment_id"]: one for one in answers if one["answer"] != "skip"}
