"""One Condition, classified on its own: what it says of severity, and whether it counts (C15–C17).

Only codes, statuses and dates are read and kept; texts, displays and notes are free text and never
looked at. `fhir_mapping.outcomes` joins what is found here with an assessment.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, tzinfo
from enum import StrEnum
from typing import Any

from fhir_mapping.code_systems import ICD_10, ICD_10_CM, OMIM, ORPHANET, SNOMED_CT
from fhir_mapping.codings import (
    SYSTEM_ORDER,
    NormalCoding,
    in_order,
    raw_codes,
    read_codings,
)
from fhir_mapping.datetimes import parse_instant
from fhir_mapping.known_times import known_at
from fhir_mapping.label_versions import LABEL_RULE_VERSION
from fhir_mapping.terminology import (
    ACUTE_EVENT,
    AFTER_CHRONIC,
    BEFORE_CHRONIC,
    HISTORY,
    LIFE_LIMITING,
    METASTATIC,
    NO_DISEASE,
    SELF_LIMITING,
    Terminology,
)
from model.severity import Severity


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
_BEFORE_HISTORY = frozenset(
    {"not_a_condition", "unknown_verification", "health-concern", *NO_OUTCOME_STATUSES}
)
"""Reasons why a Condition is no outcome that stand before `history`."""
# Where an encounter ended, as the reason tells of facts stored without it.
_AT_HOME_THEN: Mapping[str, bool] = {"not_ended_at_home": False}
_CLINICAL_STATUSES = ("active", "recurrence", "relapse", "inactive", "remission", "resolved")
_CATEGORIES = ("problem-list-item", "encounter-diagnosis", "health-concern")
_RESTRICTED = ("r", "v")
_MILD_SEVERITY = NormalCoding(SNOMED_CT, "255604002")
_ASSESSMENT_ID = re.compile(r"[A-Za-z0-9._-]{1,64}")

CLASS_OF_SET: Mapping[str, str] = {
    ACUTE_EVENT: ConditionClass.ACUTE_EVENT,
    LIFE_LIMITING: ConditionClass.LIFE_LIMITING,
    METASTATIC: ConditionClass.LIFE_LIMITING,
    HISTORY: HISTORY,
    NO_DISEASE: ConditionClass.NONE,
    SELF_LIMITING: ConditionClass.MILD,
}
"""What a coding is that a value set holds."""


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
    mild_severity: bool = False
    """`Condition.severity` says mild."""
    ended_at_home: bool | None = None
    """Whether its encounter ended at home, as far as was known."""
    why_not_else: str | None = None
    """Why it may not be an outcome, should none of its codings be history."""
    last_updated: datetime | None = None
    """`meta.lastUpdated`, in UTC: which of two versions is the newer."""

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
            "mild_severity": self.mild_severity,
            "ended_at_home": self.ended_at_home,
            "why_not_else": self.why_not_else,
            "last_updated": None if self.last_updated is None else self.last_updated.isoformat(),
        }


EVIDENCE_ONLY: tuple[str, ...] = (
    "mild_severity",
    "ended_at_home",
    "why_not_else",
    "last_updated",
)
"""Members of `ConditionFacts.stored` that say nothing by themselves: `reclassify` needs them, and
who tells an older version from a newer."""


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
    zone: tzinfo = UTC,
) -> ConditionFacts:
    """What a Condition says and whether it counts; never raises, whatever the JSON holds (C15).

    1. Acute event, by any of its codings: HCUP's chronic indicator is about the disease, not the
       episode, and calls an infarct chronic.
    2. Life-limiting, by any of its codings.
    3. Else the first coding, in the order of `codings.SYSTEM_ORDER`, of which something is known:
       a concept map (SNOMED CT and a site's own), the chronic indicator, then the sets of
       no-disease and self-limiting codes. "Not chronic" means nothing.
    4. Else mild, if `Condition.severity` says so.

    A code of a national variant of ICD-10 is read by the rules the site has configured for it.

    Mild, from codes or from severity, takes an encounter that ended at home. Where
    `encounter_ended_at_home` is `None` the Condition is undetermined and `mild_if_home`.

    `zone` is where the days of dates without a time end.
    """
    codings = read_codings(condition.get("code"), terminology.variants)
    mild = _MILD_SEVERITY in read_codings(condition.get("severity"), {})
    decision, is_history = _decide(
        codings, mild, encounter_ended_at_home, _why_no_coding(condition.get("code")), terminology
    )
    known = known_at(condition, zone)
    verification, unverified = _verification(condition.get("verificationStatus"))
    categories = _categories(condition.get("category"))
    subject = _reference(condition.get("subject"))
    reasons = {
        "not_a_condition": condition.get("resourceType") != "Condition",
        unverified or "": unverified is not None,
        "health-concern": "health-concern" in categories,
        HISTORY: is_history,
        # FHIR R4, extensibility: a modifier that is not understood forbids the use.
        "modifier_extension": bool(condition.get("modifierExtension")),
        "no_subject": subject is None,
        "unknown_date": known is None,
    }
    why_not = [reason for reason, applies in reasons.items() if applies]
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
        counts=not why_not,
        why_not=next(iter(why_not), None),
        rare_code=terminology.rare_code(codings),
        restricted=_restricted(condition.get("meta")),
        prompted_by=_prompted_by(condition.get("meta")),
        label_version=terminology.label_version,
        mild_severity=mild,
        ended_at_home=encounter_ended_at_home,
        why_not_else=next((reason for reason in why_not if reason != HISTORY), None),
        last_updated=_last_updated(condition.get("meta")),
    )


def reclassify(stored: Mapping[str, Any], terminology: Terminology) -> dict[str, Any]:
    """What `ConditionFacts.stored` would give if the Condition came now (C17).

    `stored` is what it gave then; of the Condition itself nothing is kept. What was lost then stays
    lost: a code that had not the form of its system, and a system that was no URI. Facts stored
    before the members of `EVIDENCE_ONLY` existed are read as far as their reason tells: a mild
    `severity` that a coding overruled is not known of them, nor where an encounter ended that did
    not matter.
    """
    codings = in_order(((system, code) for system, code in stored["codings"]), terminology.variants)
    was = stored["reason"]
    at_home = stored.get("ended_at_home", _AT_HOME_THEN.get(was))
    if "ended_at_home" not in stored and stored["classification"] == ConditionClass.MILD:
        at_home = True
    mild = bool(stored.get("mild_severity", was == "severity_mild"))
    decision, is_history = _decide(codings, mild, at_home, was, terminology)
    why_not = stored["why_not"]
    if why_not == HISTORY:
        no_date = "unknown_date" if stored["known_at"] is None else None
        why_not = stored.get("why_not_else", no_date)
    why_not_else = why_not
    if is_history and why_not not in _BEFORE_HISTORY:
        why_not = HISTORY
    return dict(stored) | {
        "classification": decision.classification.value,
        "mild_if_home": decision.mild_if_home,
        "reason": decision.reason,
        "decided_by": None if decision.coding is None else list(decision.coding),
        "codings": [list(coding) for coding in codings],
        "counts": why_not is None,
        "why_not": why_not,
        "rare_code": terminology.rare_code(codings),
        "label_version": terminology.label_version,
        "mild_severity": mild,
        "ended_at_home": at_home,
        "why_not_else": why_not_else,
    }


def _decide(
    codings: Sequence[NormalCoding],
    mild_severity: bool,
    ended_at_home: bool | None,
    no_coding: str,
    terminology: Terminology,
) -> tuple[_Decision, bool]:
    """The decision, and whether any coding is history, the patient's or a relative's."""
    said = [(coding, *said_of(coding, terminology)) for coding in codings]
    is_history = any(target == HISTORY for _, target, _ in said)
    decision = _by_codings(said, mild_severity, no_coding)
    if decision.classification is ConditionClass.MILD and ended_at_home is not True:
        decision = _Decision(
            ConditionClass.UNDETERMINED,
            "home_not_known" if ended_at_home is None else "not_ended_at_home",
            decision.coding,
            mild_if_home=ended_at_home is None,
        )
    return decision, is_history


def _by_codings(
    said: Sequence[tuple[NormalCoding, str | None, str]], mild_severity: bool, no_coding: str
) -> _Decision:
    for first in (ConditionClass.ACUTE_EVENT, ConditionClass.LIFE_LIMITING):
        for coding, target, reason in said:
            if target == first:
                return _Decision(first, reason, coding)
    for coding, target, reason in said:
        if target not in (None, HISTORY):
            return _Decision(ConditionClass(target), reason, coding)
    if not said:
        return _Decision(ConditionClass.UNDETERMINED, no_coding)
    coding, _, reason = said[0]
    if mild_severity:
        return _Decision(ConditionClass.MILD, "severity_mild", coding)
    return _Decision(ConditionClass.UNDETERMINED, reason, coding)


def _why_no_coding(code: object) -> str:
    has_text = isinstance(code, Mapping) and bool(code.get("text"))
    return "text_only" if has_text else "no_code"


def said_of(coding: NormalCoding, terminology: Terminology) -> tuple[str | None, str]:
    """What one coding says by itself, a class, `history` or `None`, and by which rule or why not.

    The first of these that holds it decides: the sets `BEFORE_CHRONIC`, a concept map, the chronic
    indicator where it says chronic, the sets `AFTER_CHRONIC`.
    """
    system = terminology.rule_system(coding)
    if coding.code is None:
        return None, "malformed_code" if system in SYSTEM_ORDER else "unknown_system"
    for name in BEFORE_CHRONIC:
        if terminology.contains(name, coding):
            return CLASS_OF_SET[name], f"value_set:{name}"
    mapped = terminology.mapped(coding)
    if mapped is not None:
        undetermined = mapped == ConditionClass.UNDETERMINED
        return (None, "mapped_undetermined") if undetermined else (mapped, "concept_map")
    chronic = terminology.is_chronic(coding)
    if chronic:
        return ConditionClass.CHRONIC, "chronic_indicator"
    for name in AFTER_CHRONIC:
        if terminology.contains(name, coding):
            return CLASS_OF_SET[name], f"value_set:{name}"
    return None, _nothing_known(system, chronic)


def _nothing_known(system: str, chronic: bool | None) -> str:
    if system in (ICD_10_CM, ICD_10):
        return "no_determination" if chronic is None else "not_chronic_only"
    if system == SNOMED_CT:
        return "not_in_map"
    return "rare_code_only" if system in (ORPHANET, OMIM) else "unknown_system"


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


def _last_updated(meta: object) -> datetime | None:
    return parse_instant(_text(meta.get("lastUpdated"))) if isinstance(meta, Mapping) else None


def _reference(element: object) -> str | None:
    return _text(element.get("reference")) if isinstance(element, Mapping) else None


def _text(value: object) -> str | None:
    return value if isinstance(value, str) and value else None
