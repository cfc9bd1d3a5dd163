"""One Condition, classified on its own: what it says of severity, and whether it counts (C15–C17).

Only codes, statuses and dates are read and kept; texts, displays and notes are free text and never
looked at. `fhir_mapping.outcomes` joins what is found here with an assessment.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any, Final

from fhir_mapping.codings import (
    ICD_10,
    ICD_10_CM,
    OMIM,
    ORPHANET,
    SNOMED_CT,
    SYSTEM_ORDER,
    NormalCoding,
    rare_code,
    raw_codes,
    read_codings,
)
from fhir_mapping.known_times import known_at
from fhir_mapping.terminology import (
    ACUTE_EVENT,
    HISTORY,
    LIFE_LIMITING,
    METASTATIC,
    NO_DISEASE,
    SELF_LIMITING,
    Terminology,
)
from model.severity import Severity

LABEL_RULE_VERSION: Final = "1"
"""Stored with every outcome and history file; outcomes of two versions are not pooled (C17)."""


class ConditionClass(StrEnum):
    """What one Condition says, by itself (C15)."""

    LIFE_LIMITING = "life-limiting"
    ACUTE_EVENT = "acute-event"
    CHRONIC = "chronic"
    MILD = "mild"
    NONE = "none"
    """Evidence that a person was seen and no disease was found."""
    UNDETERMINED = "undetermined"


SEVERITY_OF: Mapping[ConditionClass, Severity] = {
    ConditionClass.LIFE_LIMITING: Severity.TERMINAL,
    ConditionClass.ACUTE_EVENT: Severity.ACUTE,
    ConditionClass.CHRONIC: Severity.CHRONIC,
    ConditionClass.MILD: Severity.MILD,
    ConditionClass.NONE: Severity.NOT_ILL,
}

_VERIFICATION_SYSTEMS = (
    "http://terminology.hl7.org/CodeSystem/condition-ver-status",
    "http://hl7.org/fhir/condition-ver-status",
)
_CLINICAL_SYSTEMS = (
    "http://terminology.hl7.org/CodeSystem/condition-clinical",
    "http://hl7.org/fhir/condition-clinical",
)
_CATEGORY_SYSTEMS = (
    "http://terminology.hl7.org/CodeSystem/condition-category",
    "http://hl7.org/fhir/condition-category",
    "http://hl7.org/fhir/us/core/CodeSystem/condition-category",
    "http://hl7.org/fhir/us/core/CodeSystem/us-core-condition-category",
)
_CONFIDENTIALITY_SYSTEMS = (
    "http://terminology.hl7.org/CodeSystem/v3-Confidentiality",
    "http://hl7.org/fhir/v3/Confidentiality",
    "urn:oid:2.16.840.1.113883.5.25",
)
# The last spellings are those of FHIR before R4, still sent.

NO_OUTCOME_STATUSES: tuple[str, ...] = (
    "entered-in-error",
    "refuted",
    "differential",
    "provisional",
    "unconfirmed",
)
"""Values of Condition.verificationStatus that make no outcome (C16); the first that applies is
the reason. A Condition without the element counts: R4 does not require it."""
_CLINICAL_STATUSES = ("active", "recurrence", "relapse", "inactive", "remission", "resolved")
_CATEGORIES = ("problem-list-item", "encounter-diagnosis", "health-concern")
_RESTRICTED = ("r", "v")
_MILD_SEVERITY = NormalCoding(SNOMED_CT, "255604002")
_ASSESSMENT_ID = re.compile(r"[A-Za-z0-9._-]{1,64}")

# Value sets in the order they are asked of one coding, before maps and the chronic indicator.
_BEFORE_CHRONIC = (
    (ACUTE_EVENT, ConditionClass.ACUTE_EVENT),
    (LIFE_LIMITING, ConditionClass.LIFE_LIMITING),
    (METASTATIC, ConditionClass.LIFE_LIMITING),
)
_AFTER_CHRONIC = (
    (NO_DISEASE, ConditionClass.NONE),
    (SELF_LIMITING, ConditionClass.MILD),
)


@dataclass(frozen=True, slots=True)
class ConditionFacts:
    """All that the rules of outcomes need of one Condition; no free text."""

    source_id: str | None
    """`Condition.id`."""
    subject: str | None
    """The reference as received."""
    encounter: str | None
    """The reference as received."""
    classification: ConditionClass
    mild_if_home: bool
    """It would be `mild` if its encounter ended at home, which was not known here."""
    reason: str
    """Which rule decided, or why none did."""
    decided_by: NormalCoding | None
    """The coding that `reason` is about; `None` where there is none."""
    codings: tuple[NormalCoding, ...]
    """All codings, in the order they are read."""
    clinical_status: str | None
    verification_status: str | None
    categories: tuple[str, ...]
    known_at: datetime | None
    """When it was known (C16), in UTC."""
    counts: bool
    """Whether it may be an outcome."""
    why_not: str | None
    """Why it may not."""
    rare_code: str | None
    """`ORPHA:…` or `OMIM:…` (C20)."""
    restricted: bool
    """Marked R or V in `meta.security` (C21)."""
    prompted_by: str | None
    """Id of our assessment whose suggestion it was made from (C14, C18)."""
    label_version: str = LABEL_RULE_VERSION

    @property
    def severity(self) -> Severity | None:
        """The category the classification stands for; `None` if undetermined."""
        return SEVERITY_OF.get(self.classification)

    def stored(self) -> dict[str, Any]:
        """As JSON, without ids and references: what may be kept beside the keyed hashes (C3)."""
        return {
            "classification": self.classification.value,
            "mild_if_home": self.mild_if_home,
            "reason": self.reason,
            "decided_by": None if self.decided_by is None else list(self.decided_by),
            "codings": [list(coding) for coding in self.codings],
            "clinical_status": self.clinical_status,
            "verification_status": self.verification_status,
            "categories": list(self.categories),
            "known_at": None if self.known_at is None else self.known_at.isoformat(),
            "counts": self.counts,
            "why_not": self.why_not,
            "rare_code": self.rare_code,
            "restricted": self.restricted,
            "prompted_by": self.prompted_by,
            "label_version": self.label_version,
        }


@dataclass(frozen=True, slots=True)
class _Decision:
    classification: ConditionClass
    reason: str
    coding: NormalCoding | None = None
    mild_if_home: bool = False


def classify(
    condition: Mapping[str, Any],
    *,
    encounter_ended_at_home: bool | None = None,
    terminology: Terminology,
) -> ConditionFacts:
    """What a Condition says and whether it counts; never raises, whatever the JSON holds (C15).

    1. Acute event, by any of its codings: HCUP's chronic indicator is about the disease, not the
       episode, and calls an infarct chronic.
    2. Life-limiting, by any of its codings.
    3. Else the first coding, in the order of `codings.SYSTEM_ORDER`, of which something is known:
       a concept map (SNOMED CT and a site's own), the chronic indicator, then the sets of
       no-disease and self-limiting codes. "Not chronic" means nothing.
    4. Else mild, if `Condition.severity` says so.

    Mild, from codes or from severity, takes an encounter that ended at home. Where
    `encounter_ended_at_home` is `None` the Condition is undetermined and `mild_if_home`.
    """
    codings = read_codings(condition.get("code"))
    decision, is_history = _decide(condition, codings, terminology)
    if decision.classification is ConditionClass.MILD and encounter_ended_at_home is not True:
        at_home_unknown = encounter_ended_at_home is None
        decision = _Decision(
            ConditionClass.UNDETERMINED,
            "home_not_known" if at_home_unknown else "not_ended_at_home",
            decision.coding,
            mild_if_home=at_home_unknown,
        )
    known = known_at(condition)
    verification, unverified = _verification(condition.get("verificationStatus"))
    categories = _categories(condition.get("category"))
    subject = _reference(condition.get("subject"))
    reasons = {
        "not_a_condition": condition.get("resourceType") != "Condition",
        unverified or "": unverified is not None,
        "health-concern": "health-concern" in categories,
        "history": is_history,
        # FHIR R4, extensibility: a modifier that is not understood forbids the use.
        "modifier_extension": bool(condition.get("modifierExtension")),
        "no_subject": subject is None,
        "unknown_date": known is None,
    }
    why_not = next((reason for reason, applies in reasons.items() if applies), None)
    clinical = raw_codes(condition.get("clinicalStatus"), _CLINICAL_SYSTEMS)
    return ConditionFacts(
        source_id=_text(condition.get("id")),
        subject=subject,
        encounter=_reference(condition.get("encounter")),
        classification=decision.classification,
        mild_if_home=decision.mild_if_home,
        reason=decision.reason,
        decided_by=decision.coding,
        codings=codings,
        clinical_status=next((code for code in clinical if code in _CLINICAL_STATUSES), None),
        verification_status=verification,
        categories=categories,
        known_at=known,
        counts=why_not is None,
        why_not=why_not,
        rare_code=rare_code(codings),
        restricted=_restricted(condition.get("meta")),
        prompted_by=_prompted_by(condition.get("meta")),
    )


def _decide(
    condition: Mapping[str, Any], codings: Sequence[NormalCoding], terminology: Terminology
) -> tuple[_Decision, bool]:
    """The decision, and whether any coding is history, the patient's or a relative's."""
    said = [(coding, *_said_of(coding, terminology)) for coding in codings]
    is_history = any(target == HISTORY for _, target, _ in said)
    for first in (ConditionClass.ACUTE_EVENT, ConditionClass.LIFE_LIMITING):
        for coding, target, reason in said:
            if target == first:
                return _Decision(first, reason, coding), is_history
    for coding, target, reason in said:
        if target not in (None, HISTORY):
            return _Decision(ConditionClass(target), reason, coding), is_history
    if not said:
        code = condition.get("code")
        has_text = isinstance(code, Mapping) and bool(code.get("text"))
        reason = "text_only" if has_text else "no_code"
        return _Decision(ConditionClass.UNDETERMINED, reason), is_history
    coding, _, reason = said[0]
    if _MILD_SEVERITY in read_codings(condition.get("severity")):
        return _Decision(ConditionClass.MILD, "severity_mild", coding), is_history
    return _Decision(ConditionClass.UNDETERMINED, reason, coding), is_history


def _said_of(coding: NormalCoding, terminology: Terminology) -> tuple[str | None, str]:
    """A class, `history` or `None`, and by which rule or why not."""
    if coding.code is None:
        known = coding.system in SYSTEM_ORDER
        return None, "malformed_code" if known else "unknown_system"
    for name, target in _BEFORE_CHRONIC:
        if terminology.contains(name, coding):
            return target, f"value_set:{name}"
    if terminology.contains(HISTORY, coding):
        return HISTORY, f"value_set:{HISTORY}"
    mapped = terminology.mapped(coding)
    if mapped is not None:
        undetermined = mapped == ConditionClass.UNDETERMINED
        return (None, "mapped_undetermined") if undetermined else (mapped, "concept_map")
    chronic = terminology.is_chronic(coding)
    if chronic:
        return ConditionClass.CHRONIC, "chronic_indicator"
    for name, target in _AFTER_CHRONIC:
        if terminology.contains(name, coding):
            return target, f"value_set:{name}"
    return None, _nothing_known(coding, chronic)


def _nothing_known(coding: NormalCoding, chronic: bool | None) -> str:
    if coding.system in (ICD_10_CM, ICD_10):
        return "no_determination" if chronic is None else "not_chronic_only"
    if coding.system == SNOMED_CT:
        return "not_in_map"
    return "rare_code_only" if coding.system in (ORPHANET, OMIM) else "unknown_system"


def _verification(element: object) -> tuple[str | None, str | None]:
    """The verification status, and why it makes no outcome, if it does not."""
    codes = raw_codes(element, _VERIFICATION_SYSTEMS)
    for status in NO_OUTCOME_STATUSES:
        if status in codes:
            return status, status
    if "confirmed" in codes:
        return "confirmed", None
    # A modifier element (FHIR R4): one that cannot be read must not be passed over.
    return None, "unknown_verification" if element else None


def _categories(element: object) -> tuple[str, ...]:
    found = {
        code
        for category in (element if isinstance(element, list) else [element])
        for code in raw_codes(category, _CATEGORY_SYSTEMS)
    }
    return tuple(category for category in _CATEGORIES if category in found)


def _restricted(meta: object) -> bool:
    labels = {"coding": meta.get("security")} if isinstance(meta, Mapping) else None
    return any(code in _RESTRICTED for code in raw_codes(labels, _CONFIDENTIALITY_SYSTEMS))


def _prompted_by(meta: object) -> str | None:
    """The id in the tag that our own suggestion carries, whatever the server's public URL is."""
    tags = meta.get("tag") if isinstance(meta, Mapping) else None
    for tag in tags if isinstance(tags, list) else ():
        if isinstance(tag, Mapping) and str(tag.get("system")).endswith("/assessment"):
            code = tag.get("code")
            if isinstance(code, str) and _ASSESSMENT_ID.fullmatch(code):
                return code
    return None


def _reference(element: object) -> str | None:
    return _text(element.get("reference")) if isinstance(element, Mapping) else None


def _text(value: object) -> str | None:
    return value if isinstance(value, str) and value else None
