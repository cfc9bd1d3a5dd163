"""R34 to R50 over HTTP, for the clients of every vendor; and that the checker can say no."""

import uuid
from collections.abc import Iterator
from copy import deepcopy
from typing import Any

import pytest
from markdown_it import MarkdownIt

from cds_service.context import ProcessContext
from hooks.vendors import Vendor
from tests.support.card_cases import ADULT, CARD_UUID, an_assessment, an_extraction, the_card
from tests.support.cards_check import assert_card, assert_for_vendor, assert_response
from tests.support.jwts import PUBLIC
from tests.support.service import new_context, running
from tests.support.wire import SERVICES, SEVERITY, Wire, wired

CHARTS = ("ill", "well", "child", "nothing")
HOOKS = ("problem-list-item-create", "encounter-discharge")
LINK = {"label": "x", "url": "https://x.example", "type": "absolute"}
DELETE = {"type": "delete", "description": "x", "resourceId": "Condition/1"}
CODING = {"code": "x", "system": "https://x.example", "display": "x"}


@pytest.fixture(scope="module")
def wire(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Wire]:
    with wired(tmp_path_factory.mktemp("answers")) as started:
        yield started


@pytest.mark.requirement("R34")
@pytest.mark.requirement("R48")
@pytest.mark.requirement("R50")
@pytest.mark.parametrize("vendor", Vendor)
def test_success_is_200_with_an_array_of_cards(wire: Wire, vendor: Vendor) -> None:
    for kind in CHARTS:
        response = wire.send(wire.chart(kind), vendor=vendor)
        assert response.status_code == 200
        assert response.headers["content-type"] == "application/json"
        assert set(response.json()) == {"cards"}
        assert len(response.json()["cards"]) == 1
    silent = [wire.send(wire.chart("dead"), vendor=vendor)]
    for path, hook in zip(SERVICES[1:], HOOKS, strict=True):
        silent.append(wire.send(wire.outcome(hook), path, vendor=vendor))
    for response in silent:
        assert response.status_code == 200
        assert response.json() == {"cards": []}


@pytest.mark.requirement("R35")
@pytest.mark.requirement("R36")
@pytest.mark.requirement("R37")
@pytest.mark.requirement("R40")
@pytest.mark.requirement("R41")
@pytest.mark.requirement("R42")
@pytest.mark.requirement("R43")
@pytest.mark.requirement("R44")
@pytest.mark.requirement("R46")
@pytest.mark.requirement("R47")
@pytest.mark.parametrize("language", ["en", "es"])
@pytest.mark.parametrize("vendor", Vendor)
def test_every_card_on_the_wire_is_valid(wire: Wire, vendor: Vendor, language: str) -> None:
    for kind in CHARTS:
        sent = wire.send(wire.chart(kind), vendor=vendor, **{"Accept-Language": language})
        (card,) = assert_response(sent.content)
        assert_for_vendor(card, vendor)
        assert card["indicator"] == ("critical" if kind == "ill" else "info")
        assert card["source"]["url"] == PUBLIC
        (link,) = card["links"]
        assert link == {
            "label": {"en": "About this model", "es": "Acerca de este modelo"}[language],
            "url": f"{PUBLIC}/models/1/card?lang={language}",
            "type": "absolute",
        }
        assert ("suggestions" in card) == (kind in ("ill", "well"))
        for suggestion in card.get("suggestions", []):
            assert set(suggestion) == {"label", "uuid", "actions"}
            (action,) = suggestion["actions"]
            assert set(action) == {"type", "description", "resource"}
            assert action["type"] == "create"
            assert action["resource"]["subject"] == {"reference": "Patient/p1"}


@pytest.mark.requirement("R45")
@pytest.mark.requirement("R47")
@pytest.mark.parametrize("language", ["en", "es"])
@pytest.mark.parametrize("vendor", [Vendor.STANDARD, Vendor.EPIC])
def test_every_coding_is_whole(wire: Wire, vendor: Vendor, language: str) -> None:
    card = wire.card(vendor, language)
    for coding in (card["source"]["topic"], *card["overrideReasons"]):
        assert set(coding) == {"code", "system", "display"}
        assert all(coding.values())
        assert coding["system"].startswith(("https://", "http://terminology.hl7.org/"))
    assert {reason["system"] for reason in card["overrideReasons"]} == {
        f"{PUBLIC}/fhir/CodeSystem/severity-category",
        "http://terminology.hl7.org/CodeSystem/non-adherence-reason-codes",
    }


