"""A rare disease on record is shown, and nothing reassuring is said beside it."""

from dataclasses import replace
from typing import Any

import pytest

from fhir_mapping.readings import RareOnRecord
from hooks.disease_severity import Situation
from hooks.findings import find
from hooks.risk_assessment import Told, risk_assessment
from hooks.topics import Topic, topic_of
from hooks.wording import LANGUAGES, SENTENCES, Wording
from model.assessment import RareMatch
from model.severity import SEVERITIES, Severity
from tests.support.card_cases import (
    ADULT,
    ASSESSMENT_ID,
    NOW,
    PUBLIC_URL,
    RED,
    an_assessment,
    an_extraction,
    some_facts,
    the_card,
)

MARFAN = (RareOnRecord("ORPHA:558", "Marfan syndrome"),)
WELL = {"heart_rate": 72.0, "body_temperature": 36.8, "systolic_bp": 118.0, "diastolic_bp": 74.0}
CALM = (Severity.NOT_ILL, Severity.MILD)


def detail(category: Severity = Severity.CHRONIC, values: Any = WELL, **changes: Any) -> str:
    language = changes.pop("language", "en")
    extraction = an_extraction(values, rare=changes.pop("rare", MARFAN))
    acute = None if category is Severity.ACUTE else changes.pop("acute", 0.01)
    assessment = an_assessment(category, 0.5, acute=acute, **changes)
    return str(the_card(extraction, assessment, some_facts(), language=language)["detail"])


@pytest.mark.parametrize(
    ("language", "line"),
    [
        (
            "en",
            "Rare disease on record: Marfan syndrome (ORPHA:558). The model has seen few or no "
            "such patients: its estimate may not fit.",
        ),
        (
            "es",
            "Enfermedad rara que consta: Marfan syndrome (ORPHA:558). El modelo ha visto pocos "
            "pacientes así o ninguno: su estimación puede no ser válida.",
        ),
    ],
)
def test_it_stands_on_the_card(language: str, line: str) -> None:
    assert line in detail(language=language)
    assert line not in detail(language=language, rare=())


def test_without_a_name_the_code_stands_alone() -> None:
    assert "Rare disease on record: ORPHA:586. The" in detail(rare=(RareOnRecord("ORPHA:586"),))


def test_a_name_is_data() -> None:
    hostile = RareOnRecord("ORPHA:558", "<b>x</b> [click](https://evil.example) " + "y" * 300)
    (line,) = (one for one in detail(rare=(hostile,)).splitlines() if "Rare disease" in one)
    assert "&lt;b&gt;x&lt;/b&gt; \\[click\\]" in line
    assert "y" * 60 in line
    assert "y" * 100 not in line


def test_several_are_named_and_the_rest_counted() -> None:
    many = tuple(RareOnRecord(f"ORPHA:{n}") for n in range(1, 6))
    assert "Rare disease on record: ORPHA:1, ORPHA:2 and ORPHA:3. " in detail(rare=many[:3])
    assert "Rare disease on record: ORPHA:1, ORPHA:2, ORPHA:3 and 2 more. " in detail(rare=many)


@pytest.mark.parametrize("category", SEVERITIES)
@pytest.mark.parametrize("language", LANGUAGES)
def test_it_widens_caution(category: Severity, language: str) -> None:
    """Never "acute illness unlikely", never not-ill or mild, never a narrow set."""
    said = detail(category, language=language, prediction_set=(category,))
    plain = detail(category, language=language, prediction_set=(category,), rare=())
    sentences = SENTENCES[language]  # type: ignore[index]  # one of LANGUAGES

    unlikely = sentences["exclusion"].partition(":")[0]
    fits = sentences["set.named"].partition("{")[0]
    hidden = sentences["why.withheld"]
    assert unlikely not in said
    assert fits not in said
    assert (hidden in said) == (category in CALM)
    if category is not Severity.ACUTE:
        # The same card without the disease does say it: the test can fail.
        assert unlikely in plain
    assert fits in plain
    assert hidden not in plain


def test_a_narrow_set_is_not_called_open() -> None:
    assert "do not tell the categories apart" not in detail(prediction_set=(Severity.CHRONIC,))
    assert "do not tell the categories apart" in detail(prediction_set=SEVERITIES)


def test_concern_is_still_raised() -> None:
    found = the_card(
        an_extraction(RED, rare=MARFAN), an_assessment(Severity.ACUTE, 0.4), some_facts()
    )
    assert found["indicator"] == "critical"
    assert "Rare disease on record" in found["detail"]
    assert "Acute illness: 50 in 100" in detail(Severity.ACUTE)


def test_an_estimate_below_the_usual_one_is_not_stated_but_one_above_is() -> None:
    assert "Acute illness:" not in detail(acute=0.01)
    assert "Acute illness: 3 in 100" in detail(acute=0.03)


