"""Feedback on cards (R52 to R55), Epic's shape of it included."""

from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Annotated, Any

import msgspec

from hooks.errors import RequestError
from hooks.protocol import (
    Members,
    optional,
    optional_object,
    read_array,
    read_object,
    required,
)

_OUTCOMES = ("accepted", "overridden")
# The entry is an instant: without an offset it would be a guess.
_INSTANT: msgspec.json.Decoder[datetime] = msgspec.json.Decoder(
    Annotated[datetime, msgspec.Meta(tz=True)]
)


@dataclass(frozen=True, slots=True)
class Coding:
    """A CDS Hooks Coding as received; `system` and `display` may be absent in feedback."""

    code: str
    system: str | None
    display: str | None


@dataclass(frozen=True, slots=True)
class FeedbackEntry:
    """What became of one card."""

    card: str
    """The card's uuid as received; one we never gave is no error (R54)."""
    outcome: str
    """`accepted` or `overridden`."""
    outcome_timestamp: datetime
    """Aware, UTC."""
    accepted_suggestions: tuple[str, ...] = ()
    """Suggestion uuids; empty when overridden."""
    reason: Coding | None = None
    user_comment: str | None = field(default=None, repr=False)
    """Free text of a clinician: patient data."""
    extension: dict[str, Any] | None = field(default=None, repr=False)
    """`extension` of the override reason; Epic puts its own reasons there (R55)."""


def parse_feedback(body: bytes) -> list[FeedbackEntry]:
    """Read a feedback body, in the order received; one bad entry refuses the batch.

    Raises `RequestError` (400) naming the element, like `feedback[1].card`.
    """
    members = read_object(body, None)
    raw = members.get("feedback")
    if raw is None:
        raise RequestError("`feedback` is required", element="feedback", code="required")
    return [
        _entry(read_object(item, f"feedback[{index}]"), f"feedback[{index}]")
        for index, item in enumerate(read_array(raw, "feedback"))
    ]


def _entry(members: Members, where: str) -> FeedbackEntry:
    card = required(members, "card", str, where=where)
    outcome = required(members, "outcome", str, where=where)
    if outcome not in _OUTCOMES:
        raise RequestError(
            f"`{where}.outcome` must be `accepted` or `overridden`",
            element=f"{where}.outcome",
            code="value",
        )
    timestamp = _timestamp(members, where)
    if outcome == "accepted":
        return FeedbackEntry(card, outcome, timestamp, _suggestions(members, where))
    reason, comment, extension = _override(members, where)
    return FeedbackEntry(
        card, outcome, timestamp, reason=reason, user_comment=comment, extension=extension
    )


def _timestamp(members: Members, where: str) -> datetime:
    element = f"{where}.outcomeTimestamp"
    required(members, "outcomeTimestamp", str, where=where)
    try:
        return _INSTANT.decode(members["outcomeTimestamp"]).astimezone(UTC)
    except (msgspec.ValidationError, OverflowError):
        raise RequestError(
            f"`{element}` must be an RFC 3339 date and time with its offset",
            element=element,
            code="value",
        ) from None


def _suggestions(members: Members, where: str) -> tuple[str, ...]:
    element = f"{where}.acceptedSuggestions"
    raw = members.get("acceptedSuggestions")
    items = [] if raw is None else read_array(raw, element)
    if not items:
        raise RequestError(
            f"`{element}` must name a suggestion where the outcome is `accepted`",
            element=element,
            code="required",
        )
    return tuple(
        required(read_object(item, f"{element}[{i}]"), "id", str, where=f"{element}[{i}]")
        for i, item in enumerate(items)
    )


def _override(
    members: Members, where: str
) -> tuple[Coding | None, str | None, dict[str, Any] | None]:
    """Reason, comment and extension of `overrideReason`, or of Epic's `overrideReasons`."""
    name = "overrideReasons" if "overrideReason" not in members else "overrideReason"
    given = optional_object(members, name, where=where)
    if given is None:
        return None, None, None
    where = f"{where}.{name}"
    coding = optional_object(given, "reason", where=where)
    reason = None
    if coding is not None:
        reason = Coding(
            code=required(coding, "code", str, where=f"{where}.reason"),
            system=optional(coding, "system", str, where=f"{where}.reason"),
            display=optional(coding, "display", str, where=f"{where}.reason"),
        )
    comment = optional(given, "userComment", str, where=where) or None
    extension = optional(given, "extension", dict, where=where)
    if reason is None and comment is None and not extension:
        raise RequestError(
            f"`{where}` must have `reason` or `userComment`", element=where, code="required"
        )
    return reason, comment, extension or None
