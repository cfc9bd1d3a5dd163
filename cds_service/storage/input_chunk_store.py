"""Chunks of assessments whose inputs were held against a reference."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, select, update

from cds_service.storage.locks import Lock, hold
from cds_service.storage.rows import dicts, insert_once
from cds_service.storage.session import IN_LIST
from cds_service.storage.tables import ALERTS, ASSESSMENTS, INPUT_CHUNKS, OUTCOMES

LOOKED_AT = ("scored", "insufficient_data", "model_failed")
"""Situations in which the readings of a chart were looked at."""


class InputChunkStore:
    """SQL of `input_chunks`, and of the assessments they are cut from."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def lock(self) -> None:
        """Change what chunks hand on alone until the transaction ends."""
        hold(self._connection, Lock.INPUTS)

    def newest(self, count: int = 1, *, before: int | None = None) -> list[dict[str, Any]]:
        """The newest chunks, newest first; with `before` those before that number."""
        query = select(INPUT_CHUNKS).order_by(INPUT_CHUNKS.c.number.desc()).limit(count)
        if before is not None:
            query = query.where(INPUT_CHUNKS.c.number < before)
        return list(dicts(self._connection.execute(query)))

    def bounds(self, numbers: Sequence[int]) -> list[tuple[int, datetime, datetime]]:
        """Number, first time and end of chunks, oldest first."""
        query = (
            select(INPUT_CHUNKS.c.number, INPUT_CHUNKS.c.started_at, INPUT_CHUNKS.c.ended_at)
            .where(INPUT_CHUNKS.c.number.in_(numbers))
            .order_by(INPUT_CHUNKS.c.number)
        )
        return [(r.number, r.started_at, r.ended_at) for r in self._connection.execute(query)]

    def add(self, chunk: Mapping[str, Any]) -> bool:
        """Keep a chunk; `False` if another process has kept one of this number."""
        return insert_once(self._connection, INPUT_CHUNKS, chunk)

    def without_outcomes(self) -> dict[str, Any] | None:
        """The oldest chunk whose outcomes were not looked at yet."""
        query = (
            select(INPUT_CHUNKS)
            .where(INPUT_CHUNKS.c.outcomes.is_(None))
            .order_by(INPUT_CHUNKS.c.number)
            .limit(1)
        )
        row = self._connection.execute(query).one_or_none()
        return None if row is None else dict(row._mapping)

    def outcomes_of(self, number: int) -> dict[str, Any]:
        """What was found of the outcomes of a chunk; empty if there is none."""
        query = select(INPUT_CHUNKS.c.outcomes).where(INPUT_CHUNKS.c.number == number)
        return self._connection.execute(query).scalar_one_or_none() or {}

    def add_outcomes(self, number: int, outcomes: Mapping[str, Any]) -> bool:
        """Add what was found of the outcomes of a chunk; `False` if that was done before."""
        result = self._connection.execute(
            update(INPUT_CHUNKS)
            .where(INPUT_CHUNKS.c.number == number, INPUT_CHUNKS.c.outcomes.is_(None))
            .values(outcomes=dict(outcomes))
        )
        return result.rowcount > 0

    def categories(self, start: datetime, end: datetime, label_version: str) -> dict[str, str]:
        """Assessment → category of its outcome as it stands; of a half-open span of time.

        Those made after the outcome was known are left out (C16).
        """
        query = (
            select(OUTCOMES.c.assessment_id, OUTCOMES.c.category)
            .join(ASSESSMENTS, ASSESSMENTS.c.id == OUTCOMES.c.assessment_id)
            .where(ASSESSMENTS.c.prediction_time >= start, ASSESSMENTS.c.prediction_time < end)
            .where(OUTCOMES.c.label_version == label_version)
            .where(OUTCOMES.c.superseded_at.is_(None), OUTCOMES.c.category.is_not(None))
            .where(OUTCOMES.c.after_diagnosis.is_(False))
        )
        return {row.assessment_id: row.category for row in self._connection.execute(query)}

    def set_state(self, number: int, state: Mapping[str, Any]) -> None:
        """Change what the chunk after this one is held against."""
        self._connection.execute(
            update(INPUT_CHUNKS).where(INPUT_CHUNKS.c.number == number).values(state=dict(state))
        )

    def times(self, since: datetime | None, before: datetime, count: int) -> list[datetime]:
        """Prediction times of the oldest `count` assessments that were looked at, from `since`
        on."""
        query = (
            select(ASSESSMENTS.c.prediction_time)
            .where(ASSESSMENTS.c.situation.in_(LOOKED_AT))
            .where(ASSESSMENTS.c.prediction_time < before)
            .order_by(ASSESSMENTS.c.prediction_time)
            .limit(count)
        )
        if since is not None:
            query = query.where(ASSESSMENTS.c.prediction_time >= since)
        return list(self._connection.execute(query).scalars())

    def rows(self, start: datetime | None, end: datetime) -> list[dict[str, Any]]:
        """Assessments that were looked at in a half-open span of time, oldest first."""
        query = (
            select(
                ASSESSMENTS.c.id,
                ASSESSMENTS.c.client,
                ASSESSMENTS.c.prediction_time,
                ASSESSMENTS.c.encounter_class,
                ASSESSMENTS.c.situation,
                ASSESSMENTS.c.features,
                ASSESSMENTS.c.provenance,
                ASSESSMENTS.c.probabilities,
                ASSESSMENTS.c.category,
                ASSESSMENTS.c.model_version,
            )
            .where(ASSESSMENTS.c.situation.in_(LOOKED_AT))
            .where(ASSESSMENTS.c.prediction_time < end)
            .order_by(ASSESSMENTS.c.prediction_time, ASSESSMENTS.c.id)
        )
        if start is not None:
            query = query.where(ASSESSMENTS.c.prediction_time >= start)
        return list(dicts(self._connection.execute(query)))

    def features(self, start: datetime, end: datetime) -> list[dict[str, Any]]:
        """The feature rows alone, of the same."""
        query = (
            select(ASSESSMENTS.c.features)
            .where(ASSESSMENTS.c.situation.in_(LOOKED_AT))
            .where(ASSESSMENTS.c.prediction_time >= start)
            .where(ASSESSMENTS.c.prediction_time < end)
            .order_by(ASSESSMENTS.c.prediction_time, ASSESSMENTS.c.id)
        )
        return [row or {} for row in self._connection.execute(query).scalars()]

    def ever_raised(self, keys: Sequence[str]) -> set[str]:
        """Those of `keys` that an alert was raised under, open or not."""
        found: set[str] = set()
        for start in range(0, len(keys), IN_LIST):
            query = select(ALERTS.c.key).where(ALERTS.c.key.in_(keys[start : start + IN_LIST]))
            found |= set(self._connection.execute(query).scalars())
        return found
