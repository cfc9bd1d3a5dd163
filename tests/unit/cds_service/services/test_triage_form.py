"""What may be typed into the triage form, what is asked about, and what is refused (C5)."""

from datetime import UTC, date, datetime

import pytest

from cds_service.services.triage_form import NUMBERS, number_limits, read_form
from fhir_mapping.codes import UCUM
from fhir_mapping.entered import Quantity
from fhir_mapping.units import convert
from model.features import is_extreme, is_possible
from tests.support.triage_pages import ILL

NOW = datetime(2026, 3, 1, 23, 30, tzinfo=UTC)


def wrong(**changes: str | None) -> dict[str, str]:
    """Field → what is wrong with it, of `ILL` with these changes."""
    fields = {name: text for name, text in (ILL | changes).items() if text is not None}
    read = read_form(fields, NOW)
    assert (read.entered is None) == bool(read.problems)
    return {problem.field: problem.kind for problem in read.problems}


def test_a_form_that_is_right() -> None:
    read = read_form(ILL | {"heart_rate": " 118 ", "body_temperature": "38,6"}, NOW)
    assert read.problems == ()
    assert read.entered is not None
    assert read.entered.age == 68
    assert read.entered.heart_rate == Quantity(118.0, "/min")
    assert read.entered.body_temperature == Quantity(38.6, "Cel")
    assert read.entered.respiratory_rate is None
    assert not read.entered.pregnant


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({"age": ""}, {"age": "required"}),
        ({"birth_date": "1957-04-02"}, {"age": "one_of_two"}),
        ({"age": "68.5"}, {"age": "not_whole"}),
        ({"age": "-1"}, {"age": "not_whole"}),
        ({"age": "123"}, {"age": "impossible"}),
        ({"age": "111"}, {"age": "extreme"}),
        ({"age": None, "birth_date": "1957-13-02"}, {"birth_date": "not_a_date"}),
        ({"age": None, "birth_date": "1957"}, {"birth_date": "not_a_date"}),
        ({"age": None, "birth_date": "02/04/1957"}, {"birth_date": "not_a_date"}),
        ({"age": None, "birth_date": "2026-03-03"}, {"birth_date": "future"}),
        ({"age": None, "birth_date": "1900-01-01"}, {"birth_date": "impossible"}),
        ({"sex": ""}, {"sex": "choose"}),
        ({"sex": "f"}, {"sex": "choose"}),
        ({"abo_group": "C"}, {"abo_group": "choose"}),
        ({"heart_rate": "fast"}, {"heart_rate": "not_a_number"}),
        ({"heart_rate": "-9"}, {"heart_rate": "not_a_number"}),
        ({"heart_rate": "1e2"}, {"heart_rate": "not_a_number"}),
        ({"heart_rate": "nan"}, {"heart_rate": "not_a_number"}),
        ({"heart_rate": "0"}, {"heart_rate": "impossible"}),
        ({"heart_rate": "998"}, {"heart_rate": "impossible"}),
        ({"heart_rate": "230"}, {"heart_rate": "extreme"}),
        ({"body_temperature": "101.3"}, {"body_temperature": "impossible"}),
        ({"temperature_unit": None}, {"temperature_unit": "choose"}),
        ({"temperature_unit": "K"}, {"temperature_unit": "choose"}),
        ({"temperature_unit": "[degF]"}, {"body_temperature": "impossible"}),
        ({"diastolic_bp": ""}, {"diastolic_bp": "both"}),
        ({"systolic_bp": ""}, {"systolic_bp": "both"}),
        ({"systolic_bp": "62"}, {"systolic_bp": "not_higher"}),
        ({"systolic_bp": "300", "diastolic_bp": "150"},
         {"systolic_bp": "extreme", "diastolic_bp": "extreme"}),
        ({"oxygen_saturation": "101"}, {"oxygen_saturation": "impossible"}),
        ({"exercise_days": "8"}, {"exercise_days": "impossible"}),
        (dict.fromkeys(("heart_rate", "body_temperature", "systolic_bp", "diastolic_bp"), ""),
         {"heart_rate": "no_readings"}),
    ],
)  # fmt: skip
def test_what_is_wrong_is_said_at_its_field(
    changes: dict[str, str | None], expected: dict[str, str]
) -> None:
    assert wrong(**changes) == expected


def test_what_was_measured_again_is_taken_and_no_other_value() -> None:
    assert wrong(heart_rate="230", **{"again-heart_rate": "230"}) == {}
    assert wrong(heart_rate="231", **{"again-heart_rate": "230"}) == {"heart_rate": "extreme"}
    # What is not possible is not made possible by saying so.
    assert wrong(heart_rate="400", **{"again-heart_rate": "400"}) == {"heart_rate": "impossible"}


def test_a_birth_date_may_be_one_day_ahead() -> None:
    assert wrong(age=None, birth_date="2026-03-02") == {}
    for text in ("1957-04-02", "1957/4/2", "1957.04.02", "1957 4 02"):
        read = read_form(ILL | {"age": "", "birth_date": text}, NOW)
        assert read.entered is not None
        assert read.entered.birth_date == date(1957, 4, 2)


def test_a_temperature_is_read_in_the_unit_that_was_chosen() -> None:
    read = read_form(ILL | {"body_temperature": "101.3", "temperature_unit": "[degF]"}, NOW)
    assert read.entered is not None
    assert read.entered.body_temperature == Quantity(101.3, "[degF]")


def test_limits_of_the_page_are_those_of_the_model() -> None:
    """In every unit, what is just inside passes and what is just outside does not."""
    seen = set()
    for field, unit, limits in number_limits():
        seen.add(field.name)
        low, high = limits["possible"]
        for value, inside in ((low, True), (high, True), (low - 0.2, False), (high + 0.2, False)):
            converted = convert(field.name, value, unit, UCUM, unit)
            assert converted is not None
            assert is_possible(field.name, converted) is inside, (field.name, unit, value)
        low, high = limits["usual"]
        for value in (low, high):
            converted = convert(field.name, value, unit, UCUM, unit)
            assert converted is not None
            assert not is_extreme(field.name, converted)
    assert seen == {field.name for field in NUMBERS}


def test_errors_hold_no_value_that_was_typed() -> None:
    read = read_form(ILL | {"heart_rate": "777", "systolic_bp": "999"}, NOW)
    assert read.problems
    assert "777" not in repr(read.problems)
    assert "999" not in repr(read.problems)
