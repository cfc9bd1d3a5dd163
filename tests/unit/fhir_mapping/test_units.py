"""Units as received → units of the inputs."""

import pytest

from fhir_mapping.codes import UCUM
from fhir_mapping.units import convert, received_unit


@pytest.mark.parametrize(
    ("feature", "value", "code", "expected"),
    [
        ("heart_rate", 80, "/min", 80),
        ("heart_rate", 80, "{beats}/min", 80),
        ("heart_rate", 80, "{Beats}/min", 80),
        ("heart_rate", 80, "1/min", 80),
        ("heart_rate", 80, "min-1", 80),
        ("heart_rate", 80, "bpm", 80),
        ("respiratory_rate", 16, "{breaths}/min", 16),
        ("body_temperature", 36.6, "Cel", 36.6),
        ("body_temperature", 101.3, "[degF]", 38.5),
        ("body_temperature", 98.6, "[degF]", 37.0),
        ("body_temperature", 310.15, "K", 37.0),
        ("systolic_bp", 120, "mm[Hg]", 120),
        ("systolic_bp", 120, "mmHg", 120),
        # 16 kPa x 7.500617 = 120.0099
        ("systolic_bp", 16, "kPa", 120.01),
        ("oxygen_saturation", 97, "%", 97),
        ("oxygen_saturation", 97, "%{saturation}", 97),
        ("oxygen_saturation", 0.97, "1", 97.0),
        ("oxygen_saturation", 1, "1", 100.0),
        # 3 d/wk x 30/7 = 12.857
        ("exercise_days", 3, "d/wk", 12.86),
        ("exercise_days", 3, "{days}/wk", 12.86),
        ("exercise_days", 7, "d/wk", 30.0),
        ("exercise_days", 12.5, "d/mo", 12.5),
    ],
)
def test_converts_ucum_codes(feature: str, value: float, code: str, expected: float) -> None:
    assert convert(feature, value, None, UCUM, code) == expected


@pytest.mark.parametrize(
    ("feature", "value", "unit", "expected"),
    [
        ("heart_rate", 80, "beats/min", 80),
        ("heart_rate", 80, "Beats  per minute", 80),
        ("heart_rate", 80, "per minute", 80),
        ("respiratory_rate", 16, "breaths/min", 16),
        ("body_temperature", 37, "°C", 37),
        ("body_temperature", 37, "ºC", 37),
        ("body_temperature", 37, "C", 37),
        ("body_temperature", 37, "degC", 37),
        ("body_temperature", 37, "Cel", 37),
        ("body_temperature", 101.3, "°F", 38.5),
        ("body_temperature", 101.3, "F", 38.5),
        ("body_temperature", 101.3, "deg F", 38.5),
        ("body_temperature", 101.3, "degF", 38.5),
        ("diastolic_bp", 80, "mm Hg", 80),
        ("diastolic_bp", 80, "mmHg", 80),
        ("diastolic_bp", 80, "Torr", 80),
        # 10 kPa x 7.500617 = 75.00617
        ("diastolic_bp", 10, "KPA", 75.01),
        ("oxygen_saturation", 97, "percent", 97),
        ("exercise_days", 3, "d/wk", 12.86),
        ("exercise_days", 3, "d/week", 12.86),
        ("exercise_days", 3, "Days per week", 12.86),
        ("exercise_days", 12, "days/month", 12),
    ],
)
def test_converts_units_given_as_text(
    feature: str, value: float, unit: str, expected: float
) -> None:
    assert convert(feature, value, unit, None, None) == expected
    # The same as a code of no system.
    assert convert(feature, value, None, None, unit) == expected
    # A code of another system is not read, the text beside it is.
    assert convert(feature, value, unit, "urn:iso:std:iso:11073:10101", "264864") == expected


def test_c5_a_missing_unit_is_never_guessed() -> None:
    assert convert("body_temperature", 98.6, None, None, None) is None
    assert convert("body_temperature", 37.0, "", None, None) is None
    assert convert("body_temperature", 37.0, None, UCUM, None) is None
    assert convert("heart_rate", 80, None, "urn:iso:std:iso:11073:10101", "264864") is None


@pytest.mark.parametrize(
    ("feature", "code"),
    [
        ("body_temperature", "C"),  # coulomb
        ("body_temperature", "F"),  # farad
        ("body_temperature", "/min"),
        ("body_temperature", "mm[Hg]"),
        ("heart_rate", "mm[Hg]"),
        ("heart_rate", "/s"),
        ("heart_rate", "{beats}"),
        ("systolic_bp", "cm[H2O]"),
        ("systolic_bp", "%"),
        ("oxygen_saturation", "mm[Hg]"),
        ("oxygen_saturation", "1/min"),
        ("exercise_days", "d"),
        ("exercise_days", "min/wk"),
        ("exercise_days", "/min"),
        ("heart_rate", "d/wk"),
        # An annotation is printable ASCII, so that nothing else gets into records.
        ("heart_rate", "{bea\x00ts}/min"),
        ("heart_rate", "{" + "b" * 1000 + "}/min"),
    ],
)
def test_another_ucum_unit_is_not_known(feature: str, code: str) -> None:
    assert convert(feature, 37, None, UCUM, code) is None


def test_a_code_outweighs_the_text_beside_it() -> None:
    assert convert("body_temperature", 38.5, "degF", UCUM, "Cel") == 38.5
    assert convert("body_temperature", 38.5, "°C", UCUM, "C") is None
    assert received_unit("degF", UCUM, "Cel") == "Cel"
    assert received_unit("bpm", "urn:iso:std:iso:11073:10101", "264864") == "bpm"
    assert received_unit(None, None, None) is None


def test_ucum_may_be_named_by_oid_or_with_a_slash() -> None:
    for system in ("http://unitsofmeasure.org/", "urn:oid:2.16.840.1.113883.6.8"):
        assert convert("body_temperature", 101.3, None, system, "[degF]") == 38.5
        assert convert("body_temperature", 37, None, system, "C") is None


@pytest.mark.parametrize("value", [0, -0.5, 1.01, 97])
def test_a_fraction_lies_above_0_and_up_to_1(value: float) -> None:
    assert convert("oxygen_saturation", value, None, UCUM, "1") is None


def test_a_fraction_needs_a_code() -> None:
    assert convert("oxygen_saturation", 0.97, "1", None, None) is None
    assert convert("heart_rate", 0.97, None, UCUM, "1") is None


def test_refuses_a_name_that_is_no_feature() -> None:
    with pytest.raises(KeyError):
        convert("height", 1, "m", None, None)
