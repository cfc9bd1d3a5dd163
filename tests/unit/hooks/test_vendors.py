"""The card as the clients of each vendor take it: Epic, Oracle Health (Cerner), any other."""

from dataclasses import replace
from typing import Any

import pytest

from hooks.cards import DEVELOPMENT_POLICY, CardDecision
from hooks.contexts import PatientViewContext
from hooks.protocol import cards_response, encode
from hooks.topics import Topic, topic_code_system
from hooks.vendors import SHAPES, Vendor
from hooks.wording import LANGUAGES
from model.severity import Severity
from tests.support.card_cases import (
    ADULT,
    CARD_UUID,
    CASES,
    PUBLIC_URL,
    RED,
    SUGGESTION_UUID,
    an_assessment,
    an_extraction,
    decide,
    some_facts,
)
from tests.support.cards_check import assert_for_vendor, assert_response

SHOWN = [name for name in CASES if name != "excluded"]
LONGEST_LINE = 125
"""Characters of a line in a narrow pane: four or five lines of it on the screen."""


def answer(name: str, vendor: str, language: str = "en", **changes: Any) -> CardDecision:
    policy = replace(DEVELOPMENT_POLICY, vendor=Vendor(vendor))
    return decide(
        **(CASES[name] | {"facts": some_facts(), "policy": policy, "language": language} | changes)
    )


def card(name: str, vendor: str, language: str = "en", **changes: Any) -> dict[str, Any]:
    (one,) = answer(name, vendor, language, **changes).cards
    return one


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("name", CASES)
@pytest.mark.parametrize("vendor", Vendor)
def test_every_card_of_every_vendor_is_valid(vendor: Vendor, name: str, language: str) -> None:
    decision = answer(name, vendor, language)

    cards = assert_response(encode(cards_response(decision.cards)))
    assert len(cards) == (name != "excluded")
    for one in cards:
        assert_for_vendor(one, vendor)
        assert decision.card_uuid == CARD_UUID
        assert decision.suggestion_uuid == (SUGGESTION_UUID if "suggestions" in one else None)


def test_every_vendor_has_a_shape() -> None:
    assert set(SHAPES) == set(Vendor)


# Epic


@pytest.mark.parametrize(
    ("name", "topic"),
    [
        ("acute", Topic.ACUTE),
        ("red and acute", Topic.RED_READING),
        ("not ill", Topic.NOT_ILL),
        ("mild", Topic.MILD),
        ("chronic", Topic.CHRONIC),
        ("advanced", Topic.ADVANCED),
        ("child", Topic.OUT_OF_POPULATION),
        ("nothing read", Topic.NO_DATA),
        ("newer readings may exist", Topic.WITHHELD),
        ("model failed", Topic.MODEL_FAILED),
        ("model failed, red", Topic.RED_READING),
    ],
)
def test_epic_has_one_topic_for_each_kind_of_card(name: str, topic: Topic) -> None:
    for language in LANGUAGES:
        shown = card(name, "epic", language)["source"]["topic"]
        assert shown["code"] == topic
        assert shown["system"] == f"{PUBLIC_URL}/fhir/CodeSystem/card-topic"
    assert card(name, "epic", "en")["source"]["topic"]["display"]


def test_c9_silencing_acute_in_epic_does_not_silence_a_red_reading() -> None:
    acute = decide(
        an_extraction(ADULT), an_assessment(), policy=replace(DEVELOPMENT_POLICY, vendor="epic")
    )
    red = decide(
        an_extraction(RED), an_assessment(), policy=replace(DEVELOPMENT_POLICY, vendor="epic")
    )

    topics = [one.cards[0]["source"]["topic"]["code"] for one in (acute, red)]
    assert topics == ["severityacute", "severityredreading"]


def test_topics_do_not_depend_on_probability_or_patient() -> None:
    assessment = an_assessment(probability=0.97)
    other = card("acute", "epic", extraction=an_extraction(ADULT, age=30.0), assessment=assessment)

    assert other["source"]["topic"] == card("acute", "epic")["source"]["topic"]


@pytest.mark.parametrize(
    ("language", "said"),
    [
        (
            "en",
            "Open a draft diagnosis: acute illness "
            "(provisional, without code, to be completed by you)",
        ),
        (
            "es",
            "Abrir un borrador de diagnóstico: enfermedad aguda "
            "(provisional, sin código, para que usted lo complete)",
        ),
    ],
)
def test_in_epic_the_action_alone_says_everything(language: str, said: str) -> None:
    (action,) = card("acute", "epic", language)["suggestions"][0]["actions"]

    assert action["description"] == said


@pytest.mark.parametrize("vendor", ["epic", "cerner"])
@pytest.mark.parametrize(
    ("encounter", "kind"), [("e1", "encounter-diagnosis"), (None, "problem-list-item")]
)
def test_the_draft_has_one_category_and_our_own_as_its_text(
    vendor: str, encounter: str | None, kind: str
) -> None:
    context = PatientViewContext("Practitioner/1", "p1", encounter)
    (action,) = card("acute", vendor, "es", context=context)["suggestions"][0]["actions"]
    (category,) = action["resource"]["category"]

    assert category["coding"][0]["code"] == kind
    assert category["text"] == "Enfermedad aguda"


# Oracle Health (Cerner)


