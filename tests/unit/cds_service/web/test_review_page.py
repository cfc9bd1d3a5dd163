"""What the review pages say: readings, answers and what was predicted."""

import json
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest

from cds_service.routes.review import WORDS
from cds_service.services.review_desk import LastAnswer
from cds_service.services.review_view import PatientIds, ReviewView, ShownReading
from cds_service.services.reviewing import Answer, Prediction
from cds_service.web.review_page import (
    KEYS,
    choices,
    estimates_of,
    key_of,
    missing_of,
    patient_of,
    person_of,
    read_answer,
    rows_of,
    said_of,
    statements_of,
)
from cds_service.web.words import Words
from fhir_mapping.codes import ENCOUNTER_CLASSES
from fhir_mapping.readings import MissingReason
from hooks.wording import LANGUAGES, Language
from model.assessment import ModelFacts
from model.features import ROW_NAMES
from model.severity import SEVERITIES, Severity

EN, ES = Words("en", WORDS), Words("es", WORDS)
AT = datetime(2026, 3, 1, 12, tzinfo=UTC)
FACTS = ModelFacts(
    version="7",
    simulated=True,
    min_age=18,
    max_age=110,
    base_rates={Severity.ACUTE: 0.02, Severity.MILD: 0.6},
    missing_categories=(),
    coverage=0.9,
    excludable=(),
)


def view(*readings: ShownReading, **changes: Any) -> ReviewView:
    given: dict[str, Any] = {
        "assessment_id": "a-1",
        "assessed_at": AT,
        "encounter_class": "emergency",
        "age": 68.9,
        "sex": "female",
        "readings": readings,
        "missing": (),
        "state": "open",
    }
    return ReviewView(**given | changes)


def last(answer: Answer, **prediction: Any) -> LastAnswer:
    given: dict[str, Any] = {
        "category": "acute",
        "probabilities": {"mild": 0.004, "acute": 0.08, "terminal": 0.995},
        "prediction_set": ("mild", "acute"),
        "atypicality": 0.5,
        "model_version": "7",
        "agreed": None,
    }
    predicted = Prediction(**given | prediction)
    return LastAnswer(view(), answer, predicted, FACTS, (), is_corrected=False)


@pytest.mark.parametrize(
    ("reading", "expected"),
    [
        # As a chart holds it: 100.4 rounds to the edge of the range and is within it.
        (ShownReading("heart_rate", 100.4, "/min", 59.9, (60, 100)), ("100/min", None, "59 min")),
        (ShownReading("heart_rate", 100.6, "/min", 60.0, (60, 100)), ("101/min", "high", "1 h")),
        (
            ShownReading("body_temperature", 35.96, "Cel", 1441.0, (36.1, 37.2)),
            ("36.0 °C", "low", "24 h 1 min"),
        ),
        # Without a range there is nothing to be high against.
        (ShownReading("systolic_bp", 250.0, "mm[Hg]", 0.0, None), ("250 mmHg", None, "0 min")),
        (ShownReading("exercise_days", 1.0, "d/mo", None, None), ("on 1 day a month", None, None)),
        (ShownReading("abo_group", "AB", "", None, None), ("AB", None, None)),
    ],
)
def test_a_reading_has_its_unit_level_and_age(
    reading: ShownReading, expected: tuple[str, str | None, str | None]
) -> None:
    (row,) = rows_of(view(reading), EN)
    assert (row.value, row.level, row.taken) == expected


def test_readings_speak_the_language_of_the_reader() -> None:
    flags = ("extreme", "preliminary", "maybe_not_latest", "not_a_flag_that_has_words")
    reading = ShownReading("body_temperature", 38.6, "Cel", 95.0, (36.1, 37.2), flags)
    (row,) = rows_of(view(reading), ES)
    assert (row.name, row.value, row.usual) == ("Temperatura", "38,6 °C", "36,1–37,2")
    assert row.notes == ("valor extremo", "preliminar", "puede haber lecturas más recientes")


