"""Clients: added, changed, switched live, paused, removed; every step audited (C12, C13, C21)."""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from pydantic import ValidationError
from pydantic_core import ErrorDetails
from sqlalchemy import Connection, Engine
from sqlalchemy.exc import IntegrityError

from cds_service.context import Clock
from cds_service.errors import ServiceError
from cds_service.security.clients import (
    DEVELOPMENT_CLIENT,
    TRIAGE,
    Client,
    ClientSettings,
    Mode,
    Right,
    triage_client,
)
from cds_service.security.secrets import NewSecret, new_secret
from cds_service.services.agreements import require_sound
from cds_service.services.directory import PAUSED
from cds_service.settings import Settings
from cds_service.storage.audit_store import AuditStore
from cds_service.storage.client_store import ClientStore
from cds_service.storage.model_store import ModelStore
from cds_service.storage.session import reading

_NAME = re.compile(r"[a-z0-9][a-z0-9._-]{0,62}")
_KEPT = ("mode", "mode_before_pause", "approver")
"""Settings that only a switch of the mode changes."""
_PARTS = ("fatigue", "backend", "smart")
"""Settings that are objects: a change names members of them."""


class ClientRuleError(ServiceError):
    """A change of a client that the rules do not allow."""

    status = 409
    code = "business-rule"

    def __init__(self, diagnostics: str, *, rule: str | None = None) -> None:
        super().__init__(diagnostics)
        self.rule = rule
        """What stands against a client being live: `no_champion`, `simulated`, `not_evaluated` or
        `approver`; `not_paused`; `None` for all else."""


@dataclass(frozen=True, slots=True)
class Listed:
    """A client as `clients list` shows it."""

    client: Client
    created_at: datetime
    secrets: int
    """Bearer secrets that are not revoked."""


