"""An encounter ends: the `record-discharge` use case."""

from collections.abc import Mapping, Sequence
from time import monotonic

import msgspec

from cds_service.context import ProcessContext
from cds_service.logs import LOGGER
from cds_service.security.clients import Client
from cds_service.security.secrecy import normalise_base
from cds_service.services.conditions import ConditionIntake
from fhir_mapping.bundles import PrefetchState, read_contents
from fhir_mapping.client import FHIRSession
from fhir_mapping.errors import AccessFault, FHIRAccessError
from hooks import prefetch
from hooks.contexts import EncounterDischargeContext, parse_encounter_discharge
from hooks.protocol import CDSRequest, cards_response, encode, parse_request
from hooks.record_discharge import HOOK, PREFETCH

Values = Mapping[str, Sequence[msgspec.Raw]]


class DischargeService:
    """Takes the diagnoses of an encounter when it ends."""

    def __init__(self, context: ProcessContext) -> None:
        self._context = context

    def record(self, body: bytes, client: Client) -> bytes:
        """The body of the answer: no cards. Raises `RequestError` for a malformed call.

        What the prefetch does not bring is read from the request's FHIR server, if that is
        allowed. Diagnoses that can be had nowhere fail nothing: whoever discharges a patient can
        do nothing about it, and a later pull asks for them again. The audit trail counts them.
        """
        request = parse_request(body, service_hook=HOOK)
        context = parse_encounter_discharge(request.context)
        found = prefetch.recognise(
            request.prefetch, aliases=client.settings.prefetch_aliases, keys=PREFETCH
        )
        found = {**found, **self._read(request, context, client, found)}
        ConditionIntake(self._context).from_chart(
            found.get("conditions"),
            client=client,
            patient_id=context.patient_id,
            fhir_server=request.fhirServer,
            channel=HOOK,
            encounter_id=context.encounter_id,
            encounter=found.get("encounter"),
        )
        return encode(cards_response([]))

    def _read(
        self,
        request: CDSRequest,
        context: EncounterDischargeContext,
        client: Client,
        found: Values,
    ) -> dict[str, list[msgspec.Raw]]:
        """What is missing, from the FHIR server, with the request's own token (R19, R28)."""
        missing = [key for key in PREFETCH if _is_missing(found.get(key))]
        base = None if request.fhirServer is None else normalise_base(request.fhirServer)
        allowed = (*self._context.settings.allowed_fhir_servers, *client.settings.fhir_servers)
        if not missing or base is None or base not in map(normalise_base, allowed):
            return {}
        granted = request.fhirAuthorization
        seconds = self._context.settings.request_seconds
        if granted is not None:
            patient = (granted.patient or "").removeprefix("Patient/")
            if patient and patient != context.patient_id:
                return {}
            # A token is not used after it has expired (R29).
            seconds = min(seconds, seconds if granted.expires_in is None else granted.expires_in)
        token = None if granted is None else granted.access_token
        deadline = monotonic() + seconds
        read = {}
        with self._context.places.place(base) as free:
            for key in missing:
                try:
                    if not free:
                        raise FHIRAccessError(AccessFault.UNAVAILABLE, "too many calls wait for it")
                    session = self._context.fhir.session(base, token=token, deadline=deadline)
                    read[key] = _fetch(session, key, context)
                except FHIRAccessError as error:
                    LOGGER.warning(
                        "FHIR server not read",
                        extra={
                            "client": client.name,
                            "key": key,
                            "why": error.kind.value,
                            "detail": error.detail,
                        },
                    )
        return read


def _fetch(session: FHIRSession, key: str, context: EncounterDischargeContext) -> list[msgspec.Raw]:
    if key == "encounter":
        return [msgspec.Raw(session.read("Encounter", context.encounter_id))]
    parameters = [("patient", context.patient_id), ("category", "encounter-diagnosis")]
    return [msgspec.Raw(page) for page in session.search("Condition", parameters).bundles]


def _is_missing(values: Sequence[msgspec.Raw] | None) -> bool:
    """Whether it did not come, or a page or a part of it did not."""
    contents = read_contents(values)
    return contents.state in prefetch.UNUSABLE or (
        contents.state is PrefetchState.BUNDLE and contents.cut_short
    )
