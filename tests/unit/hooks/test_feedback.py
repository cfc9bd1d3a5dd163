"""Feedback (R52 to R55): the specification's shape and Epic's."""

import json
from datetime import UTC, datetime
from typing import Any

import pytest

from hooks.errors import RequestError
from hooks.feedback import Coding, FeedbackEntry, parse_feedback

CARD = "4e0a3a1e-3283-4575-ab82-028d55fe2719"
SUGGESTION = "e56e1945-20b3-4393-8503-a1a20fd73152"
ACCEPTED = {
    "card": CARD,
    "outcome": "accepted",
    "acceptedSuggestions": [{"id": SUGGESTION}],
    "outcomeTimestamp": "2026-03-07T07:01:00Z",
}
OVERRIDDEN = {
    "card": "9368d37b-283f-44a0-93ea-547cebab93ed",
    "outcome": "overridden",
    "overrideReason": {
        "reason": {"code": "mild", "system": "https://cds.example.org/fhir/CodeSystem/x"},
        "userComment": "a sprain",
    },
    "outcomeTimestamp": "2026-03-07T09:01:00.250+02:00",
}
EPIC_REASON = "com.epic.cdshooks.feedback.overrideReason.reasonDisplay"


def parse(*entries: object) -> list[FeedbackEntry]:
    return parse_feedback(json.dumps({"feedback": list(entries)}).encode())


@pytest.mark.requirement("R53")
@pytest.mark.requirement("R54")
def test_reads_a_batch_in_order() -> None:
    accepted, overridden = parse(ACCEPTED, OVERRIDDEN)

    assert accepted == FeedbackEntry(
        CARD, "accepted", datetime(2026, 3, 7, 7, 1, tzinfo=UTC), (SUGGESTION,)
    )
    assert overridden.outcome == "overridden"
    assert overridden.outcome_timestamp == datetime(2026, 3, 7, 7, 1, 0, 250_000, tzinfo=UTC)
    assert overridden.reason == Coding("mild", "https://cds.example.org/fhir/CodeSystem/x", None)
    assert overridden.user_comment == "a sprain"
    assert overridden.accepted_suggestions == ()


@pytest.mark.requirement("R54")
def test_the_same_card_twice_and_an_empty_batch_are_fine() -> None:
    assert len(parse(ACCEPTED, ACCEPTED)) == 2
    assert parse() == []


@pytest.mark.requirement("R54")
def test_a_card_that_is_no_uuid_is_an_unknown_card() -> None:
    assert parse(ACCEPTED | {"card": "never-ours"})[0].card == "never-ours"


@pytest.mark.requirement("R55")
def test_epics_plural_object_without_reason_is_kept() -> None:
    extension = {EPIC_REASON: "Not clinically relevant", "nested": {"a": [1]}}
    entry = {k: v for k, v in OVERRIDDEN.items() if k != "overrideReason"}

    (read,) = parse(entry | {"overrideReasons": {"extension": extension}, "extension": {"x": 1}})

    assert read.reason is None
    assert read.user_comment is None
    assert read.extension == extension


def test_an_override_without_a_reason_is_fine() -> None:
    entry = {k: v for k, v in OVERRIDDEN.items() if k != "overrideReason"}

    (read,) = parse(entry)

    assert (read.reason, read.user_comment, read.extension) == (None, None, None)


def test_comments_are_not_in_repr() -> None:
    assert "sprain" not in repr(parse(OVERRIDDEN))


@pytest.mark.parametrize(
    ("changes", "element"),
    [
        ({"card": None}, "feedback[1].card"),
        ({"card": 4}, "feedback[1].card"),
        ({"outcome": None}, "feedback[1].outcome"),
        ({"outcome": "ignored"}, "feedback[1].outcome"),
        ({"outcomeTimestamp": None}, "feedback[1].outcomeTimestamp"),
        ({"outcomeTimestamp": 5}, "feedback[1].outcomeTimestamp"),
        ({"outcomeTimestamp": "yesterday"}, "feedback[1].outcomeTimestamp"),
        ({"outcomeTimestamp": "2026-03-07"}, "feedback[1].outcomeTimestamp"),
        ({"outcomeTimestamp": "2026-03-07T07:01:00"}, "feedback[1].outcomeTimestamp"),
        ({"outcomeTimestamp": "0001-01-01T00:00:00+14:00"}, "feedback[1].outcomeTimestamp"),
        ({"acceptedSuggestions": None}, "feedback[1].acceptedSuggestions"),
        ({"acceptedSuggestions": []}, "feedback[1].acceptedSuggestions"),
        ({"acceptedSuggestions": {"id": "x"}}, "feedback[1].acceptedSuggestions"),
        ({"acceptedSuggestions": ["x"]}, "feedback[1].acceptedSuggestions[0]"),
        ({"acceptedSuggestions": [{"id": "x"}, {}]}, "feedback[1].acceptedSuggestions[1].id"),
    ],
)
def test_wrong_members_are_named(changes: dict[str, Any], element: str) -> None:
    with pytest.raises(RequestError) as caught:
        parse(OVERRIDDEN, ACCEPTED | changes)

    assert caught.value.element == element
    assert caught.value.status == 400


@pytest.mark.parametrize(
    ("reason", "element"),
    [
        ({}, "feedback[0].overrideReason"),
        ("no", "feedback[0].overrideReason"),
        ({"reason": {}}, "feedback[0].overrideReason.reason.code"),
        ({"reason": "x"}, "feedback[0].overrideReason.reason"),
        ({"userComment": 3}, "feedback[0].overrideReason.userComment"),
        ({"extension": []}, "feedback[0].overrideReason.extension"),
    ],
)
def test_wrong_override_reasons_are_named(reason: object, element: str) -> None:
    with pytest.raises(RequestError) as caught:
        parse(OVERRIDDEN | {"overrideReason": reason})

    assert caught.value.element == element


@pytest.mark.parametrize(
    ("body", "element"),
    [
        (b"{}", "feedback"),
        (b'{"feedback": {}}', "feedback"),
        (b'{"feedback": null}', "feedback"),
        (b'{"feedback": [7]}', "feedback[0]"),
        (b"[]", None),
        (b"not json", None),
    ],
)
def test_wrong_bodies_are_refused(body: bytes, element: str | None) -> None:
    with pytest.raises(RequestError) as caught:
        parse_feedback(body)

    assert caught.value.element == element