class ClientService:
    """Changes clients; the running processes see it within seconds (`services/directory`)."""

    def __init__(self, engine: Engine, settings: Settings, clock: Clock) -> None:
        self._engine = engine
        self._settings = settings
        self._clock = clock

    def add(
        self, name: str, changes: Mapping[str, Any], *, actor: str, rights: Iterable[Right] = ()
    ) -> tuple[Client, NewSecret | None]:
        """Add a client that differs from the defaults by `changes`; with `rights`, a secret too.

        A sandbox is live from the start, any other client silent (C13). A name that was removed
        can be taken again and takes up its rows. Raises `ClientRuleError`.
        """
        if not _NAME.fullmatch(name):
            raise ClientRuleError(
                "A client's name is made of small letters, digits and . _ - and has at most 63."
            )
        development = name == DEVELOPMENT_CLIENT.name
        if development and not self._settings.development:
            raise ClientRuleError(f"The client {name} exists in development mode only.")
        start = DEVELOPMENT_CLIENT.settings if development else ClientSettings()
        if name == TRIAGE:
            start = self._triage()
        settings = _changed(start, changes)
        if settings.sandbox:
            settings = settings.model_copy(update={"mode": Mode.LIVE})
        with self._engine.begin() as connection:
            store = ClientStore(connection)
            require_sound(name, settings, _others(store, name), self._settings)
            earlier = store.client(name, to_change=True)
            if earlier is not None and earlier["removed_at"] is None:
                raise ClientRuleError(f"There is a client {name} already; see clients set.")
            try:
                if earlier is None:
                    store.add(name, settings.model_dump(mode="json"), self._clock())
                else:
                    store.change(name, settings.model_dump(mode="json"), self._clock())
            except IntegrityError:  # Another operator was faster.
                raise ClientRuleError(f"There is a client {name} already.") from None
            self._audit(connection, actor, "add", name, {"settings": sorted(changes)})
            secret = self._issue(connection, name, frozenset(rights), actor) if rights else None
        return self._as_client(name, settings), secret

    def change(
        self, name: str, changes: Mapping[str, Any], *, actor: str, unset: Iterable[str] = ()
    ) -> Client:
        """Change settings, and give those of `unset` their defaults. Raises `ClientRuleError`."""
        unset = sorted(unset)
        defaults = ClientSettings()
        for field in unset:
            if field not in ClientSettings.model_fields or field in _KEPT or field in changes:
                raise ClientRuleError(f"{field} is no setting that can be unset.")
        with self._engine.begin() as connection:
            store = ClientStore(connection)
            before = self._required(store, name, to_change=True).settings
            start = before.model_copy(update={field: getattr(defaults, field) for field in unset})
            settings = _changed(start, changes)
            if before.sandbox and not settings.sandbox and settings.mode is Mode.LIVE:
                raise ClientRuleError(
                    f"{name} is live because it is a sandbox. Set its mode to silent first."
                )
            require_sound(name, settings, _others(store, name), self._settings)
            store.change(name, settings.model_dump(mode="json"), self._clock())
            detail = {"settings": sorted({*changes, *unset})}
            self._audit(connection, actor, "set", name, detail)
        return self._as_client(name, settings)

    def remove(self, name: str, *, actor: str) -> int:
        """Let a client in no more; returns how many secrets that revoked. Its rows stay."""
        with self._engine.begin() as connection:
            store = ClientStore(connection)
            client = self._required(store, name, to_change=True)
            at = self._clock()
            store.change(name, client.settings.model_dump(mode="json"), at, removed=True)
            revoked = store.revoke(name, at)
            self._audit(connection, actor, "remove", name, {"secrets": revoked})
        return revoked

    def client(self, name: str) -> Client:
        """One client. Raises `ClientRuleError` if there is none of that name."""
        with reading(self._engine) as connection:
            return self._required(ClientStore(connection), name)

    def clients(self) -> list[Listed]:
        """Every client, by name. Those whose settings cannot be read are left out."""
        with reading(self._engine) as connection:
            store = ClientStore(connection)
            rows, valid = store.clients(), store.valid_secrets()
        found = []
        for row in rows:
            try:
                settings = ClientSettings.model_validate(row["settings"])
            except ValidationError:
                continue
            count = sum(secret["client"] == row["name"] for secret in valid)
            client = self._as_client(row["name"], settings)
            found.append(Listed(client, row["created_at"], count))
        return found

    def paused(self) -> bool:
        """Whether all cards of the service are paused."""
        with reading(self._engine) as connection:
            return ClientStore(connection).switches().get(PAUSED, False)

    def set_mode(
        self,
        name: str,
        mode: Mode,
        *,
        actor: str,
        approver: str | None = None,
        reason: str | None = None,
    ) -> None:
        """Switch a client to `silent`, `live` or `paused` (C13); why is kept in the audit trail.

        `live` needs an approver by name and a champion that is not simulated and was evaluated on
        local patients, unless the client is a sandbox or the development client. Raises
        `ClientRuleError`.
        """
        with self._engine.begin() as connection:
            store = ClientStore(connection)
            client = self._required(store, name, to_change=True)
            self._switch(
                connection, client, mode, approver, actor=actor, action="mode", reason=reason
            )

    def pause(self, name: str | None, *, actor: str, reason: str | None = None) -> None:
        """Show no cards: of one client, or of the whole service."""
        if name is not None:
            return self.set_mode(name, Mode.PAUSED, actor=actor, reason=reason)
        return self._set_paused(True, actor, reason)

    def resume(self, name: str | None, *, actor: str) -> Mode | None:
        """Lift a pause; a client goes back to the mode it had, which is returned.

        Raises `ClientRuleError` where it may not be live any more.
        """
        if name is None:
            self._set_paused(False, actor)
            return None
        with self._engine.begin() as connection:
            client = self._required(ClientStore(connection), name, to_change=True)
            if client.settings.mode is not Mode.PAUSED:
                raise ClientRuleError(
                    f"{name} is not paused; its mode is {client.settings.mode}.", rule="not_paused"
                )
            mode = client.settings.mode_before_pause or Mode.SILENT
            self._switch(connection, client, mode, None, actor=actor, action="resume")
        return mode

    def add_secret(self, name: str, rights: Iterable[Right], *, actor: str) -> NewSecret:
        """Issue a bearer secret for `/fhir/*`; its text is known to the caller alone."""
        with self._engine.begin() as connection:
            self._required(ClientStore(connection), name)
            return self._issue(connection, name, frozenset(rights), actor)

    def revoke_secret(self, name: str, secret_id: str, *, actor: str) -> None:
        """Revoke a secret by its public first part. Raises `ClientRuleError`."""
        with self._engine.begin() as connection:
            store = ClientStore(connection)
            self._required(store, name)
            if not store.revoke(name, self._clock(), secret_id):
                raise ClientRuleError(f"{name} has no secret of this id that is not revoked.")
            self._audit(connection, actor, "revoke_secret", name, {"secret": secret_id})

    def secrets(self, name: str) -> list[dict[str, Any]]:
        """Secrets of a client, revoked ones too, without their hashes."""
        with reading(self._engine) as connection:
            store = ClientStore(connection)
            self._required(store, name)
            rows = store.secrets(name)
        return [{key: row[key] for key in row if key != "secret_hash"} for row in rows]

    def _issue(
        self, connection: Connection, name: str, rights: frozenset[Right], actor: str
    ) -> NewSecret:
        if not rights:
            raise ClientRuleError("A secret needs a right: conditions, assess or read.")
        secret, names = new_secret(), sorted(right.value for right in rights)
        ClientStore(connection).add_secret(
            {
                "id": secret.id,
                "client": name,
                "secret_hash": secret.hash,
                "rights": names,
                "created_at": self._clock(),
            }
        )
        detail = {"secret": secret.id, "rights": names}
        self._audit(connection, actor, "add_secret", name, detail)
        return secret

    def _switch(
        self,
        connection: Connection,
        client: Client,
        mode: Mode,
        approver: str | None,
        *,
        actor: str,
        action: str,
        reason: str | None = None,
    ) -> None:
        before = client.settings
        approver = (approver or "").strip() or before.approver
        if mode is Mode.LIVE:
            self._require_live_allowed(connection, client, approver)
        changes: dict[str, Any] = {"mode": mode, "approver": approver, "mode_before_pause": None}
        if mode is Mode.PAUSED:
            changes["mode_before_pause"] = (
                before.mode_before_pause if before.mode is Mode.PAUSED else before.mode
            )
        settings = before.model_copy(update=changes)
        ClientStore(connection).change(client.name, settings.model_dump(mode="json"), self._clock())
        detail = {"from": before.mode.value, "to": mode.value, "approver": approver}
        self._audit(connection, actor, action, client.name, detail | _why(reason))

    def _require_live_allowed(
        self, connection: Connection, client: Client, approver: str | None
    ) -> None:
        if client.settings.sandbox or client.development:
            return
        champion = ModelStore(connection).champion()
        if champion is None:
            raise ClientRuleError(
                "There is no champion yet: run cds-service train.", rule="no_champion"
            )
        version = champion["version"]
        if champion["simulated"]:
            raise ClientRuleError(
                f"Model version {version} is the starter model, trained on simulated patients: it "
                "may not be live. Train on your own history first (train --history); an EHR "
                "vendor's test environment is added with --sandbox.",
                rule="simulated",
            )
        evaluations = ModelStore(connection).evaluations(version)
        if not champion["metrics"].get("held_out") and not any(
            evaluation["result"].get("metrics") for evaluation in evaluations
        ):
            raise ClientRuleError(
                f"Model version {version} was never evaluated on local patients: run "
                "cds-service evaluate once there are outcomes.",
                rule="not_evaluated",
            )
        if approver is None:
            raise ClientRuleError(
                "Somebody must answer for the cards: name who approved, with --approver.",
                rule="approver",
            )

    def _set_paused(self, value: bool, actor: str, reason: str | None = None) -> None:
        with self._engine.begin() as connection:
            at = self._clock()
            ClientStore(connection).switch(PAUSED, value, at=at, actor=actor)
            AuditStore(connection).add(
                at=at,
                actor=actor,
                action="pause" if value else "resume",
                object_type="service",
                object_id="all",
                detail=_why(reason),
            )

    def _required(self, store: ClientStore, name: str, *, to_change: bool = False) -> Client:
        row = store.client(name, to_change=to_change)
        if name == TRIAGE and (row is None or row["removed_at"] is not None):
            return self._built_in(store, row, to_change=to_change)
        if row is None or row["removed_at"] is not None:
            if name == DEVELOPMENT_CLIENT.name and self._settings.development:
                raise ClientRuleError(
                    "The development client has its built-in settings; `clients add development` "
                    "stores others."
                )
            raise ClientRuleError(f"There is no client {name}; see cds-service clients list.")
        try:
            return self._as_client(name, ClientSettings.model_validate(row["settings"]))
        except ValidationError:
            raise ClientRuleError(
                f"The settings of {name} were stored by another version and cannot be read."
            ) from None

    def _triage(self) -> ClientSettings:
        return triage_client(development=self._settings.development).settings

    def _built_in(
        self, store: ClientStore, row: Mapping[str, Any] | None, *, to_change: bool
    ) -> Client:
        """The client of the triage page, which is there without being added; stored before it is
        changed."""
        settings = self._triage()
        if to_change:
            keep = store.add if row is None else store.change
            keep(TRIAGE, settings.model_dump(mode="json"), self._clock())
        return self._as_client(TRIAGE, settings)

    def _as_client(self, name: str, settings: ClientSettings) -> Client:
        if name == TRIAGE:
            return triage_client(settings, development=self._settings.development)
        development = self._settings.development and name == DEVELOPMENT_CLIENT.name
        return Client(name, settings, development=development)

    def _audit(
        self, connection: Connection, actor: str, action: str, name: str, detail: Mapping[str, Any]
    ) -> None:
        AuditStore(connection).add(
            at=self._clock(),
            actor=actor,
            action=action,
            object_type="client",
            object_id=name,
            detail=detail,
        )


