"""Jobs of the schedule: when each is due, and the lease of who is at it."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, case, literal, or_, select, update

from cds_service.storage.rows import insert_once
from cds_service.storage.tables import JOBS


class JobStore:
    """SQL of `jobs`. Every change is one UPDATE that names what it expects to find."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def add(self, name: str, due_at: datetime) -> bool:
        """A job that is new; `False` if another process was faster."""
        return insert_once(self._connection, JOBS, {"name": name, "due_at": due_at, "failures": 0})

    def all(self) -> dict[str, dict[str, Any]]:
        """Every job that was ever known, by name."""
        rows = self._connection.execute(select(JOBS).order_by(JOBS.c.name))
        return {row.name: dict(row._mapping) for row in rows}

    def bring_forward(self, name: str, due_at: datetime, *, now: datetime) -> bool:
        """Another period was set: a job that waits, and not for another try, is due then."""
        result = self._connection.execute(
            update(JOBS)
            .where(
                JOBS.c.name == name,
                JOBS.c.owner.is_(None),
                JOBS.c.failures == 0,
                JOBS.c.due_at > now,
                JOBS.c.due_at != due_at,
            )
            .values(due_at=due_at)
        )
        return result.rowcount > 0

    def ask(self, name: str, *, at: datetime, actor: str) -> None:
        """A person wants a job now: it is due at once, and one that somebody is at is due again
        when that run is over."""
        asked = {"due_at": at, "asked_at": at, "asked_by": actor}
        if not insert_once(self._connection, JOBS, {"name": name, "failures": 0, **asked}):
            self._connection.execute(update(JOBS).where(JOBS.c.name == name).values(asked))

    def take(
        self, name: str, owner: str, *, at: datetime, lease_until: datetime, early: bool = False
    ) -> bool:
        """Take a job that is due, or with `early` any, and that nobody is at; `False` if it is
        not to be had.

        An owner whose lease has ended is gone: the job is taken over. Who takes it answers to
        whoever asked for it until then.
        """
        conditions = [JOBS.c.name == name, or_(JOBS.c.owner.is_(None), JOBS.c.lease_until <= at)]
        if not early:
            conditions.append(JOBS.c.due_at <= at)
        result = self._connection.execute(
            update(JOBS)
            .where(*conditions)
            .values(
                owner=owner, lease_until=lease_until, started_at=at, asked_at=None, asked_by=None
            )
        )
        return result.rowcount > 0

    def renew(self, name: str, owner: str, *, lease_until: datetime) -> bool:
        """Hold a job longer; `False` if another has taken it over."""
        return self._own(name, owner, {"lease_until": lease_until})

    def finish(self, name: str, owner: str, values: Mapping[str, Any]) -> bool:
        """Record how it ended and let it go; `False`, and nothing is recorded, if another has
        taken it over. What was asked for meanwhile is due at once."""
        told: dict[str, Any] = {"owner": None, "lease_until": None, **values}
        if "due_at" in told:
            due = literal(told["due_at"], JOBS.c.due_at.type)
            told["due_at"] = case((JOBS.c.asked_at.is_(None), due), else_=JOBS.c.asked_at)
        return self._own(name, owner, told)

    def give_back(self, name: str, owner: str) -> bool:
        """Let go of a job that was not done: it stays due."""
        return self._own(name, owner, {"owner": None, "lease_until": None})

    def failures(self, name: str) -> int:
        """How often in a row it has failed."""
        query = select(JOBS.c.failures).where(JOBS.c.name == name)
        return int(self._connection.execute(query).scalar_one_or_none() or 0)

    def _own(self, name: str, owner: str, values: Mapping[str, Any]) -> bool:
        result = self._connection.execute(
            update(JOBS).where(JOBS.c.name == name, JOBS.c.owner == owner).values(dict(values))
        )
        return result.rowcount > 0
