"""A chart opens, a card answers: the `disease-severity` use case."""

from collections.abc import Callable
from dataclasses import replace
from functools import partial
from hashlib import sha256
from time import monotonic
from typing import Any
from uuid import uuid4

from cds_service.context import ProcessContext
from cds_service.errors import ConflictError, NotReadyError
from cds_service.logs import LOGGER
from cds_service.security.clients import Client, held_back, patient_base
from cds_service.security.explanation_links import LAUNCH, new_link_token
from cds_service.services.charts import ChartReader
from cds_service.services.conditions import ConditionIntake
from cds_service.services.fatigue import silence_reason
from cds_service.services.merging import resolve_patient
from cds_service.services.records import (
    Answer,
    Call,
    Resources,
    advice_hash,
    assessment_record,
    integration_extension,
    withheld,
)
from cds_service.services.rotation import move_to_newest_keys
from cds_service.storage.assessment_store import AssessmentStore, StoredAnswer
from cds_service.storage.audit_store import AuditStore
from cds_service.storage.condition_store import ConditionStore
from cds_service.storage.session import reading
from fhir_mapping.extract import extract
from fhir_mapping.pre_existing import KnownBefore, known_before, stored_rare, with_stored
from fhir_mapping.readings import Extraction
from fhir_mapping.references import PatientMatcher
from hooks.cards import build_cards
from hooks.contexts import PatientViewContext, parse_patient_view
from hooks.disease_severity import HOOK, SERVICE_ID, Situation, decide_situation
from hooks.protocol import CDSRequest, cards_response, encode, parse_request
from hooks.wording import Language
from model.assessment import Assessment
from model.errors import ModelError
from model.scorer import Scorer

Speak = Callable[[Call, Extraction, Assessment | None, Scorer, Situation], Answer]
"""Puts what was found into the answer of one way in."""


