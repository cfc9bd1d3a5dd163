"""Signing in with the password of a local account, a limited number of times.

Attempts are counted in the database before the password is looked at, so that replicas and parallel
requests share one count. After NIST SP 800-63B-4 (2025), 3.2.2: a hundred failures in a row and an
account waits for its administrator.
"""

import threading
from datetime import datetime, timedelta

from cds_service.context import ProcessContext
from cds_service.errors import BusyError, SignInRefusedError, TooManyAttemptsError
from cds_service.logs import LOGGER
from cds_service.security.passwords import Passwords
from cds_service.security.permissions import Role
from cds_service.services.sessions import Arrival, Sessions
from cds_service.services.users import account_name, attempt_key
from cds_service.storage.audit_store import AuditStore
from cds_service.storage.people_store import PeopleStore
from cds_service.storage.session import reading

ACCOUNT_FREE = 5
"""Failures of an account after which it waits: a minute, then twice as long each time."""
ACCOUNT_WAITS = timedelta(minutes=1)
LONGEST_WAIT = timedelta(minutes=15)
ACCOUNT_MAX = 100
"""Failures in a row after which only a new password opens an account."""
ADDRESS_FREE = 50
"""Failures from one address within `ADDRESS_WINDOW` after which it waits. A hospital may come from
one address, so it is far more than for an account."""
ADDRESS_WINDOW = timedelta(minutes=15)
NEVER = timedelta(days=365)
WAITING = 8
"""Attempts that a process looks at at a time; the threads of cards must not wait behind them."""


class SignIn:
    """Lets people in by name and password; one a process."""

    def __init__(self, context: ProcessContext, passwords: Passwords | None = None) -> None:
        self._context = context
        self._sessions = Sessions(context)
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
        if not self._places.acquire(blocking=False):
            raise BusyError
        try:
            return self._by_password(name, password, address, replaces)
        finally:
            self._places.release()

    def _by_password(self, name: str, password: str, address: str, replaces: str | None) -> str:
        failures = self._count(name, address)
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
            self._uncount(store, name, address)
            if rehashed is not None:
                store.change_user(name, {"password_hash": rehashed})
            return self._sessions.open_within(
                connection, arrival, address=address, replaces=replaces
            )

    def _count(self, name: str, address: str) -> int:
        """Count an attempt as failed until it is known that it did not; returns how many the
        account has. Raises `TooManyAttemptsError` for one too many, which is not counted."""
        at = self._context.clock()
        with self._context.engine.begin() as connection:
            store = PeopleStore(connection)
            _, wait = self._count_one(store, "address", address, at)
            if wait is None:
                failures, wait = self._count_one(store, "account", name, at)
        if wait is not None:
            LOGGER.warning("sign-in blocked")
            raise TooManyAttemptsError(int(wait.total_seconds()) + 1)
        return failures

    def _count_one(
        self, store: PeopleStore, kind: str, text: str, at: datetime
    ) -> tuple[int, timedelta | None]:
        """How many failed, this one included, and how long it has to wait, if it has."""
        key = attempt_key(self._context.secrecy, kind, text)
        store.begin_attempts(key, at)
        row = store.attempt(key)
        assert row is not None  # noqa: S101  # It was made in this transaction.
        failures: int = row["failures"]
        if row["blocked_until"] is not None and at < row["blocked_until"]:
            left: timedelta = row["blocked_until"] - at
            return failures, left
        if kind == "address" and at - row["last_at"] >= ADDRESS_WINDOW:
            failures = 0
        failures += 1
        wait = _wait(kind, failures)
        store.keep_attempts(
            key, failures=failures, at=at, blocked_until=None if wait is None else at + wait
        )
        return failures, None

    def _uncount(self, store: PeopleStore, name: str, address: str) -> None:
        """Take back what was counted in advance. An address keeps its other failures: whoever has
        an account could else try others without end."""
        store.forget_attempts(attempt_key(self._context.secrecy, "account", name))
        key = attempt_key(self._context.secrecy, "address", address)
        row = store.attempt(key)
        if row is not None:
            store.keep_attempts(
                key,
                failures=max(0, row["failures"] - 1),
                at=row["last_at"],
                blocked_until=None,
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


def _wait(kind: str, failures: int) -> timedelta | None:
    """How long the next attempt has to wait after so many failures."""
    if kind == "address":
        return ADDRESS_WINDOW if failures >= ADDRESS_FREE else None
    if failures < ACCOUNT_FREE:
        return None
    if failures >= ACCOUNT_MAX:
        return NEVER
    wait: timedelta = ACCOUNT_WAITS * (1 << min(failures - ACCOUNT_FREE, 10))
    return min(wait, LONGEST_WAIT)