@pytest.mark.parametrize("language", LANGUAGES)
def test_whatever_can_be_missing_or_asked_has_words(language: Language) -> None:
    words = Words(language, WORDS)
    every = [(name, reason.value) for name in ROW_NAMES for reason in MissingReason]
    assert len(missing_of(view(missing=(*every, ("sex", None))), words)) == len(every) + 1
    for setting in set(ENCOUNTER_CLASSES.values()):
        assert words.has(f"setting.{setting}")
    for reason in ("audit", "threshold", "wide_set", "atypical", "overridden", "rare"):
        assert words.has(f"reason.{reason}")
    said = json.dumps([*WORDS[language].values(), *(one.name for one in choices(words))])
    assert "terminal" not in said.lower()


def test_what_is_not_known_of_a_person_is_said() -> None:
    facts = person_of(view(age=None, sex=None, encounter_class="xqz"), EN)
    assert [text for _, text in facts] == ["not recorded"] * 3
    assert person_of(view(), EN)[0] == ("Age", "68 years")


def test_the_categories_stand_in_their_fixed_order() -> None:
    assert list(KEYS.items()) == list(zip("12345", SEVERITIES, strict=True))
    found = choices(EN, "3")
    assert [(one.key, one.chosen) for one in found] == [
        *(("1", False), ("2", False), ("3", True), ("4", False), ("5", False), ("u", False))
    ]
    for one in found:
        said = read_answer({"answer": one.key})
        assert isinstance(said, Answer)
        assert key_of(said) == one.key
    assert key_of(Answer("skip")) is None


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        ({"answer": "3"}, Answer("category", Severity.ACUTE)),
        ({"answer": "4", "rare": " orpha 586 "}, Answer("category", Severity.CHRONIC, "ORPHA:586")),
        ({"answer": "u", "rare": "  "}, Answer("undetermined")),
        ({}, "wrong.none"),
        ({"answer": "acute"}, "wrong.none"),
        ({"answer": "3", "rare": "OMIM:154700"}, "wrong.rare"),
        ({"answer": "3", "rare": "x" * 1000}, "wrong.rare"),
        ({"answer": "u", "rare": "586"}, "wrong.rare_alone"),
    ],
)
def test_a_form_is_an_answer_or_says_what_is_wrong(
    fields: dict[str, str], expected: Answer | str
) -> None:
    assert read_answer(fields) == expected


def test_a_prediction_is_told_in_frequencies_against_the_base_rate() -> None:
    found = estimates_of(last(Answer("category", Severity.MILD)), EN)
    assert [(one.name, one.here, one.usual) for one in found] == [
        ("Mild illness", "fewer than 1 in 100", "60 in 100"),
        ("Acute illness", "8 in 100", "2 in 100"),
        ("Advanced or life-limiting illness", "more than 99 in 100", None),
    ]
    assert [(one.is_said, one.is_predicted) for one in found] == [
        *((True, False), (False, True), (False, False))
    ]


def test_statements_are_those_of_the_card() -> None:
    said = last(Answer("undetermined"))
    assert statements_of(said, EN) == [
        "Readings like these fit mild illness or acute illness.",
        "Trained on simulated patients, not for care.",
    ]
    wide = last(Answer("undetermined"), prediction_set=("mild", "acute", "chronic"))
    assert statements_of(wide, EN)[0] == "These readings do not tell the categories apart."
    odd = last(Answer("undetermined"), prediction_set=(), atypicality=0.001)
    assert statements_of(odd, EN)[0].startswith("Readings unusual for patients here")
    skipped = replace(said, prediction=None, facts=None)
    assert (estimates_of(skipped, EN), statements_of(skipped, EN)) == ([], [])


def test_an_answer_is_said_with_its_rare_disease() -> None:
    rare = Answer("category", Severity.CHRONIC, "ORPHA:586")
    assert said_of(rare, EN, None) == "Chronic illness; ORPHA:586"
    assert said_of(rare, ES, "Fibrosis quística") == (
        "Enfermedad crónica; Fibrosis quística (ORPHA:586)"
    )
    assert said_of(Answer("undetermined"), EN, None) == "It cannot be told"


def test_ids_are_one_line_of_bounded_length() -> None:
    ids = PatientIds("https://ehr.example/fhir", "p\u202e1\n" + "x" * 500, None)
    found = patient_of(view(ids=ids), EN)
    assert [name for name, _ in found] == ["Patient", "Health record"]
    assert found[0][1].startswith("p 1 xxx")
    assert len(found[0][1]) == 100
    assert patient_of(view(), EN) == []
