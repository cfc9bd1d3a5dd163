"""Every reason a card can give has a sentence of its own, in both languages (rule C11)."""

import re
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fhir_mapping.readings import MissingReason
from hooks.reading_text import PRESSURES, ReadingText
from hooks.wording import LANGUAGES, SENTENCES, Language, Wording, sentence
from model.assessment import Contribution
from model.features import ABO_GROUPS, FEATURE, REASONS, SEXES
from model.reference_ranges import ADULT_RANGES, reference_range
from tests.support.card_cases import an_assessment, an_extraction, the_card

MEASURED = tuple(name for name in ADULT_RANGES if name not in PRESSURES)
LONGEST_REASON = 160
"""Characters: two lines of a card."""


def beside(feature: str, level: str) -> float:
    """A possible value of that level in an adult, one step beyond or at the edge of its range."""
    low, high = ADULT_RANGES[feature]
    step = 10.0 ** -FEATURE[feature].decimals
    return {"low": low - step, "within": low, "high": high + step}[level]


def levels() -> dict[tuple[str, str], dict[str, Any]]:
    """Arguments of an extraction for every level of every reason."""
    found: dict[tuple[str, str], dict[str, Any]] = {}
    for name in MEASURED:
        for level in ("low", "within", "high"):
            if beside(name, level) <= FEATURE[name].possible[1]:
                found[name, level] = {"values": {name: beside(name, level)}}
    for systolic in ("low", "within", "high"):
        found["blood_pressure", f"systolic {systolic}"] = {
            "values": {"systolic_bp": beside("systolic_bp", systolic)}
        }
        found["blood_pressure", f"diastolic {systolic}"] = {
            "values": {"diastolic_bp": beside("diastolic_bp", systolic)}
        }
        for diastolic in ("low", "within", "high"):
            pair = {
                "systolic_bp": beside("systolic_bp", systolic),
                "diastolic_bp": beside("diastolic_bp", diastolic),
            }
            found["blood_pressure", f"{systolic} over {diastolic}"] = {"values": pair}
    for sex in SEXES:
        found["sex", sex] = {"sex": sex}
    for group in ABO_GROUPS:
        found["abo_group", group] = {"values": {"abo_group": group}}
    for days in (0.0, 1.0, 12.86):
        found["exercise_days", str(days)] = {"values": {"exercise_days": days}}
    found["age", "known"] = {"age": 71.4}
    found["age", "about"] = {"age": 71.4, "age_is_approximate": True}
    for name in REASONS:
        found[name, "missing"] = {"age": None, "sex": None}
    return found


LEVELS = levels()


def said(reason: str, level: str, value: float, language: Language) -> str:
    """The line of the card for one reason."""
    contributions = (Contribution(reason, value),)
    card = the_card(
        an_extraction(**LEVELS[reason, level]),
        an_assessment(contributions=contributions),
        language=language,
    )
    (line,) = [line for line in card["detail"].splitlines() if line.startswith("- ")]
    return str(line)


@pytest.mark.parametrize("language", LANGUAGES)
def test_every_reason_level_and_direction_has_a_sentence_of_its_own(language: Language) -> None:
    assert {reason for reason, _ in LEVELS} == set(REASONS)
    lines = [
        said(reason, level, value, language) for reason, level in LEVELS for value in (0.3, -0.3)
    ]

    assert len(set(lines)) == len(lines)
    for line in lines:
        assert len(line) <= LONGEST_REASON, line
        assert not re.search(r"[{}]|level\.|None", line), line
        assert line[2].isupper(), line


@pytest.mark.parametrize("key", [key for key in SENTENCES["en"] if key.startswith("level.")])
def test_each_level_is_told_apart_in_each_language(key: str) -> None:
    for language in LANGUAGES:
        alike = [k for k, text in SENTENCES[language].items() if text == SENTENCES[language][key]]
        assert alike == [key]


