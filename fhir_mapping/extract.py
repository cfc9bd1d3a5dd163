"""From the FHIR data of one request to the inputs of the model and where each came from.

A resource that cannot be used is skipped with a reason and never sinks the request.
"""

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime, timedelta

from fhir_mapping.bundles import Contents, PrefetchState, prefetch_state, read_contents
from fhir_mapping.elements import Head, Raw
from fhir_mapping.encounter_class import default_lookback_hours, read_encounters
from fhir_mapping.observations import CLOCK_SKEW, Window, read_observations
from fhir_mapping.patient import PatientReading, patient_urls, read_patient
from fhir_mapping.pregnancy import latest_answer, read_conditions
from fhir_mapping.readings import Extraction, Missing, MissingReason, Skipped
from fhir_mapping.references import PatientMatcher
from fhir_mapping.selection import Selection, select
from fhir_mapping.skipping import skip
from model.features import READINGS, ROW_NAMES, FeatureRow

__all__ = ["PrefetchState", "extract", "prefetch_state"]

_KEYS = ("patient", "vitals", "encounter", "conditions")

# Why readings are missing where no Observation was searched for. An OperationOutcome in place of
# the Bundle is a search that failed, so nothing is known of the chart.
_NO_VITALS = {
    PrefetchState.ABSENT: MissingReason.NOT_IN_PREFETCH,
    PrefetchState.OPERATION_OUTCOME: MissingReason.NOT_IN_PREFETCH,
    PrefetchState.NULL: MissingReason.NULL_PREFETCH,
    PrefetchState.MALFORMED: MissingReason.MALFORMED,
}


def extract(
    prefetch: Mapping[str, Raw | Sequence[Raw]],
    *,
    patient_id: str,
    fhir_server: str | None,
    prediction_time: datetime,
    lookback_hours: float | None = None,
) -> Extraction:
    """Read the prefetch of one request as it stood at `prediction_time` (clinical rules C1 to C8).

    `prefetch` maps a key to the JSON of its value as sent, or of several values: `patient` and
    `vitals`; `encounter` (the look-back) and `conditions` (known pregnancy) if the client sends
    them. Of each input the latest valid reading is used; readings older than 12 h in an emergency
    or inpatient encounter, else 24 h, are stale, or sooner by `lookback_hours`. The order of
    entries changes nothing.
    `fhir_server` is the base URL that absolute references must have; `None` if it is not known.

    Raises `WrongPatientError` if the Patient sent has another id than `patient_id` (C3), and
    `ValueError` if `prediction_time` is naive. Nothing in the prefetch raises anything else.
    """
    if prediction_time.tzinfo is None:
        raise ValueError("prediction_time needs an offset from UTC")
    contents = {key: read_contents(prefetch.get(key)) for key in _KEYS}
    urls = (url for sent in contents.values() for url in patient_urls(sent, patient_id))
    matcher = PatientMatcher(patient_id, fhir_server, urls)
    patient = read_patient(
        contents["patient"],
        patient_id=patient_id,
        matcher=matcher,
        prediction_time=prediction_time,
    )
    encounter_class, encounters = read_encounters(contents["encounter"].entries, matcher)
    allowed = default_lookback_hours(encounter_class)
    hours = allowed if lookback_hours is None else min(lookback_hours, allowed)
    latest = prediction_time + CLOCK_SKEW
    window = Window(matcher, prediction_time - timedelta(hours=hours), latest)
    vitals = contents["vitals"]
    findings = read_observations(vitals.entries, window)
    selection = select(findings, prediction_time, maybe_not_latest=vitals.cut_short)
    answered_pregnant, older_answers = latest_answer(findings.answers)
    has_pregnancy, conditions = read_conditions(contents["conditions"].entries, matcher, latest)
    return Extraction(
        row=_row(selection, patient),
        patient=patient.facts,
        readings=selection.readings,
        missing=_missing(selection, patient, vitals),
        skipped=_in_order(
            *patient.skipped,
            *selection.skipped,
            *older_answers,
            *encounters,
            *conditions,
            *_unreadable(contents.values()),
        ),
        pregnant=answered_pregnant or has_pregnancy,
        encounter_class=encounter_class,
        maybe_not_latest=vitals.cut_short,
    )


def _row(selection: Selection, patient: PatientReading) -> FeatureRow:
    return FeatureRow(
        age=patient.facts.age,
        sex=patient.facts.sex if patient.sex_reason is None else None,
        minutes_before={r.feature: r.minutes_before for r in selection.readings},
        **{r.feature: r.value for r in selection.readings},
    )


def _missing(
    selection: Selection, patient: PatientReading, vitals: Contents
) -> tuple[Missing, ...]:
    """Every input without a value and why, in table order (C8).

    Where paging was cut short, an input that no Observation speaks of may be on a page that was
    not read.
    """
    nothing = MissingReason.NO_OBSERVATION
    if vitals.cut_short:
        nothing = MissingReason.MAYBE_NOT_LATEST
    nothing = _NO_VITALS.get(vitals.state, nothing)
    read = {reading.feature for reading in selection.readings}
    reasons: dict[str, MissingReason | None] = {
        "age": patient.facts.age_reason,
        "sex": patient.sex_reason,
    }
    for name in READINGS:
        reasons[name] = None if name in read else selection.reasons.get(name, nothing)
    return tuple(
        Missing(name, reason) for name in ROW_NAMES if (reason := reasons[name]) is not None
    )


def _unreadable(contents: Iterable[Contents]) -> list[Skipped]:
    """Values that are no FHIR resource, and Bundle entries without one."""
    count = sum(
        sent.unreadable_entries + (sent.state is PrefetchState.MALFORMED) for sent in contents
    )
    return [skip(Head(), MissingReason.MALFORMED)] * count


def _in_order(*skipped: Skipped) -> tuple[Skipped, ...]:
    return tuple(
        sorted(
            skipped, key=lambda s: (s.resource_type, s.reference or "", s.feature or "", s.reason)
        )
    )
