"""A problem list grows: the `record-problem` use case."""

from typing import Any

import msgspec

from cds_service.context import ProcessContext
from cds_service.security.clients import Client, patient_base
from cds_service.services.deliveries import Incoming
from cds_service.services.outcomes import OutcomeService
from fhir_mapping.elements import UNREADABLE
from fhir_mapping.references import PatientMatcher
from fhir_mapping.subjects import encounter_of
from hooks.contexts import parse_problem_list_item_create
from hooks.protocol import cards_response, encode, parse_request
from hooks.record_problem import HOOK, conditions_of


class ProblemService:
    """Takes the Conditions of a problem list as they are added."""

    def __init__(self, context: ProcessContext) -> None:
        self._context = context

    def record(self, body: bytes, client: Client) -> bytes:
        """The body of the answer: no cards. Raises `RequestError` for a malformed call.

        A Condition that cannot be used never fails the call: the EHR has saved it already. What
        was skipped, and why, stands in the audit trail.
        """
        request = parse_request(body, service_hook=HOOK)
        context = parse_problem_list_item_create(request.context)
        allowed = self._context.settings.allowed_fhir_servers
        base = patient_base(client, request.fhirServer, allowed)
        matcher = PatientMatcher(context.patient_id, request.fhirServer)
        incoming = []
        for raw in conditions_of(context):
            resource = _decoded(raw)
            is_patient = matcher.matches(_subject(resource))
            incoming.append(
                Incoming(
                    resource=resource,
                    base=base,
                    patient_id=context.patient_id if is_patient else None,
                    encounter_id=encounter_of(resource) or context.encounter_id,
                )
            )
        OutcomeService(self._context).receive(
            incoming,
            client=client.name,
            channel=HOOK,
            actor=f"client:{client.name}",
            allow_restricted=client.settings.allow_restricted,
        )
        return encode(cards_response([]))


def _decoded(raw: msgspec.Raw) -> dict[str, Any]:
    """The resource; what is no JSON object is an empty one, which no rule takes for a Condition."""
    try:
        resource = msgspec.json.decode(raw)
    except UNREADABLE:
        return {}
    return resource if isinstance(resource, dict) else {}


def _subject(resource: dict[str, Any]) -> str | None:
    subject = resource.get("subject")
    reference = subject.get("reference") if isinstance(subject, dict) else None
    return reference if isinstance(reference, str) else None
