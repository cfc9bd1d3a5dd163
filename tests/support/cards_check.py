"""Checks any answer of a CDS service against requirements R2 and R34 to R47."""

import json
import re
import uuid
from collections.abc import Mapping
from typing import Any
from urllib.parse import urlsplit

from fhir.resources.R4B.condition import Condition

from hooks.vendors import Vendor

INDICATORS = {"info", "warning", "critical"}
_MEMBERS = {
    "card": {
        "uuid",
        "summary",
        "detail",
        "indicator",
        "source",
        "suggestions",
        "selectionBehavior",
        "overrideReasons",
        "links",
        "extension",
    },
    "source": {"label", "url", "icon", "topic", "extension"},
    "suggestion": {"label", "uuid", "isRecommended", "actions", "extension"},
    "action": {"type", "description", "resource", "resourceId", "extension"},
    "link": {"label", "url", "type", "appContext", "autolaunchable", "extension"},
    "coding": {"system", "code", "display", "version", "userSelected"},
}


def assert_response(body: bytes | Mapping[str, Any]) -> list[dict[str, Any]]:
    """Assert that a 200 body is a valid answer; returns its cards."""
    answer = json.loads(body) if isinstance(body, bytes) else body
    assert isinstance(answer, dict), "R34: the answer is an object"
    assert isinstance(answer.get("cards"), list), "R34: `cards` is an array"
    assert set(answer) <= {"cards", "systemActions", "extension"}
    assert "systemActions" not in answer, "R48: no system actions unless agreed beforehand"
    for card in answer["cards"]:
        assert_card(card)
    uuids = [card["uuid"] for card in answer["cards"] if "uuid" in card]
    assert len(uuids) == len(set(uuids)), "R39: card uuids are unique"
    return list(answer["cards"])


def assert_card(card: Mapping[str, Any]) -> None:
    """Assert R2 and R35 to R47 on one card."""
    assert_no_empty(card, "card")
    _only_known(card, "card")
    summary = card["summary"]
    assert isinstance(summary, str), "R35"
    assert len(summary) < 140, f"R35: {len(summary)} characters"
    assert "\n" not in summary, "R35: one sentence"
    assert card["indicator"] in INDICATORS, "R36"
    _check_source(card["source"])
    if "detail" in card:
        assert isinstance(card["detail"], str), "R38"
        assert "<" not in card["detail"], "R38: no HTML"
    if "uuid" in card:
        uuid.UUID(card["uuid"])
    suggestions = card.get("suggestions", [])
    if suggestions:
        assert card["selectionBehavior"] in {"at-most-one", "any"}, "R40"
        recommended = [s for s in suggestions if s.get("isRecommended")]
        if card["selectionBehavior"] == "at-most-one":
            assert len(recommended) <= 1, "R41"
    else:
        assert "selectionBehavior" not in card, "R40: nothing to select from"
    for suggestion in suggestions:
        _check_suggestion(suggestion)
    for reason in card.get("overrideReasons", []):
        _check_coding(reason)
        assert reason["display"], "R45"
    for link in card.get("links", []):
        _check_link(link)


