"""Reviews of cases of rare diseases (C20). A new one supersedes the last; history stays."""

from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy import Connection, insert, select, update

from cds_service.storage.tables import RARE_CASE_REVIEWS

CONFIRMED, REJECTED = "confirmed", "rejected"
WITHDRAWN = "withdrawn"
"""Takes back what the same person said of the case, as if it had not been said."""


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
        said: dict[tuple[str, str], list[dict[str, Any]]] = {}
        for row in self._connection.execute(query):
            case = (row.patient_key, row.rare_code)
            if row.decision == WITHDRAWN:
                said[case] = [one for one in said.get(case, ()) if one["actor"] != row.actor]
            else:
                said.setdefault(case, []).append(dict(row._mapping))
        return {case: reviews[-1] for case, reviews in said.items() if reviews}

    def move(self, old_keys: Sequence[str], new_key: str) -> None:
        """Give a patient's reviews another key: the newest, or that of the patient they were
        merged into."""
        self._connection.execute(
            update(RARE_CASE_REVIEWS)
            .where(RARE_CASE_REVIEWS.c.patient_key.in_(old_keys))
            .values(patient_key=new_key)
        )
