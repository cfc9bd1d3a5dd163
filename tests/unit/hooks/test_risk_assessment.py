"""An assessment as a RiskAssessment."""

import json
from dataclasses import replace
from typing import Any

import pytest

from fhir_mapping.readings import Extraction, MissingReason, Skipped
from fhir_mapping.resources import validate_outgoing
from hooks.disease_severity import Situation
from hooks.findings import find
from hooks.risk_assessment import Told, not_assessed, risk_assessment, without_result
from hooks.wording import LANGUAGES, Language, Wording
from model.assessment import Assessment, ModelFacts
from model.severity import SEVERITIES, Severity
from tests.support.card_cases import (
    ADULT,
    ASSESSMENT_ID,
    CASES,
    NOW,
    PUBLIC_URL,
    RED,
    an_assessment,
    an_extraction,
    some_facts,
)

HELD_BACK = ("paused", "no_permission", "silent_mode", "simulated_model")


def told(
    extraction: Extraction,
    assessment: Assessment | None = None,
    facts: ModelFacts | None = None,
    situation: Situation | None = None,
    **changes: Any,
) -> Told:
    if situation is None:
        situation = Situation.SCORED if assessment is not None else Situation.MODEL_FAILED
    given: dict[str, Any] = {
        "id": ASSESSMENT_ID,
        "at": NOW,
        "subject": "Patient/p1",
        "encounter_id": "e1",
        "findings": find(extraction, assessment, facts or some_facts(), situation),
        "model_kind": "xgboost",
    }
    return Told(**(given | changes))


def made(
    *args: Any, language: Language = "en", held_back: str | None = None, **changes: Any
) -> dict[str, Any]:
    """The resource, valid as FHIR R4 and without empty elements."""
    resource = risk_assessment(
        told(*args, **changes),
        Wording(language),
        public_url=PUBLIC_URL,
        software_version="1.2.3",
        held_back=held_back,
    )
    validate_outgoing(resource)
    assert not [name for name, value in resource.items() if value in (None, [], {}, "")]
    return resource


def predictions(resource: dict[str, Any]) -> dict[Severity, dict[str, Any]]:
    found = {}
    for prediction in resource.get("prediction", []):
        (coding,) = prediction["outcome"]["coding"]
        assert coding["system"] == f"{PUBLIC_URL}/fhir/CodeSystem/severity-category"
        found[Severity(coding["code"])] = prediction
    return found


def notes(resource: dict[str, Any]) -> str:
    return "\n".join(note["text"] for note in resource["note"])


def test_c22_one_prediction_a_category_as_a_percentage() -> None:
    assessment = an_assessment(Severity.ACUTE, 0.83)
    resource = made(an_extraction(ADULT), assessment)
    found = predictions(resource)
    assert list(found) == list(SEVERITIES)
    assert found[Severity.ACUTE]["probabilityDecimal"] == 83.0
    assert "83 %" in found[Severity.ACUTE]["rationale"]
    assert sum(p["probabilityDecimal"] for p in found.values()) == pytest.approx(100, abs=0.05)
    assert not any("whenPeriod" in p or "whenRange" in p for p in found.values())
    assert [s for s, p in found.items() if "qualitativeRisk" in p] == [Severity.ACUTE]


def test_c22_what_it_is_about_and_what_it_stands_on() -> None:
    resource = made(an_extraction(ADULT), an_assessment())
    assert resource["id"] == ASSESSMENT_ID
    assert resource["status"] == "final"
    assert resource["subject"] == {"reference": "Patient/p1"}
    assert resource["encounter"] == {"reference": "Encounter/e1"}
    assert resource["occurrenceDateTime"] == "2026-03-07T12:00:00.000+00:00"
    (device,) = resource["contained"]
    assert resource["performer"] == {"reference": f"#{device['id']}"}
    assert [version["value"] for version in device["version"]] == ["1.2.3", "7"]
    assert "7 (xgboost)" in resource["method"]["text"]
    assert resource["basis"] == [
        {"reference": f"Observation/{name.replace('_', '-')}"} for name in ADULT
    ]


