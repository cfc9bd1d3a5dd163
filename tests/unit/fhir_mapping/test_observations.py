"""One Observation: its value, or why it has none (C3 to C7)."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from fhir_mapping.bundles import Entry
from fhir_mapping.observations import CLOCK_SKEW, Candidate, Findings, Window, read_observations
from fhir_mapping.readings import MissingReason, Skipped
from fhir_mapping.references import PatientMatcher
from tests.support.builders import (
    LOINC,
    SNOMED,
    UCUM,
    blood_pressure,
    coding,
    component,
    concept,
    condition,
    observation,
    operation_outcome,
    patient,
    quantity,
    raw,
)

NOW = datetime(2026, 3, 7, 12, tzinfo=UTC)
WINDOW = Window(PatientMatcher("p1", None), NOW - timedelta(hours=24), NOW + CLOCK_SKEW)


def read(*resources: object) -> Findings:
    return read_observations([Entry(raw(r)) for r in resources], WINDOW)


def only(resource: object) -> Candidate:
    findings = read(resource)
    assert findings.rejections == []
    (candidate,) = findings.candidates
    return candidate


def reasons(resource: object) -> list[tuple[str | None, str]]:
    """Feature and reason of each rejection; no value may have been taken."""
    findings = read(resource)
    assert findings.candidates == []
    return [(r.skipped.feature, r.skipped.reason) for r in findings.rejections]


def reason(resource: object) -> str:
    (found,) = reasons(resource)
    return found[1]


def test_c4_a_value_keeps_what_was_received() -> None:
    found = only(
        observation(
            "8331-1",
            101.3,
            "[degF]",
            at="2026-03-07T06:30:00.25-05:00",
            id="t1",
            status="amended",
            issued="2026-03-07T11:40:00Z",
            meta={"lastUpdated": "2026-03-07T11:41:00Z"},
        )
    )
    assert found == Candidate(
        feature="body_temperature",
        value=38.5,
        time=datetime(2026, 3, 7, 11, 30, 0, 250_000, tzinfo=UTC),
        code="8331-1",
        received_value=101.3,
        received_unit="[degF]",
        received_time="2026-03-07T06:30:00.25-05:00",
        status="amended",
        reference="Observation/t1",
        issued="2026-03-07T11:40:00Z",
        last_updated="2026-03-07T11:41:00Z",
        source=0,
    )


@pytest.mark.parametrize(
    ("code", "value", "unit", "feature"),
    [
        ("8867-4", 80, "/min", "heart_rate"),
        ("8889-8", 80, "/min", "heart_rate"),
        ("8893-0", 80, "/min", "heart_rate"),
        ("8310-5", 37, "Cel", "body_temperature"),
        ("8331-1", 37, "Cel", "body_temperature"),
        ("8332-9", 37, "Cel", "body_temperature"),
        ("8333-7", 37, "Cel", "body_temperature"),
        ("8328-7", 37, "Cel", "body_temperature"),
        ("8329-5", 37, "Cel", "body_temperature"),
        ("75539-7", 37, "Cel", "body_temperature"),
        ("8480-6", 120, "mm[Hg]", "systolic_bp"),
        ("8462-4", 80, "mm[Hg]", "diastolic_bp"),
        ("9279-1", 16, "/min", "respiratory_rate"),
        ("2708-6", 97, "%", "oxygen_saturation"),
        ("59408-5", 97, "%", "oxygen_saturation"),
    ],
)
def test_recognises_every_code(code: str, value: float, unit: str, feature: str) -> None:
    found = only(observation(code, value, unit))
    assert (found.feature, found.value, found.code) == (feature, value, code)


@pytest.mark.parametrize("system", [LOINC, LOINC + "/", "urn:oid:2.16.840.1.113883.6.1"])
def test_any_of_several_codings_may_match(system: str) -> None:
    code = concept(coding("x", "http://acme.example"), coding("8867-4", system), coding("1-8"))
    assert only(observation(code)).feature == "heart_rate"


@pytest.mark.parametrize("system", [None, "", "http://loinc", SNOMED, "https://loinc.org/8867-4"])
def test_a_code_without_its_system_is_not_loinc(system: str | None) -> None:
    assert reason(observation(concept(coding("8867-4", system)))) == "not_used"


def test_the_preferred_of_several_codes_names_the_reading() -> None:
    code = concept("8331-1", "8310-5", "8328-7")
    assert only(observation(code, 37, "Cel")).code == "8310-5"


def test_codings_that_contradict_each_other_are_malformed() -> None:
    assert reason(observation(concept("8867-4", "8310-5"))) == "malformed"


@pytest.mark.parametrize("code", [{}, {"text": "Heart rate"}, {"coding": []}, concept("718-7")])
def test_a_code_that_no_input_has_is_not_used(code: dict[str, Any]) -> None:
    assert reasons(observation(code)) == [(None, "not_used")]


def test_c6_invasive_pressures_are_not_pooled() -> None:
    assert reason(observation("76215-3", 120, "mm[Hg]")) == "not_used"
    assert reason(observation(concept("8480-6", "76215-3"), 120, "mm[Hg]")) == "not_used"
    line = blood_pressure(None, None)
    line["component"] = [
        component(concept("8480-6", "76215-3"), 120),
        component(concept("8462-4", "76213-8"), 80),
    ]
    assert reasons(line) == [(None, "not_used")]


@pytest.mark.parametrize(
    "subject", [None, "Patient/p2", "Group/p1", "urn:uuid:p2", "https://x.example/Patient/p2", ""]
)
def test_c3_another_subject_is_the_wrong_patient(subject: str | None) -> None:
    assert reasons(observation(subject=subject)) == [("heart_rate", "wrong_patient")]
    # Whatever else is wrong with it, or whatever it is.
    assert reasons(observation("718-7", subject=subject)) == [(None, "wrong_patient")]
    assert reason(observation(value="high", subject=subject)) == "wrong_patient"


def test_c3_a_reference_without_a_literal_is_the_wrong_patient() -> None:
    sent = observation(subject=None) | {"subject": {"identifier": {"value": "p1"}}}
    assert reason(sent) == "wrong_patient"


def test_c3_a_value_about_somebody_else_is_the_wrong_patient() -> None:
    assert reason(observation(focus=[{"reference": "Patient/fetus"}])) == "wrong_patient"
    assert only(observation(focus=[{"reference": "Patient/p1"}])).value == 80


@pytest.mark.parametrize("status", ["final", "amended", "corrected", "preliminary"])
def test_statuses_that_are_used(status: str) -> None:
    assert only(observation(status=status)).status == status


@pytest.mark.parametrize(
    "status", ["registered", "cancelled", "entered-in-error", "unknown", "Final", "", None]
)
def test_statuses_that_are_not(status: str | None) -> None:
    assert reason(observation(status=status)) == "wrong_status"


@pytest.mark.parametrize(
    ("effective", "expected"),
    [
        ({"effectiveInstant": "2026-03-07T11:00:00Z"}, datetime(2026, 3, 7, 11, tzinfo=UTC)),
        (
            {"effectivePeriod": {"start": "2026-03-07T10:00:00Z", "end": "2026-03-07T11:00:00Z"}},
            datetime(2026, 3, 7, 11, tzinfo=UTC),
        ),
        (
            {"effectivePeriod": {"start": "2026-03-07T10:00:00Z"}},
            datetime(2026, 3, 7, 10, tzinfo=UTC),
        ),
        (
            {"effectiveTiming": {"event": ["2026-03-07T09:00:00Z", "2026-03-07T10:00:00Z"]}},
            datetime(2026, 3, 7, 9, tzinfo=UTC),
        ),
        ({"effectiveDateTime": "2026-03-07"}, datetime(2026, 3, 7, tzinfo=UTC)),
    ],
)
def test_c7_the_time_of_a_reading(effective: dict[str, Any], expected: datetime) -> None:
    found = only(observation(at=None, **effective))
    assert found.time == expected
    assert found.received_time.startswith("2026-03-07")


@pytest.mark.parametrize(
    ("effective", "expected"),
    [
        ({}, "no_time"),
        # When a value was published is not when it was measured.
        ({"issued": "2026-03-07T11:00:00Z"}, "no_time"),
        ({"effectivePeriod": {}}, "no_time"),
        ({"effectiveTiming": {"repeat": {"frequency": 1}}}, "no_time"),
        ({"effectiveDateTime": "2026-03-07T11:00:00"}, "malformed"),
        ({"effectiveDateTime": "noon"}, "malformed"),
        (
            {"effectivePeriod": {"start": "2026-03-07T11:00:00Z", "end": "2026-03-07T10:00:00Z"}},
            "malformed",
        ),
        ({"effectiveDateTime": 20260307}, "malformed"),
    ],
)
def test_no_time(effective: dict[str, Any], expected: str) -> None:
    assert reasons(observation(at=None, **effective)) == [("heart_rate", expected)]


@pytest.mark.parametrize(
    ("at", "expected"),
    [
        ("2026-03-06T11:59:59Z", "stale"),
        ("2026-03-06T12:00:00Z", None),
        ("2026-03-07T12:05:00Z", None),
        ("2026-03-07T12:05:01Z", "future"),
        ("2026-03-08", "future"),
        ("2026-03-06", "stale"),
        ("2026", "stale"),
    ],
)
def test_c7_look_back_and_clock_skew(at: str, expected: str | None) -> None:
    if expected is None:
        assert only(observation(at=at)).value == 80
    else:
        assert reasons(observation(at=at)) == [("heart_rate", expected)]


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        ({"value": None}, "data_absent"),
        ({"value": None, "dataAbsentReason": concept("error")}, "data_absent"),
        # A value beside a reason for its absence breaks obs-6.
        ({"dataAbsentReason": concept("error")}, "data_absent"),
        ({"valueQuantity": {"unit": "/min"}}, "data_absent"),
        ({"valueQuantity": {"value": None, "code": "/min", "system": UCUM}}, "data_absent"),
        # A limit is no measurement.
        ({"valueQuantity": quantity(80, code="/min", system=UCUM, comparator=">")}, "data_absent"),
        ({"value": None, "valueInteger": 80}, "unknown_unit"),
        ({"value": None, "valueString": "80"}, "malformed"),
        ({"value": None, "valueBoolean": False}, "malformed"),
        ({"value": None, "valueRange": {"low": {"value": 80}}}, "malformed"),
        ({"valueQuantity": {"value": "80", "code": "/min", "system": UCUM}}, "malformed"),
        ({"valueQuantity": {"value": True, "code": "/min", "system": UCUM}}, "malformed"),
        ({"valueQuantity": 80}, "malformed"),
        ({"modifierExtension": [{"url": "http://x.example/not"}]}, "malformed"),
        ({"unit": None}, "unknown_unit"),
        ({"unit": "mm[Hg]"}, "unknown_unit"),
    ],
)
def test_no_value(change: dict[str, Any], expected: str) -> None:
    assert reasons(observation(**change)) == [("heart_rate", expected)]


@pytest.mark.parametrize(
    ("code", "value", "unit"),
    [
        ("8867-4", 351, "/min"),
        ("8867-4", 0, "/min"),
        ("8867-4", 998, "/min"),
        ("8867-4", -9, "/min"),
        ("8310-5", 19.9, "Cel"),
        ("8310-5", 46.1, "Cel"),
        ("8310-5", -17.8, "Cel"),
        ("8310-5", 0, "[degF]"),
        ("8310-5", 986, "[degF]"),
        ("8310-5", 998, "[degF]"),
        ("8310-5", 98.6, "Cel"),
        ("8480-6", 321, "mm[Hg]"),
        ("8480-6", 19, "mm[Hg]"),
        ("8480-6", 998, "kPa"),
        ("8462-4", 221, "mm[Hg]"),
        ("2708-6", 101, "%"),
        ("2708-6", 0.5, "%"),
        ("8867-4", 1e300, "/min"),
        ("8480-6", 1.7e308, "kPa"),
    ],
)
def test_c5_impossible_values(code: str, value: float, unit: str) -> None:
    assert reason(observation(code, value, unit)) == "implausible"


def test_c5_extreme_values_are_used() -> None:
    found = read(blood_pressure(300, 150)).candidates
    assert [c.value for c in found] == [300, 150]


def test_c4_a_panel_gives_both_pressures() -> None:
    for code in ("85354-9", "55284-4"):
        found = read(blood_pressure(118, 76, code=code, id="b1"))
        assert found.rejections == []
        assert [(c.feature, c.value, c.code, c.source) for c in found.candidates] == [
            ("systolic_bp", 118, "8480-6", 0),
            ("diastolic_bp", 76, "8462-4", 0),
        ]


@pytest.mark.parametrize(("systolic", "diastolic"), [(80, 80), (80, 120)])
def test_c5_systolic_not_above_diastolic_is_impossible(systolic: int, diastolic: int) -> None:
    assert reasons(blood_pressure(systolic, diastolic)) == [
        ("systolic_bp", "implausible"),
        ("diastolic_bp", "implausible"),
    ]


def test_one_pressure_may_be_absent() -> None:
    sent = blood_pressure(120, None)
    sent["component"].append(component("8462-4", None, dataAbsentReason=concept("not-performed")))
    for panel in (sent, blood_pressure(120, None)):
        found = read(panel)
        assert [(c.feature, c.value) for c in found.candidates] == [("systolic_bp", 120)]
        assert [(r.skipped.feature, r.skipped.reason) for r in found.rejections] == [
            ("diastolic_bp", "data_absent")
        ]


def test_a_palpated_pressure_leaves_the_other() -> None:
    found = read(blood_pressure(90, 998))
    assert [c.feature for c in found.candidates] == ["systolic_bp"]
    assert found.rejections[0].skipped.reason == "implausible"


def test_a_panel_without_components() -> None:
    both = [("systolic_bp", "data_absent"), ("diastolic_bp", "data_absent")]
    assert reasons(blood_pressure(None, None, dataAbsentReason=concept("unknown"))) == both
    assert reasons(blood_pressure(None, None)) == both
    # Its members are Observations of their own.
    members = blood_pressure(None, None, hasMember=[{"reference": "Observation/s"}])
    del members["component"]
    assert reasons(members) == [(None, "not_used")]


def test_a_panel_that_says_a_pressure_twice_is_malformed_there() -> None:
    sent = blood_pressure(120, 80)
    sent["component"].append(component("8480-6", 140))
    found = read(sent)
    assert [c.feature for c in found.candidates] == ["diastolic_bp"]
    assert found.rejections[0].skipped.reason == "malformed"


def test_other_components_are_passed_over() -> None:
    sent = blood_pressure(120, 80)
    sent["component"].append(component("8478-0", 93))
    assert len(read(sent).candidates) == 2
    assert read(sent).rejections == []


def test_a_damaged_resource_is_skipped_under_its_input_and_spoils_no_other() -> None:
    damaged = observation(id="o1") | {"meta": "none"}
    found = read(damaged, observation("9279-1", 16), blood_pressure(120, "80", id="b1"))
    assert [c.feature for c in found.candidates] == ["respiratory_rate"]
    assert [r.skipped for r in found.rejections] == [
        Skipped("Observation", "Observation/o1", "malformed", "heart_rate"),
        Skipped("Observation", "Observation/b1", "malformed", "systolic_bp"),
        Skipped("Observation", "Observation/b1", "malformed", "diastolic_bp"),
    ]
    assert found.rejections[0].time == datetime(2026, 3, 7, 11, 50, tzinfo=UTC)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (b"null", ("unknown", None, "malformed")),
        (b"[]", ("unknown", None, "malformed")),
        (b"7", ("unknown", None, "malformed")),
        (b"{}", ("unknown", None, "malformed")),
        (b'{"resourceType": "<b>"}', ("unknown", None, "malformed")),
        (b'{"resourceType": "Observation", "id": 5}', ("unknown", None, "malformed")),
        (
            b'{"resourceType": "Observation", "id": "x", "code": 1}',
            ("Observation", "Observation/x", "malformed"),
        ),
        (b'{"resourceType": "Observation", "id": "\xff"}', ("unknown", None, "malformed")),
        (b'{"resourceType": "Observation", "id": "\\ud800"}', ("unknown", None, "malformed")),
    ],
)
def test_what_cannot_be_read_is_skipped(text: bytes, expected: tuple[str, str | None, str]) -> None:
    found = read_observations([Entry(text)], WINDOW)
    (rejection,) = found.rejections
    skipped = rejection.skipped
    assert (skipped.resource_type, skipped.reference, skipped.reason) == expected


def test_a_number_too_large_for_a_float_is_malformed() -> None:
    text = raw(observation(value=12345)).replace(b"12345", b"1" * 400)
    (rejection,) = read_observations([Entry(text)], WINDOW).rejections
    assert rejection.skipped.reason == "malformed"
    assert rejection.skipped.feature == "heart_rate"


def test_of_a_member_given_twice_the_last_counts() -> None:
    text = raw(observation(value=80)).replace(b'"value": 80', b'"value": 80, "value": 90')
    assert read_observations([Entry(text)], WINDOW).candidates[0].value == 90


def test_null_counts_as_absent() -> None:
    sent = observation() | {"focus": None, "dataAbsentReason": None, "meta": None}
    assert only(sent).value == 80


def test_other_resources_are_skipped_by_type() -> None:
    assert reason(patient()) == "wrong_type"
    assert reason(condition("I10")) == "wrong_type"
    assert reason(operation_outcome()) == "operation_outcome"
    entry = Entry(raw(observation(id="o")), outcome=True)
    (rejection,) = read_observations([entry], WINDOW).rejections
    assert rejection.skipped == Skipped("Observation", "Observation/o", "operation_outcome")


@pytest.mark.parametrize("resource_id", [None, "", "a\nb", "x" * 129, "\x00"])
def test_an_id_that_cannot_be_kept_gives_no_reference(resource_id: str | None) -> None:
    assert only(observation(id=resource_id)).reference is None


def test_a_component_with_a_modifier_is_malformed() -> None:
    sent = blood_pressure(120, 80)
    sent["component"][0]["modifierExtension"] = [{"url": "http://x.example/not"}]
    found = read(sent)
    assert [c.feature for c in found.candidates] == ["diastolic_bp"]
    assert found.rejections[0].skipped.reason == "malformed"


def test_a_pregnancy_answer_is_no_reading() -> None:
    status = observation(
        "82810-3", None, valueCodeableConcept=concept("LA15173-0"), at="2026-01-01", id="p"
    )
    found = read(status)
    assert (found.candidates, found.rejections) == ([], [])
    assert [a.pregnant for a in found.answers] == [True]
    assert reasons(status | {"effectiveDateTime": None}) == [(None, MissingReason.NO_TIME)]
    assert reasons(status | {"status": "entered-in-error"}) == [(None, "wrong_status")]