def test_without_an_estimate_only_the_disease_is_named() -> None:
    extraction = an_extraction({}, rare=MARFAN)
    found = the_card(extraction, facts=some_facts(), situation=Situation.INSUFFICIENT_DATA)
    assert "Rare disease on record: Marfan syndrome (ORPHA:558)." in found["detail"]
    assert "may not fit" not in found["detail"]


@pytest.mark.parametrize("category", CALM)
def test_the_summary_and_the_topic_say_why_there_is_no_category(category: Severity) -> None:
    extraction = an_extraction(WELL, rare=MARFAN)
    assessment = an_assessment(category, 0.6, acute=0.01)
    found = find(extraction, assessment, some_facts(), Situation.SCORED)

    assert found.category is None
    assert topic_of(found) is Topic.RARE_DISEASE
    card = the_card(extraction, assessment, some_facts())
    assert card["summary"] == "No category: rare disease on record; the readings follow"
    assert card["source"]["topic"]["code"] == "severityraredisease"
    assert "suggestions" not in card


def test_newer_readings_remain_the_reason_where_they_are() -> None:
    extraction = an_extraction(WELL, rare=MARFAN, maybe_not_latest=True)
    for category, topic in zip(CALM, (Topic.WITHHELD, Topic.RARE_DISEASE), strict=True):
        found = find(extraction, an_assessment(category), some_facts(), Situation.SCORED)
        assert topic_of(found) is topic


@pytest.mark.parametrize(
    ("language", "why"),
    [
        ("en", "Not stated: a rare disease is on record."),
        ("es", "No se indica: consta una enfermedad rara."),
    ],
)
def test_a_risk_assessment_follows_the_same_rule(language: Any, why: str) -> None:
    def predictions(rare: tuple[RareOnRecord, ...]) -> dict[str, Any]:
        findings = find(
            an_extraction(ADULT, rare=rare),
            an_assessment(Severity.MILD, 0.6, acute=0.01),
            some_facts(),
            Situation.SCORED,
        )
        told = Told(ASSESSMENT_ID, NOW, "Patient/p1", None, findings, "xgboost")
        resource = risk_assessment(
            told, Wording(language), public_url=PUBLIC_URL, software_version="1"
        )
        return {one["outcome"]["coding"][0]["code"]: one for one in resource["prediction"]}

    found, plain = predictions(MARFAN), predictions(())
    for code in ("not-ill", "mild", "acute"):
        assert found[code]["rationale"] == why
        assert "probabilityDecimal" not in found[code]
        assert "probabilityDecimal" in plain[code]
    for code in ("chronic", "terminal"):
        assert found[code] == plain[code]
    assert not any("qualitativeRisk" in one for one in found.values())


MATCH = RareMatch("ORPHA:423", "Malignant hyperthermia", 5, 0.01, 3.2)


def matched(**changes: Any) -> dict[str, Any]:
    """A card of readings that reach heads."""
    matches = changes.pop("matches", (MATCH,))
    facts = some_facts(simulated=changes.pop("simulated", False))
    rare = changes.pop("rare", ())
    assessment = replace(an_assessment(Severity.NOT_ILL, 0.6, acute=0.01), rare_matches=matches)
    return the_card(an_extraction(WELL, rare=rare), assessment, facts, **changes)


@pytest.mark.parametrize(
    ("language", "simulated", "line"),
    [
        (
            "en",
            False,
            "Readings like those of 5 confirmed cases of Malignant hyperthermia (ORPHA:423) here; "
            "1 in 100 charts read so.",
        ),
        (
            "en",
            True,
            "Readings like those of 5 simulated cases of Malignant hyperthermia (ORPHA:423); "
            "1 in 100 simulated charts read so.",
        ),
        (
            "es",
            False,
            "Lecturas como las de 5 casos confirmados de Malignant hyperthermia (ORPHA:423) aquí; "
            "1 de cada 100 historias tiene lecturas así.",
        ),
    ],
)
def test_a_match_adds_one_line_and_nothing_else(language: str, simulated: bool, line: str) -> None:
    found = matched(language=language, simulated=simulated)
    plain = matched(language=language, simulated=simulated, matches=())
    assert line in found["detail"].splitlines()
    assert found | {"detail": ""} == plain | {"detail": ""}
    assert found["detail"].replace(line + "\n\n", "") == plain["detail"]


def test_what_is_on_record_is_no_match_and_the_clearest_of_the_rest_is_named() -> None:
    other = replace(MATCH, code="ORPHA:621", name=None, flag_rate=0.02)
    on_record = (RareOnRecord("ORPHA:423"),)
    assert "Readings like those" not in matched(rare=on_record)["detail"]
    found = matched(matches=(MATCH, other), rare=on_record)["detail"]
    assert "Readings like those of 5 confirmed cases of ORPHA:621 here; 1 in 50 charts" in found
    assert matched(matches=(MATCH, other))["detail"].count("Readings like those") == 1
