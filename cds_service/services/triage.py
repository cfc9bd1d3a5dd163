"""Triage without a health record: a form instead of a chart, and the same way through the house."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from hashlib import sha256
from typing import Any, Final
from uuid import NAMESPACE_URL, uuid5

from cds_service.context import ProcessContext
from cds_service.errors import NotFoundError
from cds_service.security.case_numbers import new_case_number
from cds_service.security.clients import TRIAGE_BASE
from cds_service.security.people import Person
from cds_service.services.assessing import AssessingService
from cds_service.services.feedback import FeedbackService
from cds_service.services.reviewing import Answer, ReviewingService
from cds_service.services.risk_assessments import (
    held_of,
    identifiers_of,
    model_of,
    stored_findings,
)
from cds_service.storage.assessment_store import AssessmentStore
from cds_service.storage.audit_store import AuditStore
from cds_service.storage.consent_store import ConsentStore
from cds_service.storage.review_store import ReviewStore, standing
from cds_service.storage.session import reading
from fhir_mapping.entered import Entered, entered_resources
from fhir_mapping.patient import age_at
from hooks.contexts import PatientViewContext
from hooks.disease_severity import SERVICE_ID
from hooks.findings import Findings
from hooks.protocol import encode
from hooks.wording import Language

POLICY: Final = "triage"
LONGEST_COMMENT: Final = 2_000
_AGE_APART: Final = 2
"""Years: an age in whole years and one from a birth date are less apart."""


@dataclass(frozen=True, slots=True)
class Confirmed:
    """What a case turned out to be."""

    category: str | None
    """`None`: somebody looked, and could not tell."""
    at: datetime
    by: str


@dataclass(frozen=True, slots=True)
class Case:
    """One assessment of a case, read back."""

    id: str
    number: str
    """The local case number."""
    at: datetime
    findings: Findings
    held: str | None
    """Why nothing that the model says is shown (C13)."""
    sandbox: bool
    card: str | None
    """Id of what was shown, for feedback on it."""
    model_version: str
    others: Sequence[Mapping[str, Any]]
    """`id` and `prediction_time` of the other assessments of the case, the newest first."""
    confirmed: Confirmed | None


class TriageService:
    """Assesses what people enter, finds it again, and takes what they say of it."""

    def __init__(self, context: ProcessContext) -> None:
        self._context = context

    # The data-use policy

    def agreed_at(self, person: Person, version: str) -> datetime | None:
        """When this person agreed to this version of the policy."""
        with reading(self._context.engine) as connection:
            return ConsentStore(connection).given_at(person.actor, version)

    def agree(self, person: Person, version: str) -> None:
        """Keep that this person agreed; audited once."""
        at = self._context.clock()
        with self._context.engine.begin() as connection:
            if ConsentStore(connection).add(person.actor, version, at):
                AuditStore(connection).add(
                    at=at,
                    actor=person.actor,
                    action="agree",
                    object_type="policy",
                    object_id=POLICY,
                    detail={"version": version},
                )

    # Assessing

    def new_number(self) -> str:
        """A case number that no case has."""
        while True:
            number = new_case_number()
            if not self._rows(number):
                return number

    def is_another_person(self, number: str, entered: Entered) -> bool:
        """Whether what was entered cannot be of the person a case is of so far (C3): another sex,
        or an age more than a year away."""
        rows, client = self._rows(number), self._context.directory.triage
        if not rows:
            return False
        with reading(self._context.engine) as connection:
            row = AssessmentStore(connection).get(rows[0]["id"], client.name)
        features: Mapping[str, Any] = (None if row is None else row["features"]) or {}
        sexes = {features.get("sex"), entered.sex} - {None, "unknown"}
        age, before = self._age(entered), features.get("age")
        is_older = age is not None and before is not None and abs(age - before) >= _AGE_APART
        return len(sexes) > 1 or is_older

    def _age(self, entered: Entered) -> float | None:
        if entered.birth_date is None:
            return entered.age
        today = self._context.clock().astimezone(UTC).date()
        return age_at(min(entered.birth_date, today), today)

    def assess(
        self, entered: Entered, *, number: str, sent: str, person: Person, language: Language
    ) -> str:
        """Assess what was entered of a case; the id of the assessment.

        The readings are of now. `sent` is of the form that was sent: the same values of the same
        form are one assessment, however often they come. Raises `NotReadyError`.
        """
        client = self._context.directory.triage
        content = sha256(encode([number, entered])).hexdigest()
        instance = str(uuid5(NAMESPACE_URL, f"triage:{person.actor}:{sent}:{content}"))
        assessing = AssessingService(self._context)
        call = assessing.call(
            client,
            service=SERVICE_ID,
            instance=instance,
            context=PatientViewContext(person.fhir_user or person.actor, number, number),
            fhir_server=None,
            request_hash=content,
            language=language,
            actor=person.actor,
        )
        resources = entered_resources(entered, patient_id=number, at=call.prediction_time)
        assessing.assess(call, resources)
        with reading(self._context.engine) as connection:
            found = AssessmentStore(connection).identifier(client.name, SERVICE_ID, instance)
        if found is None:
            raise RuntimeError("an assessment that was stored is not there")
        return found

    # Finding again

    def find(self, number: str, person: Person) -> str:
        """Id of the newest assessment of a case, by its number; audited. Raises `NotFoundError`."""
        rows = self._rows(number)
        with self._context.engine.begin() as connection:
            AuditStore(connection).add(
                at=self._context.clock(),
                actor=person.actor,
                action="find",
                object_type="assessment",
                object_id=rows[0]["id"] if rows else "none",
            )
        if not rows:
            raise NotFoundError("There is no such case.")
        return str(rows[0]["id"])

    def case(self, identifier: str, person: Person) -> Case:
        """One assessment of a case; the reading is audited. Raises `NotFoundError`."""
        client = self._context.directory.triage
        with reading(self._context.engine) as connection:
            row = AssessmentStore(connection).get(identifier, client.name)
            card = None if row is None else AssessmentStore(connection).card_of(identifier)
        identifiers = None if row is None else identifiers_of(self._context, row)
        if row is None or identifiers is None or row["features"] is None:
            raise NotFoundError("There is no such case.")
        number = str(identifiers["patient"])
        rows = self._rows(number)
        held = held_of(self._context, row, client)
        _, facts = model_of(self._context, row)
        with self._context.engine.begin() as connection:
            answers = ReviewStore(connection).answers([identifier])
            AuditStore(connection).add(
                at=self._context.clock(),
                actor=person.actor,
                action="read",
                object_type="assessment",
                object_id=identifier,
            )
        return Case(
            id=identifier,
            number=number,
            at=row["prediction_time"],
            findings=stored_findings(row, identifiers, facts),
            held=held,
            sandbox=client.policy.sandbox,
            card=None if held is not None else card,
            model_version=row["model_version"],
            others=[one for one in rows if one["id"] != identifier],
            confirmed=_confirmed(answers, identifier),
        )

    # What people say of it

    def was_wrong(
        self, case: Case, *, reason: Mapping[str, str] | None, comment: str, person: Person
    ) -> None:
        """Keep "this was wrong" as what it is: feedback that overrides a card. `reason` is a Coding
        of `hooks.suggestions.override_reasons`. Raises `NotFoundError` where nothing was shown."""
        if case.card is None:
            raise NotFoundError("Nothing was shown that could have been wrong.")
        said: dict[str, Any] = {}
        if reason is not None:
            said["reason"] = dict(reason)
        if comment.strip():
            said["userComment"] = comment.strip()[:LONGEST_COMMENT]
        entry: dict[str, Any] = {
            "card": case.card,
            "outcome": "overridden",
            "outcomeTimestamp": self._context.clock().isoformat(),
        }
        if said:
            entry["overrideReason"] = said
        FeedbackService(self._context).record(
            encode({"feedback": [entry]}),
            service=SERVICE_ID,
            client=self._context.directory.triage.name,
            actor=person.actor,
        )

    def confirm(self, case: Case, answer: Answer, person: Person) -> None:
        """Keep what the case turned out to be, for every assessment of it: its outcome (C16)."""
        ids = [case.id, *(str(one["id"]) for one in case.others)]
        ReviewingService(self._context).confirm(ids, answer, person.actor, at=self._context.clock())

    def _rows(self, number: str) -> list[dict[str, Any]]:
        client = self._context.directory.triage
        keys = self._context.secrecy.patient_keys(TRIAGE_BASE, number)
        with reading(self._context.engine) as connection:
            return AssessmentStore(connection).of_patient(client.name, keys)


def _confirmed(answers: Sequence[Mapping[str, Any]], identifier: str) -> Confirmed | None:
    answer = standing(answers).get(identifier)
    if answer is None:
        return None
    return Confirmed(answer["category"], answer["at"], answer["reviewer"])
