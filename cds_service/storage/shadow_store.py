"""Scores of versions that were not live."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Select, func, select

from cds_service.storage.rows import dicts, insert_once
from cds_service.storage.tables import ASSESSMENTS, CHALLENGERS, SHADOW_SCORES

SCORE_COLUMNS = ("assessment_id", "model_version", "probabilities", "category")


class ShadowStore:
    """SQL of `shadow_scores`: one row an assessment and version, written once."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def challengers(self) -> list[str]:
        """Versions on their way that are being watched, oldest first."""
        query = (
            select(CHALLENGERS.c.version)
            .where(CHALLENGERS.c.stage.in_(("shadow", "waiting")))
            .order_by(CHALLENGERS.c.created_at, CHALLENGERS.c.version)
        )
        return list(self._connection.execute(query).scalars())

    def newest_scored(self, version: str) -> datetime | None:
        """Prediction time of the newest assessment that has a version's score."""
        query = (
            select(ASSESSMENTS.c.prediction_time)
            .join(SHADOW_SCORES, SHADOW_SCORES.c.assessment_id == ASSESSMENTS.c.id)
            .where(SHADOW_SCORES.c.model_version == version)
            .order_by(ASSESSMENTS.c.prediction_time.desc())
            .limit(1)
        )
        return self._connection.execute(query).scalar_one_or_none()

    def unscored(self, version: str, *, since: datetime, limit: int) -> list[dict[str, Any]]:
        """The next scored assessments, oldest first, that neither were answered by `version` nor
        have its score: `id`, `prediction_time` and `features`."""
        query = (
            select(ASSESSMENTS.c.id, ASSESSMENTS.c.prediction_time, ASSESSMENTS.c.features)
            .outerjoin(
                SHADOW_SCORES,
                (SHADOW_SCORES.c.assessment_id == ASSESSMENTS.c.id)
                & (SHADOW_SCORES.c.model_version == version),
            )
            .where(
                ASSESSMENTS.c.situation == "scored",
                ASSESSMENTS.c.prediction_time >= since,
                ASSESSMENTS.c.model_version != version,
                SHADOW_SCORES.c.assessment_id.is_(None),
            )
            .order_by(ASSESSMENTS.c.prediction_time, ASSESSMENTS.c.id)
            .limit(limit)
        )
        return list(dicts(self._connection.execute(query)))

    def add(self, scores: Sequence[Mapping[str, Any]]) -> bool:
        """Keep a batch; `False`, and none of it kept, if another process has kept some of it."""
        return insert_once(self._connection, SHADOW_SCORES, list(scores))

    def counts(self, start: datetime, end: datetime) -> dict[str, int]:
        """How many assessments of a stretch of prediction times each version has scored."""
        query = _between(
            select(SHADOW_SCORES.c.model_version, func.count().label("n")), start, end
        ).group_by(SHADOW_SCORES.c.model_version)
        return {row.model_version: row.n for row in self._connection.execute(query)}

    def between(self, start: datetime, end: datetime) -> list[dict[str, Any]]:
        """Scores of the assessments of a stretch of prediction times: `SCORE_COLUMNS`."""
        query = _between(select(*(SHADOW_SCORES.c[name] for name in SCORE_COLUMNS)), start, end)
        return list(dicts(self._connection.execute(query)))


def _between(query: Select[Any], start: datetime, end: datetime) -> Select[Any]:
    """Half-open: `start` included, `end` not."""
    return query.join(ASSESSMENTS, ASSESSMENTS.c.id == SHADOW_SCORES.c.assessment_id).where(
        ASSESSMENTS.c.prediction_time >= start, ASSESSMENTS.c.prediction_time < end
    )
