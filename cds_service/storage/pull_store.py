"""When to ask a FHIR server what became of the patients that were assessed."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, Final

from sqlalchemy import ColumnElement, Connection, and_, func, insert, or_, select, update

from cds_service.storage.locks import Lock, hold
from cds_service.storage.session import IN_LIST
from cds_service.storage.tables import ASSESSMENTS, OUTCOME_PULLS

DAYS: Final = (1, 7, 30)
"""Days after an assessment: the diagnosis of the visit, the end of the short window and that of the
long one (C16)."""
LEASE: Final = timedelta(minutes=15)
"""How long what was handed out is not handed out again; a process that dies loses no more."""
UNDER_WAY: Final = "under way"


@dataclass(frozen=True, slots=True)
class Due:
    """One pull that was handed out."""

    assessment_id: str
    day: int
    scheduled_at: datetime
    """Its assessment's time and the days."""
    attempts: int
    """How often it was handed out, this time included."""
    client: str
    identifiers: bytes = field(repr=False)
    """Encrypted: whose it is."""


class PullStore:
    """SQL of pulls; the caller owns the transaction."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def unscheduled(self, clients: Collection[str], limit: int) -> list[dict[str, Any]]:
        """Assessments of these clients that have no pulls yet. Excluded patients never have (C2).

        Read without a lock: many rows are looked through.
        """
        last = and_(
            OUTCOME_PULLS.c.assessment_id == ASSESSMENTS.c.id, OUTCOME_PULLS.c.day == DAYS[-1]
        )
        query = (
            select(ASSESSMENTS.c.id, ASSESSMENTS.c.prediction_time)
            .outerjoin(OUTCOME_PULLS, last)
            .where(
                ASSESSMENTS.c.client.in_(sorted(clients)),
                ASSESSMENTS.c.situation != "excluded",
                OUTCOME_PULLS.c.assessment_id.is_(None),
            )
            .limit(limit)
        )
        return [dict(row._mapping) for row in self._connection.execute(query)]

    def schedule(self, assessments: Sequence[Mapping[str, Any]]) -> None:
        """Plan the pulls of assessments; those that another process planned meanwhile stay."""
        self._lock()
        for start in range(0, len(assessments), IN_LIST):
            some = assessments[start : start + IN_LIST]
            query = select(OUTCOME_PULLS.c.assessment_id).where(
                OUTCOME_PULLS.c.assessment_id.in_([one["id"] for one in some])
            )
            there = set(self._connection.execute(query).scalars())
            rows = [
                {
                    "assessment_id": one["id"],
                    "day": day,
                    "attempts": 0,
                    "next_attempt_at": one["prediction_time"] + timedelta(days=day),
                }
                for one in some
                if one["id"] not in there
                for day in DAYS
            ]
            if rows:
                self._connection.execute(insert(OUTCOME_PULLS), rows)

    def patients(self, client: str, now: datetime, *, early: bool) -> list[str]:
        """Keys of the patients of a client that are due, longest due first; with `early` all that
        are still to be asked for."""
        query = (
            select(ASSESSMENTS.c.patient_key)
            .join(OUTCOME_PULLS, OUTCOME_PULLS.c.assessment_id == ASSESSMENTS.c.id)
            .where(ASSESSMENTS.c.client == client, _open(now, early=early))
            .group_by(ASSESSMENTS.c.patient_key)
            .order_by(func.min(OUTCOME_PULLS.c.next_attempt_at), ASSESSMENTS.c.patient_key)
        )
        return list(self._connection.execute(query).scalars())

    def claim(
        self, client: str, patient_keys: Sequence[str], now: datetime, *, early: bool
    ) -> list[Due]:
        """Take what is due of these patients; nobody else gets it until the lease ends."""
        self._lock()
        query = (
            select(
                OUTCOME_PULLS,
                ASSESSMENTS.c.client,
                ASSESSMENTS.c.prediction_time,
                ASSESSMENTS.c.identifiers,
            )
            .join(ASSESSMENTS, OUTCOME_PULLS.c.assessment_id == ASSESSMENTS.c.id)
            .where(
                ASSESSMENTS.c.client == client,
                ASSESSMENTS.c.patient_key.in_(patient_keys),
                _open(now, early=early),
            )
            .order_by(ASSESSMENTS.c.prediction_time, OUTCOME_PULLS.c.day)
        )
        taken = [
            Due(
                assessment_id=row.assessment_id,
                day=row.day,
                scheduled_at=row.prediction_time + timedelta(days=row.day),
                attempts=row.attempts + 1,
                client=row.client,
                identifiers=row.identifiers,
            )
            for row in self._connection.execute(query)
        ]
        for due in taken:
            self._set(due, attempts=due.attempts, next_attempt_at=now + LEASE, result=UNDER_WAY)
        return taken

    def done(self, pulls: Sequence[Due], at: datetime, result: str) -> None:
        """Close pulls; those that were made early wait for their day again."""
        for due in pulls:
            if due.scheduled_at <= at:
                self._set(due, done_at=at, next_attempt_at=at, result=result)
            else:
                self._set(due, attempts=0, next_attempt_at=due.scheduled_at, result=result)

    def again(self, pulls: Sequence[Due], next_attempt_at: datetime, result: str) -> None:
        """Try again later; what is not due yet not before its day."""
        for due in pulls:
            self._set(due, next_attempt_at=max(next_attempt_at, due.scheduled_at), result=result)

    def next_due(self, clients: Collection[str]) -> datetime | None:
        """When the next pull of these clients is due; `None` if there is none."""
        query = (
            select(OUTCOME_PULLS.c.next_attempt_at)
            .join(ASSESSMENTS, OUTCOME_PULLS.c.assessment_id == ASSESSMENTS.c.id)
            .where(ASSESSMENTS.c.client.in_(sorted(clients)), OUTCOME_PULLS.c.done_at.is_(None))
            .order_by(OUTCOME_PULLS.c.next_attempt_at)
            .limit(1)
        )
        return self._connection.execute(query).scalar_one_or_none()

    def _set(self, due: Due, **values: Any) -> None:
        self._connection.execute(
            update(OUTCOME_PULLS)
            .where(
                OUTCOME_PULLS.c.assessment_id == due.assessment_id, OUTCOME_PULLS.c.day == due.day
            )
            .values(values)
        )

    def _lock(self) -> None:
        hold(self._connection, Lock.PULLS)


def _open(now: datetime, *, early: bool) -> ColumnElement[bool]:
    """Still to be done, due unless `early`, and in nobody's hands."""
    pulls = OUTCOME_PULLS.c
    if not early:
        return and_(pulls.done_at.is_(None), pulls.next_attempt_at <= now)
    free = or_(pulls.result.is_(None), pulls.result != UNDER_WAY, pulls.next_attempt_at <= now)
    return and_(pulls.done_at.is_(None), free)
