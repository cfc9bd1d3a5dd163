"""One request's prefetch → the inputs of the model and their provenance."""

from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import pytest

from fhir_mapping.errors import WrongPatientError
from fhir_mapping.extract import PrefetchState, extract, prefetch_state
from fhir_mapping.readings import Extraction, Missing, MissingReason, Reading
from model.features import READINGS, FeatureRow
from tests.support.builders import (
    blood_pressure,
    bundle,
    coding,
    concept,
    condition,
    encounter,
    epic_empty_search,
    observation,
    operation_outcome,
    patient,
    prefetch,
)

NOW = datetime(2026, 3, 7, 12, tzinfo=UTC)
SERVER = "https://ehr.example/fhir"
UUID = "5a1c3f0e-0b6f-4f0e-9a55-0d8f4d2c9b10"


def run(
    at: datetime = NOW,
    hours: float | None = None,
    patient_id: str = "p1",
    **values: object,
) -> Extraction:
    return extract(
        prefetch(**values),
        patient_id=patient_id,
        fhir_server=SERVER,
        prediction_time=at,
        lookback_hours=hours,
    )


def vitals(*resources: object, **more: Any) -> Extraction:
    return run(patient=patient(), vitals=bundle(*resources, **more))


def why(extraction: Extraction) -> dict[str, str]:
    return {m.feature: m.reason.value for m in extraction.missing}


def skipped(extraction: Extraction) -> list[tuple[str, str | None, str, str | None]]:
    return [(s.resource_type, s.reference, s.reason, s.feature) for s in extraction.skipped]


def test_a_whole_chart() -> None:
    found = vitals(
        observation("8867-4", 118, at="2026-03-07T13:50:00+02:00", id="hr"),
        observation("8310-5", 101.3, "[degF]", at="2026-03-07T11:45:00Z", id="t"),
        blood_pressure(92, 58, at="2026-03-07T11:40:00Z", id="bp"),
        observation("718-7", 13, "g/dL", id="hb"),
        operation_outcome(),
    )
    assert found.row == FeatureRow(
        age=68 + 339 / 365,
        heart_rate=118,
        body_temperature=38.5,
        systolic_bp=92,
        diastolic_bp=58,
        sex="female",
        minutes_before={
            "heart_rate": 10.0,
            "body_temperature": 15.0,
            "systolic_bp": 20.0,
            "diastolic_bp": 20.0,
        },
    )
    assert found.readings[1] == Reading(
        feature="body_temperature",
        value=38.5,
        time=datetime(2026, 3, 7, 11, 45, tzinfo=UTC),
        minutes_before=15.0,
        code="8310-5",
        received_value=101.3,
        received_unit="[degF]",
        received_time="2026-03-07T11:45:00Z",
        status="final",
        reference="Observation/t",
    )
    assert found.missing == (
        Missing("respiratory_rate", MissingReason.NO_OBSERVATION),
        Missing("oxygen_saturation", MissingReason.NO_OBSERVATION),
    )
    assert skipped(found) == [
        ("Observation", "Observation/hb", "not_used", None),
        ("OperationOutcome", None, "operation_outcome", None),
    ]
    assert (found.pregnant, found.encounter_class, found.maybe_not_latest) == (False, None, False)


@pytest.mark.requirement("R17")
@pytest.mark.parametrize(
    ("values", "reason"),
    [
        ({}, "not_in_prefetch"),
        ({"vitals": None}, "null_prefetch"),
        ({"vitals": bundle()}, "no_observation"),
        ({"vitals": operation_outcome("error")}, "not_in_prefetch"),
        ({"vitals": [1]}, "malformed"),
    ],
)
def test_c8_without_readings_every_input_has_the_reason(
    values: dict[str, object], reason: str
) -> None:
    found = run(patient=patient(), **values)
    assert why(found) == dict.fromkeys(READINGS, reason)
    assert found.readings == ()


@pytest.mark.requirement("R18")
def test_the_empty_search_of_epic_means_no_observation() -> None:
    found = run(patient=patient(), vitals=epic_empty_search())
    assert why(found) == dict.fromkeys(READINGS, "no_observation")
    assert skipped(found) == [("OperationOutcome", None, "operation_outcome", None)]


def test_c8_age_and_sex_are_missing_with_a_reason_too() -> None:
    assert why(run(vitals=bundle(observation())))["age"] == "not_in_prefetch"
    assert why(run(patient=None))["sex"] == "null_prefetch"
    found = run(patient=patient(gender="unknown", birth_date="someday"))
    assert found.missing[0] == Missing("age", MissingReason.MALFORMED)
    assert found.missing[-1] == Missing("sex", MissingReason.DATA_ABSENT)
    assert found.patient.sex == "unknown"
    assert found.row.sex is None


def test_a_single_observation_in_place_of_the_bundle() -> None:
    assert run(vitals=observation(value=77)).row.heart_rate == 77


def test_a_bundle_of_many_types() -> None:
    found = vitals(patient(), condition("I10", id="c"), bundle(observation()), observation())
    assert found.row.heart_rate == 80
    assert [s[2] for s in skipped(found)] == ["wrong_type"] * 3


