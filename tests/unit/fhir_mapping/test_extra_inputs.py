"""Blood group and exercise days: read only where asked for, each with its own look-back."""

import csv
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from fhir_mapping.codes import EXTRA_LOOKBACK, EXTRA_PREFETCH
from fhir_mapping.extract import extract
from fhir_mapping.readings import Extraction, Missing, MissingReason, Reading
from model.features import (
    EXTRA_INPUTS,
    MAX_MINUTES_APART,
    MODEL_COLUMNS,
    ROW_NAMES,
    row_matrix,
)
from model.scorer import frame_matrix
from model.training.cleaning import clean_history
from model.training.history import read_history
from tests.support.builders import (
    Json,
    blood_pressure,
    bundle,
    concept,
    observation,
    operation_outcome,
    patient,
    prefetch,
)

NOW = datetime(2026, 3, 7, 12, tzinfo=UTC)


def group(answer: str = "LA19710-5", *, at: str = "2011-05-01", code: str = "883-9") -> Json:
    return observation(
        code, None, at=at, id=f"g-{at}", category=None, valueCodeableConcept=concept(answer)
    )


def exercise(value: object = 3, unit: str = "d/wk", *, at: str = "2025-11-02") -> Json:
    return observation("89555-7", value, unit, at=at, id=f"x-{at}", category=None)


def run(asked: tuple[str, ...] = EXTRA_INPUTS, **values: object) -> Extraction:
    sent: dict[str, Any] = {"patient": patient(), "vitals": bundle(observation())} | values
    return extract(
        prefetch(**sent),
        patient_id="p1",
        fhir_server=None,
        prediction_time=NOW,
        extra_inputs=asked,
    )


def why(found: Extraction, name: str) -> str | None:
    return next((m.reason.value for m in found.missing if m.feature == name), None)


def test_both_with_where_they_came_from() -> None:
    found = run(blood_group=bundle(group()), exercise=bundle(exercise()))
    assert (found.row.abo_group, found.row.exercise_days) == ("A", 12.86)
    assert found.readings[1:] == (
        Reading(
            feature="abo_group",
            value="A",
            time=datetime(2011, 5, 1, tzinfo=UTC),
            minutes_before=(NOW - datetime(2011, 5, 1, tzinfo=UTC)) / timedelta(minutes=1),
            code="883-9",
            received_value="LA19710-5",
            received_unit="",
            received_time="2011-05-01",
            status="final",
            reference="Observation/g-2011-05-01",
        ),
        Reading(
            feature="exercise_days",
            value=12.86,
            time=datetime(2025, 11, 2, tzinfo=UTC),
            minutes_before=(NOW - datetime(2025, 11, 2, tzinfo=UTC)) / timedelta(minutes=1),
            code="89555-7",
            received_value=3.0,
            received_unit="d/wk",
            received_time="2025-11-02",
            status="final",
            reference="Observation/x-2025-11-02",
        ),
    )
    assert not {m.feature for m in found.missing} & set(EXTRA_INPUTS)


def test_off_by_default_nothing_is_read_missing_or_different() -> None:
    plain = run(())
    sent = bundle(observation(), group(), exercise(), observation("89555-7", "x", id="bad"))
    found = run((), vitals=sent, blood_group=bundle(group()), exercise=bundle(exercise()))
    assert (found.row, found.readings, found.missing) == (
        plain.row,
        plain.readings,
        plain.missing,
    )
    assert {(s.reason, s.feature) for s in found.skipped} == {
        ("not_used", None),
        ("malformed", None),
    }


def test_only_what_is_asked_for_is_read() -> None:
    values = {"blood_group": bundle(group()), "exercise": bundle(exercise())}
    found = run(("exercise_days",), **values)
    assert (found.row.abo_group, found.row.exercise_days) == (None, 12.86)
    assert why(found, "abo_group") is None
    assert why(run(("abo_group",)), "exercise_days") is None


