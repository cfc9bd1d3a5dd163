"""Sessions of people: opened, found by their cookie, ended."""

import json
import secrets
from collections.abc import Collection
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from hashlib import sha256
from math import ceil
from typing import Any

from sqlalchemy import Connection

from cds_service.context import ProcessContext
from cds_service.security.people import Launch, Person
from cds_service.security.permissions import Role
from cds_service.storage.audit_store import AuditStore
from cds_service.storage.people_store import PeopleStore
from cds_service.storage.session import reading

LONGEST = timedelta(hours=12)
"""After which everybody signs in again (NIST SP 800-63B-4, 2.2.3, asks for a day at most)."""
KNOWN_FOR = timedelta(hours=1)
"""For how long it is known, beyond that, whose session it was."""
SEEN_EVERY = timedelta(seconds=20)
"""How often it is written down that a session is in use."""
ATTEMPTS_KEPT = timedelta(days=30)
_PURPOSE = "session"


SMART = "smart"
"""How somebody came whom a health record sent."""


@dataclass(frozen=True, slots=True)
class Chart:
    """A patient whose chart is open in the health record of a client."""

    client: str
    base: str
    """FHIR base URL, normalised."""
    patient: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class Arrival:
    """Somebody who has shown who they are."""

    actor: str
    name: str
    roles: frozenset[Role]
    how: str
    """`password`, `openid` or `smart`."""
    account: str | None = None
    """The local account, whose roles count as they are at any time."""
    fhir_user: str | None = None
    chart: "Chart | None" = None
    """Of `smart`: what the health record has open."""

    def __repr__(self) -> str:
        return f"Arrival(actor={self.actor!r}, how={self.how!r})"


