"""Conditions that come as a FHIR server takes them, and those that come with a chart."""

from collections.abc import Mapping, Sequence
from typing import Any

import msgspec

from cds_service.context import ProcessContext
from cds_service.security.clients import Client, patient_base
from cds_service.security.secrecy import normalise_base
from cds_service.services.deliveries import (
    STORED,
    Incoming,
    NotTakenError,
    Received,
    Taken,
    Withdrawal,
)
from cds_service.services.outcomes import OutcomeService
from fhir_mapping.bundles import read_contents
from fhir_mapping.elements import UNREADABLE
from fhir_mapping.encounters import ended_at_home
from fhir_mapping.patient_links import merges_of
from fhir_mapping.references import PatientMatcher
from fhir_mapping.replies import Reply, operation_outcome, refusal
from fhir_mapping.resources import Issue
from fhir_mapping.subjects import encounter_of, subject_of
from fhir_mapping.transactions import Fault, check_resource

Raw = bytes | msgspec.Raw

_REFUSED: Mapping[str, tuple[int, str, str, str]] = {
    "wrong_patient": (
        422,
        "business-rule",
        "Condition.subject",
        "must be a literal reference to a Patient of a FHIR server of this client",
    ),
    "restricted": (
        422,
        "suppressed",
        "Condition.meta.security",
        "marks it restricted, which this client may not send: nothing of it is kept",
    ),
    "outdated": (
        409,
        "conflict",
        "Condition.meta.lastUpdated",
        "is older than that of the version that stands; nothing was changed",
    ),
    "version_conflict": (412, "conflict", "", "If-Match names another version than stands now"),
}
"""Why a valid Condition is not taken → status, FHIR issue type, element and words."""


class ConditionIntake:
    """Takes Conditions, one by one or with a chart."""

    def __init__(self, context: ProcessContext) -> None:
        self._context = context

    def write(
        self,
        resource: Mapping[str, Any],
        client: Client,
        *,
        url_id: str | None = None,
        expected_version: int | None = None,
    ) -> Reply:
        """`POST /fhir/Condition`, or with `url_id` `PUT /fhir/Condition/{id}`.

        201 for one that is new, 200 for one that was there, corrected by this or not. 400, 409,
        412 and 422 with an OperationOutcome that names elements, never values. An id in what is
        posted is kept: the same Condition again changes nothing.
        """
        checked = check_resource("Condition", resource, url_id)
        if isinstance(checked, Fault):
            return refusal(checked.status, checked.code, checked.issues)
        condition, _ = checked
        received = OutcomeService(self._context).receive(
            [incoming(condition, client, expected_version=expected_version)],
            client=client.name,
            channel="fhir-create",
            actor=f"client:{client.name}",
            allow_restricted=client.settings.allow_restricted,
        )
        return self.reply(condition, received.taken[0])

    def delete(
        self, condition_id: str, client: Client, *, expected_version: int | None = None
    ) -> Reply:
        """`DELETE /fhir/Condition/{id}`: as if it had been entered in error; 204 whether or not
        it was there, 412 where `If-Match` names another version."""
        try:
            received = OutcomeService(self._context).receive(
                [],
                client=client.name,
                channel="fhir-create",
                actor=f"client:{client.name}",
                withdrawn=[Withdrawal(client.base, condition_id, expected_version)],
                all_or_nothing=True,
            )
        except NotTakenError as error:
            received = error.received
        return self.deleted(received.removed[0])

    def patient(
        self, resource: Mapping[str, Any], client: Client, *, url_id: str | None = None
    ) -> Reply:
        """A Patient: read for its links (`replaced-by`, `replaces`) and not kept."""
        checked = check_resource("Patient", resource, url_id)
        if isinstance(checked, Fault):
            return refusal(checked.status, checked.code, checked.issues)
        merges = merges_of(checked[0], client.base)
        received = OutcomeService(self._context).receive(
            [],
            client=client.name,
            channel="fhir-create",
            actor=f"client:{client.name}",
            merges=merges,
        )
        return read_only("Patient", received.merged)

    def from_chart(
        self,
        conditions: Raw | Sequence[Raw] | None,
        *,
        client: Client,
        patient_id: str,
        fhir_server: str | None,
        channel: str,
        encounter_id: str | None = None,
        encounter: Raw | Sequence[Raw] | None = None,
    ) -> Received:
        """The Conditions of a prefetch value or of a search, as outcomes and as context.

        Those of other patients are skipped (C3). `encounter` is the Encounter of `encounter_id`:
        it tells whether it ended at home. What is no Condition and cannot be read is skipped,
        because the caller has its answer already.
        """
        allowed = self._context.settings.allowed_fhir_servers
        base = patient_base(client, fhir_server, allowed)
        matcher = PatientMatcher(patient_id, fhir_server)
        home = _ended_at_home(encounter, encounter_id)
        found = []
        for entry in read_contents(conditions).entries:
            resource = _decoded(entry.raw)
            if entry.outcome or resource.get("resourceType") == "OperationOutcome":
                continue
            own = encounter_of(resource)
            subject = resource.get("subject")
            reference = subject.get("reference") if isinstance(subject, dict) else None
            mine = isinstance(reference, str) and matcher.matches(reference)
            found.append(
                Incoming(
                    resource=resource,
                    base=base,
                    patient_id=patient_id if mine else None,
                    encounter_id=own,
                    ended_at_home=home if own is not None and own == encounter_id else None,
                )
            )
        service = OutcomeService(self._context)
        news = service.news(found)
        if found and not news:
            return Received(unchanged=len(found))
        received = service.receive(
            news,
            client=client.name,
            channel=channel,
            actor=f"client:{client.name}",
            allow_restricted=client.settings.allow_restricted,
        )
        received.unchanged += len(found) - len(news)
        return received

    def reply(self, condition: Mapping[str, Any], taken: Taken, path: str = "") -> Reply:
        """The answer to one valid Condition; `path` is that of its entry in a Bundle."""
        if not taken.accepted:
            status, code, element, words = _REFUSED[taken.result]
            if path:
                element = f"{path}{element.removeprefix('Condition')}"
            return refusal(status, code, (Issue(element, words),))
        meta = {
            **(condition.get("meta") or {}),
            "versionId": str(taken.version),
            "lastUpdated": self._context.clock().isoformat(timespec="milliseconds"),
        }
        return Reply(
            status=201 if taken.result == STORED and taken.version == 1 else 200,
            body={**condition, "id": taken.id, "meta": meta},
            location=f"{self._context.settings.base_url}/fhir/Condition/{taken.id}"
            f"/_history/{taken.version}",
            etag=f'W/"{taken.version}"',
            outcome=_said(taken),
        )

    @staticmethod
    def deleted(taken: Taken, path: str = "") -> Reply:
        """The answer to a deletion."""
        if not taken.accepted:
            status, code, _, words = _REFUSED[taken.result]
            return refusal(status, code, (Issue(path, words),))
        return Reply(204, etag=f'W/"{taken.version}"' if taken.version else None)


