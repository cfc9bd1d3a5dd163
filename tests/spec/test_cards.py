"""R2 and R34 to R47 of CDS Hooks 2.0.1, on the cards that are built."""

import json
import re
from dataclasses import replace
from typing import Any

import pytest
from fhir.resources.R4B.condition import Condition

from cds_service.services.records import integration_extension
from hooks.cards import DEVELOPMENT_POLICY, CardDecision
from hooks.protocol import cards_response, encode
from hooks.vendors import Vendor
from model.severity import Severity
from tests.support.card_cases import (
    ADULT,
    ASSESSMENT_ID,
    CARD_UUID,
    CASES,
    PUBLIC_URL,
    SUGGESTION_UUID,
    an_extraction,
    decide,
    some_facts,
)
from tests.support.cards_check import (
    assert_card,
    assert_for_vendor,
    assert_no_empty,
    assert_response,
)

ALL = [(name, language) for name in CASES for language in ("en", "es")]
SHOWN = [(name, language) for name, language in ALL if name != "excluded"]


def answer(name: str, language: str) -> CardDecision:
    return decide(**CASES[name], facts=some_facts(simulated=True), language=language)


def card(name: str, language: str) -> dict[str, Any]:
    cards = answer(name, language).cards
    assert len(cards) == 1
    return cards[0]


@pytest.mark.requirement("R34")
@pytest.mark.parametrize(("name", "language"), ALL)
def test_answer_is_an_object_with_cards(name: str, language: str) -> None:
    cards = assert_response(encode(cards_response(answer(name, language).cards)))

    assert (cards == []) == (name == "excluded")


@pytest.mark.requirement("R2")
@pytest.mark.parametrize(("name", "language"), SHOWN)
def test_no_member_is_null_or_empty(name: str, language: str) -> None:
    assert_no_empty(card(name, language), "card")


@pytest.mark.requirement("R35")
@pytest.mark.parametrize(("name", "language"), SHOWN)
def test_summary_is_shorter_than_140_characters(name: str, language: str) -> None:
    assert 0 < len(card(name, language)["summary"]) < 140


@pytest.mark.requirement("R36")
def test_indicator_is_one_of_three() -> None:
    shown = {name: card(name, "en")["indicator"] for name, language in SHOWN if language == "en"}

    assert shown["red and acute"] == "critical"
    assert shown["acute"] == "warning"
    assert shown["chronic"] == "info"
    assert set(shown.values()) == {"info", "warning", "critical"}


@pytest.mark.requirement("R37")
@pytest.mark.parametrize(("name", "language"), SHOWN)
def test_source_has_a_label_and_an_absolute_url(name: str, language: str) -> None:
    source = card(name, language)["source"]

    assert source["label"]
    assert source["url"] == "https://cds.example.org"


@pytest.mark.requirement("R38")
@pytest.mark.parametrize(("name", "language"), SHOWN)
def test_detail_is_markdown_without_html_or_tables(name: str, language: str) -> None:
    detail = card(name, language)["detail"]

    assert "<" not in detail
    assert "|" not in detail


@pytest.mark.requirement("R39")
@pytest.mark.parametrize(("name", "language"), SHOWN)
def test_card_has_the_uuid_it_was_given(name: str, language: str) -> None:
    assert card(name, language)["uuid"] == CARD_UUID


@pytest.mark.requirement("R40")
@pytest.mark.requirement("R41")
@pytest.mark.requirement("R42")
@pytest.mark.parametrize("name", ["acute", "red and acute", "mild", "chronic"])
def test_suggestions_can_be_selected_at_most_once(name: str) -> None:
    shown = card(name, "en")

    assert shown["selectionBehavior"] == "at-most-one"
    assert [s["uuid"] for s in shown["suggestions"]] == [SUGGESTION_UUID]
    assert shown["suggestions"][0]["label"]


