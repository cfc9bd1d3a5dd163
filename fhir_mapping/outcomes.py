"""The outcome of an assessment, from the Conditions of the same patient (clinical rule C16).

Pure: rows in, a decision out. Patients and encounters are keyed hashes (C3), compared only for
being the same.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final, Self

from fhir_mapping.label_versions import LABEL_RULE_VERSION
from fhir_mapping.labels import SEVERITY_OF, ConditionClass, ConditionFacts
from model.severity import OUTCOME_ORDER, Severity

STAYING_CLASSES: frozenset[str] = frozenset({"emergency", "inpatient"})
"""Encounter classes with the short window (C16)."""
WINDOW_STAYING: Final = timedelta(days=7)
WINDOW_ELSE: Final = timedelta(days=30)
HOME_CLASSES: frozenset[str] = frozenset({"ambulatory", "home", "virtual"})
"""Encounter classes without a bed: they end at home unless it is recorded otherwise. v3-ActCode
defines AMB as care "on a nonresident basis"; HH and VR are where the patient lives."""
SOURCES_FOR_RARE: Final = 2
"""Sources that must name a rare disease before it is learnt from (C20)."""


@dataclass(frozen=True, slots=True)
class AssessmentRef:
    """What joins an assessment to its outcome."""

    id: str
    patient_key: str
    prediction_time: datetime
    encounter_key: str | None = None
    encounter_class: str | None = None
    """As in `fhir_mapping.codes.ENCOUNTER_CLASSES`."""
    encounter_ended_at_home: bool | None = None
    """As recorded at discharge; `None` if not known."""
    enough_data: bool = True
    """Whether it was scored: only then can it stand for its encounter."""


@dataclass(frozen=True, slots=True)
class StoredCondition:
    """A classified Condition as stored, in plain fields."""

    id: str
    patient_key: str
    encounter_key: str | None
    source: str
    """Who sent it: a client, a server or a reviewer. Two sources confirm a rare disease (C20)."""
    classification: ConditionClass
    mild_if_home: bool
    counts: bool
    known_at: datetime | None
    rare_code: str | None
    prompted_by: str | None

    @classmethod
    def of(
        cls,
        facts: ConditionFacts | Mapping[str, Any],
        *,
        id: str,  # noqa: A002  # the column's name
        patient_key: str,
        encounter_key: str | None,
        source: str,
    ) -> Self:
        """From facts, or from what `ConditionFacts.stored` gave, and the columns beside them."""
        stored = facts.stored() if isinstance(facts, ConditionFacts) else facts
        known = stored["known_at"]
        return cls(
            id=id,
            patient_key=patient_key,
            encounter_key=encounter_key,
            source=source,
            classification=ConditionClass(stored["classification"]),
            mild_if_home=stored["mild_if_home"],
            counts=stored["counts"],
            known_at=None if known is None else datetime.fromisoformat(known),
            rare_code=stored["rare_code"],
            prompted_by=stored["prompted_by"],
        )


@dataclass(frozen=True, slots=True)
class OutcomeDecision:
    """What became of an assessed patient, as far as Conditions tell."""

    category: Severity | None
    reason: str | None
    """Why there is no category: `not_only_diagnosis` (a finding of no disease beside a Condition
    nothing is known of), `home_not_known` (mild, if only it ended at home), `undetermined`,
    `does_not_count` (provisional, refuted, without date, …), `known_before`, `no_condition`."""
    classes: tuple[Severity, ...]
    """Every category that applied, in `OUTCOME_ORDER`; the first is the outcome."""
    pre_existing: tuple[Severity, ...]
    """Categories known at the prediction time: context, never the outcome."""
    known_at: datetime | None
    """When the outcome was first known."""
    after_diagnosis: bool
    """The assessment was made after the outcome was known: no training, no headline figure."""
    prompted: bool
    """A Condition behind the outcome was made from our own suggestion (C18)."""
    rare_codes: tuple[str, ...]
    """Of all Conditions that belong to this assessment, sorted."""
    needs_second_source: bool
    """The outcome rests on a rare disease that only one source names: not yet learnt from (C20)."""
    condition_ids: tuple[str, ...]
    """Conditions that `classes` rests on."""
    label_version: str = LABEL_RULE_VERSION


def outcome_window_end(assessment: AssessmentRef) -> datetime:
    """The last instant at which a Condition without encounter may become known as its outcome.

    7 days after the prediction time for emergency and inpatient encounters, else 30 (C16).
    """
    return assessment.prediction_time + _window(assessment)


def _window(assessment: AssessmentRef) -> timedelta:
    return WINDOW_STAYING if assessment.encounter_class in STAYING_CLASSES else WINDOW_ELSE


def index_assessments(assessments: Iterable[AssessmentRef]) -> tuple[AssessmentRef, ...]:
    """The assessment that stands for each encounter: the first with enough data (C16).

    Assessments without an encounter cannot be grouped and stand for themselves. In order of
    prediction time, ties by id.
    """
    seen: set[tuple[str, str]] = set()
    index = []
    for assessment in sorted(assessments, key=lambda a: (a.prediction_time, a.id)):
        if not assessment.enough_data:
            continue
        if assessment.encounter_key is not None:
            encounter = (assessment.patient_key, assessment.encounter_key)
            if encounter in seen:
                continue
            seen.add(encounter)
        index.append(assessment)
    return tuple(index)


def decide_outcome(
    assessment: AssessmentRef, conditions: Sequence[StoredCondition]
) -> OutcomeDecision:
    """The outcome of an assessment by C16.

    A Condition belongs to it if it is the same patient's and, where both name an encounter, of the
    same encounter; else if it became known after the prediction time and within the window. What
    was known at or before the prediction time is context. Among the rest the outcome is terminal,
    acute, chronic, mild, not-ill, in that order, so that a known chronic disease never hides a new
    acute one. Not-ill takes explicit evidence and nothing else beside it; mild an encounter that
    ended at home.

    `after_diagnosis`: a category at least as high in that order was known when the assessment was
    made, from a Condition of the same encounter or, where encounters cannot be compared, an acute
    event known within the same number of days before. The episode's diagnosis was then on the
    chart, whatever was added later.
    """
    same_patient = [c for c in conditions if c.patient_key == assessment.patient_key]
    counting = [c for c in same_patient if c.counts and c.known_at is not None]
    before = [c for c in counting if _known_before(c, assessment)]
    matched = [c for c in counting if not _known_before(c, assessment) and _belongs(c, assessment)]
    found = _categories(matched, assessment)
    classes = _in_order(found.values())
    category = classes[0] if classes else None
    deciding = [c for c in matched if category is not None and found.get(c.id) is category]
    return OutcomeDecision(
        category=category,
        reason=None if category else _why_none(assessment, same_patient, before, matched),
        classes=classes,
        pre_existing=_in_order(SEVERITY_OF.get(c.classification) for c in before),
        known_at=min((_known(c) for c in deciding), default=None),
        after_diagnosis=_after_diagnosis(category, before, assessment),
        prompted=any(c.prompted_by is not None for c in deciding),
        rare_codes=_rare_codes(matched),
        needs_second_source=any(
            _sources(code, counting) < SOURCES_FOR_RARE for code in _rare_codes(deciding)
        ),
        condition_ids=tuple(c.id for c in matched if c.id in found),
    )


def known_at_assessment(
    category: Severity, assessment: AssessmentRef, conditions: Sequence[StoredCondition]
) -> bool:
    """`after_diagnosis` of `decide_outcome` for an outcome that Conditions did not decide."""
    before = [
        c
        for c in conditions
        if c.patient_key == assessment.patient_key
        and c.counts
        and c.known_at is not None
        and _known_before(c, assessment)
    ]
    return _after_diagnosis(category, before, assessment)


def _known(condition: StoredCondition) -> datetime:
    if condition.known_at is None:
        raise ValueError("a Condition that counts is known since some time")
    return condition.known_at


def _known_before(condition: StoredCondition, assessment: AssessmentRef) -> bool:
    return _known(condition) <= assessment.prediction_time


def _comparable(condition: StoredCondition, assessment: AssessmentRef) -> bool:
    return condition.encounter_key is not None and assessment.encounter_key is not None


def _belongs(condition: StoredCondition, assessment: AssessmentRef) -> bool:
    if _comparable(condition, assessment):
        return condition.encounter_key == assessment.encounter_key
    return _known(condition) <= outcome_window_end(assessment)


def _categories(
    matched: Sequence[StoredCondition], assessment: AssessmentRef
) -> dict[str, Severity]:
    """Condition id → category, of the Conditions that say one for this assessment."""
    found: dict[str, Severity] = {}
    for condition in matched:
        severity = SEVERITY_OF.get(condition.classification)
        if severity is None and condition.mild_if_home and _at_home(condition, assessment):
            severity = Severity.MILD
        if severity is Severity.NOT_ILL and not _only_no_disease(matched):
            continue
        if severity is not None:
            found[condition.id] = severity
    return found


def _at_home(condition: StoredCondition, assessment: AssessmentRef) -> bool:
    """Whether the encounter a mild Condition belongs to is known to have ended at home."""
    if condition.encounter_key is not None and not _comparable(condition, assessment):
        return False  # The Condition's encounter is not known to be the assessment's.
    if assessment.encounter_ended_at_home is not None:
        return assessment.encounter_ended_at_home
    return assessment.encounter_class in HOME_CLASSES


def _only_no_disease(matched: Sequence[StoredCondition]) -> bool:
    return all(c.classification is ConditionClass.NONE for c in matched)


def _after_diagnosis(
    category: Severity | None, before: Sequence[StoredCondition], assessment: AssessmentRef
) -> bool:
    start = assessment.prediction_time - _window(assessment)
    episode = [
        SEVERITY_OF.get(c.classification)
        for c in before
        if (
            c.encounter_key == assessment.encounter_key
            if _comparable(c, assessment)
            else c.classification is ConditionClass.ACUTE_EVENT and _known(c) >= start
        )
    ]
    known = _in_order(episode)
    if not known:
        return False
    return category is None or OUTCOME_ORDER.index(known[0]) <= OUTCOME_ORDER.index(category)


def _why_none(
    assessment: AssessmentRef,
    same_patient: Sequence[StoredCondition],
    before: Sequence[StoredCondition],
    matched: Sequence[StoredCondition],
) -> str:
    if any(c.classification is ConditionClass.NONE for c in matched):
        return "not_only_diagnosis"
    if any(c.mild_if_home for c in matched):
        return "home_not_known"
    if matched:
        return "undetermined"
    if any(_would_belong(c, assessment) for c in same_patient):
        return "does_not_count"
    return "known_before" if before else "no_condition"


def _would_belong(condition: StoredCondition, assessment: AssessmentRef) -> bool:
    """Whether a Condition that does not count would be this assessment's if it did."""
    if condition.counts and condition.known_at is not None:
        return False
    if _comparable(condition, assessment) or condition.known_at is None:
        return condition.encounter_key == assessment.encounter_key
    return not _known_before(condition, assessment) and _belongs(condition, assessment)


def _in_order(severities: Iterable[Severity | None]) -> tuple[Severity, ...]:
    present = set(severities)
    return tuple(severity for severity in OUTCOME_ORDER if severity in present)


def _rare_codes(conditions: Iterable[StoredCondition]) -> tuple[str, ...]:
    return tuple(sorted({c.rare_code for c in conditions if c.rare_code is not None}))


def _sources(code: str, counting: Sequence[StoredCondition]) -> int:
    """How many sources name a rare disease of the patient, at whatever time."""
    return len({c.source for c in counting if c.rare_code == code})