@pytest.mark.requirement("R38")
@pytest.mark.parametrize("vendor", Vendor)
def test_detail_is_markdown_and_no_html(wire: Wire, vendor: Vendor) -> None:
    markdown = MarkdownIt("commonmark", {"html": True}).enable("table")
    detail = wire.card(vendor)["detail"]
    kinds = set()
    for token in markdown.parse(detail):
        kinds |= {token.type, *(child.type for child in token.children or [])}
    assert {"paragraph_open", "strong_open", "bullet_list_open", "list_item_open"} <= kinds
    assert not kinds & {"html_block", "html_inline", "table_open", "link_open", "image"}


@pytest.mark.requirement("R39")
@pytest.mark.parametrize("vendor", Vendor)
def test_no_two_cards_or_suggestions_have_one_uuid(wire: Wire, vendor: Vendor) -> None:
    cards = [wire.card(vendor) for _ in range(3)]
    given = [suggestion["uuid"] for card in cards for suggestion in card["suggestions"]]
    if vendor is not Vendor.CERNER:
        given += [card["uuid"] for card in cards]
    assert len(given) == (3 if vendor is Vendor.CERNER else 6)
    assert len(set(given)) == len(given)
    assert all(str(uuid.UUID(one)) == one for one in given)


@pytest.fixture(scope="module")
def empty(tmp_path_factory: pytest.TempPathFactory) -> ProcessContext:
    """A process without a model."""
    return new_context(tmp_path_factory.mktemp("empty"))


@pytest.mark.requirement("R50")
def test_412_means_missing_data_only(
    wire: Wire, empty: ProcessContext, monkeypatch: pytest.MonkeyPatch
) -> None:
    for missing in (("patient",), ("vitals",), ("patient", "vitals")):
        request = wire.chart()
        for key in missing:
            del request["prefetch"][key]
        refused = wire.send(request)
        assert refused.status_code == 412
        (issue,) = refused.json()["issue"]
        assert issue["code"] == "incomplete"
        assert all(key in issue["diagnostics"] for key in missing)
    for optional in ("encounter", "conditions"):
        assert optional not in wire.chart()["prefetch"]
    useless = wire.chart()
    for entry in useless["prefetch"]["vitals"]["entry"]:
        entry["resource"]["status"] = "entered-in-error"
    assert wire.send(useless).status_code == 200

    request = wire.chart()
    wire.send(request)
    other = wire.chart("well", hookInstance=request["hookInstance"])
    statuses = {
        "no JSON": wire.send(b"{"),
        "another hook": wire.send(wire.chart(hook="order-sign")),
        "no patient named": wire.send(wire.chart(context={"userId": "Practitioner/1"})),
        "no such service": wire.send(wire.chart(), "/cds-services/nothing"),
        "wrong method": wire.send(method="GET"),
        "another body": wire.send(other),
        "no token": wire.service.http.post(SEVERITY, json=wire.chart()),
    }
    assert {name: response.status_code for name, response in statuses.items()} == {
        "no JSON": 400,
        "another hook": 400,
        "no patient named": 400,
        "no such service": 404,
        "wrong method": 405,
        "another body": 409,
        "no token": 401,
    }
    with running(empty, empty.clock) as without_model:
        assert without_model.assess(without_model.request([])).status_code == 503
    monkeypatch.setattr("cds_service.routes.dependencies.MAX_BODY", 10)
    assert wire.send(wire.chart()).status_code == 413


def changed(path: str, value: object) -> dict[str, Any]:
    """A right card, wrong in the member at `path`; without it where `value` is `None`."""
    card = deepcopy(the_card(an_extraction(ADULT), an_assessment()))
    *way, last = [int(step) if step.isdigit() else step for step in path.split(".")]
    place: Any = card
    for step in way:
        place = place[step]
    if value is None:
        del place[last]
    else:
        place[last] = value
    return card


def two(behaviour: str, *, recommended: int) -> dict[str, Any]:
    """A card with two suggestions, the first `recommended` of which are."""
    card = changed("selectionBehavior", behaviour)
    (first,) = card["suggestions"]
    second = first | {"uuid": str(uuid.uuid4())}
    card["suggestions"] = [
        one | {"isRecommended": index < recommended} for index, one in enumerate((first, second))
    ]
    return card


