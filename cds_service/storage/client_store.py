"""CDS clients, their bearer secrets, and the switches of the whole service."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, insert, select, update

from cds_service.storage.tables import CLIENT_SECRETS, CLIENTS, SWITCHES


class ClientStore:
    """SQL of clients, secrets and switches."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def clients(self) -> list[dict[str, Any]]:
        """Clients that are not removed, by name."""
        query = select(CLIENTS).where(CLIENTS.c.removed_at.is_(None)).order_by(CLIENTS.c.name)
        return [dict(row._mapping) for row in self._connection.execute(query)]

    def client(self, name: str, *, to_change: bool = False) -> dict[str, Any] | None:
        """One client, removed or not; nobody else changes it meanwhile if it is `to_change`."""
        query = select(CLIENTS).where(CLIENTS.c.name == name)
        row = self._connection.execute(
            query.with_for_update() if to_change else query
        ).one_or_none()
        return None if row is None else dict(row._mapping)

    def add(self, name: str, settings: Mapping[str, Any], at: datetime) -> None:
        """Store a client under a name that is free."""
        row = {"name": name, "settings": settings, "created_at": at, "updated_at": at}
        self._connection.execute(insert(CLIENTS), row)

    def change(
        self, name: str, settings: Mapping[str, Any], at: datetime, *, removed: bool = False
    ) -> None:
        """Give a client other settings; it is there again unless `removed`."""
        self._connection.execute(
            update(CLIENTS)
            .where(CLIENTS.c.name == name)
            .values(settings=settings, updated_at=at, removed_at=at if removed else None)
        )

    def secrets(self, client: str | None = None) -> list[dict[str, Any]]:
        """Bearer secrets, oldest first, revoked ones too: of one client or of all."""
        query = select(CLIENT_SECRETS).order_by(CLIENT_SECRETS.c.created_at, CLIENT_SECRETS.c.id)
        if client is not None:
            query = query.where(CLIENT_SECRETS.c.client == client)
        return [dict(row._mapping) for row in self._connection.execute(query)]

    def valid_secrets(self) -> list[dict[str, Any]]:
        """Bearer secrets that are not revoked."""
        query = select(CLIENT_SECRETS).where(CLIENT_SECRETS.c.revoked_at.is_(None))
        return [dict(row._mapping) for row in self._connection.execute(query)]

    def add_secret(self, secret: Mapping[str, Any]) -> None:
        """Keep the hash of a bearer secret."""
        self._connection.execute(insert(CLIENT_SECRETS), secret)

    def revoke(self, client: str, at: datetime, secret_id: str | None = None) -> int:
        """Revoke one secret of a client, or all; returns how many."""
        query = update(CLIENT_SECRETS).where(
            CLIENT_SECRETS.c.client == client, CLIENT_SECRETS.c.revoked_at.is_(None)
        )
        if secret_id is not None:
            query = query.where(CLIENT_SECRETS.c.id == secret_id)
        return self._connection.execute(query.values(revoked_at=at)).rowcount

    def switches(self) -> dict[str, bool]:
        """Every switch that was ever set."""
        query = select(SWITCHES.c.name, SWITCHES.c.value)
        return {row.name: row.value for row in self._connection.execute(query)}

    def switch(self, name: str, value: bool, *, at: datetime, actor: str) -> None:
        """Set a switch."""
        row = {"value": value, "at": at, "actor": actor}
        changed = self._connection.execute(
            update(SWITCHES).where(SWITCHES.c.name == name).values(row)
        )
        if not changed.rowcount:
            self._connection.execute(insert(SWITCHES), {"name": name} | row)
