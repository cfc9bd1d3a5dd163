"""One stored assessment, opened up for the people who are responsible for it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from hashlib import sha256
from typing import Any, Final

from cds_service.context import ProcessContext
from cds_service.errors import NotFoundError
from cds_service.logs import LOGGER
from cds_service.security.clients import TRIAGE, Client
from cds_service.security.explanation_links import read_link_token
from cds_service.security.people import Launch, Person
from cds_service.security.permissions import Permission, permissions
from cds_service.services.merging import resolve_patient
from cds_service.services.risk_assessments import (
    held_of,
    identifiers_of,
    model_of,
    scorer_of,
    stored_findings,
)
from cds_service.storage.assessment_store import AssessmentStore
from cds_service.storage.audit_store import AuditStore
from cds_service.storage.explanation_link_store import ExplanationLinkStore
from cds_service.storage.review_store import OPEN, ReviewStore
from cds_service.storage.session import reading
from hooks.build_up import BuildUp, build_up, log_odds
from hooks.findings import Findings, withheld
from model.assessment import Assessment
from model.early_warning import dangerous_readings
from model.errors import ModelError
from model.nearest_change import NearestChange, nearest_changes
from model.scorer import Scorer
from model.severity import Severity

MOST_ASSESSMENTS: Final = 50
"""Of a patient, whose readings are shown over time: the newest."""
_SAME: Final = 1e-3
"""Largest difference, in log-odds, between what was stored and what the model says again."""

_FAULTS: Final = (ModelError, ValueError, ArithmeticError)
"""Of a model that is asked."""


@dataclass(frozen=True, slots=True)
class Measured:
    """A reading of the patient that some assessment used."""

    feature: str
    value: float
    at: datetime
    here: bool
    """Used by this assessment."""


@dataclass(frozen=True, slots=True)
class Explanation:
    """What is told of one assessment."""

    id: str
    at: datetime
    client: Client
    findings: Findings
    held: str | None
    """Why nothing that the model says is shown (C13)."""
    unanswered: bool
    """The reviewer has not answered the case yet, so nothing of the prediction is shown (C18)."""
    model_version: str
    build_up: BuildUp | None
    """Of the category that is explained; `None` where none is."""
    rebuilt: bool
    """The start comes from the model itself; else it is what the stored reasons leave over."""
    measured: Sequence[Measured]
    """Readings of this patient over time, the oldest first."""
    assessments: int
    """How many assessments they come from."""
    changes: Sequence[NearestChange] | None
    """What would have to change for another category; `None` for whom it is not, and where the
    model cannot be asked any more or its category is not named."""


class ExplanationService:
    """Opens assessments; every opening is audited."""

    def __init__(self, context: ProcessContext) -> None:
        self._context = context

    def explanation(self, identifier: str, person: Person) -> Explanation:
        """One assessment; `NotFoundError` where there is none, or nothing was kept (C2)."""
        with reading(self._context.engine) as connection:
            row = AssessmentStore(connection).by_id(identifier)
        client = None if row is None else self._client(row["client"])
        identifiers = None if row is None else identifiers_of(self._context, row)
        if row is None or client is None or identifiers is None or row["features"] is None:
            raise NotFoundError("There is no such assessment.")
        if person.launch is not None and not self._is_of_patient(row, person.launch):
            self._refuse(identifier, person)
            raise NotFoundError("There is no such assessment.")
        measured, assessments = self._measured(row, identifiers)
        unanswered = self._is_unanswered(identifier, person)
        with self._context.engine.begin() as connection:
            AuditStore(connection).add(
                at=self._context.clock(),
                actor=person.actor,
                action="read",
                object_type="assessment",
                object_id=identifier,
                detail={"page": "explanation", "assessments": assessments},
            )
        held = held_of(self._context, row, client)
        _, facts = model_of(self._context, row)
        findings = stored_findings(row, identifiers, facts)
        shown = None
        is_rebuilt, changes = False, None
        if held is None and not unanswered and findings.assessment is not None:
            scorer = scorer_of(self._context, row)
            again = self._again(scorer, findings, identifier)
            shown = _build_up(findings, again)
            is_rebuilt = again is not None
            if person.may(Permission.WHAT_IF) and scorer is not None and again is not None:
                changes = self._changes(scorer, findings, identifier)
        return Explanation(
            id=identifier,
            at=row["prediction_time"],
            client=client,
            findings=findings,
            held=held,
            unanswered=unanswered,
            model_version=row["model_version"],
            build_up=shown,
            rebuilt=is_rebuilt,
            measured=measured,
            assessments=assessments,
            changes=changes,
        )

    def follow(self, token: str, person: Person) -> str:
        """The assessment that a card's link leads to: once, in its ten minutes, for the user whose
        card it was. Audited, also where it is refused. Raises `NotFoundError`.

        Where the provider does not say who somebody is in the health record, their permission
        decides alone.
        """
        at = self._context.clock()
        found = read_link_token(self._context.secrecy, token)
        if found is None:
            raise NotFoundError("This is no link of a card.")
        identifier, ends_at = found
        with reading(self._context.engine) as connection:
            row = AssessmentStore(connection).by_id(identifier)
        identifiers = None if row is None else identifiers_of(self._context, row)
        user = None if identifiers is None else identifiers["user"]
        refused = None
        if at > ends_at:
            refused = "too old"
        elif user is None:
            refused = "no assessment"
        elif person.fhir_user is not None and not _is_same_user(person.fhir_user, user):
            refused = "another user"
        with self._context.engine.begin() as connection:
            if refused is None:
                link = sha256(token.encode()).hexdigest()
                store = ExplanationLinkStore(connection)
                refused = None if store.use(link, at=at, ends_at=ends_at) else "used before"
            AuditStore(connection).add(
                at=at,
                actor=person.actor,
                action="refuse-link" if refused else "follow-link",
                object_type="assessment",
                object_id=identifier,
                detail={"reason": refused} if refused else {},
            )
        if refused is not None:
            raise NotFoundError("The link does not open anything.")
        return identifier

    def latest(self, launch: Launch) -> str | None:
        """The newest assessment that can be explained of a launched patient."""
        with reading(self._context.engine) as connection:
            keys = resolve_patient(connection, launch.patient_keys)
            return AssessmentStore(connection).latest_of_patient(launch.client, keys)

    def is_of(self, identifier: str, launch: Launch) -> bool:
        """Whether this is an assessment of the launched patient by the same client."""
        with reading(self._context.engine) as connection:
            row = AssessmentStore(connection).by_id(identifier)
        return row is not None and self._is_of_patient(row, launch)

    def _is_of_patient(self, row: Mapping[str, Any], launch: Launch) -> bool:
        if row["client"] != launch.client:
            return False
        with reading(self._context.engine) as connection:
            return row["patient_key"] in resolve_patient(connection, launch.patient_keys)

    def _refuse(self, identifier: str, person: Person) -> None:
        with self._context.engine.begin() as connection:
            AuditStore(connection).add(
                at=self._context.clock(),
                actor=person.actor,
                action="refuse",
                object_type="assessment",
                object_id=identifier,
                detail={"page": "explanation", "reason": "another patient"},
            )

    def _client(self, name: str) -> Client | None:
        directory = self._context.directory
        return directory.triage if name == TRIAGE else directory.by_name.get(name)

    def _is_unanswered(self, identifier: str, person: Person) -> bool:
        """Whether this is a case that a reviewer, who is not the clinician, is still to answer
        without having seen the prediction (C18)."""
        # What their roles give them counts: a launched session opens neither queue nor form.
        held = permissions(person.roles)
        if Permission.REVIEW not in held or Permission.TRIAGE in held:
            return False
        with reading(self._context.engine) as connection:
            found = ReviewStore(connection).found(identifier)
        return any(item["state"] == OPEN for item in found)

    def _measured(
        self, row: Mapping[str, Any], identifiers: Mapping[str, Any]
    ) -> tuple[list[Measured], int]:
        """Each reading once, however many assessments used it."""
        keys = self._context.secrecy.patient_keys(identifiers["base"], identifiers["patient"])
        with reading(self._context.engine) as connection:
            rows = AssessmentStore(connection).readings_of_patient(
                row["client"], [row["patient_key"], *keys], MOST_ASSESSMENTS
            )
        if row["id"] not in (one["id"] for one in rows):
            rows.append(dict(row))
        found: dict[tuple[str, str, float], Measured] = {}
        for one in rows:
            for entry in (one["provenance"] or {}).get("readings", ()):
                if not isinstance(entry["value"], int | float):
                    continue
                key = (entry["feature"], entry["time"], entry["value"])
                here = one["id"] == row["id"] or (key in found and found[key].here)
                at = datetime.fromisoformat(entry["time"])
                found[key] = Measured(entry["feature"], float(entry["value"]), at, here)
        return sorted(found.values(), key=lambda one: one.at), len(rows)

    def _again(
        self, scorer: Scorer | None, findings: Findings, identifier: str
    ) -> Assessment | None:
        """What the model that assessed says of the row again, if it is what was stored."""
        if scorer is None or findings.assessment is None:
            return None
        try:
            again = scorer.assess(findings.extraction.row)
        except _FAULTS:
            LOGGER.exception("model failed", extra={"assessment": identifier})
            return None
        if not _is_same(findings.assessment, again):
            LOGGER.warning("stored reasons differ", extra={"assessment": identifier})
            return None
        return again

    def _changes(
        self, scorer: Scorer, findings: Findings, identifier: str
    ) -> list[NearestChange] | None:
        """What of the nearest changes may be said: no category that is not named beside a red
        reading, on old readings or with a rare disease on record (C7, C9)."""
        if findings.category is None:
            return None
        row, pregnant = findings.extraction.row, findings.extraction.pregnant
        try:
            found = nearest_changes(scorer, row)
        except _FAULTS:
            LOGGER.exception("model failed", extra={"assessment": identifier})
            return None
        told = []
        for change in found:
            values: dict[str, Any] = {change.feature: change.value}
            red = dangerous_readings(replace(row, **values), pregnant=pregnant)
            if change.category not in _withheld(findings, red):
                told.append(change)
        return told


def _is_same_user(fhir_user: str, user: str) -> bool:
    """Whether a provider's `fhirUser`, often a whole URL, is who opened the chart."""
    return "/".join(fhir_user.split("/")[-2:]) == "/".join(user.split("/")[-2:])