# What this service never sends has a test too: the checker, through which every card of these
# tests goes, would refuse it.
WRONG = {
    "R35": [("summary", "x" * 140), ("summary", "x\ny"), ("summary", 7), ("summary", None)],
    "R36": [("indicator", "hard-stop"), ("indicator", "Info"), ("indicator", None)],
    "R37": [
        ("source", None),
        ("source.label", None),
        ("source.label", ""),
        ("source.label", 7),
        ("source.url", "/relative"),
        ("source.icon", "icon.png"),
        ("source.url", "javascript:alert(1)"),
    ],
    "R38": [("detail", "<b>x</b>"), ("detail", ["x"]), ("detail", "a &lt; b <!-- x -->")],
    "R39": [("uuid", "1"), ("uuid", "")],
    "R40": [
        ("selectionBehavior", None),
        ("selectionBehavior", "all"),
        ("suggestions", None),
        ("suggestions", []),
    ],
    "R42": [
        ("suggestions.0.label", None),
        ("suggestions.0.label", ""),
        ("suggestions.0.label", 7),
        ("suggestions.0.uuid", "1"),
        ("suggestions.0.isRecommended", "true"),
        ("suggestions.0.actions", []),
        ("suggestions.0.actions", {"type": "create"}),
    ],
    "R43": [
        ("suggestions.0.actions.0.type", None),
        ("suggestions.0.actions.0.type", "replace"),
        ("suggestions.0.actions.0.description", None),
        ("suggestions.0.actions.0.description", ""),
        ("suggestions.0.actions.0.resource", None),
        ("suggestions.0.actions.0.resource", "Condition/1"),
        ("suggestions.0.actions.0.type", "delete"),
        ("suggestions.0.actions.0", {"type": "update", "description": "x"}),
        ("suggestions.0.actions.0", DELETE | {"resourceId": "1"}),
        ("suggestions.0.actions.0", DELETE | {"resourceId": "https://x.example/Condition/1"}),
    ],
    "R44": [("suggestions.0.actionSelectionBehavior", "all")],
    "R45": [(f"overrideReasons.0.{member}", value) for member in CODING for value in (None, "")],
    "R46": [
        ("links", [{name: value for name, value in LINK.items() if name != "label"}]),
        ("links", [{name: value for name, value in LINK.items() if name != "url"}]),
        ("links", [{name: value for name, value in LINK.items() if name != "type"}]),
        ("links", [LINK | {"label": 7}]),
        ("links", [LINK | {"url": "/x"}]),
        ("links", [LINK | {"type": "relative"}]),
        ("links", [LINK | {"appContext": "x"}]),
        ("links", [LINK | {"type": "smart", "appContext": {"x": 1}}]),
        ("links", [LINK | {"autolaunchable": "yes"}]),
        ("links", LINK),
    ],
    "R47": [
        ("source.topic.code", None),
        ("source.topic.system", None),
        ("source.topic.code", 7),
        ("source.topic.system", "severity"),
        ("overrideReasons.0.code", None),
        ("overrideReasons.0.system", None),
    ],
}


def test_the_checker_takes_what_is_right() -> None:
    right = [
        two("at-most-one", recommended=0),
        two("at-most-one", recommended=1),
        two("any", recommended=2),
        changed("indicator", "info"),
        changed("source.icon", "https://x.example/icon.png"),
        changed("links", [LINK]),
        changed("links", [LINK | {"type": "smart", "appContext": "x", "autolaunchable": True}]),
        changed("suggestions.0.actions.0", DELETE),
        changed("suggestions.0.actions.0.type", "update"),
    ]
    for card in right:
        assert_card(card)


@pytest.mark.requirement("R35")
@pytest.mark.requirement("R36")
@pytest.mark.requirement("R37")
@pytest.mark.requirement("R38")
@pytest.mark.requirement("R39")
@pytest.mark.requirement("R40")
@pytest.mark.requirement("R42")
@pytest.mark.requirement("R43")
@pytest.mark.requirement("R44")
@pytest.mark.requirement("R45")
@pytest.mark.requirement("R46")
@pytest.mark.requirement("R47")
@pytest.mark.parametrize(
    ("path", "value"),
    [pytest.param(path, value, id=row) for row in WRONG for path, value in WRONG[row]],
)
def test_the_checker_refuses_a_card_that_is_wrong(path: str, value: object) -> None:
    card = changed(path, value)
    with pytest.raises((AssertionError, KeyError, TypeError, ValueError)):
        assert_card(card)


@pytest.mark.requirement("R41")
def test_the_checker_refuses_two_recommended_of_which_one_may_be_chosen() -> None:
    card = two("at-most-one", recommended=2)
    with pytest.raises(AssertionError, match="R41"):
        assert_card(card)


@pytest.mark.requirement("R34")
@pytest.mark.requirement("R48")
@pytest.mark.parametrize(
    "answer",
    [
        {},
        {"cards": {}},
        {"cards": None},
        [],
        {"cards": [], "systemActions": []},
        {"cards": [], "systemActions": [DELETE]},
    ],
    ids=["nothing", "object", "null", "array", "no actions", "actions"],
)
def test_the_checker_refuses_an_answer_that_is_wrong(answer: Any) -> None:
    with pytest.raises(AssertionError):
        assert_response(answer)


@pytest.mark.requirement("R39")
def test_the_checker_refuses_one_uuid_for_two_cards() -> None:
    card, other = changed("uuid", CARD_UUID), changed("uuid", str(uuid.uuid4()))
    assert_response({"cards": [card, other]})
    with pytest.raises(AssertionError, match="R39"):
        assert_response({"cards": [card, card]})