def test_c22_an_observation_is_named_once_and_one_without_id_by_what_it_measured() -> None:
    extraction = an_extraction(ADULT)
    panel = [
        replace(reading, reference="Observation/panel") if "bp" in reading.feature else reading
        for reading in extraction.readings
    ]
    panel[0] = replace(panel[0], reference=None)
    resource = made(replace(extraction, readings=tuple(panel)), an_assessment())
    assert resource["basis"] == [
        {"type": "Observation", "display": "Heart rate, 2026-03-07T11:50:00Z"},
        {"reference": "Observation/body-temperature"},
        {"reference": "Observation/panel"},
    ]


def test_rationales_give_the_usual_share_and_what_moved_the_prediction() -> None:
    acute = predictions(made(an_extraction(ADULT), an_assessment()))[Severity.ACUTE]
    assert acute["rationale"] == (
        "8 % with readings like these; usual here 2 %. What moved the prediction of acute illness: "
        "fast heart rate 118/min (10 min ago; reference 60–100): speaks for it; "
        "blood pressure 96/58 mmHg, below reference (10 min ago; reference 90–120/60–80): "
        "speaks for it; "
        "age 71 years: speaks against it."
    )


@pytest.mark.parametrize(
    ("probability", "words"), [(0.0001, "under 1 %"), (0.999, "over 99 %"), (0.01, "1 %")]
)
def test_c11_words_are_never_surer_than_a_model_is(probability: float, words: str) -> None:
    assessment = an_assessment(Severity.CHRONIC, probability, acute=0.0)
    found = predictions(made(an_extraction(ADULT), assessment))[Severity.CHRONIC]
    assert found["rationale"].startswith(f"{words} with")


def test_c19_a_category_that_is_not_covered_has_no_prediction_and_is_named() -> None:
    covered = (Severity.NOT_ILL, Severity.ACUTE, Severity.CHRONIC)
    facts = some_facts(missing_categories=(Severity.MILD, Severity.TERMINAL))
    resource = made(an_extraction(ADULT), an_assessment(covered=covered), facts)
    assert set(predictions(resource)) == set(covered)
    assert "No estimate for mild illness or advanced" in notes(resource)


def test_c9_beside_a_red_reading_nothing_lowers_concern() -> None:
    resource = made(an_extraction(RED), an_assessment(Severity.NOT_ILL, 0.9, acute=0.001))
    found = predictions(resource)
    for severity in (Severity.NOT_ILL, Severity.MILD, Severity.ACUTE):
        assert "probabilityDecimal" not in found[severity]
        assert found[severity]["rationale"] == "Not stated beside a red NEWS2 score."
    assert "probabilityDecimal" in found[Severity.CHRONIC]
    assert not any("qualitativeRisk" in p for p in found.values())
    assert "NEWS2 red score" in resource["note"][0]["text"]
    raised = predictions(made(an_extraction(RED), an_assessment(Severity.ACUTE, 0.6)))
    assert raised[Severity.ACUTE]["probabilityDecimal"] == 60.0


def test_c7_where_newer_readings_may_exist_it_is_preliminary_and_never_not_ill() -> None:
    extraction = an_extraction(ADULT, maybe_not_latest=True)
    resource = made(extraction, an_assessment(Severity.NOT_ILL, 0.9, acute=0.001))
    found = predictions(resource)
    assert resource["status"] == "preliminary"
    for severity in (Severity.NOT_ILL, Severity.ACUTE):
        assert "probabilityDecimal" not in found[severity]
        assert found[severity]["rationale"] == "Not stated: newer readings may exist."
    assert "probabilityDecimal" in found[Severity.MILD]
    assert "Newer readings may exist" in notes(resource)


def test_c11_advanced_illness_is_worded_with_care_and_only_where_it_was_chosen() -> None:
    chosen = made(an_extraction(ADULT), an_assessment(Severity.TERMINAL, 0.5))
    other = made(an_extraction(ADULT), an_assessment())
    words = "consider goals of care"
    assert words in predictions(chosen)[Severity.TERMINAL]["rationale"]
    assert words not in json.dumps(other)


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("case", CASES)
def test_every_case_is_valid_and_says_the_same_in_both_languages(
    case: str, language: Language
) -> None:
    given = dict(CASES[case])
    facts = given.pop("facts", None)
    situation = given.pop("situation", None)
    if situation is Situation.EXCLUDED:
        return
    resource = made(
        given["extraction"], given.get("assessment"), facts, situation, language=language
    )
    spoken = [resource["method"]["text"], notes(resource)]
    spoken += [p.get("rationale", "") for p in predictions(resource).values()]
    spoken += [p["outcome"]["text"] for p in predictions(resource).values()]
    assert not any("terminal" in text.lower() for text in spoken)
    last = {"en": "decision support, not a diagnosis", "es": "apoyo a la decisión, no un"}
    assert last[language] in notes(resource)
    assert ("prediction" in resource) == (given.get("assessment") is not None)


