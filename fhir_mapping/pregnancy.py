"""Known pregnancy (clinical rule C1): nobody known to be pregnant is given a category.

Two sources: the answer to LOINC 82810-3 among the Observations, and Conditions O00–O9A, Z33, Z34
of ICD-10-CM or the SNOMED CT findings. Where neither says so, pregnancy is not known.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

import msgspec

from fhir_mapping.bundles import Entry
from fhir_mapping.codes import (
    ICD_10_SYSTEMS,
    LOINC_SYSTEMS,
    NOT_PREGNANT_ANSWERS,
    NOT_PREGNANT_FINDINGS,
    PREGNANT_ANSWERS,
    PREGNANT_FINDINGS,
    SNOMED_SYSTEMS,
)
from fhir_mapping.datetimes import parse_instant
from fhir_mapping.elements import CodeableConcept, Condition, Observation, decode, head
from fhir_mapping.readings import MissingReason, Skipped
from fhir_mapping.references import PatientMatcher
from fhir_mapping.skipping import NOT_USED, SUPERSEDED, resource_reference, skip

PREGNANCY_SPAN = timedelta(days=300)
"""How long "pregnant" is believed: a pregnancy is post-term from 42 weeks, 294 days, on (ACOG
Committee Opinion 579, 2013)."""

_ZONES_AHEAD = timedelta(hours=14)
"""A day begins up to 14 hours earlier than in UTC."""
# The value is a verdict for a whole time, so only what was withdrawn is not believed.
_WITHDRAWN = frozenset({"entered-in-error", "cancelled"})
_ACTIVE = frozenset({"active", "recurrence", "relapse"})
_CLINICAL = frozenset({"http://terminology.hl7.org/CodeSystem/condition-clinical"})
_VERIFICATION = frozenset({"http://terminology.hl7.org/CodeSystem/condition-ver-status"})


@dataclass(frozen=True, slots=True)
class Answer:
    """One answer to "pregnant?" and when it was given."""

    time: datetime
    pregnant: bool
    reference: str | None


def read_answer(
    observation: Observation, time: datetime, latest: datetime, reference: str | None
) -> Answer | str:
    """The answer of a 82810-3 Observation, or why it is not used.

    Believed for `PREGNANCY_SPAN` before `latest`. "Unknown" or free text is no answer.
    """
    if observation.status is None or observation.status in _WITHDRAWN:
        return MissingReason.WRONG_STATUS
    if time > latest:
        return MissingReason.FUTURE
    if time < latest - PREGNANCY_SPAN:
        return MissingReason.STALE
    if observation.value_codeable_concept is None:
        return MissingReason.DATA_ABSENT
    try:
        value = msgspec.convert(observation.value_codeable_concept, CodeableConcept)
    except msgspec.ValidationError:
        return MissingReason.MALFORMED
    loinc, snomed = set(value.codes(LOINC_SYSTEMS)), set(value.codes(SNOMED_SYSTEMS))
    if loinc & PREGNANT_ANSWERS or snomed & PREGNANT_FINDINGS:
        return Answer(time, True, reference)
    if loinc & NOT_PREGNANT_ANSWERS or snomed & NOT_PREGNANT_FINDINGS:
        return Answer(time, False, reference)
    return NOT_USED


def latest_answer(answers: Sequence[Answer]) -> tuple[bool, list[Skipped]]:
    """Whether the newest answer is "pregnant", and the older answers as superseded.

    Of two answers of one time "pregnant" counts.
    """
    ordered = sorted(answers, key=lambda a: (a.time, a.pregnant, a.reference or ""), reverse=True)
    older = [Skipped("Observation", a.reference, SUPERSEDED) for a in ordered[1:]]
    return bool(ordered) and ordered[0].pregnant, older


def read_conditions(
    entries: Sequence[Entry], patient: PatientMatcher, latest: datetime
) -> tuple[bool, list[Skipped]]:
    """Whether a current Condition says "pregnant", and every Condition that does not.

    Current: of this patient, active and confirmed (an absent status counts as such: encounter
    diagnoses often have no clinicalStatus), known at `latest`, and neither over nor older than
    `PREGNANCY_SPAN`. A pregnancy without any date counts. Never raises.
    """
    pregnant = False
    skipped: list[Skipped] = []
    for entry in entries:
        condition = decode(entry.raw, Condition)
        if condition is None:
            found = head(entry.raw)
            is_condition = found.resource_type == "Condition"
            skipped.append(skip(found, MissingReason.MALFORMED if is_condition else None))
        elif condition.resource_type != "Condition":
            skipped.append(skip(condition))
        else:
            reason = _unusable(condition, patient, latest)
            pregnant = pregnant or reason is None
            if reason is not None:
                reference = resource_reference("Condition", condition.id)
                skipped.append(Skipped("Condition", reference, reason))
    return pregnant, skipped


def _unusable(condition: Condition, patient: PatientMatcher, latest: datetime) -> str | None:
    """Why a Condition does not tell of a pregnancy now, or `None` where it does."""
    if condition.subject is None or not patient.matches(condition.subject.reference):
        return MissingReason.WRONG_PATIENT
    if not _is_pregnancy(condition.code):
        return NOT_USED
    if condition.modifier_extension:
        return MissingReason.MALFORMED
    clinical, verification = condition.clinical_status, condition.verification_status
    if clinical is not None and not _ACTIVE.intersection(clinical.codes(_CLINICAL)):
        return MissingReason.WRONG_STATUS
    if verification is not None and "confirmed" not in verification.codes(_VERIFICATION):
        return MissingReason.WRONG_STATUS
    abated = _instant(condition.abatement_date_time)
    if abated is not None and abated <= latest:
        return MissingReason.STALE
    recorded, onset = _instant(condition.recorded_date), _instant(condition.onset_date_time)
    known = recorded or onset
    if known is not None and known > latest:
        return MissingReason.FUTURE
    if known is not None and max(known, onset or known) < latest - PREGNANCY_SPAN:
        return MissingReason.STALE
    return None


def _is_pregnancy(concept: CodeableConcept | None) -> bool:
    if concept is None:
        return False
    if PREGNANT_FINDINGS.intersection(concept.codes(SNOMED_SYSTEMS)):
        return True
    icd = (code.replace(".", "").upper() for code in concept.codes(ICD_10_SYSTEMS))
    # Chapter XV of ICD-10 is all of the letter O: O00 to O99, in ICD-10-CM also O9A.
    return any(code.startswith(("O", "Z33", "Z34")) for code in icd)


def _instant(text: str | None) -> datetime | None:
    at = parse_instant(text)
    if at is None or text is None or "T" in text:
        return at
    try:
        return at - _ZONES_AHEAD
    except OverflowError:
        return at
