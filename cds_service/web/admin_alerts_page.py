"""What the pages of alerts show."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from cds_service.web.figures import figures
from cds_service.web.words import Words

STATES = ("open", "acknowledged", "resolved")
SIGNS: Mapping[str, str] = {"critical": "■", "warning": "▲", "info": "●"}
"""Beside the word for a severity: never colour alone."""


@dataclass(frozen=True, slots=True)
class AlertLine:
    """An alert in the list."""

    id: str
    kind: str
    severity: str
    severity_name: str
    sign: str
    at: str
    message: str
    seen: str | None
    """How often and until when, where that is more than once."""
    stands: str
    note: str | None
    """Of whoever is at it."""


@dataclass(frozen=True, slots=True)
class AlertView(AlertLine):
    """An alert by itself."""

    state: str
    version: str | None
    resolution: str | None
    figures: Sequence[tuple[str, str]]
    deliveries: Sequence[tuple[str, str, str, str]]


def line_of(alert: Mapping[str, Any], words: Words) -> AlertLine:
    """One row of the list."""
    return AlertLine(**_line(alert, words))


def alert_view(alert: Mapping[str, Any], words: Words) -> AlertView:
    """An alert with its figures and with what was told of it."""
    return AlertView(
        **_line(alert, words),
        state=_state(alert),
        version=alert["model_version"],
        resolution=alert["resolution"],
        figures=figures(alert["detail"] or {}),
        deliveries=[_delivery(one, words) for one in alert["deliveries"]],
    )


def kind_name(kind: str, words: Words) -> str:
    """The kind of an alert in words; one that has none yet by its own name."""
    key = f"kind.{kind}"
    return words.say(key) if words.has(key) else kind.replace("_", " ")


def _line(alert: Mapping[str, Any], words: Words) -> dict[str, Any]:
    severity = alert["severity"]
    seen = alert["times_seen"]
    return {
        "id": alert["id"],
        "kind": kind_name(alert["kind"], words),
        "severity": severity,
        "severity_name": words.say(f"severity.{severity}"),
        "sign": SIGNS[severity],
        "at": words.time(alert["at"]),
        "message": alert["message"],
        "seen": None
        if seen == 1
        else words.say("seen", n=words.count(seen), at=words.time(alert["last_seen_at"])),
        "stands": _stands(alert, words),
        "note": alert["note"],
    }


def _state(alert: Mapping[str, Any]) -> str:
    if alert["resolved_at"] is not None:
        return "resolved"
    return "open" if alert["acknowledged_at"] is None else "acknowledged"


def _stands(alert: Mapping[str, Any], words: Words) -> str:
    state = _state(alert)
    if state == "open":
        return words.say("stands.open")
    by = alert[f"{state}_by"]
    if by == "service":
        return words.say("stands.passed", at=words.time(alert["resolved_at"]))
    return words.say(f"stands.{state}", by=by, at=words.time(alert[f"{state}_at"]))


def _delivery(row: Mapping[str, Any], words: Words) -> tuple[str, str, str, str]:
    """What, over which channel, since when, and how that went."""
    event, channel, result = f"event.{row['event']}", f"channel.{row['channel']}", row["result"]
    key = f"result.{result}"
    if result is None:
        went = words.say("result.waits")
    else:
        went = words.say(key) if words.has(key) else str(result)
    if row["done_at"] is None and row["attempts"]:
        went = words.say("result.again", why=went, at=words.time(row["next_attempt_at"]))
    return words.say(event), words.say(channel), words.time(row["created_at"]), went
