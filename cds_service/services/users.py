"""Local accounts: added, given roles, given a password, removed."""

import re
import unicodedata
from collections.abc import Callable, Collection, Sequence
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Connection, Engine

from cds_service.errors import ConflictError, NotFoundError, ServiceError
from cds_service.security.passwords import Passwords, WeakPasswordError, check_password
from cds_service.security.permissions import Role
from cds_service.security.secrecy import Secrecy
from cds_service.storage.audit_store import AuditStore
from cds_service.storage.people_store import PeopleStore
from cds_service.storage.session import reading

_NAME = re.compile(r"[a-z0-9][a-z0-9._@-]{0,63}")


class UserService:
    """Rules of local accounts."""

    def __init__(
        self,
        engine: Engine,
        secrecy: Secrecy,
        clock: Callable[[], datetime],
        passwords: Passwords | None = None,
    ) -> None:
        self._engine = engine
        self._secrecy = secrecy
        self._clock = clock
        self._passwords = passwords or Passwords()

    def add(self, name: str, roles: Collection[Role], password: str, *, actor: str) -> str:
        """Add an account, or take up one that was removed; returns its name as it is kept.

        Raises `ServiceError` for a name that cannot be one and for a weak password, and
        `ConflictError` if there is such an account.
        """
        kept = account_name(name)
        if not _NAME.fullmatch(kept):
            raise ServiceError(
                f"{name!r} cannot be a name: letters a to z, digits, and . _ @ - inside, at most "
                "64 characters."
            )
        hashed = self._hash(password, kept)
        with self._engine.begin() as connection:
            store, at = PeopleStore(connection), self._clock()
            row = {
                "roles": _sorted(roles),
                "password_hash": hashed,
                "updated_at": at,
                "removed_at": None,
            }
            known = store.user(kept)
            if known is not None and known["removed_at"] is None:
                raise ConflictError(f"There is an account {kept} already.")
            if known is None:
                store.add_user(row | {"name": kept, "created_at": at})
            else:
                store.change_user(kept, row)
            self._forget_attempts(store, kept)
            _audit(connection, at, actor, "add-user", kept, {"roles": _sorted(roles)})
        return kept

    def users(self) -> list[dict[str, Any]]:
        """Accounts by name, without their passwords."""
        with reading(self._engine) as connection:
            rows = PeopleStore(connection).users()
        return [{key: row[key] for key in ("name", "roles", "created_at")} for row in rows]

    def set_roles(self, name: str, roles: Collection[Role], *, actor: str) -> None:
        """Give an account other roles; they count from its next page on. Raises `NotFoundError`."""
        with self._engine.begin() as connection:
            store, at = PeopleStore(connection), self._clock()
            user = _known(store, name)
            store.change_user(user["name"], {"roles": _sorted(roles), "updated_at": at})
            detail = {"roles": _sorted(roles), "before": user["roles"]}
            _audit(connection, at, actor, "set-roles", user["name"], detail)

    def set_password(self, name: str, password: str, *, actor: str) -> int:
        """Give an account another password, lift what blocks it and end its sessions; returns how
        many. Raises `NotFoundError`, and `ServiceError` for a weak password."""
        hashed = self._hash(password, account_name(name))
        with self._engine.begin() as connection:
            store, at = PeopleStore(connection), self._clock()
            user = _known(store, name)
            store.change_user(user["name"], {"password_hash": hashed, "updated_at": at})
            self._forget_attempts(store, user["name"])
            ended = store.end_all(user["name"], at)
            _audit(connection, at, actor, "set-password", user["name"], {"sessions": ended})
        return ended

    def remove(self, name: str, *, actor: str) -> int:
        """Let nobody in by an account any more and end its sessions; returns how many. Raises
        `NotFoundError`."""
        with self._engine.begin() as connection:
            store, at = PeopleStore(connection), self._clock()
            user = _known(store, name)
            store.change_user(user["name"], {"removed_at": at, "updated_at": at})
            ended = store.end_all(user["name"], at)
            _audit(connection, at, actor, "remove-user", user["name"], {"sessions": ended})
        return ended

    def sessions(self, idle: timedelta) -> list[dict[str, Any]]:
        """Sessions that go on, of local accounts and of people of the provider."""
        at = self._clock()
        with reading(self._engine) as connection:
            return PeopleStore(connection).open_sessions(at, at - idle)

    def sign_out(self, actor: str | None, *, by: str) -> int:
        """End every session of somebody (`user:ana`, `oidc:…`), or of everybody without one;
        returns how many."""
        with self._engine.begin() as connection:
            at = self._clock()
            ended = PeopleStore(connection).end_of(actor, at)
            AuditStore(connection).add(
                at=at,
                actor=by,
                action="end-sessions",
                object_type="session",
                object_id=actor or "everybody",
                detail={"sessions": ended},
            )
        return ended

    def _hash(self, password: str, name: str) -> str:
        try:
            check_password(password, name)
        except WeakPasswordError as error:
            sentence = str(error)
            raise ServiceError(f"{sentence[:1].upper()}{sentence[1:]}.") from None
        return self._passwords.hash(password)

    def _forget_attempts(self, store: PeopleStore, name: str) -> None:
        store.forget_attempts(attempt_key(self._secrecy, "account", name))


def account_name(typed: str) -> str:
    """One spelling of a name: people type it in capitals too."""
    return unicodedata.normalize("NFKC", typed).strip().casefold()


def attempt_key(secrecy: Secrecy, kind: str, text: str) -> str:
    """Under which failed attempts with an account or from an address are counted."""
    return secrecy.sign(f"attempt-{kind}", text)


def _known(store: PeopleStore, name: str) -> dict[str, Any]:
    user = store.user(account_name(name))
    if user is None or user["removed_at"] is not None:
        raise NotFoundError(f"There is no account {account_name(name)}.")
    return user


def _sorted(roles: Collection[Role]) -> Sequence[str]:
    return sorted(role.value for role in set(roles))


def _audit(
    connection: Connection,
    at: datetime,
    actor: str,
    action: str,
    name: str,
    detail: dict[str, Any],
) -> None:
    AuditStore(connection).add(
        at=at, actor=actor, action=action, object_type="user", object_id=name, detail=detail
    )