def assert_for_vendor(card: Mapping[str, Any], vendor: Vendor) -> None:
    """Assert what the clients of a vendor need of a card beside `assert_card`."""
    if vendor is Vendor.EPIC:
        topic = card["source"]["topic"]["code"]
        assert re.fullmatch(r"[A-Za-z0-9]{1,100}", topic), "Epic: an alphanumeric topic"
        assert card["uuid"], "Epic: no feedback without uuid"
        assert card.get("selectionBehavior", "any") == "any", "Epic: only `any`"
        for suggestion in card.get("suggestions", []):
            assert len(suggestion["actions"]) == 1, "Epic: one action a suggestion"
            assert "isRecommended" not in suggestion, "Epic: it would be selected beforehand"
    if vendor is Vendor.CERNER:
        later = {"uuid", "overrideReasons", "extension"} & set(card)
        assert not later, f"not in CDS Hooks 1.0: {later}"
        assert set(card["source"]) <= {"label", "url", "icon"}, "not in CDS Hooks 1.0"
        assert card.get("selectionBehavior", "at-most-one") == "at-most-one", "1.0"
        assert not re.search(r"(?<!\\)\|", card["detail"]), "no tables in a narrow pane"
        assert all("appContext" not in link for link in card.get("links", []))
        for suggestion in card.get("suggestions", []):
            assert set(suggestion) <= {"label", "uuid", "actions"}, "not in CDS Hooks 1.0"
            assert all(
                set(action) == {"type", "description", "resource"}
                for action in suggestion["actions"]
            ), "not in CDS Hooks 1.0"
    if vendor in (Vendor.EPIC, Vendor.CERNER):
        for suggestion in card.get("suggestions", []):
            for action in suggestion["actions"]:
                assert len(action["resource"]["category"]) == 1, "one category a Condition"


def assert_no_empty(value: object, path: str) -> None:
    """R2: no member is `null`, an empty string, an empty array or an empty object."""
    assert value is not None, f"R2: {path} is null"
    assert value not in ("", [], {}), f"R2: {path} is empty"
    if isinstance(value, Mapping):
        for name, member in value.items():
            assert_no_empty(member, f"{path}.{name}")
    elif isinstance(value, list):
        for index, item in enumerate(value):
            assert_no_empty(item, f"{path}[{index}]")


def _check_source(source: Mapping[str, Any]) -> None:
    _only_known(source, "source")
    assert isinstance(source["label"], str), "R37"
    for member in ("url", "icon"):
        if member in source:
            _check_absolute(source[member], "R37")
    if "topic" in source:
        _check_coding(source["topic"])


def _check_suggestion(suggestion: Mapping[str, Any]) -> None:
    _only_known(suggestion, "suggestion")
    assert isinstance(suggestion["label"], str), "R42"
    assert isinstance(suggestion.get("isRecommended", False), bool), "R42"
    if "uuid" in suggestion:
        uuid.UUID(suggestion["uuid"])
    actions = suggestion.get("actions", [])
    assert isinstance(actions, list), "R42"
    for action in actions:
        _only_known(action, "action")
        assert action["type"] in {"create", "update", "delete"}, "R43"
        assert isinstance(action["description"], str), "R43"
        if action["type"] == "delete":
            assert re.fullmatch(r"[A-Z][A-Za-z]+/[A-Za-z0-9\-.]{1,64}", action["resourceId"]), "R43"
        else:
            assert action["resource"]["resourceType"], "R43"
        if action.get("resource", {}).get("resourceType") == "Condition":
            Condition.model_validate(action["resource"])


def _check_link(link: Mapping[str, Any]) -> None:
    _only_known(link, "link")
    assert isinstance(link["label"], str), "R46"
    _check_absolute(link["url"], "R46")
    assert link["type"] in {"absolute", "smart"}, "R46"
    assert "appContext" not in link or link["type"] == "smart", "R46"
    assert isinstance(link.get("appContext", ""), str), "R46"
    assert isinstance(link.get("autolaunchable", False), bool), "R46"


def _check_coding(coding: Mapping[str, Any]) -> None:
    _only_known(coding, "coding")
    assert isinstance(coding["code"], str), "R47"
    _check_absolute(coding["system"], "R47")


def _check_absolute(url: str, requirement: str) -> None:
    parts = urlsplit(url)
    assert parts.scheme in {"http", "https"}, f"{requirement}: {url} is not absolute"
    assert parts.netloc, f"{requirement}: {url} is not absolute"


def _only_known(value: Mapping[str, Any], kind: str) -> None:
    unknown = set(value) - _MEMBERS[kind]
    assert not unknown, f"unknown members of a {kind}: {sorted(unknown)}"
