"""Feedback on cards."""

from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy import Connection, insert

from cds_service.storage.tables import FEEDBACK


class FeedbackStore:
    """SQL of feedback; every entry is kept, because a clinician may change their mind (R54)."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def add(self, entries: Sequence[Mapping[str, Any]]) -> None:
        """Store a batch."""
        if entries:
            self._connection.execute(insert(FEEDBACK), list(entries))
