"""What a Subscription sends, taken apart: R4 `rest-hook` and the R5 backport (IG 1.2).

R4 sends the resource itself, or nothing at all. The backport sends a Bundle of type `history`
whose first entry is the status: Parameters in R4, SubscriptionStatus in R4B and R5.
See https://hl7.org/fhir/R4/subscription.html and
https://hl7.org/fhir/uv/subscriptions-backport/notifications.html.
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, Final

from fhir_mapping.references import normal_base
from fhir_mapping.transactions import is_id

FOCUS_TYPES: Final = ("Condition", "Patient")
"""What is read of that which a notice names: diagnoses, and Patients that may be merged."""
MAX_EVENT: Final = 2**62
"""Of an event number; R5 has them as integer64."""


class NoticeKind(StrEnum):
    """What a notification says."""

    HANDSHAKE = "handshake"
    HEARTBEAT = "heartbeat"
    QUERY_STATUS = "query-status"
    QUERY_EVENT = "query-event"
    EVENT = "event-notification"


@dataclass(frozen=True, slots=True)
class Sent:
    """One entry beside the status."""

    full_url: str | None = field(repr=False)
    resource: Mapping[str, Any] | None = field(repr=False)
    deleted: bool
    """Its request was DELETE."""

    @property
    def named_only(self) -> bool:
        """Whether it changed and is not sent."""
        return self.resource is None and not self.deleted


@dataclass(frozen=True, slots=True)
class Notice:
    """One notification."""

    kind: NoticeKind
    subscription: str | None = field(repr=False)
    first_event: int | None
    """Lowest number of the events in it."""
    last_event: int | None
    """Highest number of the events in it; without any, how many there were so far."""
    focus: tuple[str, ...] = field(repr=False)
    """References of its events, as received."""
    sent: tuple[Sent, ...] = field(repr=False)


def read_notice(bundle: Mapping[str, Any]) -> Notice | None:
    """A notification Bundle; `None` if its first entry is no status. Never raises."""
    entries = [entry for entry in _list(bundle.get("entry")) if isinstance(entry, Mapping)]
    status = _status(entries[0].get("resource")) if entries else None
    if status is None:
        return None
    kind = next((one for one in NoticeKind if one == status.get("type")), None)
    if kind is None:
        return None
    events = [event for event in _list(status.get("events")) if isinstance(event, Mapping)]
    numbers = sorted(n for n in (_number(event.get("number")) for event in events) if n is not None)
    total = _number(status.get("total"))
    sent = tuple(_sent(entries[1:]))
    return Notice(
        kind=kind,
        subscription=_text(status.get("subscription")),
        first_event=numbers[0] if numbers else None,
        last_event=numbers[-1] if numbers else total,
        # Some servers name what changed in the entries alone.
        focus=tuple(
            dict.fromkeys(
                [
                    *_focus(events),
                    *(one.full_url for one in sent if one.named_only and one.full_url),
                ]
            )
        ),
        sent=sent,
    )


def below(reference: str, bases: Iterable[str]) -> tuple[str, str, str] | None:
    """Base, type and id of a reference that may be read; `None` for every other.

    A relative one is on the first of `bases`; an absolute one must lie on one of them.
    """
    kind_and_id = reference.split("/_history/")[0].rsplit("/", 2)
    if len(kind_and_id) < 2 or "?" in reference or "#" in reference:
        return None
    kind, identifier = kind_and_id[-2:]
    if kind not in FOCUS_TYPES or not is_id(identifier) or set(identifier) == {"."}:
        return None
    known = list(bases)
    if len(kind_and_id) == 2:
        return (known[0], kind, identifier) if known else None
    named = normal_base(kind_and_id[0])
    for base in known:
        if named is not None and named == normal_base(base):
            return base, kind, identifier
    return None


def _status(resource: object) -> dict[str, Any] | None:
    """Of Parameters or SubscriptionStatus: type, subscription, total and events."""
    if not isinstance(resource, Mapping):
        return None
    if resource.get("resourceType") == "SubscriptionStatus":
        events = [
            {
                "number": event.get("eventNumber"),
                "focus": [event.get("focus")],
            }
            for event in _list(resource.get("notificationEvent"))
            if isinstance(event, Mapping)
        ]
        return {
            "type": resource.get("type"),
            "subscription": _reference(resource.get("subscription")),
            "total": resource.get("eventsSinceSubscriptionStart"),
            "events": events,
        }
    if resource.get("resourceType") != "Parameters":
        return None
    values: dict[str, Any] = {"events": []}
    for parameter in _parameters(resource.get("parameter")):
        name = parameter.get("name")
        if name == "type":
            values["type"] = parameter.get("valueCode")
        elif name == "subscription":
            values["subscription"] = _reference(parameter.get("valueReference"))
        elif name == "events-since-subscription-start":
            values["total"] = _value(parameter)
        elif name == "notification-event":
            parts = list(_parameters(parameter.get("part")))
            values["events"].append(
                {
                    "number": next(
                        (_value(p) for p in parts if p.get("name") == "event-number"), None
                    ),
                    "focus": [p.get("valueReference") for p in parts if p.get("name") == "focus"],
                }
            )
    return values if "type" in values else None


def _focus(events: Iterable[Mapping[str, Any]]) -> Iterator[str]:
    for event in events:
        for one in _list(event.get("focus")):
            reference = _reference(one)
            if reference is not None:
                yield reference


def _sent(entries: Iterable[Mapping[str, Any]]) -> Iterator[Sent]:
    for entry in entries:
        request = entry.get("request")
        method = request.get("method") if isinstance(request, Mapping) else None
        url = request.get("url") if isinstance(request, Mapping) else None
        resource = entry.get("resource")
        yield Sent(
            full_url=_text(entry.get("fullUrl")) or _text(url),
            resource=resource if isinstance(resource, Mapping) else None,
            deleted=method == "DELETE",
        )


def _value(parameter: Mapping[str, Any]) -> object:
    """A number, whichever of the types the versions of the guide give it."""
    names = ("valueString", "valueInteger", "valueUnsignedInt", "valuePositiveInt")
    return next((parameter[name] for name in names if name in parameter), None)


def _number(value: object) -> int | None:
    text = str(value) if isinstance(value, int | str) and not isinstance(value, bool) else ""
    if not text.isascii() or not text.isdecimal() or len(text) > len(str(MAX_EVENT)):
        return None
    return min(int(text), MAX_EVENT)


def _reference(element: object) -> str | None:
    return _text(element.get("reference")) if isinstance(element, Mapping) else None


def _text(value: object) -> str | None:
    return value if isinstance(value, str) and value else None


def _list(value: object) -> list[Any]:
    return value if isinstance(value, list) else []


def _parameters(value: object) -> Iterator[Mapping[str, Any]]:
    return (one for one in _list(value) if isinstance(one, Mapping))