class Sessions:
    """Rules of sessions. A cookie holds a random secret with a signature; the database its hash.

    That of a launched session holds the chart too, encrypted: no table gets a patient for it.
    """

    def __init__(self, context: ProcessContext) -> None:
        self._context = context

    @property
    def idle(self) -> timedelta:
        """How long a session lives in which nobody does anything."""
        return timedelta(minutes=self._context.settings.session_minutes)

    def open(self, arrival: Arrival, *, address: str, replaces: str | None = None) -> str:
        """Begin a session; returns what goes into the cookie. `replaces` is the cookie of the
        session before, which ends."""
        with self._context.engine.begin() as connection:
            return self.open_within(connection, arrival, address=address, replaces=replaces)

    def open_within(
        self,
        connection: Connection,
        arrival: Arrival,
        *,
        address: str,
        replaces: str | None = None,
    ) -> str:
        """The same in the caller's transaction."""
        store, at = PeopleStore(connection), self._context.clock()
        store.purge(at - KNOWN_FOR, attempts_before=at - ATTEMPTS_KEPT)
        old = None if replaces is None else self._id(replaces)
        if old is not None:
            store.end(old, at)
        secret = secrets.token_urlsafe(32)
        store.add_session(
            {
                "id": _hash(secret),
                "actor": arrival.actor,
                "name": arrival.name,
                "how": arrival.how,
                "account": arrival.account,
                "roles": sorted(role.value for role in arrival.roles),
                "fhir_user": arrival.fhir_user,
                "created_at": at,
                "last_seen_at": at,
                "expires_at": at + LONGEST,
                "ended_at": None,
            }
        )
        detail: dict[str, Any] = {
            "how": arrival.how,
            "name": arrival.name,
            "roles": sorted(role.value for role in arrival.roles),
            "address": address,
        }
        cookie = f"{secret}.{self._context.secrecy.sign(_PURPOSE, secret)}"
        if arrival.chart is not None:
            detail["client"] = arrival.chart.client
            cookie = f"{cookie}.{self._bound(_hash(secret), arrival.chart)}"
        _audit(connection, at, arrival.actor, "sign-in", detail)
        return cookie

    def person(self, cookie: str, *, is_activity: bool = True) -> Person | None:
        """Whose session this is, if it goes on. What a page asks for by itself is no activity."""
        session = self._id(cookie)
        if session is None:
            return None
        at = self._context.clock()
        with reading(self._context.engine) as connection:
            row = PeopleStore(connection).session(session)
        if row is None or self._is_over(row, at):
            return None
        launch = None
        if row["how"] == SMART:
            launch = self._launch(cookie, session)
            if launch is None:
                return None
        if is_activity and at - row["last_seen_at"] >= SEEN_EVERY:
            with self._context.engine.begin() as connection:
                PeopleStore(connection).see(session, at)
        roles = row["roles"] if row["account"] is None else row["account_roles"]
        return Person(
            name=row["name"],
            actor=row["actor"],
            roles=_roles(roles),
            session=session,
            csrf=self._context.secrecy.sign("csrf", session),
            fhir_user=row["fhir_user"],
            launch=launch,
        )

    def seconds_left(self, cookie: str) -> int:
        """How long a session goes on if nobody does anything, s, rounded up: 0 only if it is
        over."""
        session = self._id(cookie)
        at = self._context.clock()
        with reading(self._context.engine) as connection:
            row = None if session is None else PeopleStore(connection).session(session)
        if row is None or self._is_over(row, at):
            return 0
        ends = min(row["last_seen_at"] + self.idle, row["expires_at"])
        left: float = (ends - at).total_seconds()
        return max(0, ceil(left))

    def author(self, cookie: str, token: str) -> str | None:
        """Who sent a form of this session, if its token is in it, though the session's time may be
        over; `None` for one that somebody ended, such as by signing out."""
        session = self._id(cookie)
        if session is None or not self._context.secrecy.is_signed("csrf", session, token):
            return None
        with reading(self._context.engine) as connection:
            row = PeopleStore(connection).session(session)
        return None if row is None else str(row["actor"])

    def end(self, person: Person) -> None:
        """Sign somebody out; a second time changes nothing."""
        with self._context.engine.begin() as connection:
            at = self._context.clock()
            if PeopleStore(connection).end(person.session, at):
                _audit(connection, at, person.actor, "sign-out", {})

    def refused(self, person: Person, what: str, path: str) -> None:
        """Write down that somebody was not let do something."""
        with self._context.engine.begin() as connection:
            AuditStore(connection).add(
                at=self._context.clock(),
                actor=person.actor,
                action="refuse",
                object_type="page",
                object_id=path[:200],
                detail={"wanted": what},
            )

    def _id(self, cookie: str) -> str | None:
        """Key of the session a cookie belongs to, without asking the database; `None` for a cookie
        that we did not sign."""
        secret, _, rest = cookie.partition(".")
        signature = rest.partition(".")[0]
        if not self._context.secrecy.is_signed(_PURPOSE, secret, signature):
            return None
        return _hash(secret)

    def _bound(self, session: str, chart: Chart) -> str:
        """The chart, for the cookie of this session and none other."""
        fields = [session, chart.client, chart.base, chart.patient]
        return self._context.secrecy.encrypt(json.dumps(fields).encode()).hex()

    def _launch(self, cookie: str, session: str) -> Launch | None:
        """What the cookie of a launched session is bound to; `None` where it is not, or the client
        has no SMART launch any more."""
        try:
            sealed = bytes.fromhex(cookie.split(".")[2])
            bound, name, base, patient = json.loads(self._context.secrecy.decrypt(sealed))
        except (ValueError, IndexError):
            return None
        client = self._context.directory.by_name.get(name)
        smart = None if client is None else client.settings.smart
        if bound != session or smart is None:
            return None
        keys = self._context.secrecy.patient_keys(base, patient)
        return Launch(name, tuple(keys), smart.frames)

    def _is_over(self, row: dict[str, Any], at: datetime) -> bool:
        removed = row["account"] is not None and (
            row["account_roles"] is None or row["account_removed_at"] is not None
        )
        return removed or at >= row["expires_at"] or at - row["last_seen_at"] >= self.idle


def _roles(values: Collection[str]) -> frozenset[Role]:
    return frozenset(Role(value) for value in values)


def _hash(secret: str) -> str:
    return sha256(secret.encode("utf-8", "surrogatepass")).hexdigest()


def _audit(
    connection: Connection, at: datetime, actor: str, action: str, detail: dict[str, Any]
) -> None:
    AuditStore(connection).add(
        at=at,
        actor=actor,
        action=action,
        object_type="session",
        object_id=actor,
        detail=detail,
    )