class AssessingService:
    """Assesses a patient and answers with cards. Every way in ends in `assess`."""

    def __init__(self, context: ProcessContext) -> None:
        self._context = context

    def patient_view(
        self,
        body: bytes,
        client: Client,
        language: Language | None = None,
        *,
        later: Callable[[Callable[[], None]], None] | None = None,
        deadline: float | None = None,
    ) -> bytes:
        """The body that answers a `patient-view` call, by `deadline` (`time.monotonic`; by default
        `CDS_REQUEST_SECONDS` from now).

        Conditions that came with the chart are kept as outcomes: `later` is given what is to be
        done once the answer is out; without it that is done at once.
        `language` is what the caller would like to read, unless its client is set to another.
        Raises `HookError` (400, 412) for a request that cannot be answered, `ConflictError` for
        a `hookInstance` that came before with another body, `NotReadyError` without a model,
        `FHIRServerTimeoutError` and `FHIRServerUnavailableError` where required data had to be read
        from a FHIR server and was not.
        """
        if deadline is None:
            deadline = monotonic() + self._context.settings.request_seconds
        request = parse_request(body, service_hook=HOOK)
        context = parse_patient_view(request.context)
        reader = ChartReader(self._context)
        chart = reader.from_prefetch(request, client)
        self._scorer()
        call = self.call(
            client,
            service=SERVICE_ID,
            instance=request.hookInstance,
            context=context,
            fhir_server=request.fhirServer,
            request_hash=_hash(request),
            language=language,
        )
        if reader.needs_server(chart, request, context, client):
            # What was answered before is not read, nor a token used, a second time.
            earlier = self._earlier(call)
            if earlier is not None:
                return earlier
        resources = reader.complete(
            chart,
            request,
            context,
            client,
            prediction_time=call.prediction_time,
            deadline=deadline,
        )
        answer = self.assess(call, resources)
        if "conditions" in resources and answer.decision.kind is not Situation.EXCLUDED:
            (later or _at_once)(partial(self._keep_conditions, call, resources))
        return answer.response

    def _keep_conditions(self, call: Call, resources: Resources) -> None:
        """The caller has its answer: what fails here comes again when the chart is next opened."""
        try:
            ConditionIntake(self._context).from_chart(
                resources["conditions"],
                client=call.client,
                patient_id=call.context.patient_id,
                fhir_server=call.fhir_server,
                channel=HOOK,
                encounter_id=call.context.encounter_id,
                encounter=resources.get("encounter"),
            )
        except Exception:
            LOGGER.exception("conditions not kept", extra={"assessment": call.id})

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
        actor: str | None = None,
    ) -> Call:
        """Identify one request for an assessment, at the time of now. `actor` is who asks, where
        that is not the client itself."""
        secrecy = self._context.secrecy
        allowed = self._context.settings.allowed_fhir_servers
        base = patient_base(client, fhir_server, allowed)
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
            actor=actor or f"client:{client.name}",
        )

    def assess(self, call: Call, resources: Resources, speak: Speak | None = None) -> Answer:
        """Assess the patient of `call` from its resources; stored before it is returned.

        `speak` makes the answer, by default cards. A call that came before gets the `response` it
        got. Raises `ConflictError` and `NotReadyError`.
        """
        scorer = self._scorer()
        extraction = extract(
            resources,
            patient_id=call.context.patient_id,
            fhir_server=call.fhir_server,
            prediction_time=call.prediction_time,
            lookback_hours=call.client.settings.lookback_hours
            or self._context.settings.lookback_hours,
            extra_inputs=call.client.extra_inputs(scorer.facts),
            test_patient_tags=call.client.settings.test_patient_tags,
        )
        known = self._known_before(call, resources)
        extraction = replace(extraction, rare=known.rare, known_before=known.classes)
        speak = speak or self._cards
        answer = self._answer(call, extraction, scorer, speak)
        return self._store(call, answer, scorer, speak)

    def _scorer(self) -> Scorer:
        scorer = self._context.champion.scorer
        if scorer is None:
            raise NotReadyError("No model is loaded; see /health/ready.")
        return scorer

    def _answer(self, call: Call, extraction: Extraction, scorer: Scorer, speak: Speak) -> Answer:
        """What is said of one chart. Nothing is stored yet."""
        situation = decide_situation(extraction, scorer.facts, call.context.user_id)
        assessment = None
        if situation is Situation.SCORED:
            assessment = self._score(scorer, extraction, call.id)
            if assessment is None:
                situation = Situation.MODEL_FAILED
        return speak(call, extraction, assessment, scorer, situation)

    def _score(
        self, scorer: Scorer, extraction: Extraction, assessment_id: str
    ) -> Assessment | None:
        """The assessment, or `None` if the model fails for this patient: then the card says so."""
        try:
            found = scorer.assess(extraction.row)
        except (ModelError, ValueError, ArithmeticError, MemoryError):
            LOGGER.exception("model failed", extra={"assessment": assessment_id})
            return None
        if not found.rare_matches:
            return found
        name = self._context.terminology.rare_name
        named = (replace(one, name=one.name or name(one.code)) for one in found.rare_matches)
        return replace(found, rare_matches=tuple(named))

    def _cards(
        self,
        call: Call,
        extraction: Extraction,
        assessment: Assessment | None,
        scorer: Scorer,
        situation: Situation,
    ) -> Answer:
        """The answer of `patient-view`. Who gets no cards is assessed all the same (C13)."""
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
            **self._explanation_link(call),
        )
        held = held_back(call.client, scorer.facts, paused=self._context.directory.paused)
        if held is not None and situation is not Situation.EXCLUDED:
            decision = replace(decision, cards=[], suppressed_reason=held)
        return self._said(call, Answer(extraction, assessment, decision, b""))

    def _explanation_link(self, call: Call) -> dict[str, str]:
        """How the card leads to its explanation: by SMART launch where the client has it, else once
        and by address where people sign in with a provider, which may tell that they are who opened
        the chart; not where the client wants no such link."""
        settings, client = self._context.settings, call.client
        if client.is_page or not client.settings.explanation_link:
            return {}
        if client.settings.smart is not None:
            return {"launch_url": settings.base_url + LAUNCH}
        if settings.oidc_issuer is None:
            return {}
        token = new_link_token(self._context.secrecy, call.id, call.prediction_time)
        return {"explanation_url": f"{settings.base_url}/explanations/{token}"}

    def _known_before(self, call: Call, resources: Resources) -> KnownBefore:
        """What Conditions that came with the chart say was known before (C16)."""
        if "conditions" not in resources:
            return KnownBefore()
        return known_before(
            resources["conditions"],
            PatientMatcher(call.context.patient_id, call.fhir_server),
            self._context.terminology,
            call.prediction_time,
            self._context.zone,
        )

    def _said(self, call: Call, answer: Answer) -> Answer:
        """The answer with its body."""
        response: dict[str, Any] = cards_response(answer.decision.cards)
        shown = answer.decision.kind is not Situation.EXCLUDED
        if self._context.settings.development and shown:
            response["extension"] = integration_extension(call.id, answer.extraction)
        return replace(answer, response=encode(response))

    def _store(self, call: Call, answer: Answer, scorer: Scorer, speak: Speak) -> Answer:
        """Commit, then answer. The same call again gets the answer it got (C12).

        Pregnancy (C1) and rare diseases may be known from Conditions that came earlier, the patient
        may have been merged into another, and the same may have been said before (C12). That is
        asked in the transaction that stores, which spares every call a second one.
        """
        version, secrecy = scorer.facts.version, self._context.secrecy
        with self._context.engine.connect() as connection:
            store = AssessmentStore(connection)
            with connection.begin() as transaction:
                patient_keys = resolve_patient(connection, call.patient_keys)
                extraction = self._with_stored(
                    answer.extraction, ConditionStore(connection), patient_keys, call
                )
                if extraction != answer.extraction:
                    answer = self._answer(call, extraction, scorer, speak)
                said = replace(call, patient_keys=patient_keys)
                silent = silence_reason(
                    connection, said, answer, advice_hash(said, answer, version), secrecy
                )
                if silent is not None:
                    decision = replace(answer.decision, cards=[], suppressed_reason=silent)
                    answer = self._said(call, replace(answer, decision=decision))
                if store.add(*assessment_record(said, answer, version, secrecy)):
                    move_to_newest_keys(connection, call.patient_keys, call.encounter_keys)
                    AuditStore(connection).add(
                        at=call.prediction_time,
                        actor=call.actor,
                        action="assess",
                        object_type="assessment",
                        object_id=call.id,
                        detail={"cards": len(answer.decision.cards)},
                    )
                    return answer
                transaction.rollback()
        return replace(answer, response=self._same(call, self._stored(call)))

    def _with_stored(
        self, extraction: Extraction, store: ConditionStore, keys: list[str], call: Call
    ) -> Extraction:
        """What was found, and what Conditions that came earlier add to it."""
        stored = store.on_record(keys, call.prediction_time)
        return replace(
            extraction,
            pregnant=extraction.pregnant or stored.pregnant,
            rare=with_stored(extraction.rare, stored_rare(stored.rare), self._context.terminology),
        )

    def _earlier(self, call: Call) -> bytes | None:
        """What was answered to this call before. Raises `ConflictError`."""
        earlier = self._stored(call)
        return None if earlier is None else self._same(call, earlier)

    def _stored(self, call: Call) -> StoredAnswer | None:
        with reading(self._context.engine) as connection:
            store = AssessmentStore(connection)
            return store.answer(call.client.name, call.service, call.instance)

    def _same(self, call: Call, earlier: StoredAnswer | None) -> bytes:
        """The stored answer, if it was given to the same call; nothing of it while the client is
        told nothing, as after a fault (C13). Raises `ConflictError`."""
        if earlier is None or earlier.request_hash != call.request_hash:
            raise ConflictError(
                "This `hookInstance` came before with another body.", element="hookInstance"
            )
        try:
            response = self._context.secrecy.decrypt(earlier.response)
        except ValueError:
            raise ConflictError(
                "This `hookInstance` came before, and its answer can no longer be read.",
                element="hookInstance",
            ) from None
        paused = self._context.directory.paused
        held = held_back(call.client, self._scorer().facts, paused=paused)
        return response if held is None else withheld(response, held)


def _at_once(work: Callable[[], None]) -> None:
    work()


def _hash(request: CDSRequest) -> str:
    """What makes a call the same call: not the access token, which a retry may renew."""
    digest = sha256()
    digest.update(bytes(request.context))
    digest.update((request.fhirServer or "").encode())
    for key in sorted(request.prefetch or {}):
        digest.update(b"\0" + key.encode() + b"\0")
        digest.update(bytes((request.prefetch or {})[key]))
    return digest.hexdigest()
