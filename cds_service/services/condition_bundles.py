"""Batch and transaction Bundles with Conditions: `POST /fhir`."""

from collections.abc import Mapping, Sequence
from typing import Any

from cds_service.context import ProcessContext
from cds_service.security.clients import Client
from cds_service.services.conditions import ConditionIntake, incoming, read_only
from cds_service.services.deliveries import Incoming, NotTakenError, Received, Withdrawal
from cds_service.services.outcomes import OutcomeService
from fhir_mapping.encounters import ended_at_home
from fhir_mapping.patient_links import Merge, merges_of
from fhir_mapping.replies import Reply, refusal, response_bundle
from fhir_mapping.resources import Issue
from fhir_mapping.transactions import (
    Fault,
    Request,
    read_entries,
    resolve_within,
    with_references,
)


class BundleIntake:
    """Takes Bundles. Patients and Encounters in them are read for what they tell of Conditions:
    merges, and whether an encounter ended at home."""

    def __init__(self, context: ProcessContext) -> None:
        self._context = context
        self._single = ConditionIntake(context)

    def process(self, bundle: Mapping[str, Any], client: Client, *, bodies: bool) -> Reply:
        """Answer a `batch` entry by entry, or a `transaction` as a whole.

        A transaction in which one entry cannot be done is refused with the status and the path of
        that entry, and nothing of it is kept. `bodies`: give the resources back.
        """
        if bundle.get("resourceType") != "Bundle":
            issue = Issue("resourceType", "must be Bundle; a Condition goes to /fhir/Condition")
            return refusal(400, "structure", (issue,))
        read = read_entries(bundle)
        if isinstance(read, Fault):
            return refusal(read.status, read.code, read.issues)
        kind, entries = read
        if kind == "batch":
            work = _Work.of(entries, client)
            replies = work.replies(self._receive(work, client, together=False), self._single)
            return Reply(200, response_bundle(kind, replies, bodies=bodies))
        fault = next((entry for entry in entries if isinstance(entry, Fault)), _twice(entries))
        if fault is not None:
            return refusal(fault.status, fault.code, fault.issues)
        work = _Work.of(entries, client)
        try:
            received = self._receive(work, client, together=True)
        except NotTakenError as error:
            self._forget_restricted(work, error.received, client)
            replies = work.replies(error.received, self._single)
            return next(reply for reply in replies if reply.failed)
        return Reply(
            200, response_bundle(kind, work.replies(received, self._single), bodies=bodies)
        )

    def _receive(self, work: "_Work", client: Client, *, together: bool) -> Received:
        return OutcomeService(self._context).receive(
            work.conditions,
            client=client.name,
            channel="fhir-bundle",
            actor=f"client:{client.name}",
            allow_restricted=client.settings.allow_restricted,
            withdrawn=work.withdrawn,
            merges=work.merges,
            all_or_nothing=together,
        )

    def _forget_restricted(self, work: "_Work", received: Received, client: Client) -> None:
        """A Condition that has become restricted is erased (C21), also where the transaction that
        told of it is refused."""
        restricted = [
            condition
            for condition, taken in zip(work.conditions, received.taken, strict=True)
            if taken.result == "restricted"
        ]
        if restricted:
            OutcomeService(self._context).receive(
                restricted,
                client=client.name,
                channel="fhir-bundle",
                actor=f"client:{client.name}",
            )


class _Work:
    """What the entries of one Bundle ask for, in the order in which it is done."""

    def __init__(self, entries: Sequence[Request | Fault]) -> None:
        self.entries = entries
        self.conditions: list[Incoming] = []
        self.withdrawn: list[Withdrawal] = []
        self.merges: list[Merge] = []

    @classmethod
    def of(cls, entries: Sequence[Request | Fault], client: Client) -> "_Work":
        work = cls(entries)
        requests = [entry for entry in entries if isinstance(entry, Request)]
        names = resolve_within(requests)
        homes = {
            request.id: ended_at_home(request.resource)
            for request in requests
            if request.type_name == "Encounter" and request.id and request.resource is not None
        }
        for request in requests:
            if request.type_name == "Patient" and request.resource is not None:
                work.merges += merges_of(request.resource, client.base)
            elif request.type_name != "Condition":
                continue
            elif request.resource is None:
                work.withdrawn.append(
                    Withdrawal(client.base, request.id or "", request.expected_version)
                )
            else:
                work.conditions.append(
                    incoming(
                        with_references(request.resource, names),
                        client,
                        full_url=request.full_url,
                        homes=homes,
                        expected_version=request.expected_version,
                    )
                )
        return work

    def replies(self, received: Received, single: ConditionIntake) -> list[Reply]:
        """The answer to each entry, in the order of the Bundle."""
        taken, removed = (
            iter(zip(self.conditions, received.taken, strict=True)),
            iter(received.removed),
        )
        replies = []
        for entry in self.entries:
            path = f"Bundle.entry[{entry.index}]"
            if isinstance(entry, Fault):
                replies.append(refusal(entry.status, entry.code, entry.issues))
            elif entry.type_name != "Condition":
                replies.append(read_only(f"{path}.resource"))
            elif entry.resource is None:
                replies.append(single.deleted(next(removed), path))
            else:
                condition, one = next(taken)
                replies.append(single.reply(condition.resource, one, f"{path}.resource"))
        return replies


def _twice(entries: Sequence[Request | Fault]) -> Fault | None:
    """FHIR R4: in a transaction no resource may be meant by two entries."""
    seen: set[tuple[str, str]] = set()
    for entry in entries:
        if isinstance(entry, Fault) or entry.id is None:
            continue
        if (entry.type_name, entry.id) in seen:
            issue = Issue(
                f"Bundle.entry[{entry.index}]", "means the same resource as an entry before it"
            )
            return Fault(entry.index, 400, "duplicate", (issue,))
        seen.add((entry.type_name, entry.id))
    return None
