"""Summary and detail, statement by statement (clinical rules C1, C5, C7, C9, C11, C19)."""

from typing import Any

import pytest

from hooks.disease_severity import Situation
from model.assessment import Contribution
from model.severity import SEVERITIES, Severity
from tests.support.card_cases import (
    ADULT,
    RED,
    an_assessment,
    an_extraction,
    some_facts,
    the_card,
)

WELL = {"heart_rate": 72.0, "body_temperature": 36.8, "systolic_bp": 118.0, "diastolic_bp": 74.0}
CALM = (Severity.NOT_ILL, Severity.MILD)


def detail(*args: Any, **changes: Any) -> str:
    return str(the_card(*args, **changes)["detail"])


def summary(*args: Any, **changes: Any) -> str:
    return str(the_card(*args, **changes)["summary"])


def test_c11_a_probability_stands_beside_its_base_rate() -> None:
    said = "Acute illness: 8 in 100 with readings like these; usual here 2 in 100"

    assert summary(an_extraction(WELL), an_assessment()) == said
    assert f"**{said}.**" in detail(an_extraction(WELL), an_assessment())


def test_c11_acute_stands_beside_another_category() -> None:
    text = detail(an_extraction(WELL), an_assessment(Severity.CHRONIC, 0.45, acute=0.014))

    assert text.startswith(
        "**Chronic illness: 45 in 100 with readings like these; usual here 29 in 100.** "
        "Acute illness: 1 in 100 with readings like these; usual here 2 in 100."
    )


def test_a_base_rate_that_is_not_known_is_left_out() -> None:
    facts = some_facts(base_rates={})

    assert summary(an_extraction(WELL), an_assessment(), facts) == (
        "Acute illness: 8 in 100 with readings like these"
    )


def test_a_simulated_base_rate_says_so() -> None:
    assert summary(an_extraction(WELL), an_assessment(), some_facts(simulated=True)).endswith(
        "usual here 2 in 100 (simulated)"
    )


@pytest.mark.parametrize(("coverage", "n"), [(0.9, 10), (0.95, 20), (0.93, 14)])
def test_c11_exclusion_promises_no_more_than_was_shown(coverage: float, n: int) -> None:
    assessment = an_assessment(Severity.NOT_ILL, 0.7, acute=0.004, prediction_set=CALM)
    text = detail(an_extraction(WELL), assessment, some_facts(coverage=coverage))

    assert f"Acute illness unlikely: this rule misses at most 1 in {n} acute cases." in text
    assert "Readings like these fit no illness or mild illness." in text
    assert "do not tell the categories apart" not in text


def test_c11_a_large_set_is_not_named() -> None:
    text = detail(an_extraction(WELL), an_assessment(prediction_set=SEVERITIES))

    assert "These readings do not tell the categories apart." in text
    assert "Readings like these fit" not in text
    assert "unlikely" not in text


def test_c11_advanced_illness_has_its_own_sentence() -> None:
    assessment = an_assessment(Severity.TERMINAL, 0.12, acute=0.01)
    english = the_card(an_extraction(WELL), assessment)
    spanish = the_card(an_extraction(WELL), assessment, language="es")

    assert english["summary"] == (
        "Pattern seen in advanced or life-limiting illness: consider goals of care"
    )
    assert spanish["summary"] == (
        "Patrón compatible con enfermedad avanzada: valore los objetivos de cuidado"
    )
    assert english["detail"].startswith(f"**{english['summary']}.**")


@pytest.mark.parametrize(("atypicality", "said"), [(0.0099, True), (0.01, False), (None, False)])
def test_c11_unusual_readings_ask_for_a_check(atypicality: float | None, said: bool) -> None:
    text = detail(an_extraction(WELL), an_assessment(atypicality=atypicality))

    expected = "Readings unusual for patients here: check the measurements and the patient."
    assert (expected in text) == said


def test_three_strongest_reasons_with_their_direction() -> None:
    contributions = (
        Contribution("sex", -2.0),
        Contribution("respiratory_rate", 1.5),
        Contribution("age", 0.0),
        Contribution("blood_pressure", 0.4),
        Contribution("heart_rate", 0.3),
    )
    text = detail(an_extraction(WELL), an_assessment(contributions=contributions))

    assert text.split("What moved the prediction of acute illness:\n\n")[1].splitlines()[:4] == [
        "- Female sex: speaks against it",
        "- Respiratory rate missing (no reading): speaks for it",
        "- Blood pressure 118/74 mmHg, within reference (10 min ago; reference 90–120/60–80): "
        "speaks for it",
        "",
    ]
    assert "Other readings: heart rate 72/min" in text


def test_no_contributions_no_heading() -> None:
    text = detail(an_extraction(WELL), an_assessment(contributions=()))

    assert "What moved" not in text
    assert "Other readings: heart rate 72/min" in text


def test_c9_red_readings_come_first_with_partial_news2() -> None:
    card = the_card(an_extraction(RED), an_assessment(probability=0.41))

    assert card["summary"] == (
        "NEWS2 red score: systolic pressure 84 mmHg (10 min ago) and respiratory rate 27/min (10 "
        "min ago); acute illness 41 in 100, usual here 2"
    )
    # Heart rate 118 scores 2, temperature 37.9 scores 0, systolic 84 and rate 27 score 3 each.
    assert card["detail"].startswith(
        "**NEWS2 red score: systolic pressure 84 mmHg (10 min ago; red at 90 or below); "
        "respiratory rate 27/min (10 min ago; red at 25 or above).** Partial NEWS2 (4 of 7): 8."
    )