def test_observations_are_told_apart_by_code_under_any_key() -> None:
    everything = [observation(), group(), exercise(), blood_pressure()]
    expected = run(
        vitals=bundle(observation(), blood_pressure()),
        blood_group=bundle(group()),
        exercise=bundle(exercise()),
    )
    in_vitals = run(vitals=bundle(*everything))
    swapped = run(
        vitals=bundle(exercise()),
        blood_group=bundle(observation(), exercise(at="2025-10-01")),
        exercise=bundle(group(), blood_pressure()),
    )
    assert in_vitals.row == swapped.row == expected.row
    assert in_vitals.readings == swapped.readings == expected.readings


def test_a_blood_group_of_any_age_and_an_exercise_of_12_months() -> None:
    assert run(vitals=bundle(group(at="1958"))).row.abo_group == "A"
    assert EXTRA_LOOKBACK["exercise_days"] == timedelta(days=365)
    for at, days in (("2025-03-07T12:00:00Z", 12.86), ("2025-03-07T11:59:59Z", None)):
        found = run(vitals=bundle(exercise(at=at)))
        assert found.row.exercise_days == days
        assert why(found, "exercise_days") == (None if days else "stale")
    # The windows of vital signs stay as they are.
    assert why(run(vitals=bundle(observation(at="2026-03-01"))), "heart_rate") == "stale"


def test_the_latest_counts_and_the_older_is_superseded() -> None:
    older = exercise(5, at="2025-06-01")
    found = run(vitals=bundle(exercise(), older), blood_group=bundle(group(), group(at="1999")))
    assert found.row.exercise_days == 12.86
    assert {s.reference: s.reason for s in found.skipped} == {
        "Observation/g-1999": "superseded",
        "Observation/x-2025-06-01": "superseded",
    }


@pytest.mark.parametrize("late", ["LA19708-9", "LA21321-7"])
def test_two_different_groups_contradict_each_other(late: str) -> None:
    found = run(vitals=bundle(group(), group(late, at="2024-01-01")))
    assert found.row.abo_group is None
    assert why(found, "abo_group") == "contradictory"
    assert {(s.reason, s.feature) for s in found.skipped} == {("contradictory", "abo_group")}
    # What came later cannot settle it.
    unread = group("LA11884-6", at="2025-01-01")
    assert (
        why(run(vitals=bundle(group(), group(late, at="2024-01-01"), unread)), "abo_group")
        == "contradictory"
    )


def test_the_same_group_from_both_codes_does_not_contradict() -> None:
    found = run(vitals=bundle(group(), group("LA21326-6", at="2024-01-01", code="882-1")))
    assert found.row.abo_group == "A"
    assert found.readings[0].received_value == "LA21326-6"


@pytest.mark.parametrize(
    ("value", "unit", "reason"),
    [
        (8, "d/wk", "implausible"),
        (-1, "d/wk", "implausible"),
        (31, "d/mo", "implausible"),
        (3, "min/wk", "unknown_unit"),
        (3, "d", "unknown_unit"),
        (3, None, "unknown_unit"),
    ],
)
def test_c5_days_that_cannot_be_read(value: float, unit: str | None, reason: str) -> None:
    found = run(exercise=observation("89555-7", value, unit, at="2026-01-01"))
    assert found.row.exercise_days is None
    assert why(found, "exercise_days") == reason


@pytest.mark.parametrize(
    ("sent", "reason"),
    [
        (..., "not_in_prefetch"),
        (None, "null_prefetch"),
        (bundle(), "no_observation"),
        (bundle(observation()), "no_observation"),
        (operation_outcome("error"), "not_in_prefetch"),
        ([1], "malformed"),
        (bundle(next_url="https://x.example/2"), "maybe_not_latest"),
    ],
)
@pytest.mark.parametrize("name", EXTRA_INPUTS)
def test_c8_what_is_asked_for_and_missing_has_a_reason(
    name: str, sent: object, reason: str
) -> None:
    values: dict[str, object] = {} if sent is ... else {EXTRA_PREFETCH[name]: sent}
    found = run((name,), **values)
    assert found.missing[-1] == Missing(name, MissingReason(reason))


