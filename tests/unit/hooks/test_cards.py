"""The whole card as a clinician reads it, its indicator, and who gets one (C2, C10, C12)."""

from typing import Any

import pytest

from hooks.cards import DEVELOPMENT_POLICY, CardPolicy, Indicator, build_cards
from hooks.contexts import PatientViewContext
from hooks.disease_severity import Situation
from model.severity import SEVERITIES, Severity
from tests.support.card_cases import (
    ADULT,
    ASSESSMENT_ID,
    CARD_UUID,
    CONTEXT,
    PUBLIC_URL,
    RED,
    SUGGESTION_UUID,
    an_assessment,
    an_extraction,
    decide,
    some_facts,
    the_card,
)

GOLDEN_ENGLISH = """\
**NEWS2 red score: systolic pressure 84 mmHg (10 min ago; red at 90 or below).** \
Partial NEWS2 (3 of 7): 5.

**Acute illness: 31 in 100 with readings like these; usual here 2 in 100 (simulated).** \
These readings do not tell the categories apart.

What moved the prediction of acute illness:

- Fast heart rate 118/min (12 min ago; reference 60–100): speaks for it
- Blood pressure 84/52 mmHg, below reference (10 min ago; reference 90–120/60–80): speaks for it
- Age 71 years: speaks against it

Other readings: temperature 37.9 °C (3 h ago; preliminary; reference 36.1–37.2).

Missing: respiratory rate, SpO2 (no reading).

**Trained on simulated patients, not for care.** Model starter-1: decision support, not a diagnosis\
"""
GOLDEN_SPANISH = """\
**Puntuación roja de NEWS2: presión sistólica 84 mmHg (hace 10 min; roja con 90 o menos).** \
NEWS2 parcial (3 de 7): 5.

**Enfermedad aguda: 31 de cada 100 con lecturas como estas; \
habitual aquí 2 de cada 100 (simulado).** \
Estas lecturas no distinguen entre las categorías.

Qué movió la predicción de enfermedad aguda:

- Frecuencia cardiaca rápida 118/min (hace 12 min; referencia 60–100): a favor
- Presión arterial 84/52 mmHg, bajo la referencia (hace 10 min; referencia 90–120/60–80): a favor
- Edad 71 años: en contra

Otras lecturas: temperatura 37,9 °C (hace 3 h; preliminar; referencia 36,1–37,2).

Falta: frecuencia respiratoria, SpO2 (sin lectura).

**Entrenado con pacientes simulados, no apto para la atención.** \
Modelo starter-1: apoyo a la decisión, no un diagnóstico\
"""


@pytest.mark.parametrize(
    ("language", "summary", "detail", "label"),
    [
        (
            "en",
            "NEWS2 red score: systolic pressure 84 mmHg (10 min ago); acute illness 31 in 100, "
            "usual here 2 (simulated)",
            GOLDEN_ENGLISH,
            "Severity from vital signs (simulated)",
        ),
        (
            "es",
            "Puntuación roja de NEWS2: presión sistólica 84 mmHg (hace 10 min); enfermedad aguda "
            "31 de cada 100, habitual aquí 2 (simulado)",
            GOLDEN_SPANISH,
            "Gravedad según constantes vitales (simulado)",
        ),
    ],
)
def test_what_a_clinician_sees(language: str, summary: str, detail: str, label: str) -> None:
    card = the_card(
        an_extraction(
            {**ADULT, "systolic_bp": 84.0, "diastolic_bp": 52.0},
            minutes={"heart_rate": 12.4, "body_temperature": 200.0},
            flags={"body_temperature": ("preliminary",)},
        ),
        an_assessment(probability=0.31),
        some_facts(version="starter-1", simulated=True),
        language=language,
    )

    assert card["summary"] == summary
    assert card["detail"] == detail
    assert card["indicator"] == "critical"
    assert card["uuid"] == CARD_UUID
    assert card["source"]["label"] == label
    assert card["source"]["topic"]["code"] == "acute"
    assert list(card) == [
        *("uuid", "summary", "detail", "indicator", "source"),
        *("suggestions", "selectionBehavior", "overrideReasons", "links"),
    ]


QUIET = CardPolicy(
    categories=frozenset({Severity.ACUTE}),
    lowest_indicator=Indicator.WARNING,
    no_data="none",
    allow_critical=False,
)
NEW_CLIENT = CardPolicy(frozenset({Severity.ACUTE}), Indicator.INFO, "card", True)
CHRONIC = an_assessment(Severity.CHRONIC, 0.5, acute=0.01)


@pytest.mark.parametrize(
    ("values", "assessment", "expected"),
    [
        (ADULT, CHRONIC, "info"),
        (ADULT, an_assessment(), "warning"),
        (RED, CHRONIC, "warning"),
        (RED, an_assessment(), "critical"),
    ],
)
def test_c10_indicator(values: Any, assessment: Any, expected: str) -> None:
    decision = decide(an_extraction(values), assessment)

    assert decision.indicator == expected
    assert decision.cards[0]["indicator"] == expected


def test_c10_a_client_may_switch_critical_off() -> None:
    assert decide(an_extraction(RED), an_assessment(), policy=QUIET).indicator == "warning"


def test_c7_never_critical_where_newer_readings_may_exist() -> None:
    extraction = an_extraction(RED, maybe_not_latest=True)

    assert decide(extraction, an_assessment()).indicator == "warning"


def test_c11_advanced_illness_is_never_critical_and_has_no_suggestion() -> None:
    assessment = an_assessment(
        Severity.TERMINAL, 0.3, acute=0.2, above=(Severity.TERMINAL, Severity.ACUTE)
    )
    decision = decide(an_extraction(RED), assessment)

    assert decision.indicator == "warning"
    assert "suggestions" not in decision.cards[0]


