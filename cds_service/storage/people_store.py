"""Local accounts, sessions and failed attempts to sign in."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, delete, insert, or_, select, update
from sqlalchemy.dialects import postgresql, sqlite

from cds_service.storage.tables import SESSIONS, SIGN_IN_ATTEMPTS, USERS


class PeopleStore:
    """SQL of users, sessions and sign-in attempts."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def users(self) -> list[dict[str, Any]]:
        """Accounts that are not removed, by name."""
        query = select(USERS).where(USERS.c.removed_at.is_(None)).order_by(USERS.c.name)
        return [dict(row._mapping) for row in self._connection.execute(query)]

    def user(self, name: str) -> dict[str, Any] | None:
        """One account, removed or not."""
        row = self._connection.execute(select(USERS).where(USERS.c.name == name)).one_or_none()
        return None if row is None else dict(row._mapping)

    def add_user(self, row: Mapping[str, Any]) -> None:
        """Store an account under a name that is free."""
        self._connection.execute(insert(USERS), row)

    def change_user(self, name: str, changes: Mapping[str, Any]) -> None:
        """Change an account."""
        self._connection.execute(update(USERS).where(USERS.c.name == name).values(**changes))

    def add_session(self, row: Mapping[str, Any]) -> None:
        """Store a session."""
        self._connection.execute(insert(SESSIONS), row)

    def session(self, session: str) -> dict[str, Any] | None:
        """A session that was not ended, with the roles its account has now (`account_roles`) and
        since when that is removed (`account_removed_at`)."""
        query = (
            select(
                SESSIONS,
                USERS.c.roles.label("account_roles"),
                USERS.c.removed_at.label("account_removed_at"),
            )
            .outerjoin(USERS, USERS.c.name == SESSIONS.c.account)
            .where(SESSIONS.c.id == session, SESSIONS.c.ended_at.is_(None))
        )
        row = self._connection.execute(query).one_or_none()
        return None if row is None else dict(row._mapping)

    def see(self, session: str, at: datetime) -> None:
        """Note that somebody did something in a session."""
        self._connection.execute(
            update(SESSIONS)
            .where(SESSIONS.c.id == session, SESSIONS.c.last_seen_at < at)
            .values(last_seen_at=at)
        )

    def end(self, session: str, at: datetime) -> bool:
        """End a session; whether it was open."""
        done = self._connection.execute(
            update(SESSIONS)
            .where(SESSIONS.c.id == session, SESSIONS.c.ended_at.is_(None))
            .values(ended_at=at)
        )
        return done.rowcount > 0

    def end_all(self, account: str, at: datetime) -> int:
        """End every session of an account; returns how many were open."""
        return self._connection.execute(
            update(SESSIONS)
            .where(SESSIONS.c.account == account, SESSIONS.c.ended_at.is_(None))
            .values(ended_at=at)
        ).rowcount

    def open_sessions(self, at: datetime, seen_since: datetime) -> list[dict[str, Any]]:
        """Sessions that go on, by who they belong to; without what would open them."""
        query = (
            select(
                *(SESSIONS.c[name] for name in ("actor", "name", "how", "created_at")),
                SESSIONS.c.last_seen_at,
            )
            .where(
                SESSIONS.c.ended_at.is_(None),
                SESSIONS.c.expires_at > at,
                SESSIONS.c.last_seen_at > seen_since,
            )
            .order_by(SESSIONS.c.actor, SESSIONS.c.created_at)
        )
        return [dict(row._mapping) for row in self._connection.execute(query)]

    def end_of(self, actor: str | None, at: datetime) -> int:
        """End every session of somebody, or of everybody; returns how many were open."""
        query = update(SESSIONS).where(SESSIONS.c.ended_at.is_(None), SESSIONS.c.expires_at > at)
        if actor is not None:
            query = query.where(SESSIONS.c.actor == actor)
        return self._connection.execute(query.values(ended_at=at)).rowcount

    def attempt(self, key: str) -> dict[str, Any] | None:
        """Failed attempts under a key; nobody else counts one meanwhile."""
        query = select(SIGN_IN_ATTEMPTS).where(SIGN_IN_ATTEMPTS.c.key == key).with_for_update()
        row = self._connection.execute(query).one_or_none()
        return None if row is None else dict(row._mapping)

    def keep_attempts(
        self, key: str, *, failures: int, at: datetime, blocked_until: datetime | None
    ) -> None:
        """Store how many failed under a key."""
        row = {"failures": failures, "last_at": at, "blocked_until": blocked_until}
        self._connection.execute(
            update(SIGN_IN_ATTEMPTS).where(SIGN_IN_ATTEMPTS.c.key == key).values(row)
        )

    def begin_attempts(self, key: str, at: datetime) -> None:
        """Make the row of a key if there is none, so that it can be held."""
        dialect = sqlite if self._connection.dialect.name == "sqlite" else postgresql
        statement = dialect.insert(SIGN_IN_ATTEMPTS).values(
            key=key, failures=0, last_at=at, blocked_until=None
        )
        self._connection.execute(statement.on_conflict_do_nothing())

    def forget_attempts(self, key: str) -> None:
        """Forget what failed under a key."""
        self._connection.execute(delete(SIGN_IN_ATTEMPTS).where(SIGN_IN_ATTEMPTS.c.key == key))

    def purge(self, at: datetime, *, attempts_before: datetime) -> None:
        """Delete sessions whose time is over, and attempts older than that which block nothing."""
        self._connection.execute(delete(SESSIONS).where(SESSIONS.c.expires_at < at))
        blocked = SIGN_IN_ATTEMPTS.c.blocked_until
        self._connection.execute(
            delete(SIGN_IN_ATTEMPTS).where(
                SIGN_IN_ATTEMPTS.c.last_at < attempts_before,
                or_(blocked.is_(None), blocked < at),
            )
        )
