"""The Patient of the request: age, sex, and who is not assessed at all (C1 to C3).

See https://hl7.org/fhir/R4/patient.html.
"""

from collections.abc import Collection, Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta

from fhir_mapping.bundles import Contents, PrefetchState
from fhir_mapping.codes import ACT_CODE_SYSTEMS, ACT_REASON_SYSTEMS
from fhir_mapping.datetimes import parse_date, parse_instant
from fhir_mapping.elements import Element, Head, decode, head
from fhir_mapping.errors import WrongPatientError
from fhir_mapping.readings import MissingReason, PatientFacts, Skipped
from fhir_mapping.references import PatientMatcher
from fhir_mapping.skipping import OPERATION_OUTCOME, SUPERSEDED, skip
from model.features import SEXES, is_possible

_PATIENT = "Patient"
_TEST = ("HTEST", ACT_REASON_SYSTEMS)
_OPT_OUT = ("OPTOUT", ACT_CODE_SYSTEMS)

# Why there is no Patient at all. An error, or a resource of another type, leaves the template
# unsatisfied: nothing is known of the patient.
_ABSENT = {
    PrefetchState.ABSENT: MissingReason.NOT_IN_PREFETCH,
    PrefetchState.OPERATION_OUTCOME: MissingReason.NOT_IN_PREFETCH,
    PrefetchState.RESOURCE: MissingReason.NOT_IN_PREFETCH,
    PrefetchState.NULL: MissingReason.NULL_PREFETCH,
    PrefetchState.BUNDLE: MissingReason.NO_OBSERVATION,
    PrefetchState.MALFORMED: MissingReason.MALFORMED,
}


class _Patient(Element):
    """Each field unchecked: one of the wrong type must not hide that the patient has died."""

    birth_date: object = None
    gender: object = None
    deceased_boolean: object = None
    deceased_date_time: object = None
    meta: object = None


@dataclass(frozen=True, slots=True)
class PatientReading:
    """What the `patient` prefetch says."""

    facts: PatientFacts
    sex_reason: MissingReason | None
    """Why there is no sex to use: not recorded, recorded as `unknown`, or unreadable."""
    skipped: tuple[Skipped, ...]


def read_patient(
    contents: Contents,
    *,
    patient_id: str,
    matcher: PatientMatcher,
    prediction_time: datetime,
    test_patient_tags: Collection[str] = (),
) -> PatientReading:
    """Age, sex and exclusions of the patient `patient_id` at `prediction_time` (aware).

    The value may be the Patient or a Bundle that holds it. Raises `WrongPatientError` if
    Patients came and all have another id (C3). A Patient without any id is not used: nothing
    says whose it is. `test_patient_tags` are written as a FHIR search writes a tag: `system|code`,
    `|code` without a system, or a code of any system (https://hl7.org/fhir/R4/search.html#token).
    """
    own: list[tuple[float, bytes, _Patient, Head]] = []
    reasons: list[MissingReason] = []
    others = False
    skipped: list[Skipped] = []
    for entry in contents.entries:
        found = head(entry.raw)
        if entry.outcome or found.resource_type not in (_PATIENT, None):
            skipped.append(skip(found, OPERATION_OUTCOME if entry.outcome else None))
            continue
        reason = MissingReason.MALFORMED
        if found.resource_type == _PATIENT:
            is_own = found.id == patient_id or (not found.id and matcher.is_at(entry.full_url))
            patient = decode(entry.raw, _Patient) if is_own else None
            if patient is not None:
                own.append((_last_updated(patient.meta), bytes(entry.raw), patient, found))
                continue
            others = others or bool(found.id and not is_own)
            reason = reason if is_own else MissingReason.WRONG_PATIENT
        reasons.append(reason)
        skipped.append(skip(found, reason))
    if own:
        # Several versions: the one changed last, whatever their order.
        own.sort(key=lambda version: version[:2], reverse=True)
        skipped += [skip(found, SUPERSEDED) for *_, found in own[1:]]
        facts, sex_reason = _facts(own[0][2], prediction_time, test_patient_tags)
        return PatientReading(facts, sex_reason, tuple(skipped))
    if others:
        raise WrongPatientError(
            "The Patient sent is not the patient of the request.", element="prefetch.patient"
        )
    reason = max(reasons, default=_ABSENT[contents.state])
    nobody = PatientFacts(
        age=None,
        age_reason=reason,
        age_is_approximate=False,
        sex=None,
        deceased=False,
        test_patient=False,
        opted_out=False,
    )
    return PatientReading(nobody, reason, tuple(skipped))


