"""From the FHIR data of one request to the inputs of the model and where each came from.

A resource that cannot be used is skipped with a reason and never sinks the request.
"""

from collections.abc import Collection, Iterable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from itertools import chain
from typing import Any

from fhir_mapping.bundles import Contents, PrefetchState, prefetch_state, read_contents
from fhir_mapping.codes import EXTRA_LOOKBACK, EXTRA_PREFETCH
from fhir_mapping.elements import Head, Raw
from fhir_mapping.encounter_class import default_lookback_hours, read_encounters
from fhir_mapping.observations import CLOCK_SKEW, Window, read_observations
from fhir_mapping.patient import PatientReading, patient_urls, read_patient
from fhir_mapping.pregnancy import latest_answer, read_conditions
from fhir_mapping.readings import Extraction, Missing, MissingReason, Skipped
from fhir_mapping.references import PatientMatcher
from fhir_mapping.selection import Selection, select
from fhir_mapping.skipping import skip
from model.features import EXTRA_INPUTS, READINGS, ROW_NAMES, FeatureRow

__all__ = ["PrefetchState", "extract", "prefetch_state"]

_KEYS = ("patient", "vitals", "encounter", "conditions")
_EVER = datetime.min.replace(tzinfo=UTC)
_SEARCHED = (PrefetchState.BUNDLE, PrefetchState.RESOURCE)

# Why readings are missing where no Observation was searched for. An OperationOutcome in place of
# the Bundle is a search that failed, so nothing is known of the chart.
_NOT_SEARCHED = {
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
    extra_inputs: Collection[str] = (),
    test_patient_tags: Collection[str] = (),
) -> Extraction:
    """Read the prefetch of one request as it stood at `prediction_time` (clinical rules C1 to C8).

    `prefetch` maps a key to the JSON of its value as sent, or of several values: `patient` and
    `vitals`; `encounter` (the look-back) and `conditions` (known pregnancy) if the client sends
    them. Of each input the latest valid reading is used; readings older than 12 h in an emergency
    or inpatient encounter, else 24 h, are stale, or sooner by `lookback_hours`. The order of
    entries changes nothing.
    `extra_inputs` are those of `model.features.EXTRA_INPUTS` that are asked for, each with the
    look-back of `codes.EXTRA_LOOKBACK`: their Observations come under the keys of
    `codes.EXTRA_PREFETCH` or among the vital signs, which may come under those keys too. Others
    are neither read nor missing.
    `test_patient_tags` are tags (`system|code`, or a code of any system) that mark a test patient
    beside HTEST (C2).
    `fhir_server` is the base URL that absolute references must have; `None` if it is not known.

    Raises `WrongPatientError` if the Patient sent has another id than `patient_id` (C3), and
    `ValueError` if `prediction_time` is naive. Nothing in the prefetch raises anything else.
    """
    if prediction_time.tzinfo is None:
        raise ValueError("prediction_time needs an offset from UTC")
    asked = [name for name in EXTRA_INPUTS if name in extra_inputs]
    keys = (*_KEYS, *(EXTRA_PREFETCH[name] for name in asked))
    contents = {key: read_contents(prefetch.get(key)) for key in keys}
    urls = (url for sent in contents.values() for url in patient_urls(sent, patient_id))
    matcher = PatientMatcher(patient_id, fhir_server, urls)
    patient = read_patient(
        contents["patient"],
        patient_id=patient_id,
        matcher=matcher,
        prediction_time=prediction_time,
        test_patient_tags=test_patient_tags,
    )
    encounter_class, encounters = read_encounters(contents["encounter"].entries, matcher)
    allowed = default_lookback_hours(encounter_class)
    hours = allowed if lookback_hours is None else min(lookback_hours, allowed)
    latest = prediction_time + CLOCK_SKEW
    window = Window(
        matcher,
        prediction_time - timedelta(hours=hours),
        latest,
        {name: _earliest(name, prediction_time) for name in asked},
    )
    vitals = contents["vitals"]
    extras = {name: contents[EXTRA_PREFETCH[name]] for name in asked}
    sent = chain(vitals.entries, *(extra.entries for extra in extras.values()))
    findings = read_observations(sent, window)
    selection = select(
        findings,
        prediction_time,
        maybe_not_latest=vitals.cut_short,
        extra_maybe_not_latest=[
            name
            for name, extra in extras.items()
            if (extra if extra.state in _SEARCHED else vitals).cut_short
        ],
    )
    answered_pregnant, older_answers = latest_answer(findings.answers)
    has_pregnancy, conditions = read_conditions(contents["conditions"].entries, matcher, latest)
    return Extraction(
        row=_row(selection, patient),
        patient=patient.facts,
        readings=selection.readings,
        missing=_missing(selection, patient, vitals, extras),
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


def _earliest(name: str, prediction_time: datetime) -> datetime:
    """Since when an Observation of an extra input counts."""
    lookback = EXTRA_LOOKBACK[name]
    return _EVER if lookback is None else prediction_time - lookback


def _row(selection: Selection, patient: PatientReading) -> FeatureRow:
    values: dict[str, Any] = {r.feature: r.value for r in selection.readings}
    return FeatureRow(
        age=patient.facts.age,
        sex=patient.facts.sex if patient.sex_reason is None else None,
        # Extra inputs are combined with nothing, so their age decides nothing (C4).
        minutes_before={
            r.feature: r.minutes_before for r in selection.readings if r.feature not in EXTRA_INPUTS
        },
        **values,
    )


def _missing(
    selection: Selection,
    patient: PatientReading,
    vitals: Contents,
    extras: Mapping[str, Contents],
) -> tuple[Missing, ...]:
    """Every input without a value and why, in table order (C8); of `extras` those asked for."""
    read = {reading.feature for reading in selection.readings}
    reasons: dict[str, MissingReason | None] = {
        "age": patient.facts.age_reason,
        "sex": patient.sex_reason,
    }
    nothing = _nothing(vitals)
    for name in READINGS:
        reasons[name] = None if name in read else selection.reasons.get(name, nothing)
    for name, contents in extras.items():
        if name not in read:
            reasons[name] = selection.reasons.get(name) or _nothing(contents)
    return tuple(
        Missing(name, reason) for name in ROW_NAMES if (reason := reasons.get(name)) is not None
    )


def _nothing(contents: Contents) -> MissingReason:
    """Why an input that no Observation speaks of has none.

    Where paging was cut short, it may be on a page that was not read.
    """
    found = MissingReason.NO_OBSERVATION
    if contents.cut_short:
        found = MissingReason.MAYBE_NOT_LATEST
    return _NOT_SEARCHED.get(contents.state, found)


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
