"""Readings in words: value, unit, age, reference range, and why one is missing."""

from dataclasses import replace

import pytest

from fhir_mapping.readings import Missing, MissingReason
from hooks.reading_text import ReadingText
from hooks.wording import Wording
from tests.support.card_cases import ADULT, RED, an_extraction

ALL = {**ADULT, "respiratory_rate": 22.0, "oxygen_saturation": 94.0}


def text(values: object = None, language: str = "en", **changes: object) -> ReadingText:
    return ReadingText(an_extraction(values or ALL, **changes), Wording(language))  # type: ignore[arg-type]  # tests pass plain dicts


@pytest.mark.parametrize(
    ("reason", "english", "spanish"),
    [
        (
            "heart_rate",
            "heart rate 118/min (10 min ago; reference 60–100)",
            "frecuencia cardiaca 118/min (hace 10 min; referencia 60–100)",
        ),
        (
            "body_temperature",
            "temperature 37.9 °C (10 min ago; reference 36.1–37.2)",
            "temperatura 37,9 °C (hace 10 min; referencia 36,1–37,2)",
        ),
        (
            "blood_pressure",
            "blood pressure 96/58 mmHg (10 min ago; reference 90–120/60–80)",
            "presión arterial 96/58 mmHg (hace 10 min; referencia 90–120/60–80)",
        ),
        (
            "respiratory_rate",
            "respiratory rate 22/min (10 min ago; reference 12–20)",
            "frecuencia respiratoria 22/min (hace 10 min; referencia 12–20)",
        ),
        (
            "oxygen_saturation",
            "SpO2 94% (10 min ago; reference 95–100)",
            "SpO2 94 % (hace 10 min; referencia 95–100)",
        ),
        ("age", "age 71 years", "edad 71 años"),
        ("sex", "sex female", "sexo mujer"),
    ],
)
def test_c4_a_reading_has_value_unit_age_and_reference(
    reason: str, english: str, spanish: str
) -> None:
    assert text().full(reason) == english
    assert text(language="es").full(reason) == spanish


def test_c6_a_child_has_the_range_of_its_age_and_no_adult_one() -> None:
    child = text(age=9.2)

    assert (
        child.full("heart_rate") == "heart rate 118/min (10 min ago; reference for this age 52–115)"
    )
    assert child.full("blood_pressure") == "blood pressure 96/58 mmHg (10 min ago)"


def test_c9_no_adult_range_in_pregnancy_or_without_an_age() -> None:
    assert text(age=30.0, pregnant=True).full("heart_rate") == "heart rate 118/min (10 min ago)"
    assert text(age=None).full("heart_rate") == "heart rate 118/min (10 min ago)"


def test_one_pressure_alone_has_its_own_name() -> None:
    alone = text({"systolic_bp": 96.0})

    assert alone.full("blood_pressure") == (
        "systolic pressure 96 mmHg (10 min ago; reference 90–120)"
    )


def test_a_pressure_is_as_old_as_its_older_half() -> None:
    apart = text(minutes={"systolic_bp": 5, "diastolic_bp": 30})

    assert "30 min ago" in apart.full("blood_pressure")


def test_preliminary_and_extreme_readings_are_marked() -> None:
    marked = text(
        {**ALL, "heart_rate": 240.0, "systolic_bp": 300.0, "diastolic_bp": 150.0},
        flags={
            "heart_rate": ("extreme", "preliminary"),
            "systolic_bp": ("extreme",),
            "diastolic_bp": ("extreme",),
        },
    )

    assert marked.full("heart_rate") == (
        "heart rate 240/min (10 min ago; preliminary; reference 60–100)"
    )
    assert marked.extreme() == [
        "heart rate 240/min",
        "systolic pressure 300 mmHg",
        "diastolic pressure 150 mmHg",
    ]


def test_c9_a_red_reading_names_its_limit() -> None:
    red = text({**RED, "body_temperature": 34.96})

    assert red.red("systolic_bp") == "systolic pressure 84 mmHg (10 min ago; red at 90 or below)"
    assert red.red("respiratory_rate") == (
        "respiratory rate 27/min (10 min ago; red at 25 or above)"
    )
    assert red.red("body_temperature") == "temperature 35.0 °C (10 min ago; red at 35.0 or below)"


@pytest.mark.parametrize("reason", MissingReason)
def test_c8_every_missing_value_has_its_reason_in_words(reason: MissingReason) -> None:
    for language in ("en", "es"):
        read = text({"heart_rate": 80.0}, language, reasons={"body_temperature": reason})
        said = Wording(language).say(f"missing.{reason.value}")

        assert read.full("body_temperature").endswith(f"({said})")
        assert any(group.endswith(f"({said})") for group in read.missing())


def test_c8_missing_values_are_grouped_by_reason() -> None:
    read = text(
        {"heart_rate": 80.0},
        age=None,
        sex=None,
        reasons={"body_temperature": MissingReason.STALE},
    )

    assert read.missing() == [
        "age, blood pressure, respiratory rate, SpO2, sex (no reading)",
        "temperature (too old)",
    ]
    assert read.missing_core() == ["age", "temperature", "blood pressure"]
    assert read.full("age") == "age missing (no reading)"
    assert read.full("sex") == "sex missing (no reading)"


def test_nothing_missing_is_nothing_to_say() -> None:
    assert text().missing() == []
    assert text().missing_core() == []


def test_half_a_blood_pressure_missing_is_named_as_that_half() -> None:
    assert text({k: v for k, v in ALL.items() if k != "diastolic_bp"}).missing() == [
        "diastolic pressure (no reading)"
    ]


def test_a_reading_that_is_not_there_has_no_text() -> None:
    with pytest.raises(ValueError, match="heart_rate has no value"):
        text({"systolic_bp": 90.0}).brief("heart_rate")


EXTRA = {"abo_group": "AB", "exercise_days": 12.86}


@pytest.mark.parametrize(
    ("language", "group", "days"),
    [
        ("en", "blood group AB", "exercise on 13 days a month"),
        ("es", "grupo sanguíneo AB", "ejercicio 13 días al mes"),
    ],
)
def test_extra_inputs_have_no_reference_range(language: str, group: str, days: str) -> None:
    shown = text({**ALL, **EXTRA}, language)

    assert shown.present("abo_group")
    assert shown.full("abo_group") == group
    assert shown.full("exercise_days") == days


@pytest.mark.parametrize("reason", list(MissingReason))
def test_an_extra_input_that_nobody_asked_for_is_not_missing(reason: MissingReason) -> None:
    extraction = an_extraction(ALL)
    absent = tuple(Missing(name, reason) for name in EXTRA)
    shown = ReadingText(replace(extraction, missing=absent), Wording("en"))

    assert bool(shown.missing()) == (reason is not MissingReason.NOT_IN_PREFETCH)
    assert shown.missing_core() == []