def test_entries_without_a_resource_are_counted() -> None:
    sent = bundle(observation())
    sent["entry"] += [{}, None]
    found = run(patient=patient(), vitals=sent)
    assert found.row.heart_rate == 80
    assert skipped(found) == [("unknown", None, "malformed", None)] * 2


def test_c3_another_patient_is_refused() -> None:
    with pytest.raises(WrongPatientError):
        run(patient=patient("p2"), vitals=bundle(observation()))


def test_c3_only_readings_of_the_patient_are_used() -> None:
    found = vitals(
        observation(value=150, subject="Patient/p2", at="2026-03-07T11:59:00Z", id="other"),
        observation(value=80, subject=f"{SERVER}/Patient/p1", id="own"),
    )
    assert found.row.heart_rate == 80
    assert skipped(found) == [("Observation", "Observation/other", "wrong_patient", "heart_rate")]
    alone = vitals(observation(subject="Patient/p2"))
    assert why(alone)["heart_rate"] == "wrong_patient"


def test_c3_urn_uuid_is_resolved_through_any_bundle() -> None:
    own = observation(subject=f"urn:uuid:{UUID}")
    assert vitals(own).row.heart_rate is None
    in_vitals = vitals(own, patient(), full_urls={1: f"urn:uuid:{UUID}"})
    assert in_vitals.row.heart_rate == 80
    in_patient = run(
        patient=bundle(patient(), full_urls={0: f"urn:uuid:{UUID}"}), vitals=bundle(own)
    )
    assert in_patient.row.heart_rate == 80
    assert run(patient_id=UUID, vitals=bundle(own)).row.heart_rate == 80
    of_another = vitals(own, patient("p2"), full_urls={1: f"urn:uuid:{UUID}"})
    assert of_another.row.heart_rate is None


def test_c7_look_back_12_hours_in_an_emergency_else_24() -> None:
    old = bundle(observation(at="2026-03-06T23:30:00Z"))
    assert run(vitals=old).row.heart_rate == 80
    found = run(vitals=old, encounter=encounter("EMER"))
    assert found.encounter_class == "emergency"
    assert why(found)["heart_rate"] == "stale"
    assert run(vitals=old, encounter=encounter("AMB")).row.heart_rate == 80
    # Somebody else's encounter changes nothing.
    assert run(vitals=old, encounter=encounter(subject="Patient/p2")).row.heart_rate == 80
    # A client's setting can be stricter, never laxer.
    assert run(vitals=old, encounter=encounter("EMER"), hours=13).row.heart_rate is None
    assert run(vitals=old, hours=13).row.heart_rate == 80
    assert why(run(vitals=old, hours=12))["heart_rate"] == "stale"


def test_c7_cut_short_flags_every_value_and_doubts_every_absence() -> None:
    found = vitals(observation(), next_url=f"{SERVER}?page=2")
    assert found.maybe_not_latest
    assert found.readings[0].flags == ("maybe_not_latest",)
    assert why(found)["body_temperature"] == "maybe_not_latest"
    stale = vitals(observation(at="2026-01-01"), next_url=f"{SERVER}?page=2")
    assert why(stale)["heart_rate"] == "stale"


def test_c1_pregnancy_from_an_observation_or_a_condition() -> None:
    answer = observation(
        "82810-3", None, valueCodeableConcept=concept("LA15173-0"), at="2026-01-01", id="p"
    )
    found = vitals(answer)
    assert found.pregnant
    assert found.skipped == ()
    assert not vitals(answer | {"subject": {"reference": "Patient/p2"}}).pregnant
    from_condition = run(conditions=bundle(condition("O26.90"), condition("I10", id="c")))
    assert from_condition.pregnant
    assert skipped(from_condition) == [("Condition", "Condition/c", "not_used", None)]
    # An answer "not pregnant" does not outweigh a current diagnosis.
    denied = answer | {"valueCodeableConcept": concept("LA26683-5")}
    assert run(vitals=bundle(denied), conditions=condition("Z33.1")).pregnant
    assert not run(vitals=bundle(denied)).pregnant


def test_c1_an_older_answer_is_superseded() -> None:
    answers = [
        observation("82810-3", None, valueCodeableConcept=concept(code), at=at, id=id_)
        for code, at, id_ in (
            ("LA15173-0", "2026-01-01", "old"),
            ("LA26683-5", "2026-02-01", "new"),
        )
    ]
    found = vitals(*answers)
    assert not found.pregnant
    assert skipped(found) == [("Observation", "Observation/old", "superseded", None)]


def test_c21_restricted_resources_are_used_for_care() -> None:
    label = coding("R", "http://terminology.hl7.org/CodeSystem/v3-Confidentiality")
    found = vitals(observation(meta={"security": [label]}))
    assert found.row.heart_rate == 80


def test_the_zone_of_the_prediction_time_does_not_matter() -> None:
    east = NOW.astimezone(timezone(timedelta(hours=9)))
    sent = {"patient": patient(), "vitals": bundle(observation(), blood_pressure())}
    assert run(at=east, **sent) == run(**sent)


def test_a_naive_prediction_time_is_refused() -> None:
    with pytest.raises(ValueError, match="offset"):
        run(at=datetime(2026, 3, 7, 12))  # noqa: DTZ001 - this is what is refused.


def test_the_state_of_a_prefetch_is_exported() -> None:
    assert prefetch_state(None) is PrefetchState.ABSENT
