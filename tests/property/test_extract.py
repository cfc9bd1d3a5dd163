"""What holds for the reading of every chart."""

import random
from dataclasses import replace
from datetime import UTC, date, datetime, time, timedelta
from typing import Any

import pytest
from fhir.resources.R4B.observation import Observation
from hypothesis import given
from hypothesis import strategies as st

from fhir_mapping.codes import UCUM
from fhir_mapping.errors import WrongPatientError
from fhir_mapping.extract import extract
from fhir_mapping.readings import Extraction
from fhir_mapping.units import convert
from model.features import (
    ABO_GROUPS,
    EXTRA_INPUTS,
    READINGS,
    ROW_NAMES,
    exercise_days_per_month,
    is_possible,
)
from model.training.cleaning_values import read_abo_groups, read_number
from tests.support.builders import Json, bundle, condition, encounter, observation, patient, raw
from tests.support.strategies import (
    NOW,
    UNITS,
    damaged,
    extra_observations,
    json_values,
    observations,
    times,
)

AFTER = times(timedelta(minutes=6), timedelta(days=3))
"""Beyond the allowed clock skew."""


def run(**values: bytes) -> Extraction:
    return extract(values, patient_id="p1", fhir_server=None, prediction_time=NOW)


def chart(*resources: object, **more: Any) -> Extraction:
    return run(patient=raw(patient()), vitals=raw(bundle(*resources, **more)))


def assert_kept(found: Extraction) -> None:
    """What every extraction without extra inputs promises."""
    assert_read(found, tuple(name for name in ROW_NAMES if name not in EXTRA_INPUTS))
    assert {found.row.value(name) for name in EXTRA_INPUTS} == {None}
    for reading in found.readings:
        assert timedelta(minutes=-5) <= NOW - reading.time <= timedelta(hours=24)


def assert_read(found: Extraction, asked: tuple[str, ...] = ROW_NAMES) -> None:
    """What every extraction of these inputs promises."""
    read = {reading.feature: reading.value for reading in found.readings}
    missing = [m.feature for m in found.missing]
    for name in asked:
        assert (found.row.value(name) is None) == (name in missing)
    for name in (*READINGS, *EXTRA_INPUTS):
        assert found.row.value(name) == read.get(name)
    assert [n for n in asked if n in missing] == missing
    assert [n for n in ROW_NAMES if n in read] == list(read)
    for reading in found.readings:
        if isinstance(reading.value, str):
            assert (reading.feature, reading.value in ABO_GROUPS) == ("abo_group", True)
        else:
            assert is_possible(reading.feature, reading.value)


@given(json_values)
def test_no_json_raises(value: object) -> None:
    assert_kept(run(vitals=raw(value), encounter=raw(value), conditions=raw(value)))
    try:
        assert_kept(run(patient=raw(value)))
    except WrongPatientError:
        assert "Patient" in str(value)


@given(st.lists(json_values, max_size=4))
def test_no_bundle_of_json_raises_or_loses_a_good_reading(resources: list[object]) -> None:
    found = chart(*resources, observation(value=77, at=NOW - timedelta(minutes=1)))
    assert_kept(found)
    assert found.row.heart_rate == 77
    assert len(found.skipped) >= len(resources)


@given(damaged(observations() | st.just(condition("O80")) | st.just(encounter())))
def test_no_damaged_resource_raises_or_is_lost(resource: Json) -> None:
    found = run(
        patient=raw(patient()),
        vitals=raw(bundle(resource, observation(value=77, at=NOW, id="good"))),
        encounter=raw(resource),
        conditions=raw(resource),
    )
    assert_kept(found)
    used = {r.reference for r in found.readings} | {s.reference for s in found.skipped}
    assert "Observation/good" in used
    assert found.skipped or found.pregnant or len(found.readings) > 1


@given(damaged(st.just(bundle(observation(at=NOW), patient(), next_url="https://x.example"))))
def test_no_damaged_bundle_raises(value: Json) -> None:
    assert_kept(run(patient=raw(patient()), vitals=raw(value)))


@given(damaged(st.just(patient(meta={"tag": [{"code": "HTEST"}]}, deceasedBoolean=False))))
def test_no_damaged_patient_raises_anything_but_wrong_patient(value: Json) -> None:
    try:
        found = run(patient=raw(value))
    except WrongPatientError:
        assert value["id"] != "p1"
    else:
        assert_kept(found)