@pytest.mark.parametrize(
    ("situation", "words"),
    [
        (Situation.INSUFFICIENT_DATA, "No category, missing: age"),
        (Situation.OUT_OF_POPULATION, "this model is for ages 18 to 110"),
        (Situation.MODEL_FAILED, "the model gave no answer"),
    ],
)
def test_without_a_category_there_is_no_prediction_and_a_note_why(
    situation: Situation, words: str
) -> None:
    age = {Situation.INSUFFICIENT_DATA: None, Situation.OUT_OF_POPULATION: 9.0}.get(situation, 50.0)
    resource = made(an_extraction(ADULT, age=age), None, None, situation)
    assert resource["status"] == "final"
    assert "prediction" not in resource
    assert words in resource["note"][0]["text"]
    assert len(resource["basis"]) == len(ADULT)


def test_without_readings_there_is_no_basis() -> None:
    resource = made(an_extraction({}), None, None, Situation.INSUFFICIENT_DATA, encounter_id=None)
    assert "basis" not in resource
    assert "encounter" not in resource


def test_a_simulated_model_and_a_test_environment_are_named() -> None:
    simulated = made(an_extraction(ADULT), an_assessment(), some_facts(simulated=True))
    assert "simulated patients" in simulated["method"]["text"]
    assert "(simulated)" in predictions(simulated)[Severity.ACUTE]["rationale"]
    assert "Test environment" in notes(made(an_extraction(ADULT), an_assessment(), sandbox=True))


def skipped(number: int, reason: str, kind: str = "Observation") -> Skipped:
    return Skipped(kind, f"{kind}/o{number}", reason)


def test_what_was_not_used_is_told_by_where_it_stood_and_why() -> None:
    extraction = replace(
        an_extraction(ADULT),
        skipped=(
            skipped(1, MissingReason.UNKNOWN_UNIT),
            skipped(2, MissingReason.WRONG_PATIENT),
            skipped(3, MissingReason.WRONG_PATIENT),
            Skipped("unknown", None, MissingReason.MALFORMED),
            *(skipped(9, reason) for reason in ("superseded", "unpaired", "not_used")),
            *(skipped(9, reason, "Device") for reason in ("wrong_type", "operation_outcome")),
        ),
    )
    places = {"Observation/o1": "Bundle.entry[4].resource"}
    resource = made(extraction, an_assessment(), places=places)
    assert resource["note"][-1]["text"] == (
        "Not used: Bundle.entry[4].resource (unit missing or unknown), "
        "2 Observation (of another patient), a resource (could not be read)."
    )


def test_what_was_not_used_is_told_within_bounds() -> None:
    bad = tuple(skipped(i, MissingReason.STALE) for i in range(5_000))
    places = {f"Observation/o{i}": f"Bundle.entry[{i}].resource" for i in range(5_000)}
    resource = made(replace(an_extraction(ADULT), skipped=bad), an_assessment(), places=places)
    text = resource["note"][-1]["text"]
    assert text.count("entry[") == 20
    assert text.endswith("and 4980 more.")


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("reason", HELD_BACK)
def test_c13_what_is_held_back_holds_no_result(reason: str, language: Language) -> None:
    args = (an_extraction(RED), an_assessment(Severity.ACUTE, 0.83))
    resource = made(*args, language=language, held_back=reason)
    assert resource["status"] == "registered"
    assert "prediction" not in resource
    (note,) = resource["note"]
    text = json.dumps(resource)
    assert "83" not in text
    assert "NEWS2" not in text
    assert note["text"].endswith(".")
    assert without_result(made(*args, language=language), reason) == resource


@pytest.mark.parametrize("language", LANGUAGES)
def test_c2_of_who_is_not_assessed_nothing_is_said(language: Language) -> None:
    outcome = not_assessed(Wording(language))
    validate_outgoing(outcome)
    assert outcome["issue"][0]["severity"] == "information"


def test_ids_are_not_shown() -> None:
    shown = repr(told(an_extraction(ADULT), an_assessment()))
    assert "p1" not in shown
    assert "e1" not in shown.replace(ASSESSMENT_ID, "")
