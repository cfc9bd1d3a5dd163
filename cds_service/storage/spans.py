"""Spans of prediction times."""

from datetime import datetime
from typing import Any

from sqlalchemy import Select

from cds_service.storage.tables import ASSESSMENTS


def seen_between(
    query: Select[Any], since: datetime | None, until: datetime | None = None
) -> Select[Any]:
    """Of a query that has assessments in it those from `since` on and before `until`."""
    if since is not None:
        query = query.where(ASSESSMENTS.c.prediction_time >= since)
    if until is not None:
        query = query.where(ASSESSMENTS.c.prediction_time < until)
    return query