def test_c3_of_another_patient_they_are_not_used() -> None:
    found = run(blood_group=group() | {"subject": {"reference": "Patient/p2"}})
    assert found.row.abo_group is None
    assert why(found, "abo_group") == "wrong_patient"


def test_c7_a_page_cut_short_doubts_its_own_input_only() -> None:
    cut = bundle(exercise(), next_url="https://x.example/2")
    found = run(blood_group=bundle(group()), exercise=cut)
    flags = {r.feature: r.flags for r in found.readings}
    assert flags == {
        "heart_rate": (),
        "abo_group": (),
        "exercise_days": ("maybe_not_latest",),
    }
    assert not found.maybe_not_latest
    in_vitals = run(vitals=bundle(observation(), group(), next_url="https://x.example/2"))
    assert {r.flags for r in in_vitals.readings} == {("maybe_not_latest",)}


def test_a_preliminary_blood_group_says_so_and_none_is_extreme() -> None:
    found = run(blood_group=group() | {"status": "preliminary"}, exercise=exercise(0))
    assert [r.flags for r in found.readings[1:]] == [("preliminary",), ()]
    assert found.row.exercise_days == 0.0
    for status in ("registered", "entered-in-error"):
        assert why(run(blood_group=group() | {"status": status}), "abo_group") == "wrong_status"


def test_c4_their_age_does_not_touch_derived_inputs() -> None:
    found = run(
        vitals=bundle(observation(), blood_pressure()),
        blood_group=bundle(group(at="1980")),
        exercise=bundle(exercise()),
    )
    assert not set(found.row.minutes_before) & set(EXTRA_INPUTS)
    assert max(found.row.minutes_before.values()) < MAX_MINUTES_APART
    derived = [c.name for c in MODEL_COLUMNS].index("shock_index")
    assert row_matrix(found.row)[0, derived] == pytest.approx(80 / 120)


def test_several_values_under_one_key() -> None:
    sent: dict[str, Any] = {
        **prefetch(patient=patient()),
        "vitals": list(prefetch(a=bundle(observation()), b=bundle(group())).values()),
        "blood_group": list(prefetch(a=bundle(), b=exercise()).values()),
        "conditions": list(
            prefetch(
                a=None,
                b={
                    "resourceType": "Condition",
                    "subject": {"reference": "Patient/p1"},
                    "code": concept("77386006", system="http://snomed.info/sct"),
                },
            ).values()
        ),
    }
    found = extract(
        sent,
        patient_id="p1",
        fhir_server=None,
        prediction_time=NOW,
        extra_inputs=EXTRA_INPUTS,
    )
    assert (found.row.heart_rate, found.row.abo_group, found.row.exercise_days) == (80, "A", 12.86)
    assert found.pregnant


def test_prefetch_and_a_history_row_give_identical_features(tmp_path: Path) -> None:
    found = run(
        vitals=bundle(
            observation("8867-4", 91),
            observation("8310-5", 38.1, "Cel"),
            blood_pressure(104, 61),
        ),
        blood_group=bundle(group("LA28449-9")),
        exercise=bundle(exercise(2.5)),
    )
    # The same patient as a hospital may write her down.
    written = {
        "age": repr(found.row.age),
        "heart_rate": "91",
        "body_temperature": "38.1",
        "systolic_bp": "104",
        "diastolic_bp": "61",
        "sex": "F",
        "abo_group": "AB Rh(D) neg",
        "exercise_days": "2.5 d/wk",
        "severity": "mild",
    }
    with (tmp_path / "history.csv").open("w", newline="") as file:
        writer = csv.DictWriter(file, written)
        writer.writeheader()
        writer.writerow(written)
    frame = clean_history(read_history(tmp_path / "history.csv")).frame
    for name in ROW_NAMES:
        value, cell = found.row.value(name), frame.loc[0, name]
        assert cell == value or (value is None and pd.isna(cell)), name
    np.testing.assert_array_equal(
        frame_matrix(frame)[0], row_matrix(replace(found.row, minutes_before={}))[0]
    )
