"""The clients of this process, replaced without a restart when one is added, paused or removed."""

import threading
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from pydantic import ValidationError
from sqlalchemy import Engine

from cds_service.logs import LOGGER
from cds_service.security import secrets
from cds_service.security.clients import (
    DEVELOPMENT_CLIENT,
    TRIAGE,
    Client,
    ClientSettings,
    Right,
    triage_client,
)
from cds_service.storage.client_store import ClientStore
from cds_service.storage.session import reading

POLL_SECONDS = 1.0
"""A pause reaches every replica within this time (C13)."""
PAUSED = "paused"
"""The switch that pauses all cards."""


@dataclass(frozen=True)
class _State:
    """One consistent look at the tables."""

    rows: tuple[Any, ...]
    """As read: nothing is built again while they stay the same."""
    paused: bool
    by_name: Mapping[str, Client]
    by_issuer: Mapping[str, tuple[Client, ...]]
    secrets: Mapping[str, Mapping[str, Any]] = field(repr=False)


class Directory:
    """Holds every client; a thread looks for changes.

    What was read last stays in force while the database is away. Before the first reading
    nothing is known, and asking raises what the database raises: nobody is let in by accident.
    """

    def __init__(self, engine: Engine, *, development: bool = False) -> None:
        self._engine = engine
        self._development = development
        self._state: _State | None = None
        self._stop = threading.Event()
        self._thread: threading.Thread | None = None

    @property
    def paused(self) -> bool:
        """Whether all cards are paused (C13)."""
        return self._known().paused

    @property
    def by_name(self) -> Mapping[str, Client]:
        """Clients by name; the development client among them in development mode alone."""
        return self._known().by_name

    @property
    def by_issuer(self) -> Mapping[str, tuple[Client, ...]]:
        """Clients by the `iss` of their JWTs, which several may share."""
        return self._known().by_issuer

    @property
    def development(self) -> Client:
        """Everybody, in development mode: `DEVELOPMENT_CLIENT`, or what was stored under its
        name."""
        return self._known().by_name.get(DEVELOPMENT_CLIENT.name, DEVELOPMENT_CLIENT)

    @property
    def triage(self) -> Client:
        """People at the triage page: with built-in settings, or what was stored under its name."""
        return self._known().by_name.get(TRIAGE) or triage_client(development=self._development)

    def by_secret(self, token: str) -> Client | None:
        """The client of a bearer secret, with the rights of that secret."""
        name = secrets.id_of(token)
        state = self._known()
        row = None if name is None else state.secrets.get(name)
        if row is None or not secrets.matches(token, row["secret_hash"]):
            return None
        client = state.by_name.get(row["client"])
        rights = frozenset(right for right in Right if right.value in row["rights"])
        return None if client is None else replace(client, rights=rights)

    def refresh(self) -> bool:
        """Read the tables; whether anything changed."""
        with reading(self._engine) as connection:
            store = ClientStore(connection)
            clients, issued, switches = store.clients(), store.valid_secrets(), store.switches()
        rows = (clients, issued, switches)
        if self._state is not None and self._state.rows == rows:
            return False
        by_name = {}
        for row in clients:
            client = self._client(row)
            if client is not None:
                by_name[client.name] = client
        if self._development:
            by_name.setdefault(DEVELOPMENT_CLIENT.name, DEVELOPMENT_CLIENT)
        by_issuer: dict[str, tuple[Client, ...]] = {}
        for client in by_name.values():
            if client.settings.issuer is not None:
                issuer = client.settings.issuer
                by_issuer[issuer] = (*by_issuer.get(issuer, ()), client)
        self._state = _State(
            rows=rows,
            paused=switches.get(PAUSED, False),
            by_name=by_name,
            by_issuer=by_issuer,
            secrets={row["id"]: row for row in issued},
        )
        LOGGER.info("clients loaded", extra={"clients": len(by_name), "paused": self._state.paused})
        return True

    def start(self) -> None:
        """Read the tables, and keep looking. Raises what the database raises."""
        self.refresh()
        self._stop.clear()
        self._thread = threading.Thread(target=self._poll, name="directory", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """Stop looking."""
        self._stop.set()
        if self._thread is not None:
            self._thread.join()

    def _known(self) -> _State:
        if self._state is None:
            self.refresh()
        if self._state is None:
            raise RuntimeError("the clients could not be read")
        return self._state

    def _client(self, row: Mapping[str, Any]) -> Client | None:
        """The client of a row. One that cannot be read is nobody: it never opens a door."""
        development = row["name"] == DEVELOPMENT_CLIENT.name
        if development and not self._development:
            return None
        try:
            settings = ClientSettings.model_validate(row["settings"])
        except ValidationError:
            LOGGER.error("client not loaded", extra={"client": row["name"]})
            return None
        if row["name"] == TRIAGE:
            return triage_client(settings, development=self._development)
        return Client(row["name"], settings, development=development)

    def _poll(self) -> None:
        while not self._stop.wait(POLL_SECONDS):
            try:
                self.refresh()
            except Exception:
                # Whatever it was: who stops looking would never hear of a pause.
                LOGGER.exception("the clients could not be read")