@given(st.binary(max_size=30), st.integers(0, 400))
def test_no_bytes_raise(noise: bytes, place: int) -> None:
    text = raw(bundle(observation(at=NOW)))
    assert_kept(run(vitals=noise))
    assert_kept(run(vitals=text[:place] + noise + text[place + len(noise) :]))


@pytest.mark.requirement("R22")
@given(
    st.lists(observations() | damaged(observations()), max_size=8),
    st.randoms(use_true_random=False),
)
def test_the_order_of_entries_changes_nothing(
    resources: list[Json], shuffle: random.Random
) -> None:
    shuffled = list(resources)
    shuffle.shuffle(shuffled)
    assert chart(*shuffled) == chart(*resources)


KEYS = ("vitals", "blood_group", "exercise")


def asked_chart(placed: list[tuple[str, Json]]) -> Extraction:
    """A chart with extra inputs, each resource under the key that it was placed under."""
    sent = {key: raw(bundle(*(r for k, r in placed if k == key))) for key in KEYS}
    return extract(
        {"patient": raw(patient()), **sent},
        patient_id="p1",
        fhir_server=None,
        prediction_time=NOW,
        extra_inputs=EXTRA_INPUTS,
    )


@pytest.mark.requirement("R22")
@given(
    st.lists(
        st.tuples(
            st.sampled_from(KEYS),
            observations() | extra_observations() | damaged(extra_observations()),
        ),
        max_size=8,
    ),
    st.randoms(use_true_random=False),
    st.data(),
)
def test_neither_order_nor_key_of_extra_inputs_changes_anything(
    placed: list[tuple[str, Json]], shuffle: random.Random, data: st.DataObject
) -> None:
    found = asked_chart(placed)
    assert_read(found)
    shuffled = [(data.draw(st.sampled_from(KEYS)), resource) for _, resource in placed]
    shuffle.shuffle(shuffled)
    other = asked_chart(shuffled)
    assert other == found


@given(st.lists(observations(), max_size=5), st.lists(extra_observations(), max_size=5))
def test_extra_inputs_change_no_vital_sign(vitals: list[Json], extras: list[Json]) -> None:
    plain, more = chart(*vitals), asked_chart([("vitals", r) for r in (*vitals, *extras)])
    for name in READINGS:
        assert more.row.value(name) == plain.row.value(name)
    assert more.row.minutes_before == plain.row.minutes_before
    unasked = chart(*vitals, *extras)
    assert (unasked.row, unasked.readings, unasked.missing) == (
        plain.row,
        plain.readings,
        plain.missing,
    )


@given(st.floats(0, 7), st.floats(0, 7))
def test_more_days_a_week_are_no_fewer_days_a_month(some: float, other: float) -> None:
    fewer, more = sorted((some, other))
    assert 0 <= exercise_days_per_month(fewer) <= exercise_days_per_month(more) <= 30


@given(st.integers(0, 70))
def test_days_a_week_come_back_from_days_a_month(tenths: int) -> None:
    per_week = tenths / 10
    per_month = exercise_days_per_month(per_week)
    assert round(per_month * 7 / 30, 1) == per_week
    assert convert("exercise_days", per_week, None, UCUM, "d/wk") == per_month
    assert read_number(f"{per_week} d/wk", "exercise_days", ".").value == per_month
    # What is exported reads back as it is.
    assert convert("exercise_days", per_month, None, UCUM, "d/mo") == per_month
    assert read_number(repr(per_month), "exercise_days", ".").value == per_month


@given(st.sampled_from(ABO_GROUPS), st.sampled_from(["", "+", " Rh-", " neg", " Rh(D) positive"]))
def test_a_blood_group_reads_the_same_from_fhir_and_from_history(group: str, rh: str) -> None:
    text = group + rh
    sent = observation("883-9", None, at=NOW, valueString=text)
    assert asked_chart([("vitals", sent)]).row.abo_group == group
    assert read_abo_groups([text]) == {text: group}


@given(st.lists(observations(), max_size=6), st.lists(observations(AFTER), min_size=1, max_size=4))
def test_c7_nothing_after_the_prediction_time_changes_the_row(
    resources: list[Json], later: list[Json]
) -> None:
    without, with_later = chart(*resources), chart(*resources, *later)
    assert with_later.row == without.row
    assert with_later.readings == without.readings
    assert {s.reason for s in chart(*later).skipped} == {"future"}


@given(
    st.lists(observations(), max_size=6), st.lists(observations(subject="Patient/p2"), max_size=4)
)
def test_c3_nothing_of_another_patient_changes_the_row(own: list[Json], others: list[Json]) -> None:
    assert chart(*own, *others).row == chart(*own).row


