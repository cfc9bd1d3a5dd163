"""Cards and exchanges of the sandbox as its page shows them.

A card is data from the wire: whatever is not of the type that CDS Hooks gives it is left out, and
only addresses of the web become links.
"""

from collections.abc import Iterable, Mapping
from typing import Any, Final
from urllib.parse import urlsplit

from cds_service.services.sandbox import Became, Visit
from cds_service.services.sandbox_patients import DIAGNOSES
from cds_service.services.sandbox_wire import Exchange, laid_out
from cds_service.web.markdown import markdown
from cds_service.web.words import Words

INDICATORS: Final = ("info", "warning", "critical")


def cards(visit: Visit, words: Words) -> list[dict[str, Any]]:
    """The cards of a visit."""
    return [_card(card, words) for card in visit.cards]


def _card(card: Mapping[str, Any], words: Words) -> dict[str, Any]:
    indicator = card.get("indicator")
    if indicator not in INDICATORS:
        indicator = "info"
    source = _object(card.get("source"))
    return {
        "indicator": indicator,
        "word": words.say(f"indicator.{indicator}"),
        "summary": _text(card.get("summary")),
        "detail": markdown(_text(card.get("detail"))),
        "source": {"label": _text(source.get("label")), "url": _address(source.get("url"))},
        "links": [
            # What a SMART app is opened by is no address for people: no health record is here.
            {
                "label": _text(link.get("label")),
                "url": None if link.get("type") == "smart" else _address(link.get("url")),
            }
            for link in _objects(card.get("links"))
        ],
        "suggestions": [
            {
                "label": _text(suggestion.get("label")),
                "actions": [
                    _text(action.get("description"))
                    for action in _objects(suggestion.get("actions"))
                ],
            }
            for suggestion in _objects(card.get("suggestions"))
        ],
        "reasons": [
            _text(reason.get("display")) for reason in _objects(card.get("overrideReasons"))
        ],
    }


def exchanges(several: Iterable[Exchange], words: Words) -> list[dict[str, Any]]:
    """What went over the wire, one by one."""
    return [exchange(one, words, number) for number, one in enumerate(several)]


def exchange(one: Exchange, words: Words, number: int = 0) -> dict[str, Any]:
    """One request with its answer."""
    path = urlsplit(one.url).path
    return {
        "id": f"wire-{number}",
        "name": words.say(f"wire.{one.name}"),
        "result": words.say("wire.none")
        if one.status is None
        else words.say("wire.result", status=one.status, ms=words.figure(one.milliseconds, 0)),
        "is_good": one.is_good,
        "line": f"{one.method} {path}",
        "method": one.method,
        "url": one.url,
        "headers": one.headers,
        "sent": one.sent,
        "received": one.laid_out,
    }


def services(discovery: Exchange) -> list[dict[str, Any]]:
    """What the service offers, by its own words."""
    answer = _object(discovery.answer)
    return [
        {
            "id": _text(service.get("id")),
            "hook": _text(service.get("hook")),
            "title": _text(service.get("title")),
            "prefetch": list(_object(service.get("prefetch"))),
        }
        for service in _objects(answer.get("services"))
    ]


def fault(one: Exchange) -> str | None:
    """What an OperationOutcome says is wrong."""
    issues = _objects(_object(one.answer).get("issue"))
    return _text(issues[0].get("diagnostics")) or None if issues else None


def diagnoses(words: Words) -> list[dict[str, Any]]:
    """What can be sent back, by category."""
    return [
        {
            "name": words.say("diagnosis.other") if severity is None else words.category(severity),
            "problems": [
                {"code": one.code, "name": words.say(f"diagnosis.{one.code}")} for one in problems
            ],
        }
        for severity, problems in DIAGNOSES.items()
    ]


def became(found: Became, words: Words) -> list[str]:
    """What became of an assessment, in sentences."""
    if not found.scored:
        return [words.say("became.not_scored")]
    if found.category is None:
        reason = f"became.none.{found.reason}"
        return [words.say(reason if words.has(reason) else "became.none")]
    said = [words.say("became.outcome", category=words.categories([found.category]))]
    if found.predicted is not None:
        is_same = found.predicted == found.category
        key = "became.same" if is_same else "became.other"
        said.append(words.say(key, category=words.categories([found.predicted])))
    if found.prompted:
        said.append(words.say("became.prompted"))
    return said


def draft(visit: Visit) -> str | None:
    """The draft that was opened by accepting, laid out."""
    return None if visit.draft is None else laid_out(visit.draft)


def _objects(value: object) -> list[dict[str, Any]]:
    return [one for one in value if isinstance(one, dict)] if isinstance(value, list) else []


def _object(value: object) -> dict[str, Any]:
    return value if isinstance(value, dict) else {}


def _text(value: object) -> str:
    return value if isinstance(value, str) else ""


def _address(value: object) -> str | None:
    text = _text(value)
    return text if text.startswith(("https://", "http://")) else None
