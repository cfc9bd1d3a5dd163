"""Which patients turned out to be one."""

from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy import Connection, bindparam, delete, insert, select, update

from cds_service.storage.tables import (
    ASSESSMENTS,
    CONDITIONS,
    PATIENT_MERGES,
    RARE_CASE_REVIEWS,
)

# Asked at every opening of a chart: built once.
_INTO = (
    select(PATIENT_MERGES.c.into_key)
    .where(PATIENT_MERGES.c.from_key.in_(bindparam("keys", expanding=True)))
    .limit(1)
)


class MergeStore:
    """SQL of merges. Chains are kept flat: `into_key` is never itself merged into another."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def survivor(self, keys: Sequence[str]) -> str | None:
        """Key of the patient this one was merged into; `None` if it was not."""
        found = self._connection.execute(_INTO, {"keys": list(keys)})
        into: str | None = found.scalar_one_or_none()
        return into

    def add(self, merge: Mapping[str, Any]) -> None:
        """Merge `from_key` into `into_key`; what was merged into the former follows."""
        self.remove(merge["from_key"])
        self._connection.execute(
            update(PATIENT_MERGES)
            .where(PATIENT_MERGES.c.into_key == merge["from_key"])
            .values(into_key=merge["into_key"])
        )
        self._connection.execute(insert(PATIENT_MERGES), merge)

    def remove(self, from_key: str) -> None:
        """Forget where a patient was merged into."""
        self._connection.execute(
            delete(PATIENT_MERGES).where(PATIENT_MERGES.c.from_key == from_key)
        )

    def move(self, old_keys: Sequence[str], new_key: str) -> None:
        """Give a patient under older secret keys the newest key, on both sides."""
        for column in (PATIENT_MERGES.c.from_key, PATIENT_MERGES.c.into_key):
            self._connection.execute(
                update(PATIENT_MERGES).where(column.in_(old_keys)).values({column.name: new_key})
            )

    def gather(self) -> None:
        """Give rows that were stored for a merged patient all the same to the one that stays."""
        for table in (ASSESSMENTS, CONDITIONS, RARE_CASE_REVIEWS):
            into = select(PATIENT_MERGES.c.into_key).where(
                PATIENT_MERGES.c.from_key == table.c.patient_key
            )
            self._connection.execute(
                update(table)
                .where(table.c.patient_key.in_(select(PATIENT_MERGES.c.from_key)))
                .values(patient_key=into.limit(1).scalar_subquery())
            )