def _why(reason: str | None) -> dict[str, str]:
    return {"reason": reason} if reason else {}


def _changed(start: ClientSettings, changes: Mapping[str, Any]) -> ClientSettings:
    """`start` with changes, validated. Raises `ClientRuleError` naming what is wrong."""
    values = start.model_dump(mode="json")
    for name, value in changes.items():
        if name in _PARTS and isinstance(value, Mapping):
            values[name] = (values[name] or {}) | dict(value)
        else:
            values[name] = value
    try:
        return ClientSettings.model_validate(values)
    except ValidationError as error:
        issues = error.errors(include_input=False, include_url=False)
        raise ClientRuleError("; ".join(_sentence(issue) for issue in issues)) from None


_REQUIRED_OPTIONS: Mapping[tuple[str, ...], str] = {
    ("backend", "token_url"): "--token-url",
    ("backend", "client_id"): "--backend-client-id",
    ("backend", "key_file"): "--backend-key-file",
    ("smart", "client_id"): "--smart-client-id",
}
"""What an operator types for the settings that cannot be left out."""


def _sentence(issue: ErrorDetails) -> str:
    option = _REQUIRED_OPTIONS.get(tuple(map(str, issue["loc"])))
    if issue["type"] == "missing" and option is not None:
        return f"Missing: {option}"
    where = ".".join(map(str, issue["loc"]))
    said = issue["msg"].removeprefix("Value error, ")
    return f"{where}: {said}" if where else said


def _others(store: ClientStore, name: str) -> list[Client]:
    """The clients beside this one, as far as they can be read."""
    found = []
    for row in store.clients():
        if row["name"] != name:
            try:
                found.append(Client(row["name"], ClientSettings.model_validate(row["settings"])))
            except ValidationError:
                continue
    return found