@pytest.mark.parametrize(
    ("reason", "level", "english", "spanish"),
    [
        (
            "heart_rate",
            "high",
            "- Fast heart rate 101/min (10 min ago; reference 60–100): speaks for it",
            "- Frecuencia cardiaca rápida 101/min (hace 10 min; referencia 60–100): a favor",
        ),
        (
            "body_temperature",
            "within",
            "- Temperature 36.1 °C, within reference (10 min ago; reference 36.1–37.2): "
            "speaks for it",
            "- Temperatura 36,1 °C, en la referencia (hace 10 min; referencia 36,1–37,2): a favor",
        ),
        (
            "blood_pressure",
            "high over low",
            "- Blood pressure 121/59 mmHg, systolic above, diastolic below (10 min ago; "
            "reference 90–120/60–80): speaks for it",
            "- Presión arterial 121/59 mmHg, sistólica alta, diastólica baja (hace 10 min; "
            "referencia 90–120/60–80): a favor",
        ),
        (
            "blood_pressure",
            "within over high",
            "- Blood pressure 90/81 mmHg, above reference (10 min ago; reference 90–120/60–80): "
            "speaks for it",
            "- Presión arterial 90/81 mmHg, sobre la referencia (hace 10 min; referencia "
            "90–120/60–80): a favor",
        ),
        (
            "blood_pressure",
            "diastolic low",
            "- Low diastolic pressure 59 mmHg (10 min ago; reference 60–80): speaks for it",
            "- Presión diastólica baja 59 mmHg (hace 10 min; referencia 60–80): a favor",
        ),
        (
            "oxygen_saturation",
            "low",
            "- Low SpO2 94% (10 min ago; reference 95–100): speaks for it",
            "- SpO2 baja 94 % (hace 10 min; referencia 95–100): a favor",
        ),
        ("sex", "male", "- Male sex: speaks for it", "- Sexo masculino: a favor"),
        ("abo_group", "AB", "- Blood group AB: speaks for it", "- Grupo sanguíneo AB: a favor"),
        (
            "exercise_days",
            "1.0",
            "- Exercise on 1 day a month: speaks for it",
            "- Ejercicio 1 día al mes: a favor",
        ),
        ("age", "about", "- Age about 71 years: speaks for it", "- Edad unos 71 años: a favor"),
        (
            "respiratory_rate",
            "missing",
            "- Respiratory rate missing (no reading): speaks for it",
            "- Frecuencia respiratoria sin valor (sin lectura): a favor",
        ),
    ],
)
def test_reasons_as_a_clinician_reads_them(
    reason: str, level: str, english: str, spanish: str
) -> None:
    assert said(reason, level, 0.3, "en") == english
    assert said(reason, level, 0.3, "es") == spanish
    assert said(reason, level, -0.3, "en") == english.replace("speaks for", "speaks against")
    assert said(reason, level, -0.3, "es") == spanish.replace("a favor", "en contra")


@given(
    st.sampled_from(MEASURED),
    st.floats(0, 1),
    st.none() | st.floats(0, 122),
    st.booleans(),
    st.sampled_from(LANGUAGES),
)
def test_c6_the_level_is_that_of_the_shown_value_and_range(
    feature: str, share: float, age: float | None, pregnant: bool, language: Language
) -> None:
    low, high = FEATURE[feature].possible
    value = low + share * (high - low)
    extraction = an_extraction({feature: value}, age=age, pregnant=pregnant)
    line = ReadingText(extraction, Wording(language)).reason(feature)
    found = None if pregnant else reference_range(feature, age)
    shown = re.search(r"\d+(?:[.,]\d)?(?=/min| °C| ?%)", line)

    assert shown is not None
    number = float(shown.group().replace(",", "."))
    if found is None:
        assert line.startswith(Wording(language).say(f"feature.{feature}"))
        assert "refer" not in line
    else:
        level = "low" if number < found[0] else "high" if number > found[1] else "within"
        template = SENTENCES[language][f"level.{feature}.{level}"]
        value_text = Wording(language).say(f"value.{feature}", value=shown.group())
        assert line.startswith(template.format(value=value_text))


@pytest.mark.parametrize("reason", MissingReason)
@pytest.mark.parametrize("language", LANGUAGES)
def test_a_missing_reading_says_why(reason: MissingReason, language: Language) -> None:
    extraction = an_extraction({}, reasons={"heart_rate": reason})
    text = sentence(ReadingText(extraction, Wording(language)).reason("heart_rate"))

    assert Wording(language).say(f"missing.{reason.value}") in text
