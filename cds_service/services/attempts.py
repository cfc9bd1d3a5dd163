"""How often somebody may try to sign in and fail.

Attempts are counted in the database before they are looked at, so that replicas and parallel
requests share one count. After NIST SP 800-63B-4 (2025), 3.2.2: a hundred failures in a row and an
account waits for its administrator.
"""

from datetime import datetime, timedelta

from cds_service.context import ProcessContext
from cds_service.errors import TooManyAttemptsError
from cds_service.logs import LOGGER
from cds_service.services.users import attempt_key
from cds_service.storage.people_store import PeopleStore

ACCOUNT_FREE = 5
"""Failures of an account after which it waits: a minute, then twice as long each time."""
ACCOUNT_WAITS = timedelta(minutes=1)
LONGEST_WAIT = timedelta(minutes=15)
ACCOUNT_MAX = 100
"""Failures in a row after which only a new password opens an account."""
NEVER = timedelta(days=36_500)
ADDRESS_FREE = 50
"""Failures from one address within `ADDRESS_WINDOW` after which it waits as long. A hospital may
come from one address, so it is far more than for an account, and one is forgotten every 18 s."""
ADDRESS_WINDOW = timedelta(minutes=15)


class Attempts:
    """Counts what failed, under keyed hashes of account and address."""

    def __init__(self, context: ProcessContext) -> None:
        self._context = context

    def count(self, address: str, account: str | None = None) -> int:
        """Count an attempt as failed until it is known that it did not; returns how many the
        account (else the address) has.

        Raises `TooManyAttemptsError` for one too many, which is not counted.
        """
        at = self._context.clock()
        with self._context.engine.begin() as connection:
            store = PeopleStore(connection)
            # Always in this order, so that two never wait for each other.
            failures, wait = self._count_one(store, "address", address, at)
            if wait is None and account is not None:
                failures, wait = self._count_one(store, "account", account, at)
        if wait is not None:
            LOGGER.warning("sign-in blocked")
            raise TooManyAttemptsError(int(wait.total_seconds()) + 1)
        return failures

    def take_back(self, store: PeopleStore, address: str, account: str | None = None) -> None:
        """What was counted in advance did not fail. An address keeps its other failures: whoever
        has an account could else try others without end."""
        key = attempt_key(self._context.secrecy, "address", address)
        row = store.attempt(key)
        if row is not None:
            failures = max(0, row["failures"] - 1)
            store.keep_attempts(
                key,
                failures=failures,
                at=row["last_at"],
                blocked_until=row["blocked_until"] if failures >= ADDRESS_FREE else None,
            )
        if account is not None:
            store.forget_attempts(attempt_key(self._context.secrecy, "account", account))

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
        if kind == "address":
            forgotten = (at - row["last_at"]) // (ADDRESS_WINDOW / ADDRESS_FREE)
            failures = max(0, failures - max(0, forgotten))
        failures += 1
        wait = _wait(kind, failures)
        store.keep_attempts(
            key, failures=failures, at=at, blocked_until=None if wait is None else at + wait
        )
        return failures, None


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
