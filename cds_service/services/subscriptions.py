"""Subscriptions: an EHR tells that Conditions have changed, with or without sending them."""

import json
from collections.abc import Iterable, Mapping, Sequence
from hashlib import sha256
from typing import Any

from sqlalchemy import Connection

from cds_service.context import ProcessContext
from cds_service.security.clients import Client
from cds_service.security.secrecy import Secrecy
from cds_service.services.conditions import incoming
from cds_service.services.deliveries import Incoming, Withdrawal
from cds_service.services.outcomes import OutcomeService
from cds_service.storage.notification_store import Notification, NotificationStore
from fhir_mapping.encounters import ended_at_home
from fhir_mapping.notifications import Notice, NoticeKind, Sent, below, read_notice
from fhir_mapping.patient_links import Merge, merges_of
from fhir_mapping.posted_json import decode_object
from fhir_mapping.replies import Reply, refusal
from fhir_mapping.resources import Issue

CHANNEL = "subscription"
MAX_REFERENCES = 100
"""References kept in one row."""
MAX_WAITING = 100
"""Rows with references that may wait for one client; beyond that one catch-up stands for all, so
that a flood of notices becomes no flood of questions."""


class SubscriptionService:
    """Takes what a Subscription sends.

    A resource that cannot be used is skipped and counted, not refused: a server whose
    notifications fail switches its subscription off.
    """

    def __init__(self, context: ProcessContext) -> None:
        self._context = context

    def notified(self, body: bytes, client: Client) -> Reply:
        """`POST` to the endpoint: an empty ping, a notification Bundle, or a resource.

        Raises `PostedError` (400) for a body that is not JSON.
        """
        if not body.strip():
            self._keep(client, ping=True)
            return Reply(200)
        resource = decode_object(body)
        if resource.get("resourceType") != "Bundle":
            return self._take([Sent(None, resource, deleted=False)], client)
        notice = read_notice(resource)
        if notice is None:
            return self._take(_plain_entries(resource), client)
        missed = self._follow(notice, client)
        reply = Reply(200)
        # Of a query the events were told before; what is sent with them is taken all the same.
        if notice.kind in (NoticeKind.EVENT, NoticeKind.QUERY_EVENT):
            whole = [one for one in notice.sent if not one.named_only]
            reply = self._take(whole, client) if whole else reply
            came = {one.full_url for one in whole}
            named = [reference for reference in notice.focus if reference not in came]
            named = [] if _came_with(whole, named) else named
            # An event that names nothing and sends nothing is a ping.
            self._keep(client, named, ping=missed or not (whole or named))
        elif missed:
            self._keep(client, ping=True)
        return reply

    def sent(self, type_name: str, identifier: str, body: bytes, client: Client) -> Reply:
        """`PUT` below the endpoint: an R4 server sends the resource as if it wrote it here."""
        resource = decode_object(body)
        if resource.get("resourceType") != type_name or resource.get("id") != identifier:
            issue = Issue("Resource", "must have the type and the id of the URL")
            return refusal(400, "invalid", (issue,))
        return self._take([Sent(None, resource, deleted=False)], client)

    def gone(self, type_name: str, identifier: str, client: Client) -> Reply:
        """`DELETE` below the endpoint."""
        self._take([Sent(f"{type_name}/{identifier}", None, deleted=True)], client)
        return Reply(204)

    def _take(self, sent: Sequence[Sent], client: Client) -> Reply:
        conditions: list[Incoming] = []
        withdrawn: list[Withdrawal] = []
        merges: list[Merge] = []
        homes = _homes(one.resource for one in sent)
        for one in sent:
            if one.deleted:
                found = below(one.full_url or "", _servers(client))
                if found is not None and found[1] == "Condition":
                    withdrawn.append(Withdrawal(found[0], found[2]))
            elif one.resource is not None and one.resource.get("resourceType") == "Condition":
                conditions.append(
                    incoming(one.resource, client, full_url=one.full_url, homes=homes)
                )
            elif one.resource is not None and one.resource.get("resourceType") == "Patient":
                merges += merges_of(one.resource, client.base)
        if conditions or withdrawn or merges:
            OutcomeService(self._context).receive(
                conditions,
                client=client.name,
                channel=CHANNEL,
                actor=f"client:{client.name}",
                allow_restricted=client.settings.allow_restricted,
                withdrawn=withdrawn,
                merges=merges,
            )
        return Reply(200)

    def _follow(self, notice: Notice, client: Client) -> bool:
        """Count the events of a subscription; whether some were missed."""
        if notice.subscription is None or notice.last_event is None:
            return False
        key = sha256(notice.subscription.encode()).hexdigest()
        with self._context.engine.begin() as connection:
            store = NotificationStore(connection)
            store.lock()
            known = store.last_event(client.name, key)
            now = notice.last_event
            if known is None or notice.kind is NoticeKind.HANDSHAKE or now > known:
                store.set_last_event(client.name, key, now, self._context.clock())
        if known is None or notice.kind is NoticeKind.HANDSHAKE:
            return False
        if notice.kind is NoticeKind.EVENT:
            return (notice.first_event or now) > known + 1
        return now > known

    def _keep(self, client: Client, references: Iterable[str] = (), *, ping: bool = False) -> None:
        """Keep what is to be read, once, and never more than a bounded amount."""
        readable = {below(reference, client.settings.fhir_servers) for reference in references}
        named = {"/".join(found) for found in readable if found is not None}
        if not named and not ping:
            return
        with self._context.engine.begin() as connection:
            NotificationStore(connection).lock()
            self._add(connection, client, named, ping=ping)

    def _add(self, connection: Connection, client: Client, named: set[str], *, ping: bool) -> None:
        store, at, secrecy = (
            NotificationStore(connection),
            self._context.clock(),
            self._context.secrecy,
        )
        waiting = store.waiting(client.name)
        for notification in waiting:
            named -= set(focus_references(secrecy, notification))
        parts = [
            sorted(named)[start : start + MAX_REFERENCES]
            for start in range(0, len(named), MAX_REFERENCES)
        ]
        rows = sum(notification.focus is not None for notification in waiting)
        if rows + len(parts) > MAX_WAITING:
            parts, ping = [], True
        for part in parts:
            focus = secrecy.encrypt(json.dumps(part).encode())
            store.add(client=client.name, at=at, focus=focus)
        if ping and all(notification.focus is not None for notification in waiting):
            store.add(client=client.name, at=at, focus=None)