def test_c9_a_red_reading_is_said_whatever_the_model_says() -> None:
    card = the_card(an_extraction(RED), an_assessment(Severity.NOT_ILL, 0.9, acute=0.001))

    assert card["summary"] == (
        "NEWS2 red score: systolic pressure 84 mmHg (10 min ago) and respiratory rate 27/min (10 "
        "min ago)"
    )
    assert "Not ill" not in card["detail"]
    assert "unlikely" not in card["detail"]
    assert "Acute illness" not in card["detail"]


def test_c5_an_extreme_value_asks_for_another_measurement() -> None:
    extraction = an_extraction({**WELL, "heart_rate": 240.0}, flags={"heart_rate": ("extreme",)})

    assert "Extreme value, measure again: heart rate 240/min." in detail(
        extraction, an_assessment()
    )


def test_c7_a_cut_short_chart_is_said() -> None:
    card = the_card(an_extraction(WELL, maybe_not_latest=True), an_assessment())

    assert "Newer readings may exist" in card["detail"]
    assert "not shown" not in card["detail"]


def test_c7_a_withheld_category_is_explained() -> None:
    card = the_card(
        an_extraction(WELL, maybe_not_latest=True),
        an_assessment(Severity.NOT_ILL, 0.9, acute=0.001),
    )

    assert card["summary"] == ("No category: newer readings may exist; the readings follow")
    assert card["detail"].startswith(
        "Newer readings may exist: the chart could not be read to its end. "
        "So the category found is not shown.\n\nOther readings"
    )


def test_c19_categories_that_are_not_covered_are_named() -> None:
    covered = tuple(s for s in SEVERITIES if s not in (Severity.TERMINAL, Severity.MILD))
    facts = some_facts(missing_categories=(Severity.MILD, Severity.TERMINAL))
    text = detail(an_extraction(WELL), an_assessment(covered=covered), facts)

    assert "No estimate for mild illness or advanced or life-limiting illness" in text


@pytest.mark.parametrize(
    ("situation", "age"),
    [
        (Situation.OUT_OF_POPULATION, 9.0),
        (Situation.INSUFFICIENT_DATA, 50.0),
        (Situation.MODEL_FAILED, 50.0),
    ],
)
@pytest.mark.parametrize(
    ("language", "said"),
    [
        ("en", "**Trained on simulated patients, not for care.**"),
        ("es", "**Entrenado con pacientes simulados, no apto para la atención.**"),
    ],
)
def test_every_card_of_a_simulated_model_says_so(
    situation: Situation, age: float, language: str, said: str
) -> None:
    extraction = an_extraction({"heart_rate": 80.0}, age=age)
    facts = some_facts(simulated=True)
    card = the_card(extraction, facts=facts, situation=situation, language=language)

    assert said in card["detail"]
    assert card["source"]["label"].endswith(("(simulated)", "(simulado)"))


def test_c1_a_child_gets_the_readings_and_no_category() -> None:
    card = the_card(
        an_extraction({**RED, "heart_rate": 150.0}, age=9.2), situation=Situation.OUT_OF_POPULATION
    )

    assert card["summary"] == "No category: this model is for ages 18 to 110; the readings follow"
    assert card["indicator"] == "info"
    assert "NEWS2 and adult limits are not used under 16 years." in card["detail"]
    assert "- Heart rate 150/min (10 min ago; reference for this age 52–115)" in card["detail"]
    assert "Partial NEWS2" not in card["detail"]
    assert "red" not in card["detail"].split()


def test_c1_pregnancy_gets_the_readings_and_no_category() -> None:
    card = the_card(
        an_extraction(RED, age=30.0, pregnant=True), situation=Situation.OUT_OF_POPULATION
    )

    assert "pregnancy" in card["summary"]
    assert card["indicator"] == "info"
    assert "- Heart rate 118/min (10 min ago)\n" in card["detail"]
    assert "Partial NEWS2" not in card["detail"]


def test_c9_at_seventeen_the_rules_hold_though_the_model_does_not() -> None:
    card = the_card(an_extraction(RED, age=17.0), situation=Situation.OUT_OF_POPULATION)

    assert card["indicator"] == "warning"
    assert card["summary"].startswith("NEWS2 red score")
    assert "This model was made for people of 18 to 110 years" in card["detail"]


def test_too_little_data_names_what_is_missing_and_why() -> None:
    card = the_card(
        an_extraction({"heart_rate": 80.0}, age=50.0), situation=Situation.INSUFFICIENT_DATA
    )

    assert card["summary"] == "No category, missing: temperature and blood pressure"
    assert "Partial NEWS2 (1 of 7): 0." in card["detail"]
    assert (
        "Missing: temperature, blood pressure, respiratory rate, SpO2 (no reading)."
        in (card["detail"])
    )


def test_without_an_age_adult_limits_are_not_used_and_it_says_so() -> None:
    text = detail(an_extraction(RED, age=None), situation=Situation.INSUFFICIENT_DATA)

    assert "The age is not known: NEWS2 and adult limits are not used." in text
    assert "Partial NEWS2" not in text


def test_no_readings_at_all() -> None:
    text = detail(an_extraction({}), situation=Situation.INSUFFICIENT_DATA)

    assert "No usable readings." in text


def test_a_failed_model_says_so_and_shows_readings_and_partial_news2() -> None:
    card = the_card(an_extraction(ADULT), situation=Situation.MODEL_FAILED)

    assert card["summary"] == "No category: the model gave no answer; the readings follow"
    assert card["detail"].startswith("Partial NEWS2 (3 of 7): 4.\n\nThe model gave no answer")
    assert "- Blood pressure 96/58 mmHg" in card["detail"]
