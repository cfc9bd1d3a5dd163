"""Reviews of cases of rare diseases (C20). A new one supersedes the last; history stays."""

from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy import Connection, insert, select, update

from cds_service.storage.tables import RARE_CASE_REVIEWS

CONFIRMED, REJECTED = "confirmed", "rejected"


class RareCaseStore:
    """SQL of reviews."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def add(self, review: Mapping[str, Any]) -> None:
        """Keep a reviewer's word."""
        self._connection.execute(insert(RARE_CASE_REVIEWS), review)

    def newest(self) -> dict[tuple[str, str], dict[str, Any]]:
        """The review that counts of each case, by patient key and code."""
        query = select(RARE_CASE_REVIEWS).order_by(RARE_CASE_REVIEWS.c.id)
        rows = [dict(row._mapping) for row in self._connection.execute(query)]
        return {(row["patient_key"], row["rare_code"]): row for row in rows}

    def move(self, old_keys: Sequence[str], new_key: str) -> None:
        """Give a patient's reviews another key: the newest, or that of the patient they were
        merged into."""
        self._connection.execute(
            update(RARE_CASE_REVIEWS)
            .where(RARE_CASE_REVIEWS.c.patient_key.in_(old_keys))
            .values(patient_key=new_key)
        )