def focus_references(secrecy: Secrecy, notification: Notification) -> list[str]:
    """What a notice names: absolute URLs of Conditions and Patients on the client's own FHIR
    servers. Empty for a ping. Raises `ValueError` if no secret key fits."""
    if notification.focus is None:
        return []
    found: list[str] = json.loads(secrecy.decrypt(notification.focus))
    return found


def _servers(client: Client) -> tuple[str, ...]:
    return client.settings.fhir_servers or (client.base,)


def _homes(resources: Iterable[Mapping[str, Any] | None]) -> dict[str, bool | None]:
    return {
        resource["id"]: ended_at_home(resource)
        for resource in resources
        if resource is not None
        and resource.get("resourceType") == "Encounter"
        and isinstance(resource.get("id"), str)
    }


def _came_with(sent: Sequence[Sent], named: Sequence[str]) -> bool:
    """Whether the named resources are those that were sent, by type and id."""
    came = {
        f"{one.resource.get('resourceType')}/{one.resource.get('id')}"
        for one in sent
        if one.resource is not None
    }
    return all("/".join(reference.rsplit("/", 2)[-2:]) in came for reference in named)


def _plain_entries(bundle: Mapping[str, Any]) -> list[Sent]:
    """The resources of a Bundle without a status, as some R4 servers send them."""
    entries = bundle.get("entry")
    found = []
    for entry in entries if isinstance(entries, list) else []:
        resource = entry.get("resource") if isinstance(entry, Mapping) else None
        url = entry.get("fullUrl") if isinstance(entry, Mapping) else None
        if isinstance(resource, Mapping):
            found.append(Sent(url if isinstance(url, str) else None, resource, deleted=False))
    return found
