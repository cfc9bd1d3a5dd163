"""Notices that Conditions have changed, kept until they have been read."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any
from uuid import uuid4

from sqlalchemy import Connection, delete, insert, select, update

from cds_service.storage.locks import Lock, hold
from cds_service.storage.tables import NOTIFICATIONS, SUBSCRIPTION_CURSORS

KEPT = timedelta(days=30)
"""How long a notice that is done with can be looked up."""
LEASE = timedelta(minutes=10)
"""How long a notice that was handed out is not handed out again."""
UNDER_WAY = "under way"
"""`result` of a notice that was handed out and not yet reported on."""
WITH_ANOTHER = "with another"
"""`result` of an empty ping that another one answered too."""
MAX_CURSORS = 100
"""Subscriptions of a client whose events are counted. Our own choice: a site has one or a few."""


@dataclass(frozen=True, slots=True)
class Notification:
    """One notice that is due."""

    id: str
    client: str
    received_at: datetime
    focus: bytes | None = field(repr=False)
    """Encrypted references; `None`: something changed, and it is not said what."""
    attempts: int
    """How often it was handed out, this time included."""


class NotificationStore:
    """SQL of notices."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def lock(self) -> None:
        """Add alone until the transaction ends, so that notices sent at once are told apart;
        SQLite has one writer anyway."""
        hold(self._connection, Lock.NOTIFICATIONS)

    def add(self, *, client: str, at: datetime, focus: bytes | None) -> None:
        """Keep a notice."""
        self._connection.execute(
            insert(NOTIFICATIONS),
            {
                "id": str(uuid4()),
                "client": client,
                "received_at": at,
                "focus": focus,
                "attempts": 0,
                "next_attempt_at": at,
            },
        )

    def waiting(self, client: str) -> list[Notification]:
        """Notices of a client that nobody is at work on; their reading begins after now."""
        query = select(NOTIFICATIONS).where(
            NOTIFICATIONS.c.client == client,
            NOTIFICATIONS.c.done_at.is_(None),
            NOTIFICATIONS.c.result.is_distinct_from(UNDER_WAY),
        )
        return [_notification(dict(row._mapping)) for row in self._connection.execute(query)]

    def due(
        self, now: datetime, *, lease: timedelta = LEASE, limit: int = 100
    ) -> list[Notification]:
        """Take the notices that are due, oldest first; nobody else gets them until the lease ends.

        Of several empty pings of one client the oldest is handed out and the rest are done with it.
        Those that were done with long ago are forgotten. Call it in a transaction of its own, and
        read from FHIR servers after that.
        """
        self._connection.execute(delete(NOTIFICATIONS).where(NOTIFICATIONS.c.done_at < now - KEPT))
        query = (
            select(NOTIFICATIONS)
            .where(NOTIFICATIONS.c.done_at.is_(None), NOTIFICATIONS.c.next_attempt_at <= now)
            .order_by(NOTIFICATIONS.c.received_at, NOTIFICATIONS.c.id)
            .limit(limit)
            .with_for_update(skip_locked=True)
        )
        taken: list[Notification] = []
        pinged: set[str] = set()
        for row in self._connection.execute(query).all():
            if row.focus is None and row.client in pinged:
                self.done(row.id, now, WITH_ANOTHER)
                continue
            if row.focus is None:
                pinged.add(row.client)
            changed = {"attempts": row.attempts + 1, "result": UNDER_WAY}
            self._set(row.id, next_attempt_at=now + lease, **changed)
            taken.append(_notification(dict(row._mapping) | changed))
        return taken

    def done(self, identifier: str, at: datetime, result: str) -> None:
        """Close a notice. `result` holds counts or the kind of fault, never data."""
        self._set(identifier, done_at=at, result=result)

    def failed(self, identifier: str, next_attempt_at: datetime, result: str) -> None:
        """Try again later. `result` as in `done`."""
        self._set(identifier, next_attempt_at=next_attempt_at, result=result)

    def last_event(self, client: str, subscription_key: str) -> int | None:
        """Number of the last event of a subscription that was told; `None` if none was."""
        found: int | None = self._connection.execute(
            select(SUBSCRIPTION_CURSORS.c.last_event).where(
                SUBSCRIPTION_CURSORS.c.client == client,
                SUBSCRIPTION_CURSORS.c.subscription_key == subscription_key,
            )
        ).scalar_one_or_none()
        return found

    def set_last_event(self, client: str, subscription_key: str, number: int, at: datetime) -> None:
        """Keep that number. The subscription of a client that was told of longest ago makes room
        for one over `MAX_CURSORS`."""
        cursors = SUBSCRIPTION_CURSORS
        one = (cursors.c.client == client, cursors.c.subscription_key == subscription_key)
        values = {"last_event": number, "at": at}
        if self._connection.execute(update(cursors).where(*one).values(values)).rowcount:
            return
        kept = select(cursors.c.subscription_key).where(cursors.c.client == client)
        newest_first = kept.order_by(cursors.c.at.desc()).offset(MAX_CURSORS - 1)
        for (old,) in self._connection.execute(newest_first).all():
            self._connection.execute(
                cursors.delete().where(
                    cursors.c.client == client, cursors.c.subscription_key == old
                )
            )
        self._connection.execute(
            insert(cursors), {"client": client, "subscription_key": subscription_key} | values
        )

    def _set(self, identifier: str, **values: Any) -> None:
        self._connection.execute(
            update(NOTIFICATIONS).where(NOTIFICATIONS.c.id == identifier).values(values)
        )


def _notification(row: Mapping[str, Any]) -> Notification:
    return Notification(row["id"], row["client"], row["received_at"], row["focus"], row["attempts"])
