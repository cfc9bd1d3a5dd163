"""A filled-in form as resources: what is read from them is what was typed."""

from datetime import UTC, date, datetime, timedelta, timezone

import msgspec
import pytest

from fhir_mapping.entered import Entered, Quantity, birth_date_of, entered_resources
from fhir_mapping.extract import extract
from fhir_mapping.patient import age_at
from fhir_mapping.readings import Extraction
from fhir_mapping.resources import parse_resource
from model.features import EXTRA_INPUTS, FeatureRow

NOW = datetime(2026, 3, 1, 12, tzinfo=timezone(timedelta(hours=5, minutes=45)))


def read(entered: Entered, at: datetime = NOW) -> Extraction:
    return extract(
        entered_resources(entered, patient_id="K7M4-9QXE", at=at),
        patient_id="K7M4-9QXE",
        fhir_server=None,
        prediction_time=at,
        extra_inputs=EXTRA_INPUTS,
    )


def test_everything_that_was_typed_is_read() -> None:
    found = read(
        Entered(
            age=68,
            sex="female",
            heart_rate=Quantity(118, "/min"),
            body_temperature=Quantity(101.3, "[degF]"),
            systolic_bp=Quantity(104, "mm[Hg]"),
            diastolic_bp=Quantity(62, "mm[Hg]"),
            respiratory_rate=Quantity(22, "/min"),
            oxygen_saturation=Quantity(94, "%"),
            exercise_days=Quantity(3, "d/wk"),
            abo_group="AB",
        )
    )
    assert found.row == FeatureRow(
        age=68.0,
        heart_rate=118.0,
        body_temperature=38.5,
        systolic_bp=104.0,
        diastolic_bp=62.0,
        respiratory_rate=22.0,
        oxygen_saturation=94.0,
        sex="female",
        abo_group="AB",
        exercise_days=12.86,
        minutes_before=dict.fromkeys(
            ("heart_rate", "body_temperature", "systolic_bp", "diastolic_bp", "respiratory_rate",
             "oxygen_saturation"), 0.0
        ),
    )  # fmt: skip
    assert found.missing == ()
    assert found.skipped == ()
    assert not found.pregnant


def test_what_was_left_empty_is_missing_and_never_filled() -> None:
    found = read(Entered(birth_date=date(1957, 4, 2), sex="unknown"))
    assert found.readings == ()
    assert {item.feature for item in found.missing} >= {"heart_rate", "sex", "systolic_bp"}


@pytest.mark.parametrize("group", ["A", "B", "AB", "O"])
def test_every_blood_group_is_read_as_itself(group: str) -> None:
    assert read(Entered(age=40, abo_group=group)).row.abo_group == group


def test_a_known_pregnancy_is_known() -> None:
    assert read(Entered(age=30, sex="female", pregnant=True)).pregnant


@pytest.mark.parametrize("day", ["2026-03-01", "2024-02-29", "2100-02-28", "2024-12-31"])
def test_the_age_that_was_typed_is_the_age_that_is_read(day: str) -> None:
    at = datetime.fromisoformat(day).replace(hour=23, tzinfo=UTC)
    for age in range(123):
        found = age_at(birth_date_of(age, at), at.date())
        assert age <= found < age + 0.01
        if not day.endswith("02-29"):
            assert found == age


def test_the_resources_are_valid_fhir() -> None:
    entered = Entered(
        age=68, sex="male", heart_rate=Quantity(60, "/min"), abo_group="O", pregnant=True,
        systolic_bp=Quantity(120, "mm[Hg]"), diastolic_bp=Quantity(80, "mm[Hg]"),
    )  # fmt: skip
    for raw in entered_resources(entered, patient_id="K7M4-9QXE", at=NOW).values():
        resource = msgspec.json.decode(raw)
        parsed = parse_resource(resource["resourceType"], resource)
        assert not isinstance(parsed, list), parsed
