"""A page says what a card says, each statement in its place (C7, C9 to C11, C13, C19)."""

from dataclasses import astuple, replace
from typing import Any

import pytest

from fhir_mapping.readings import Extraction
from hooks.cards import DEVELOPMENT_POLICY
from hooks.disease_severity import Situation
from hooks.findings import Findings, find
from hooks.result_text import ResultText, result_text, rules_text
from hooks.wording import Language, Wording
from model.assessment import Contribution
from model.severity import Severity
from tests.support.card_cases import an_assessment, an_extraction, some_facts, the_card

VITALS = {"heart_rate": 118.0, "body_temperature": 38.6, "systolic_bp": 104.0, "diastolic_bp": 62.0}
RED = VITALS | {"systolic_bp": 84.0, "diastolic_bp": 50.0}


def found(extraction: Extraction, assessment: Any = None, **facts: Any) -> Findings:
    situation = Situation.SCORED if assessment else Situation.INSUFFICIENT_DATA
    return find(extraction, assessment, some_facts(**facts), situation)


def text(
    extraction: Extraction, assessment: Any = None, language: Language = "en", **facts: Any
) -> ResultText:
    return result_text(
        found(extraction, assessment, **facts), Wording(language), DEVELOPMENT_POLICY
    )


@pytest.mark.parametrize("language", ["en", "es"])
@pytest.mark.parametrize("category", list(Severity))
@pytest.mark.parametrize("values", [VITALS, RED])
def test_it_says_nothing_that_the_card_does_not(
    values: dict[str, float], category: Severity, language: Language
) -> None:
    """Every statement but the estimates of the other categories stands on the card too."""
    extraction, assessment = an_extraction(values), an_assessment(category, 0.4)
    card = the_card(extraction, assessment, language=language)
    said = text(extraction, assessment, language)
    assert said.headline == card["summary"]
    assert said.indicator.value == card["indicator"]
    plain = card["detail"].replace("\\", "").replace("*", "")
    statements = (*said.statements, *said.why, *said.cautions, *said.missing, *said.last)
    for line in (*statements, *said.red):
        assert line in plain or line[:1].lower() + line[1:] in plain, line


def test_c9_beside_a_red_reading_nothing_lowers_concern() -> None:
    said = text(an_extraction(RED), an_assessment(Severity.MILD, 0.6, acute=0.01))
    by_name = {one.name: one for one in said.estimates}
    for name in ("Not ill", "Mild illness", "Acute illness"):
        assert by_name[name].frequency is None
        assert by_name[name].share is None
        assert by_name[name].note == "Not stated beside a red NEWS2 score."
    assert by_name["Chronic illness"].frequency is not None
    assert not any(one.chosen for one in said.estimates)
    assert said.red


def test_c11_every_estimate_stands_beside_what_is_usual() -> None:
    said = text(an_extraction(VITALS), an_assessment(Severity.ACUTE, 0.08))
    acute = next(one for one in said.estimates if one.chosen)
    assert (acute.name, acute.frequency, acute.usual) == ("Acute illness", "8 in 100", "2 in 100")
    assert all(one.usual for one in said.estimates)


@pytest.mark.parametrize("language", ["en", "es"])
def test_c11_advanced_illness_is_never_called_terminal(language: Language) -> None:
    said = text(an_extraction(VITALS), an_assessment(Severity.TERMINAL, 0.5), language)
    assert "terminal" not in repr(astuple(said)).casefold()
    assert said.headline == Wording(language).say("terminal")


def test_c19_a_category_that_the_history_does_not_cover_has_no_figure() -> None:
    covered = tuple(severity for severity in Severity if severity is not Severity.TERMINAL)
    said = text(
        an_extraction(VITALS),
        an_assessment(covered=covered),
        missing_categories=(Severity.TERMINAL,),
    )
    last = said.estimates[-1]
    assert last.share is None
    assert last.frequency is None
    assert last.note is not None
    assert last.note.startswith("No estimate for advanced")


def test_every_reason_is_there_with_its_direction() -> None:
    reasons = tuple(
        Contribution(name, value)
        for name, value in (
            ("heart_rate", 0.9), ("age", -0.5), ("body_temperature", 0.4), ("sex", -0.1),
            ("blood_pressure", 0.0),
        )
    )  # fmt: skip
    said = text(an_extraction(VITALS), an_assessment(contributions=reasons))
    assert [one.speaks_for for one in said.reasons] == [True, False, True, False]
    assert said.reasons_heading == "What moved the prediction of acute illness:"


def test_c9_partial_news2_is_always_said_where_it_applies() -> None:
    assert text(an_extraction(VITALS), an_assessment()).news2 == ["Partial NEWS2 (3 of 7): 4."]
    child = find(an_extraction(VITALS, age=15.0), None, some_facts(), Situation.OUT_OF_POPULATION)
    assert result_text(child, Wording("en"), DEVELOPMENT_POLICY).news2 == []


def test_data_are_not_escaped_twice() -> None:
    said = text(an_extraction(VITALS), an_assessment(), version="2026-03_<b>")
    assert said.last[-1] == "Model 2026-03_<b>: decision support, not a diagnosis"


def test_c13_rules_say_nothing_of_the_model() -> None:
    findings = found(an_extraction(RED), an_assessment(Severity.ACUTE, 0.4, atypicality=0.001))
    said = rules_text(findings, Wording("en"))
    assert said.red == ["Systolic pressure 84 mmHg (10 min ago; red at 90 or below)"]
    assert said.news2 == ["Partial NEWS2 (3 of 7): 6."]
    assert said.estimates == []
    assert said.statements == []
    assert said.reasons == []
    assert said.cautions == []
    whole = repr(astuple(said))
    for words in ("in 100", "unusual", "Acute", "acute"):
        assert words not in whole
    assert said.why == []
    calm = rules_text(found(an_extraction(VITALS), an_assessment()), Wording("en"))
    assert (calm.headline, calm.indicator.value) == ("", "info")


@pytest.mark.parametrize(
    ("extraction", "situation", "why"),
    [
        (
            an_extraction(RED, age=9.0),
            Situation.OUT_OF_POPULATION,
            "NEWS2 and adult limits are not used under 16 years.",
        ),
        (
            an_extraction(RED, age=15.0),
            Situation.SCORED,
            "NEWS2 and adult limits are not used under 16 years.",
        ),
        (
            replace(an_extraction(RED), pregnant=True),
            Situation.OUT_OF_POPULATION,
            "This model and NEWS2 were not made for pregnancy, so there is no category and no "
            "score.",
        ),
    ],
    ids=["a child", "a child of the population", "pregnancy"],
)
def test_c9_whom_the_limits_are_not_for_is_not_shown_as_without_danger(
    extraction: Extraction, situation: Situation, why: str
) -> None:
    """70/40 without a word would read as "no dangerous reading"."""
    assessment = an_assessment() if situation is Situation.SCORED else None
    said = rules_text(find(extraction, assessment, some_facts(), situation), Wording("en"))
    assert said.red == []
    assert said.why[-1] == why
