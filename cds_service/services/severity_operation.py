"""Resources are posted, a RiskAssessment answers: `$assess-severity`, without CDS Hooks.

The same path as `patient-view`: only the body is read, and the answer written, in another way.
"""

import re
from hashlib import sha256
from uuid import NAMESPACE_URL, uuid4, uuid5

from cds_service.context import ProcessContext
from cds_service.errors import ConflictError
from cds_service.security.clients import Client, held_back
from cds_service.services.assessing import AssessingService
from cds_service.services.records import Answer, Call
from cds_service.services.risk_assessments import SOFTWARE_VERSION, sendable
from fhir_mapping.parameters import Posted, read_posted
from fhir_mapping.readings import Extraction
from hooks.cards import CardDecision, choose_indicator
from hooks.contexts import PatientViewContext
from hooks.disease_severity import Situation, exclusion_reason
from hooks.findings import find
from hooks.protocol import encode
from hooks.risk_assessment import OPERATION, Told, not_assessed, risk_assessment
from hooks.wording import Language, Wording
from model.assessment import Assessment
from model.scorer import Scorer

_NOBODY = ""
"""A device or a gateway: no user is known."""
_UUID = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}")


class SeverityOperationService:
    """Assesses the patient of a Bundle or of Parameters."""

    def __init__(self, context: ProcessContext) -> None:
        self._context = context

    def assess(
        self,
        body: bytes,
        client: Client,
        *,
        idempotency_key: str | None = None,
        request_id: str | None = None,
        language: Language | None = None,
    ) -> bytes:
        """The RiskAssessment, or an OperationOutcome for a patient who is not assessed (C2).

        The same `idempotency_key` (any text), or else the same `request_id` (if it is a UUID; what
        a proxy makes up is none), with the same body gets the same answer (C12). Raises
        `PostedError` (400), `UnprocessableError` (422), `ConflictError` for the same key with
        another body, and `NotReadyError` without a model.
        """
        servers = client.settings.fhir_servers
        home = servers[0] if servers else None
        posted = read_posted(body, fhir_server=home)
        assessing = AssessingService(self._context)
        call = assessing.call(
            client,
            service=OPERATION,
            instance=_instance(idempotency_key, request_id),
            context=PatientViewContext(_NOBODY, posted.patient_id, posted.encounter_id),
            fhir_server=home,
            request_hash=sha256(body).hexdigest(),
            language=language,
        )

        def speak(
            call: Call,
            extraction: Extraction,
            assessment: Assessment | None,
            scorer: Scorer,
            situation: Situation,
        ) -> Answer:
            return self._answer(call, posted, extraction, assessment, scorer, situation)

        try:
            return assessing.assess(call, posted.resources, speak).response
        except ConflictError:
            raise ConflictError(
                "This `Idempotency-Key` or `X-Request-ID` came before with another body."
            ) from None

    def _answer(
        self,
        call: Call,
        posted: Posted,
        extraction: Extraction,
        assessment: Assessment | None,
        scorer: Scorer,
        situation: Situation,
    ) -> Answer:
        wording = Wording(call.language)
        if situation is Situation.EXCLUDED:
            reason = exclusion_reason(extraction, call.context.user_id)
            decision = CardDecision([], None, reason, situation, None)
            return Answer(extraction, assessment, decision, encode(not_assessed(wording)))
        findings = find(extraction, assessment, scorer.facts, situation)
        paused = self._context.directory.paused
        held = held_back(call.client, scorer.facts, paused=paused)
        told = Told(
            id=call.id,
            at=call.prediction_time,
            subject=posted.subject,
            encounter_id=posted.encounter_id,
            findings=findings,
            model_kind=scorer.artefact.estimator.kind,
            sandbox=call.client.policy.sandbox,
            places=posted.places,
        )
        resource = risk_assessment(
            told,
            wording,
            public_url=self._context.settings.base_url,
            software_version=SOFTWARE_VERSION,
            held_back=held,
        )
        decision = CardDecision(
            [],
            choose_indicator(findings, call.client.policy),
            held,
            situation,
            findings.category,
            dangerous=bool(findings.red),
        )
        return Answer(extraction, assessment, decision, encode(sendable(resource)))


def _instance(idempotency_key: str | None, request_id: str | None) -> str:
    """What a repeated call has in common with the first, as a UUID."""
    if idempotency_key:
        # Two clients never share an instance, so a name space of its own is enough.
        return str(uuid5(NAMESPACE_URL, f"idempotency-key:{idempotency_key}"))
    if request_id and _UUID.fullmatch(request_id.lower()):
        return request_id.lower()
    return str(uuid4())