@given(st.lists(observations(), max_size=8))
def test_c4_both_pressures_are_of_one_time(resources: list[Json]) -> None:
    found = chart(*resources)
    read = {r.feature: r for r in found.readings}
    if {"systolic_bp", "diastolic_bp"} <= set(read):
        systolic, diastolic = read["systolic_bp"], read["diastolic_bp"]
        assert systolic.time == diastolic.time
        assert systolic.value > diastolic.value  # type: ignore[operator]  # both are numbers


@given(st.lists(observations(), min_size=1, max_size=8))
def test_c7_no_valid_reading_is_newer_than_the_one_used(resources: list[Json]) -> None:
    found = chart(*resources)
    for reading in found.readings:
        if reading.feature in ("systolic_bp", "diastolic_bp"):
            continue
        same = [r for r in resources if _feature_of(r) == reading.feature]
        instants = [datetime.fromisoformat(r["effectiveDateTime"]) for r in same]
        assert reading.time == max(instants)


@given(st.lists(observations(), max_size=8))
def test_every_valid_observation_is_used_or_skipped_with_a_reason(resources: list[Json]) -> None:
    numbered = [r | {"id": f"o{i}"} for i, r in enumerate(resources)]
    found = chart(*numbered)
    told = {r.reference for r in found.readings} | {s.reference for s in found.skipped}
    assert told == {f"Observation/{r['id']}" for r in numbered}
    assert all(s.reason for s in found.skipped)


@given(st.integers(200, 460))
def test_temperatures_agree_in_every_unit(tenths: int) -> None:
    celsius = tenths / 10
    fahrenheit, kelvin = celsius * 9 / 5 + 32, celsius + 273.15
    for value, code in ((celsius, "Cel"), (fahrenheit, "[degF]"), (kelvin, "K")):
        assert convert("body_temperature", value, None, UCUM, code) == celsius


@given(st.integers(20, 320))
def test_pressures_agree_in_every_unit(value: int) -> None:
    kilopascal = value * 0.133322387415
    assert convert("systolic_bp", kilopascal, None, UCUM, "kPa") == pytest.approx(value, abs=0.01)
    assert convert("systolic_bp", value, "mmHg", None, None) == value


@given(st.integers(1, 100))
def test_saturations_agree_as_percent_and_fraction(percent: int) -> None:
    assert convert("oxygen_saturation", percent / 100, None, UCUM, "1") == percent
    assert convert("oxygen_saturation", percent, None, UCUM, "%") == percent


@given(observations())
def test_typed_reading_agrees_with_fhir_resources(resource: Json) -> None:
    """The hot path decodes by itself; `fhir.resources` reads the same value, unit and time."""
    validated = Observation.model_validate(resource)
    found = chart(resource)
    if not found.readings:
        assert found.skipped[0].reason in ("stale", "implausible")
        return
    items: list[Any] = validated.component or [validated]
    given_values = {
        item.code.coding[0].code: (float(item.valueQuantity.value), item.valueQuantity.code)
        for item in items
    }
    effective = validated.effectiveDateTime
    if not isinstance(effective, datetime):
        assert isinstance(effective, date)
        effective = datetime.combine(effective, time.min, UTC)
    for reading in found.readings:
        assert (reading.received_value, reading.received_unit) == given_values[reading.code]
        assert reading.time == effective
        assert reading.status == validated.status
        assert reading.reference == f"Observation/{validated.id}"


@given(observations(), st.sampled_from(["text", "category", "performer", "note", "device"]))
def test_elements_that_are_not_read_change_nothing(resource: Json, name: str) -> None:
    other = resource | {name: [{"x": [1, {"y": None}]}]}
    assert chart(other) == chart(resource)


@given(observations())
def test_a_single_resource_and_a_cut_bundle_give_the_same_values(resource: Json) -> None:
    alone = run(patient=raw(patient()), vitals=raw(resource))
    assert alone == chart(resource)
    flagged = chart(resource, next_url="https://x.example/2")
    assert replace(flagged.row, minutes_before={}) == replace(alone.row, minutes_before={})


def _feature_of(resource: Json) -> str | None:
    code = resource["code"]["coding"][0]["code"]
    if code not in UNITS:
        return None
    names = {"/min": "heart_rate", "Cel": "body_temperature", "%": "oxygen_saturation"}
    if code == "9279-1":
        return "respiratory_rate"
    return names.get(UNITS[code][0])
