"""How clients stand: their modes, when they last called, and who changed what of them."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from pydantic import ValidationError

from cds_service.context import ProcessContext
from cds_service.errors import NotFoundError
from cds_service.security.clients import (
    DEVELOPMENT_CLIENT,
    TRIAGE,
    ClientSettings,
    triage_client,
)
from cds_service.services.call_counts import KEPT, NOBODY
from cds_service.services.directory import PAUSED
from cds_service.storage.audit_store import AuditSearch, AuditStore
from cds_service.storage.call_count_store import CallCountStore
from cds_service.storage.client_store import ClientStore
from cds_service.storage.overview_store import OverviewStore
from cds_service.storage.session import reading

EVENTS = 20
"""Of the audit trail that are shown of one client."""


@dataclass(frozen=True, slots=True)
class ClientStanding:
    """A client and how it stands."""

    name: str
    settings: ClientSettings | None
    """`None`: they were stored by another version and cannot be read; nobody is let in by them."""
    is_built_in: bool
    """There without being added, with settings of the program."""
    last_call: datetime | None
    """Of the last 100 days."""


class ClientDesk:
    """Reads clients for people."""

    def __init__(self, context: ProcessContext) -> None:
        self._context = context

    def clients(self) -> list[ClientStanding]:
        """Every client that is let in, by name, those that are built in too."""
        with reading(self._context.engine) as connection:
            rows = {row["name"]: row for row in ClientStore(connection).clients()}
            last = self._last_calls(OverviewStore(connection), CallCountStore(connection))
        development = self._context.settings.development
        built_in = {TRIAGE: triage_client(development=development).settings}
        if development:
            built_in[DEVELOPMENT_CLIENT.name] = DEVELOPMENT_CLIENT.settings
        elif DEVELOPMENT_CLIENT.name in rows:
            del rows[DEVELOPMENT_CLIENT.name]  # It opens no door outside development mode.
        found = [
            ClientStanding(name, _settings(row), is_built_in=False, last_call=last.get(name))
            for name, row in rows.items()
        ]
        found += [
            ClientStanding(name, settings, is_built_in=True, last_call=last.get(name))
            for name, settings in built_in.items()
            if name not in rows
        ]
        return sorted(found, key=lambda one: one.name)

    def client(self, name: str) -> ClientStanding:
        """One of `clients`. Raises `NotFoundError`."""
        for one in self.clients():
            if one.name == name:
                return one
        raise NotFoundError("There is no such client.")

    def has(self, name: str) -> bool:
        """Whether there is a client of this name."""
        return any(one.name == name for one in self.clients())

    def paused(self) -> bool:
        """Whether all cards of the service are paused."""
        with reading(self._context.engine) as connection:
            return ClientStore(connection).switches().get(PAUSED, False)

    def events(self, name: str | None) -> Sequence[dict[str, Any]]:
        """The newest entries of the audit trail about a client; without a name about pauses of the
        whole service."""
        search = (
            AuditSearch(object_type="service", object_id="all")
            if name is None
            else AuditSearch(object_type="client", object_id=name)
        )
        with reading(self._context.engine) as connection:
            return AuditStore(connection).found(search, limit=EVENTS)

    def _last_calls(
        self, overview: OverviewStore, counts: CallCountStore
    ) -> Mapping[str, datetime]:
        # People at the triage page call nothing, but are answered.
        answered = overview.last_answers(self._context.clock() - KEPT)
        called = counts.last_calls()
        names = (answered.keys() | called.keys()) - {NOBODY}
        return {name: max(one[name] for one in (answered, called) if name in one) for name in names}


def _settings(row: Mapping[str, Any]) -> ClientSettings | None:
    try:
        return ClientSettings.model_validate(row["settings"])
    except ValidationError:
        return None
