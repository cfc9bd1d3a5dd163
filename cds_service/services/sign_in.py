"""Signing in with the password of a local account, a limited number of times."""

import threading

from cds_service.context import ProcessContext
from cds_service.errors import SignInRefusedError
from cds_service.logs import LOGGER
from cds_service.security.passwords import Passwords
from cds_service.security.permissions import Role
from cds_service.services.attempts import Attempts
from cds_service.services.places import Place
from cds_service.services.sessions import Arrival, Sessions
from cds_service.services.users import account_name
from cds_service.storage.audit_store import AuditStore
from cds_service.storage.people_store import PeopleStore
from cds_service.storage.session import reading

WAITING = 8
"""Attempts that a process looks at at a time; the threads of cards must not wait behind them."""


class SignIn:
    """Lets people in by name and password; one a process."""

    def __init__(self, context: ProcessContext, passwords: Passwords | None = None) -> None:
        self._context = context
        self._sessions = Sessions(context)
        self._attempts = Attempts(context)
        self._passwords = passwords or Passwords()
        self._places = threading.BoundedSemaphore(WAITING)

    def by_password(
        self, typed_name: str, password: str, *, address: str, replaces: str | None = None
    ) -> str:
        """Begin a session; returns what goes into the cookie.

        Raises `SignInRefusedError`, which does not say whether name or password was wrong,
        `TooManyAttemptsError`, and `BusyError` where too many try at once.
        """
        name = account_name(typed_name)[:200]
        with Place(self._places):
            return self._by_password(name, password, address, replaces)

    def _by_password(self, name: str, password: str, address: str, replaces: str | None) -> str:
        failures = self._attempts.count(address, name)
        with reading(self._context.engine) as connection:
            user = PeopleStore(connection).user(name)
        stored = None if user is None or user["removed_at"] is not None else user["password_hash"]
        if not self._passwords.matches(password, stored) or user is None:
            self._refuse(name if user is not None else None, failures, address)
            raise SignInRefusedError
        rehashed = (
            self._passwords.hash(password) if self._passwords.is_outdated(str(stored)) else None
        )
        arrival = Arrival(
            actor=f"user:{name}",
            name=name,
            roles=frozenset(Role(role) for role in user["roles"]),
            how="password",
            account=name,
        )
        with self._context.engine.begin() as connection:
            store = PeopleStore(connection)
            self._attempts.take_back(store, address, name)
            if rehashed is not None:
                store.change_user(name, {"password_hash": rehashed})
            return self._sessions.open_within(
                connection, arrival, address=address, replaces=replaces
            )

    def _refuse(self, name: str | None, failures: int, address: str) -> None:
        # A name that is none may be a password that was typed in the wrong field.
        who = "unknown" if name is None else name
        LOGGER.warning("sign-in refused", extra={"account": who})
        with self._context.engine.begin() as connection:
            AuditStore(connection).add(
                at=self._context.clock(),
                actor=f"user:{who}",
                action="refuse-sign-in",
                object_type="session",
                object_id=f"user:{who}",
                detail={"failures": failures, "address": address},
            )
