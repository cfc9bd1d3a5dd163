"""A chart opens, a card answers: the `disease-severity` use case."""

from dataclasses import replace
from hashlib import sha256
from typing import Any
from uuid import uuid4

from cds_service.context import ProcessContext
from cds_service.errors import ConflictError, NotReadyError
from cds_service.logs import LOGGER
from cds_service.security.clients import Client
from cds_service.services.records import (
    Answer,
    Call,
    Resources,
    assessment_record,
    integration_extension,
)
from cds_service.services.rotation import move_to_newest_keys
from cds_service.storage.assessment_store import AssessmentStore
from cds_service.storage.audit_store import AuditStore
from cds_service.storage.condition_store import ConditionStore
from fhir_mapping.extract import extract
from fhir_mapping.readings import Extraction
from hooks.cards import build_cards
from hooks.contexts import PatientViewContext, parse_patient_view
from hooks.disease_severity import HOOK, SERVICE_ID, Situation, decide_situation, require_prefetch
from hooks.protocol import CDSRequest, cards_response, encode, parse_request
from hooks.wording import Language
from model.assessment import Assessment
from model.errors import ModelError
from model.scorer import Scorer


class AssessingService:
    """Assesses a patient and answers with cards. Every way in ends in `assess`."""

    def __init__(self, context: ProcessContext) -> None:
        self._context = context

    def patient_view(self, body: bytes, client: Client, language: Language | None = None) -> bytes:
        """The body that answers a `patient-view` call.

        `language` is what the caller would like to read, unless its client is set to another.
        Raises `HookError` (400, 412) for a request that cannot be answered, `ConflictError` for
        a `hookInstance` that came before with another body, `NotReadyError` without a model.
        """
        request = parse_request(body, service_hook=HOOK)
        context = parse_patient_view(request.context)
        require_prefetch(request.prefetch)
        call = self.call(
            client,
            service=SERVICE_ID,
            instance=request.hookInstance,
            context=context,
            fhir_server=request.fhirServer,
            request_hash=_hash(request),
            language=language,
        )
        return self.assess(call, request.prefetch or {}).response

    def call(
        self,
        client: Client,
        *,
        service: str,
        instance: str,
        context: PatientViewContext,
        fhir_server: str | None,
        request_hash: str,
        language: Language | None = None,
    ) -> Call:
        """Identify one request for an assessment, at the time of now."""
        secrecy = self._context.secrecy
        base = fhir_server or client.base
        return Call(
            id=str(uuid4()),
            client=client,
            service=service,
            instance=instance,
            context=context,
            fhir_server=fhir_server,
            base=base,
            patient_keys=secrecy.patient_keys(base, context.patient_id),
            encounter_keys=None
            if context.encounter_id is None
            else secrecy.encounter_keys(base, context.encounter_id),
            prediction_time=self._context.clock(),
            request_hash=request_hash,
            language=client.settings.language or language or self._context.settings.language,
        )

    def assess(self, call: Call, resources: Resources) -> Answer:
        """Assess the patient of `call` from its resources; stored before it is returned.

        A call that came before gets the `response` it got. Raises `ConflictError` and
        `NotReadyError`.
        """
        scorer = self._context.champion.scorer
        if scorer is None:
            raise NotReadyError("No model is loaded; see /health/ready.")
        extraction = extract(
            resources,
            patient_id=call.context.patient_id,
            fhir_server=call.fhir_server,
            prediction_time=call.prediction_time,
            lookback_hours=call.client.settings.lookback_hours
            or self._context.settings.lookback_hours,
        )
        return self._store(call, self._answer(call, extraction, scorer), scorer)

    def _answer(self, call: Call, extraction: Extraction, scorer: Scorer) -> Answer:
        """What is said of one chart. Nothing is stored yet."""
        situation = decide_situation(extraction, scorer.facts, call.context.user_id)
        assessment = None
        if situation is Situation.SCORED:
            assessment = _score(scorer, extraction, call.id)
            if assessment is None:
                situation = Situation.MODEL_FAILED
        decision = build_cards(
            extraction,
            assessment,
            scorer.facts,
            policy=call.client.policy,
            language=call.language,
            public_url=self._context.settings.base_url,
            card_uuid=str(uuid4()),
            suggestion_uuid=str(uuid4()),
            assessment_id=call.id,
            context=call.context,
            situation=situation,
        )
        return self._said(call, Answer(extraction, assessment, decision, b""))

    def _said(self, call: Call, answer: Answer) -> Answer:
        """The answer with its body."""
        response: dict[str, Any] = cards_response(answer.decision.cards)
        shown = answer.decision.kind is not Situation.EXCLUDED
        if self._context.settings.development and shown:
            response["extension"] = integration_extension(call.id, answer.extraction)
        return replace(answer, response=encode(response))

    def _store(self, call: Call, answer: Answer, scorer: Scorer) -> Answer:
        """Commit, then answer. The same call again gets the answer it got (C12).

        Pregnancy may be known from a Condition that came earlier (C1). That is asked in the
        transaction that stores, which spares every call a second one; where it is, the answer is
        made again.
        """
        with self._context.engine.connect() as connection:
            store = AssessmentStore(connection)
            with connection.begin() as transaction:
                if not answer.extraction.pregnant and ConditionStore(connection).pregnant(
                    call.patient_keys, call.prediction_time
                ):
                    pregnant = replace(answer.extraction, pregnant=True)
                    answer = self._answer(call, pregnant, scorer)
                if store.add(
                    *assessment_record(call, answer, scorer.facts.version, self._context.secrecy)
                ):
                    move_to_newest_keys(connection, call.patient_keys, call.encounter_keys)
                    AuditStore(connection).add(
                        at=call.prediction_time,
                        actor=f"client:{call.client.name}",
                        action="assess",
                        object_type="assessment",
                        object_id=call.id,
                        detail={"cards": len(answer.decision.cards)},
                    )
                    return answer
                transaction.rollback()
            earlier = store.answer(call.client.name, call.service, call.instance)
        if earlier is None or earlier.request_hash != call.request_hash:
            raise ConflictError(
                "This `hookInstance` came before with another body.", element="hookInstance"
            )
        return replace(answer, response=self._context.secrecy.decrypt(earlier.response))


def _score(scorer: Scorer, extraction: Extraction, assessment_id: str) -> Assessment | None:
    """The assessment, or `None` if the model fails for this patient: then the card says so."""
    try:
        return scorer.assess(extraction.row)
    except (ModelError, ValueError, ArithmeticError, MemoryError):
        LOGGER.exception("model failed", extra={"assessment": assessment_id})
        return None


def _hash(request: CDSRequest) -> str:
    """What makes a call the same call: not the access token, which a retry may renew."""
    digest = sha256()
    digest.update(bytes(request.context))
    digest.update((request.fhirServer or "").encode())
    for key in sorted(request.prefetch or {}):
        digest.update(b"\0" + key.encode() + b"\0")
        digest.update(bytes((request.prefetch or {})[key]))
    return digest.hexdigest()