@pytest.mark.requirement("R40")
@pytest.mark.parametrize("name", ["not ill", "advanced", "child", "nothing read", "model failed"])
def test_no_selection_behavior_without_suggestions(name: str) -> None:
    shown = card(name, "en")

    assert "suggestions" not in shown
    assert "selectionBehavior" not in shown


@pytest.mark.requirement("R43")
@pytest.mark.requirement("R44")
def test_action_creates_a_described_resource() -> None:
    suggestion = card("acute", "en")["suggestions"][0]

    assert "actionSelectionBehavior" not in suggestion
    assert len(suggestion["actions"]) == 1
    action = suggestion["actions"][0]
    assert action["type"] == "create"
    assert action["description"]
    assert action["resource"]["resourceType"] == "Condition"


@pytest.mark.requirement("R45")
@pytest.mark.requirement("R51")
@pytest.mark.parametrize(("name", "language"), SHOWN)
def test_every_override_reason_has_code_system_and_display(name: str, language: str) -> None:
    reasons = card(name, language)["overrideReasons"]

    assert all(set(reason) == {"code", "system", "display"} for reason in reasons)
    assert any(
        reason["system"] == "http://terminology.hl7.org/CodeSystem/non-adherence-reason-codes"
        for reason in reasons
    )


@pytest.mark.requirement("R46")
@pytest.mark.parametrize(("name", "language"), SHOWN)
def test_the_link_leads_to_the_model_card_and_nowhere_else(name: str, language: str) -> None:
    (link,) = card(name, language)["links"]

    assert link == {
        "label": {"en": "About this model", "es": "Acerca de este modelo"}[language],
        "url": f"{PUBLIC_URL}/models/7/card?lang={language}",
        "type": "absolute",
    }


@pytest.mark.requirement("R46")
@pytest.mark.parametrize("vendor", list(Vendor))
@pytest.mark.parametrize(("name", "language"), SHOWN)
def test_a_launched_link_carries_its_assessment_and_takes_the_place_of_the_other(
    name: str, language: str, vendor: Vendor
) -> None:
    (shown,) = decide(
        **CASES[name],
        facts=some_facts(simulated=True),
        language=language,
        policy=replace(DEVELOPMENT_POLICY, vendor=vendor),
        explanation_url=f"{PUBLIC_URL}/explanations/once",
        launch_url=f"{PUBLIC_URL}/launch",
    ).cards
    assert_response({"cards": [shown]})
    smart, about = shown["links"]
    assert (smart["url"], smart["type"]) == (f"{PUBLIC_URL}/launch", "smart")
    # Oracle Health knows no `appContext`.
    expected = None if vendor is Vendor.CERNER else ASSESSMENT_ID
    assert smart.get("appContext") == expected
    assert about["type"] == "absolute"


@pytest.mark.requirement("R46")
def test_a_version_is_one_segment_of_the_link() -> None:
    facts = some_facts(version="7/../a b?x=<&")
    shown = decide(**CASES["acute"], facts=facts).cards[0]

    assert shown["links"][0]["url"] == (
        f"{PUBLIC_URL}/models/7%2F..%2Fa%20b%3Fx%3D%3C%26/card?lang=en"
    )


@pytest.mark.requirement("R47")
@pytest.mark.parametrize("name", ["acute", "not ill", "mild", "chronic", "advanced"])
def test_topic_is_a_coding_of_our_code_system(name: str) -> None:
    topic = card(name, "en")["source"]["topic"]

    assert topic["system"] == "https://cds.example.org/fhir/CodeSystem/severity-category"
    assert topic["code"] in set(Severity)


@pytest.mark.requirement("R35")
@pytest.mark.requirement("R40")
@pytest.mark.requirement("R45")
@pytest.mark.parametrize(
    "damage",
    [
        {"summary": "x" * 140},
        {"summary": ""},
        {"indicator": "hard-stop"},
        {"source": {"label": "x", "url": "/relative"}},
        {"source": {"url": "https://cds.example.org"}},
        {"selectionBehavior": "all"},
        {"suggestions": []},
        {"overrideReasons": [{"code": "x", "system": "https://x.example"}]},
        {"links": [{"label": "x", "url": "https://x.example", "type": "relative"}]},
        {"detail": "<iframe>"},
        {"unknown": 1},
    ],
)
def test_the_checker_refuses_a_wrong_card(damage: dict[str, Any]) -> None:
    with pytest.raises((AssertionError, KeyError)):
        assert_card(card("acute", "en") | damage)