@pytest.mark.parametrize(
    ("category", "suggested"),
    [
        (Severity.NOT_ILL, False),
        (Severity.MILD, True),
        (Severity.ACUTE, True),
        (Severity.CHRONIC, True),
        (Severity.TERMINAL, False),
    ],
)
def test_c14_suggestion_by_category(category: Severity, suggested: bool) -> None:
    acute = None if category is Severity.ACUTE else 0.01
    card = the_card(an_extraction(ADULT), an_assessment(category, 0.5, acute=acute))

    assert ("suggestions" in card) == suggested


def test_c14_a_withheld_category_is_not_suggested() -> None:
    decision = decide(an_extraction(RED), an_assessment(Severity.MILD, 0.6, acute=0.01))

    assert decision.category is None
    assert "suggestions" not in decision.cards[0]
    assert decision.cards[0]["source"]["topic"]["code"] == "severityredreading"


@pytest.mark.parametrize(
    ("changes", "user", "reason"),
    [
        ({"deceased": True}, "Practitioner/1", "deceased"),
        ({"test_patient": True}, "Practitioner/1", "test_patient"),
        ({"opted_out": True}, "Practitioner/1", "opted_out"),
        ({}, "Patient/p1", "patient_user"),
    ],
)
def test_c2_no_card_for_the_excluded(changes: dict[str, bool], user: str, reason: str) -> None:
    decision = decide(
        an_extraction(RED, **changes),
        an_assessment(),
        situation=Situation.EXCLUDED,
        context=PatientViewContext(user, "p1"),
    )

    assert decision.cards == []
    assert decision.suppressed_reason == reason
    assert decision.indicator is None
    assert decision.category is None


@pytest.mark.parametrize(
    ("policy", "values", "assessment", "situation", "reason"),
    [
        (QUIET, ADULT, CHRONIC, Situation.SCORED, "category_not_wanted"),
        (
            CardPolicy(frozenset(SEVERITIES), Indicator.WARNING, "card", True),
            ADULT,
            CHRONIC,
            Situation.SCORED,
            "below_lowest_indicator",
        ),
        (
            CardPolicy(frozenset(SEVERITIES), Indicator.CRITICAL, "card", True),
            ADULT,
            an_assessment(),
            Situation.SCORED,
            "below_lowest_indicator",
        ),
        (QUIET, {}, None, Situation.INSUFFICIENT_DATA, "no_data_not_wanted"),
        (QUIET, ADULT, None, Situation.OUT_OF_POPULATION, "no_data_not_wanted"),
        (NEW_CLIENT, {}, None, Situation.INSUFFICIENT_DATA, None),
        (NEW_CLIENT, ADULT, None, Situation.OUT_OF_POPULATION, None),
        (NEW_CLIENT, ADULT, CHRONIC, Situation.SCORED, "category_not_wanted"),
        (NEW_CLIENT, ADULT, an_assessment(), Situation.SCORED, None),
        (NEW_CLIENT, RED, CHRONIC, Situation.SCORED, None),
        (QUIET, ADULT, an_assessment(), Situation.SCORED, None),
        (QUIET, RED, CHRONIC, Situation.SCORED, None),
        (QUIET, RED, None, Situation.INSUFFICIENT_DATA, None),
        (QUIET, ADULT, None, Situation.MODEL_FAILED, None),
        (DEVELOPMENT_POLICY, ADULT, CHRONIC, Situation.SCORED, None),
        (DEVELOPMENT_POLICY, {}, None, Situation.INSUFFICIENT_DATA, None),
    ],
)
def test_c12_a_client_chooses_but_red_readings_and_failures_are_always_shown(
    policy: CardPolicy, values: Any, assessment: Any, situation: Situation, reason: str | None
) -> None:
    decision = decide(an_extraction(values), assessment, policy=policy, situation=situation)

    assert decision.suppressed_reason == reason
    assert (decision.cards == []) == (reason is not None)
    assert decision.indicator is not None
    assert decision.kind is situation
    assert decision.dangerous == (values is RED)
    assert (decision.card_uuid is None) == (reason is not None)


def test_c12_acute_above_its_threshold_is_wanted_under_another_category() -> None:
    assessment = an_assessment(
        Severity.TERMINAL, 0.3, acute=0.1, above=(Severity.ACUTE, Severity.TERMINAL)
    )

    assert decide(an_extraction(ADULT), assessment, policy=QUIET).suppressed_reason is None


def test_a_scored_situation_without_a_score_is_a_mistake() -> None:
    with pytest.raises(ValueError, match="needs its assessment"):
        decide(an_extraction(ADULT), None, situation=Situation.SCORED)


def test_c2_an_exclusion_without_a_reason_is_a_mistake() -> None:
    with pytest.raises(ValueError, match="needs a reason"):
        decide(an_extraction(ADULT), None, situation=Situation.EXCLUDED)


def test_a_card_without_a_model_names_no_version() -> None:
    decision = build_cards(
        an_extraction(ADULT),
        None,
        None,
        policy=DEVELOPMENT_POLICY,
        language="en",
        public_url=PUBLIC_URL,
        card_uuid=CARD_UUID,
        suggestion_uuid=SUGGESTION_UUID,
        assessment_id=ASSESSMENT_ID,
        context=CONTEXT,
        situation=Situation.MODEL_FAILED,
    )

    assert decision.cards[0]["detail"].endswith("This is decision support, not a diagnosis")