def read_only(type_name: str, merged: int = 0) -> Reply:
    """The answer to a resource that is read and not kept."""
    words = "is read and not kept"
    if merged:
        words += f"; patients merged by it: {merged}"
    outcome = operation_outcome("information", "informational", (Issue(type_name, words),))
    return Reply(200, outcome, outcome=outcome)


def incoming(
    condition: Mapping[str, Any],
    client: Client,
    *,
    full_url: str | None = None,
    homes: Mapping[str, bool | None] | None = None,
    expected_version: int | None = None,
) -> Incoming:
    """A Condition that a client sent, with the server and the patient it belongs to (C3).

    The server is that of an absolute subject, of `fullUrl` or of `meta.source`, as long as it is
    one of the client's own; else the client's first. A subject on somebody else's server is
    nobody here.
    """
    subject, encounter = subject_of(condition), encounter_of(condition)
    reference = condition.get("subject")
    text = reference.get("reference") if isinstance(reference, Mapping) else None
    known = subject is not None and not str(text).startswith("urn:")
    base = client.base
    if subject is not None and subject.base is not None:
        base = subject.base
        known = is_own_server(client, base)
    else:
        meta = condition.get("meta")
        source = meta.get("source") if isinstance(meta, Mapping) else None
        for place in (full_url, source):
            named = own_server_of(client, place)
            if named is not None:
                base = named
                break
    return Incoming(
        resource=condition,
        base=base,
        patient_id=subject.id if subject is not None and known else None,
        encounter_id=encounter,
        ended_at_home=None if encounter is None else (homes or {}).get(encounter),
        expected_version=expected_version,
    )


def is_own_server(client: Client, base: str) -> bool:
    """Whether a FHIR base URL is one of the client's; in development mode without any, all are."""
    servers = client.settings.fhir_servers
    if client.development and not servers:
        return True
    return normalise_base(base) in {normalise_base(one) for one in servers}


def own_server_of(client: Client, url: object) -> str | None:
    """The server of the client that `url` lies on."""
    if not isinstance(url, str):
        return None
    for server in client.settings.fhir_servers:
        plain = server.rstrip("/")
        if url == plain or url.startswith((f"{plain}/", f"{plain}#")):
            return server
    return None


def _said(taken: Taken) -> Mapping[str, Any]:
    """What became of a Condition, in words for who connects a record."""
    facts = taken.facts
    said = "was known already" if taken.result != STORED else "is stored"
    if facts is not None and not facts.counts:
        said += f"; no outcome: {facts.why_not}"
    elif facts is not None and facts.severity is None:
        said += f"; says nothing of severity: {facts.reason}"
    elif facts is not None and facts.severity is not None:
        said += f"; category {facts.severity.value}, by {facts.reason}"
    return operation_outcome("information", "informational", (Issue("Condition", said),))


def _ended_at_home(encounter: Raw | Sequence[Raw] | None, identifier: str | None) -> bool | None:
    for entry in read_contents(encounter).entries:
        resource = _decoded(entry.raw)
        if resource.get("resourceType") == "Encounter" and resource.get("id") == identifier:
            return ended_at_home(resource)
    return None


def _decoded(raw: Raw) -> dict[str, Any]:
    """The resource; what is no JSON object is an empty one, which no rule takes for a Condition."""
    try:
        resource = msgspec.json.decode(raw)
    except UNREADABLE:
        return {}
    return resource if isinstance(resource, dict) else {}
