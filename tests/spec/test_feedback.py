"""R53 to R55 over HTTP: what is refused, and what is kept of what is taken."""

import json
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any
from uuid import uuid4

import pytest
from sqlalchemy import select

from cds_service.storage.session import reading
from cds_service.storage.tables import FEEDBACK as STORED
from hooks.vendors import Vendor
from tests.support.wire import FEEDBACK, Wire, wired

REASON = "com.epic.cdshooks.feedback.overrideReason.reason"


@pytest.fixture(scope="module")
def wire(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Wire]:
    with wired(tmp_path_factory.mktemp("feedback")) as started:
        yield started


def overridden(card: str, /, **changes: Any) -> dict[str, Any]:
    entry = {
        "card": card,
        "outcome": "overridden",
        "overrideReason": {"reason": {"code": "mild", "system": "https://x.example"}},
        "outcomeTimestamp": "2026-03-01T06:20:00.5Z",
    } | changes
    return {name: value for name, value in entry.items() if value is not None}


def accepted(card: str, /, *suggestions: str, **changes: Any) -> dict[str, Any]:
    entry = {
        "card": card,
        "outcome": "accepted",
        "acceptedSuggestions": [{"id": one} for one in suggestions],
        "outcomeTimestamp": "2026-03-01T06:21:00Z",
    } | changes
    return {name: value for name, value in entry.items() if value is not None}


def kept(wire: Wire, *cards: str) -> list[dict[str, Any]]:
    """What is stored of these cards, in the order it came, with its free text."""
    query = select(STORED).where(STORED.c.card_uuid.in_(cards))
    with reading(wire.service.context.engine) as connection:
        rows = [dict(row._mapping) for row in connection.execute(query)]
    for row in rows:
        text = row["comment"]
        row["text"] = json.loads(wire.service.context.secrecy.decrypt(text)) if text else {}
    return sorted(rows, key=lambda row: row["outcome_timestamp"])


@pytest.mark.requirement("R53")
def test_what_feedback_names_is_kept(wire: Wire) -> None:
    card = wire.card()
    (suggestion,) = card["suggestions"]
    chosen = {name: card["overrideReasons"][0][name] for name in ("code", "system")}
    reasons = [
        {"reason": card["overrideReasons"][0]},
        {"reason": chosen},
        {"userComment": "seen"},
        {"reason": chosen, "userComment": "seen"},
        None,
    ]
    entries = [
        overridden(
            card["uuid"], overrideReason=reason, outcomeTimestamp=f"2026-03-01T06:0{minute}:00Z"
        )
        for minute, reason in enumerate(reasons)
    ]
    entries.append(accepted(card["uuid"], suggestion["uuid"], "another"))
    assert wire.send({"feedback": entries}, FEEDBACK).status_code == 200

    rows = kept(wire, card["uuid"])
    assert [row["outcome"] for row in rows] == ["overridden"] * 5 + ["accepted"]
    assert [row["reason_code"] for row in rows] == [
        chosen["code"],
        chosen["code"],
        None,
        chosen["code"],
        None,
        None,
    ]
    assert [row["reason_system"] == chosen["system"] for row in rows[:2]] == [True, True]
    assert [row["text"].get("comment") for row in rows] == [None, None, "seen", "seen", None, None]
    assert rows[-1]["accepted_suggestions"] == [suggestion["uuid"], "another"]
    assert rows[-1]["outcome_timestamp"].astimezone(UTC) == datetime(2026, 3, 1, 6, 21, tzinfo=UTC)


WRONG: list[tuple[dict[str, Any], str]] = [
    (overridden("a", card=None), "card"),
    (overridden("a", card=""), "card"),
    (overridden("a", card=7), "card"),
    (overridden("a", outcome=None), "outcome"),
    (overridden("a", outcome="ignored"), "outcome"),
    (overridden("a", outcomeTimestamp=None), "outcomeTimestamp"),
    (overridden("a", outcomeTimestamp="yesterday"), "outcomeTimestamp"),
    (overridden("a", outcomeTimestamp="2026-03-01T06:20:00"), "outcomeTimestamp"),
    (overridden("a", outcomeTimestamp="2026-03-01"), "outcomeTimestamp"),
    (overridden("a", outcomeTimestamp=1772346000), "outcomeTimestamp"),
    (accepted("a"), "acceptedSuggestions"),
    (accepted("a", acceptedSuggestions=None), "acceptedSuggestions"),
    (accepted("a", acceptedSuggestions={"id": "s"}), "acceptedSuggestions"),
    (accepted("a", acceptedSuggestions=[{}]), "acceptedSuggestions[0].id"),
    (overridden("a", overrideReason={}), "overrideReason"),
    (overridden("a", overrideReason={"reason": {"system": "x"}}), "overrideReason.reason.code"),
    (overridden("a", overrideReason={"reason": "mild"}), "overrideReason.reason"),
    (overridden("a", overrideReason={"userComment": 7}), "overrideReason.userComment"),
]


