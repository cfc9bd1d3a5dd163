"""Notices that Conditions have changed are followed: what they name is read from its server."""

from collections.abc import Mapping
from datetime import timedelta
from typing import Any, Final

from cds_service.context import ProcessContext
from cds_service.logs import LOGGER
from cds_service.security.clients import Client
from cds_service.services.backend_services import BackendError
from cds_service.services.deliveries import Incoming, Withdrawal
from cds_service.services.ingesting import add
from cds_service.services.outcomes import OutcomeService
from cds_service.services.patient_conditions import decoded
from cds_service.services.pulling import OutcomePulls, Pulled
from cds_service.services.subscriptions import focus_references
from cds_service.storage.notification_store import Notification, NotificationStore
from fhir_mapping.errors import AccessFault, FHIRAccessError
from fhir_mapping.patient_links import Merge, merges_of
from fhir_mapping.subjects import encounter_of, subject_of

CHANNEL: Final = "subscription"
RETRY: Final = timedelta(minutes=5)
MAX_ATTEMPTS: Final = 20
"""The days on which every patient is asked for find what a notice could not bring."""


class Notices:
    """Follows the notices that were kept."""

    def __init__(self, context: ProcessContext, pulls: OutcomePulls) -> None:
        self._context = context
        self._pulls = pulls

    def follow(self, pulled: Pulled, *, actor: str) -> None:
        """Read what notices name; after an empty one ask for every open outcome of its client."""
        with self._context.engine.begin() as connection:
            notices = NotificationStore(connection).due(self._context.clock())
        for notice in notices:
            client = self._context.directory.by_name.get(notice.client)
            if client is None or client.settings.backend is None:
                self._done(notice, "no access of our own")
                continue
            pulled.notices += 1
            try:
                if notice.focus is None:
                    self._everybody(client, notice, pulled, actor)
                else:
                    self._named(client, notice, pulled, actor)
            except BackendError as error:
                pulled.problems.append(str(error))
                self._failed(notice, "backend not set up", pulled)
            except FHIRAccessError as error:
                if error.kind is AccessFault.UNAUTHORIZED:
                    self._pulls.forget_token(client)
                self._failed(notice, error.kind.value, pulled)
            except ValueError:
                # Its keys are gone, so nobody can tell what it named.
                self._done(notice, "unreadable")

    def _everybody(self, client: Client, notice: Notification, pulled: Pulled, actor: str) -> None:
        """Patients that do not answer now keep their own place in the queue."""
        found = self._pulls.run(actor=actor, name=client.name, early=True)
        pulled.asked += found.asked
        pulled.ended += found.ended
        pulled.failed += found.failed
        pulled.problems += found.problems
        add(pulled.received, found.received)
        self._done(notice, f"asked for {found.asked} patients")

    def _named(self, client: Client, notice: Notification, pulled: Pulled, actor: str) -> None:
        incoming, withdrawn, merges = [], [], list[Merge]()
        for reference in focus_references(self._context.secrecy, notice):
            base, kind, identifier = _split(reference)
            session = self._pulls.session(client, base)
            try:
                resource = decoded(session.read(kind, identifier))
            except FHIRAccessError as error:
                if error.kind is not AccessFault.NOT_FOUND:
                    raise
                if kind == "Condition":
                    withdrawn.append(Withdrawal(base, identifier))
                continue
            if kind == "Patient":
                merges += merges_of(resource, base)
            else:
                incoming.append(_incoming(resource, base))
        received = OutcomeService(self._context).receive(
            incoming,
            client=client.name,
            channel=CHANNEL,
            actor=actor,
            allow_restricted=client.settings.allow_restricted,
            withdrawn=withdrawn,
            merges=merges,
        )
        received.issues = []
        add(pulled.received, received)
        self._done(notice, f"stored {received.stored}, known {received.unchanged}")

    def _done(self, notice: Notification, result: str) -> None:
        with self._context.engine.begin() as connection:
            NotificationStore(connection).done(notice.id, self._context.clock(), result)

    def _failed(self, notice: Notification, kind: str, pulled: Pulled) -> None:
        pulled.failed[kind] += 1
        LOGGER.warning("notice not followed", extra={"client": notice.client, "kind": kind})
        if notice.attempts >= MAX_ATTEMPTS:
            self._done(notice, f"given up: {kind}")
            return
        wait = RETRY * min(2 ** (notice.attempts - 1), 288)
        with self._context.engine.begin() as connection:
            NotificationStore(connection).failed(notice.id, self._context.clock() + wait, kind)


def _split(reference: str) -> tuple[str, str, str]:
    """Server, type and id of an absolute reference. Raises `ValueError`."""
    base, kind, identifier = reference.rsplit("/", 2)
    return base, kind, identifier


def _incoming(resource: Mapping[str, Any], base: str) -> Incoming:
    subject = subject_of(resource)
    here = subject is not None and subject.base in (None, base)
    return Incoming(
        resource=resource,
        base=base,
        patient_id=subject.id if subject is not None and here else None,
        encounter_id=encounter_of(resource),
    )
