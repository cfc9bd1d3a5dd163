"""Audit events."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, insert

from cds_service.storage.tables import AUDIT_EVENTS


class AuditStore:
    """Writes who did what, in the caller's transaction."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def add(
        self,
        *,
        at: datetime,
        actor: str,
        action: str,
        object_type: str,
        object_id: str,
        detail: Mapping[str, Any] | None = None,
    ) -> None:
        """One event. `detail` holds names and counts, never a patient value."""
        self._connection.execute(
            insert(AUDIT_EVENTS),
            {
                "at": at,
                "actor": actor,
                "action": action,
                "object_type": object_type,
                "object_id": object_id,
                "detail": dict(detail or {}),
            },
        )