def _is_same(stored: Assessment, again: Assessment) -> bool:
    if stored.category is not again.category or set(stored.contributions) != set(
        again.contributions
    ):
        return False
    for severity, contributions in stored.contributions.items():
        values = {one.reason: one.value for one in again.contributions[severity]}
        if values.keys() != {one.reason for one in contributions}:
            return False
        if any(abs(values[one.reason] - one.value) > _SAME for one in contributions):
            return False
    return True


def _build_up(findings: Findings, again: Assessment | None) -> BuildUp | None:
    """The reasons of the category that is explained, the strongest first, and what they add to.

    Without the model the start is what the stored reasons leave of the stored probability.
    """
    category, stored = findings.explained, findings.assessment
    if category is None or stored is None or category not in stored.contributions:
        return None
    if again is not None:
        return build_up(
            [one for one in again.contributions[category] if one.value != 0],
            again.baseline[category],
        )
    end = log_odds(stored.probabilities[category])
    contributions = [one for one in stored.contributions[category] if one.value != 0]
    # The stored order is that of a JSON object, which a database may change.
    contributions.sort(key=lambda one: -abs(one.value))
    if end is None:
        return None
    return build_up(contributions, end - sum(one.value for one in contributions))


def _withheld(findings: Findings, red: Sequence[str]) -> frozenset[Severity]:
    return withheld(red=bool(red), maybe_not_latest=findings.maybe_not_latest, rare=findings.rare)