GOLDEN_NARROW = """\
**NEWS2 red score:**

- Systolic pressure 84 mmHg (10 min ago; red at 90 or below)
- Respiratory rate 27/min (10 min ago; red at 25 or above)

Partial NEWS2 (4 of 7): 8.

**Acute illness: 8 in 100 with readings like these; usual here 2 in 100.**

These readings do not tell the categories apart.

What moved the prediction of acute illness:

- Fast heart rate 118/min (10 min ago; reference 60–100): speaks for it
- Blood pressure 84/58 mmHg, below reference (10 min ago; reference 90–120/60–80): speaks for it
- Age 71 years: speaks against it

Other readings:

- Temperature 37.9 °C (10 min ago; reference 36.1–37.2)

Missing: SpO2 (no reading).

Model 7: decision support, not a diagnosis\
"""


def test_cerner_reads_lists_and_short_lines() -> None:
    assert card("red and acute", "cerner")["detail"] == GOLDEN_NARROW


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("name", SHOWN)
def test_cerner_says_the_same_in_shorter_lines(name: str, language: str) -> None:
    wide, narrow = (card(name, vendor, language)["detail"] for vendor in ("standard", "cerner"))

    assert max(map(len, narrow.splitlines())) <= LONGEST_LINE
    words = [
        sorted(text.lower().replace("*", " ").replace("- ", " ").translate(PUNCTUATION).split())
        for text in (wide, narrow)
    ]
    assert set(words[0]) == set(words[1])


PUNCTUATION = str.maketrans(dict.fromkeys(",;:.", " "))


def test_cerner_gets_what_cds_hooks_1_0_has_and_no_more() -> None:
    shown = card("acute", "cerner")

    assert list(shown) == [
        *("summary", "detail", "indicator", "source", "suggestions", "selectionBehavior"),
        "links",
    ]
    assert list(shown["source"]) == ["label", "url"]
    assert shown["selectionBehavior"] == "at-most-one"


# Any other


@pytest.mark.parametrize(
    ("name", "system", "code"),
    [
        ("acute", "severity-category", "acute"),
        ("red and acute", "severity-category", "acute"),
        ("advanced", "severity-category", "terminal"),
        ("model failed, red", "card-topic", "severityredreading"),
        ("child", "card-topic", "severityoutofpopulation"),
        ("newer readings may exist", "card-topic", "severitywithheld"),
    ],
)
def test_c22_a_category_is_the_topic_else_the_kind_of_card(
    name: str, system: str, code: str
) -> None:
    topic = card(name, "standard")["source"]["topic"]

    assert topic["system"] == f"{PUBLIC_URL}/fhir/CodeSystem/{system}"
    assert topic["code"] == code


def test_the_code_system_of_topics_has_all_of_them() -> None:
    system = topic_code_system(f"{PUBLIC_URL}/")

    assert system["url"] == f"{PUBLIC_URL}/fhir/CodeSystem/card-topic"
    assert [concept["code"] for concept in system["concept"]] == list(Topic)
    assert system["count"] == len(Topic)
    for concept in system["concept"]:
        assert concept["display"]
        assert concept["designation"][0]["value"] != ""
        # Override memory hangs on it (C11: never the word; Epic: alphanumeric, at most 100).
        assert concept["code"].isalnum()
        assert "terminal" not in str(concept)


# Test environments (C13)


@pytest.mark.parametrize(
    ("language", "label", "line"),
    [
        ("en", "(simulated)", "**Test environment: the answer is simulated, not for care.**"),
        (
            "es",
            "(simulado)",
            "**Entorno de prueba: la respuesta es simulada, no apta para la atención.**",
        ),
    ],
)
@pytest.mark.parametrize("vendor", Vendor)
@pytest.mark.parametrize("name", SHOWN)
def test_c13_every_card_of_a_test_environment_says_simulated(
    name: str, vendor: Vendor, language: str, label: str, line: str
) -> None:
    policy = replace(DEVELOPMENT_POLICY, vendor=vendor, sandbox=True)
    shown = card(name, vendor, language, policy=policy)
    cared_for = card(name, vendor, language)

    assert shown["source"]["label"].endswith(label)
    assert line in shown["detail"]
    assert label not in cared_for["source"]["label"]
    assert line not in cared_for["detail"]


@pytest.mark.parametrize("vendor", Vendor)
@pytest.mark.parametrize("name", SHOWN)
def test_c13_every_card_of_a_simulated_model_says_simulated(name: str, vendor: Vendor) -> None:
    shown = card(name, vendor, facts=some_facts(simulated=True))

    assert shown["source"]["label"].endswith("(simulated)")
    assert "**Trained on simulated patients, not for care.**" in shown["detail"]


# Known before (C16)


@pytest.mark.parametrize(
    ("known", "language", "line"),
    [
        ({Severity.CHRONIC}, "en", "On record before: chronic illness."),
        (
            {Severity.TERMINAL, Severity.CHRONIC, Severity.ACUTE},
            "en",
            "On record before: chronic illness and advanced or life-limiting illness.",
        ),
        (
            {Severity.TERMINAL},
            "es",
            "Consta de antes: enfermedad avanzada o limitante de la vida.",
        ),
    ],
)
@pytest.mark.parametrize("vendor", Vendor)
@pytest.mark.parametrize("name", SHOWN)
def test_c16_what_was_known_before_is_context(
    name: str, vendor: Vendor, known: set[Severity], language: str, line: str
) -> None:
    given = answer(name, vendor, language, known_before=frozenset(known))

    assert line in given.cards[0]["detail"].splitlines()
    assert given.category == answer(name, vendor, language).category


@pytest.mark.parametrize("known", [set(), {Severity.ACUTE, Severity.MILD, Severity.NOT_ILL}])
def test_c16_what_passes_is_not_named(known: set[Severity]) -> None:
    assert card("acute", "standard", known_before=frozenset(known)) == card("acute", "standard")
