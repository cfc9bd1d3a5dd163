"""What people wrote on model cards."""

from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy import Connection, insert, select

from cds_service.storage.tables import MODEL_CARD_ENTRIES


class ModelCardStore:
    """SQL of `model_card_entries`: rows are added, never changed."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def add(self, entry: Mapping[str, Any]) -> None:
        """Keep a text."""
        self._connection.execute(insert(MODEL_CARD_ENTRIES), entry)

    def newest(self, versions: Sequence[str]) -> dict[tuple[str, str], dict[str, Any]]:
        """The newest entry of each attribute and language, of versions that answer alike; an empty
        one takes an earlier back."""
        query = (
            select(MODEL_CARD_ENTRIES)
            .where(MODEL_CARD_ENTRIES.c.model_version.in_(versions))
            .order_by(MODEL_CARD_ENTRIES.c.id)
        )
        rows = [dict(row._mapping) for row in self._connection.execute(query)]
        found = {(row["attribute"], row["language"]): row for row in rows}
        return {key: row for key, row in found.items() if row["content"]}