@pytest.mark.requirement("R53")
@pytest.mark.parametrize(
    ("entry", "element"), [pytest.param(*wrong, id=wrong[1]) for wrong in WRONG]
)
def test_a_wrong_entry_is_named_and_nothing_is_kept(
    wire: Wire, entry: dict[str, Any], element: str
) -> None:
    right = str(uuid4())
    response = wire.send({"feedback": [overridden(right), entry]}, FEEDBACK)
    assert response.status_code == 400
    (issue,) = response.json()["issue"]
    assert issue["expression"] == [f"feedback[1].{element}"]
    assert kept(wire, right) == []


@pytest.mark.requirement("R53")
@pytest.mark.parametrize("body", [{}, {"feedback": None}, {"feedback": {}}, [], {"card": "x"}])
def test_what_is_no_list_of_feedback_is_400(wire: Wire, body: object) -> None:
    assert wire.send(body, FEEDBACK).status_code == 400


@pytest.mark.requirement("R54")
def test_feedback_comes_in_batches_again_and_for_unknown_cards(wire: Wire) -> None:
    one, other = wire.card(), wire.card()
    unknown = [str(uuid4()), "never ours"]
    cards = [one["uuid"], other["uuid"], *unknown]
    first = [overridden(card, overrideReason=None) for card in cards]
    later = [
        accepted(one["uuid"], "s"),
        overridden(unknown[0], outcomeTimestamp="2026-03-01T06:30:00Z"),
    ]
    for batch in (first, later, []):
        response = wire.send({"feedback": batch}, FEEDBACK)
        assert (response.status_code, response.json()) == (200, {})
    assert [row["outcome"] for row in kept(wire, one["uuid"])] == ["overridden", "accepted"]
    assert [row["outcome"] for row in kept(wire, other["uuid"])] == ["overridden"]
    assert [row["known_card"] for row in kept(wire, *cards[:2])] == [True] * 3
    assert [row["known_card"] for row in kept(wire, *unknown)] == [False] * 3


@pytest.mark.requirement("R54")
def test_the_same_entry_twice_in_a_batch_is_taken(wire: Wire) -> None:
    card = wire.card()["uuid"]
    sent = {"feedback": [overridden(card), overridden(card)]}
    assert wire.send(sent, FEEDBACK).status_code == 200
    assert {row["outcome"] for row in kept(wire, card)} == {"overridden"}


@pytest.mark.requirement("R55")
def test_epics_shape_is_read_and_its_reasons_are_kept(wire: Wire) -> None:
    card = wire.card(Vendor.EPIC)
    extension = {f"{REASON}Category": "4", f"{REASON}Display": "Not now", f"{REASON}Title": "7"}
    chosen = card["overrideReasons"][-1]
    shapes: list[tuple[str, dict[str, Any]]] = [
        ("overrideReasons", {"extension": extension}),
        ("overrideReasons", {"reason": chosen, "extension": extension}),
        ("overrideReason", {"extension": extension}),
        ("overrideReasons", {"userComment": "seen"}),
    ]
    entries = [
        overridden(
            card["uuid"], overrideReason=None, outcomeTimestamp=f"2026-03-01T06:0{minute}:00Z"
        )
        | {name: reason}
        for minute, (name, reason) in enumerate(shapes)
    ]
    response = wire.send({"feedback": entries}, FEEDBACK, vendor=Vendor.EPIC)
    assert response.status_code == 200
    rows = kept(wire, card["uuid"])
    assert [row["text"].get("extension") for row in rows] == [extension] * 3 + [None]
    assert [row["reason_code"] for row in rows] == [None, chosen["code"], None, None]
    assert rows[-1]["text"] == {"comment": "seen"}
    assert all(row["known_card"] for row in rows)