def patient_urls(contents: Contents, patient_id: str) -> Iterator[str]:
    """The `urn:uuid:` fullUrls of entries that hold the Patient with this id."""
    for entry in contents.entries:
        url = entry.full_url
        if url is not None and url.lower().startswith("urn:uuid:"):
            found = decode(entry.raw, Head)
            if found and found.resource_type == _PATIENT and found.id == patient_id:
                yield url


def age_at(birth: date, day: date) -> float:
    """Age in years on `day`: whole birthdays, and the share of days to the next one.

    Whoever is born on 29 February has the birthday of a common year on 1 March.
    """
    years = day.year - birth.year
    if _birthday(birth, day.year) > day:
        years -= 1
    last = _birthday(birth, birth.year + years)
    following = _birthday(birth, birth.year + years + 1)
    return years + (day - last).days / (following - last).days


def _birthday(birth: date, year: int) -> date:
    try:
        return birth.replace(year=year)
    except ValueError:
        return date(year, 3, 1)


def _facts(
    patient: _Patient, prediction_time: datetime, test_patient_tags: Collection[str]
) -> tuple[PatientFacts, MissingReason | None]:
    age, age_reason, approximate = _age(patient.birth_date, prediction_time)
    sex, sex_reason = _sex(patient.gender)
    facts = PatientFacts(
        age=age,
        age_reason=age_reason,
        age_is_approximate=approximate,
        sex=sex,
        deceased=_is_deceased(patient, prediction_time),
        test_patient=_has_label(patient.meta, *_TEST)
        or any(_has_tag(patient.meta, tag) for tag in test_patient_tags),
        opted_out=_has_label(patient.meta, *_OPT_OUT),
    )
    return facts, sex_reason


def _age(
    birth_date: object, prediction_time: datetime
) -> tuple[float | None, MissingReason | None, bool]:
    """Age, why there is none, and whether it is approximate.

    Of a year, or a year and month, the last day counts: nobody is taken for an adult who may
    still be a child (C1). Days are days in UTC; a birth date one day ahead is a newborn east of
    Greenwich.
    """
    if birth_date is None:
        return None, MissingReason.DATA_ABSENT, False
    days = parse_date(birth_date) if isinstance(birth_date, str) else None
    if days is None:
        return None, MissingReason.MALFORMED, False
    first, last = days
    today = prediction_time.astimezone(UTC).date()
    if first > today + timedelta(days=1):
        return None, MissingReason.IMPLAUSIBLE, False
    age = age_at(min(last, today), today)
    if not is_possible("age", age):
        return None, MissingReason.IMPLAUSIBLE, False
    return age, None, first != last


def _sex(gender: object) -> tuple[str | None, MissingReason | None]:
    """Administrative gender as received, and why it is no input: `unknown` says nothing."""
    if gender is None:
        return None, MissingReason.DATA_ABSENT
    if gender not in SEXES:
        return None, MissingReason.MALFORMED
    return str(gender), MissingReason.DATA_ABSENT if gender == "unknown" else None


def _is_deceased(patient: _Patient, prediction_time: datetime) -> bool:
    """Dead at the prediction time (C2); a date of death that cannot be read is past."""
    if patient.deceased_boolean is True:
        return True
    if patient.deceased_date_time is None:
        return False
    text = patient.deceased_date_time
    died = parse_instant(text) if isinstance(text, str) else None
    return died is None or died <= prediction_time


def _last_updated(meta: object) -> float:
    text = meta.get("lastUpdated") if isinstance(meta, dict) else None
    at = parse_instant(text) if isinstance(text, str) else None
    return float("-inf") if at is None else at.timestamp()


def _has_label(meta: object, code: str, systems: frozenset[str]) -> bool:
    """Whether `meta.tag` or `meta.security` holds the code, of its system or without one."""
    return any(
        label.get("code") == code and (not label.get("system") or label.get("system") in systems)
        for label in _labels(meta, "tag", "security")
    )


def _has_tag(meta: object, tag: str) -> bool:
    """Whether `meta.tag` holds `tag`, which is `system|code` or a code alone."""
    system, bar, code = tag.rpartition("|")
    return any(
        label.get("code") == code and (not bar or (label.get("system") or "") == system)
        for label in _labels(meta, "tag")
    )


def _labels(meta: object, *names: str) -> Iterator[dict[str, object]]:
    if isinstance(meta, dict):
        for name in names:
            labels = meta.get(name)
            if isinstance(labels, list):
                yield from (label for label in labels if isinstance(label, dict))
