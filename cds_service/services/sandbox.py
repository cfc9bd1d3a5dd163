"""The sandbox plays the health record: it opens charts, answers cards and sends diagnoses back.

It is a client like any other and knows of the service what the wire tells; only what became of a
diagnosis is looked up, because CDS Hooks has no way to ask. Visits are kept in this process alone.
"""

import threading
from collections import OrderedDict
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Final
from uuid import uuid4

from cds_service.context import ProcessContext
from cds_service.services.sandbox_charts import Ids, patient_view, problem_created
from cds_service.services.sandbox_patients import Problem, Quantity, Reading, SandboxPatient
from cds_service.services.sandbox_wire import Exchange, call
from cds_service.storage.assessment_store import AssessmentStore
from cds_service.storage.condition_store import OutcomeStore
from cds_service.storage.session import reading
from hooks import disease_severity, record_problem
from hooks.wording import Language

MOST_VISITS: Final = 200
"""Kept at a time; the oldest goes first."""
SERVICES: Final = "/cds-services"


@dataclass(frozen=True, slots=True)
class Visit:
    """A chart that was opened, and what was said since."""

    id: str
    patient: SandboxPatient
    readings: Mapping[Quantity, Reading]
    ids: Ids = field(repr=False)
    language: Language
    """In which the cards were asked for."""
    hook_instance: str
    opened: Exchange
    later: tuple[Exchange, ...] = ()
    """Feedback and diagnoses, oldest first."""
    draft: Mapping[str, Any] | None = None
    """The Condition of the suggestion that was accepted."""

    @property
    def cards(self) -> list[dict[str, Any]]:
        """The cards of the answer."""
        answer = self.opened.answer
        cards = answer.get("cards") if isinstance(answer, dict) else None
        return [one for one in cards if isinstance(one, dict)] if isinstance(cards, list) else []


@dataclass(frozen=True, slots=True)
class Became:
    """What became of an assessment (C16)."""

    scored: bool
    """Whether it named a category that an outcome could be held against."""
    category: str | None
    """The outcome; `None` if there is none yet."""
    reason: str | None
    """Why there is none."""
    predicted: str | None
    prompted: bool
    """It rests on a diagnosis that the card prompted (C18)."""


class SandboxService:
    """Visits of the sandbox; one for a process."""

    def __init__(self, context: ProcessContext) -> None:
        self._context = context
        self._visits: OrderedDict[str, Visit] = OrderedDict()
        self._lock = threading.Lock()

    def discovery(self, base: str, language: Language) -> Exchange:
        """What is on offer at `base`, the address of this service."""
        return call(base, SERVICES, name="discovery", language=language)

    def open(
        self,
        base: str,
        patient: SandboxPatient,
        readings: Mapping[Quantity, Reading],
        language: Language,
    ) -> Visit:
        """Open the chart of `patient` as it stands now: the hook is called."""
        ids = Ids.new()
        request = patient_view(patient, readings, ids, self._context.clock())
        path = f"{SERVICES}/{disease_severity.SERVICE_ID}"
        visit = Visit(
            id=uuid4().hex,
            patient=patient,
            readings=dict(readings),
            ids=ids,
            language=language,
            hook_instance=request["hookInstance"],
            opened=call(base, path, name="open", language=language, content=request),
        )
        with self._lock:
            self._visits[visit.id] = visit
            while len(self._visits) > MOST_VISITS:
                self._visits.popitem(last=False)
        return visit

    def visit(self, identifier: str) -> Visit | None:
        """A visit that is still known."""
        with self._lock:
            return self._visits.get(identifier)

    def accept(self, base: str, visit: Visit, number: int) -> None:
        """Take the suggestion of card `number` (0 is the first): the draft is opened, and the
        service is told. Without such a suggestion nothing is done."""
        card = visit.cards[number] if number < len(visit.cards) else {}
        suggestions = card.get("suggestions") or []
        if not suggestions:
            return
        suggestion = suggestions[0]
        sent = self._feedback(
            base,
            visit,
            "accepted",
            {"card": card.get("uuid"), "acceptedSuggestions": [{"id": suggestion.get("uuid")}]},
        )
        draft = suggestion.get("actions", [{}])[0].get("resource")
        self._add(visit.id, sent, draft=draft if isinstance(draft, dict) else None)

    def override(
        self, base: str, visit: Visit, number: int, reason: int | None, comment: str
    ) -> None:
        """Dismiss card `number` with its reason `reason`, with a comment, or just so."""
        if number >= len(visit.cards):
            return
        card = visit.cards[number]
        reasons = card.get("overrideReasons") or []
        why: dict[str, Any] = {}
        if reason is not None and reason < len(reasons):
            why["reason"] = reasons[reason]
        if comment:
            why["userComment"] = comment
        entry = {"card": card.get("uuid")} | ({"overrideReason": why} if why else {})
        self._add(visit.id, self._feedback(base, visit, "overridden", entry))

    def diagnose(self, base: str, visit: Visit, problem: Problem) -> None:
        """Put a diagnosis on the problem list: the hook is called. What was accepted before is
        the draft that it completes."""
        now = self._context.clock()
        request = problem_created(problem, visit.ids, now, draft=visit.draft)
        path = f"{SERVICES}/{record_problem.SERVICE_ID}"
        sent = call(base, path, name="diagnosis", language=visit.language, content=request)
        self._add(visit.id, sent)

    def became(self, visit: Visit) -> Became | None:
        """What became of the assessment of this visit; `None` if it is not stored."""
        with reading(self._context.engine) as connection:
            store = AssessmentStore(connection)
            client = self._context.directory.development.name
            identifier = store.identifier(client, disease_severity.SERVICE_ID, visit.hook_instance)
            row = None if identifier is None else store.get(identifier, client)
            if row is None:
                return None
            label_version = self._context.terminology.label_version
            current = [
                outcome
                for outcome in OutcomeStore(connection).history(row["id"])
                if outcome["superseded_at"] is None and outcome["label_version"] == label_version
            ]
        outcome = current[-1] if current else None
        return Became(
            scored=row["situation"] == disease_severity.Situation.SCORED.value,
            category=None if outcome is None else outcome["category"],
            reason=None if outcome is None else outcome["reason"],
            predicted=row["category"],
            prompted=outcome is not None and outcome["prompted"],
        )

    def _feedback(
        self, base: str, visit: Visit, outcome: str, entry: Mapping[str, Any]
    ) -> Exchange:
        at = self._context.clock().isoformat(timespec="milliseconds")
        content = {"feedback": [{"outcome": outcome, "outcomeTimestamp": at} | dict(entry)]}
        path = f"{SERVICES}/{disease_severity.SERVICE_ID}/feedback"
        return call(base, path, name=outcome, language=visit.language, content=content)

    def _add(
        self, identifier: str, exchange: Exchange, draft: Mapping[str, Any] | None = None
    ) -> None:
        with self._lock:
            visit = self._visits.get(identifier)
            if visit is None:
                return
            # The last word counts: an overridden card has no accepted draft any more.
            kept = draft if exchange.name in ("accepted", "overridden") else visit.draft
            self._visits[identifier] = replace(visit, later=(*visit.later, exchange), draft=kept)