VENDORS = [(name, vendor) for name in CASES if name != "excluded" for vendor in Vendor]


def body(name: str, vendor: Vendor) -> bytes:
    """The answer as it goes over the wire."""
    policy = replace(DEVELOPMENT_POLICY, vendor=vendor)
    return encode(cards_response(decide(**CASES[name], policy=policy).cards))


@pytest.mark.requirement("R2")
@pytest.mark.requirement("R34")
@pytest.mark.requirement("R37")
@pytest.mark.requirement("R43")
@pytest.mark.requirement("R47")
@pytest.mark.parametrize(("name", "vendor"), VENDORS)
def test_every_vendor_gets_a_valid_card(name: str, vendor: Vendor) -> None:
    (shown,) = assert_response(body(name, vendor))

    assert_for_vendor(shown, vendor)


@pytest.mark.requirement("R3")
@pytest.mark.parametrize("vendor", Vendor)
@pytest.mark.parametrize("name", ["acute", "mild", "chronic"])
def test_a_resource_in_a_card_is_standard_fhir_json(name: str, vendor: Vendor) -> None:
    (shown,) = json.loads(body(name, vendor))["cards"]
    (action,) = shown["suggestions"][0]["actions"]

    read = Condition.model_validate_json(json.dumps(action["resource"]))
    assert json.loads(read.model_dump_json()) == action["resource"]


@pytest.mark.requirement("R4")
@pytest.mark.parametrize(("name", "vendor"), VENDORS)
def test_an_answer_is_plain_json(name: str, vendor: Vendor) -> None:
    def once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        assert len({key for key, _ in pairs}) == len(pairs)
        return dict(pairs)

    def no_number(constant: str) -> None:
        pytest.fail(f"{constant} is not JSON")

    # The standard parser takes no comment and no trailing comma (RFC 8259).
    text = body(name, vendor).decode("utf-8", "strict")
    assert json.loads(text, object_pairs_hook=once, parse_constant=no_number)["cards"]


@pytest.mark.requirement("R5")
def test_what_is_ours_is_an_object_under_a_globally_unique_key() -> None:
    told = integration_extension("a1", an_extraction(ADULT))

    assert told
    for key, value in told.items():
        assert re.fullmatch(r"[a-z]+(\.[a-z-]+){2,}", key)
        assert isinstance(value, dict)
        assert_no_empty(value, key)


@pytest.mark.requirement("R48")
@pytest.mark.parametrize(("name", "vendor"), VENDORS)
def test_nothing_is_done_without_a_person(name: str, vendor: Vendor) -> None:
    assert set(json.loads(body(name, vendor))) == {"cards"}


@pytest.mark.requirement("R39")
@pytest.mark.parametrize(("name", "vendor"), VENDORS)
def test_feedback_can_name_every_card_of_a_2_0_client(name: str, vendor: Vendor) -> None:
    (shown,) = json.loads(body(name, vendor))["cards"]

    assert shown.get("uuid") == (None if vendor is Vendor.CERNER else CARD_UUID)


@pytest.mark.requirement("R40")
@pytest.mark.requirement("R41")
@pytest.mark.parametrize(
    ("vendor", "selection"),
    [("standard", "at-most-one"), ("epic", "any"), ("cerner", "at-most-one")],
)
def test_selection_as_the_vendor_knows_it(vendor: str, selection: str) -> None:
    (shown,) = json.loads(body("acute", Vendor(vendor)))["cards"]

    assert shown["selectionBehavior"] == selection
    assert not any("isRecommended" in suggestion for suggestion in shown["suggestions"])
