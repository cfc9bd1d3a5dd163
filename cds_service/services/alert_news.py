"""What there is to tell of alerts and promotions, and how it is told. English, for administrators.

No patient data can come into it: an alert holds counts and figures. What a person wrote when
resolving one, or promoting a version, is kept and not sent: free text may name anybody.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, tzinfo
from typing import Any, Final

from cds_service.services.alerts import SERVICE

SEVERITIES: Final = ("info", "warning", "critical")
"""From the least to the most severe."""
DIGEST: Final = "digest"
EVENTS: Final = ("raised", "acknowledged", "resolved", DIGEST)
"""In the order in which they happen."""
_SHOWN_ID: Final = 8
"""Characters of an alert's id that tell it from others; commands take them."""


@dataclass(frozen=True, slots=True)
class News:
    """One thing to tell over every channel."""

    alert_id: str
    event: str
    """One of `EVENTS`."""
    at: datetime
    content: Mapping[str, Any]
    """As it is posted: `type`, `timestamp`, `data` (Standard Webhooks, "Payload structure")."""


def news_of(alert: Mapping[str, Any]) -> list[News]:
    """What has happened to an alert so far, oldest first."""
    times = (alert["at"], alert["acknowledged_at"], alert["resolved_at"])
    return [
        News(alert["id"], event, at, _content(f"alert.{event}", at, _data(alert, event)))
        for event, at in zip(EVENTS[:3], times, strict=True)
        if at is not None
    ]


def digest_news(watch: Mapping[str, Any], at: datetime) -> News:
    """What changed with a promotion, as it is told at `at`."""
    data = {
        "severity": SEVERITIES[0],
        "version": watch["version"],
        "previous": watch["previous"],
        # Why it was promoted is what a person wrote.
        "digest": {name: value for name, value in watch["digest"].items() if name != "why"},
    }
    identifier = f"digest-{watch['release_id']}"
    return News(identifier, DIGEST, at, _content("release.digest", at, data))


def trial_content(at: datetime) -> dict[str, Any]:
    """A message that says nothing, to see whether a channel works."""
    words = "A test of cds-service alerts. Nothing has happened."
    return _content("alert.test", at, {"severity": SEVERITIES[0], "message": words})


def subject(contents: "list[Mapping[str, Any]]") -> str:
    """Subject of an e-mail that tells all of this."""
    if len(contents) == 1:
        return f"[cds-service] {_headline(contents[0])}"
    worst = max(contents, key=lambda one: SEVERITIES.index(one["data"]["severity"]))
    return f"[cds-service] {len(contents)} news, the most severe: {_headline(worst)}"


def text(content: Mapping[str, Any], zone: tzinfo) -> str:
    """One of the news in a few lines for a person."""
    data = content["data"]
    at = datetime.fromisoformat(content["timestamp"]).astimezone(zone)
    lines = [f"{_headline(content)}", f"{at:%Y-%m-%d %H:%M %Z}"]
    lines += [data[name] for name in ("message",) if name in data]
    if data.get("model_version"):
        lines.append(f"Model version: {data['model_version']}")
    if data.get("detail"):
        lines += [f"  {name}: {_cell(value)}" for name, value in data["detail"].items()]
    if content["type"] == "alert.acknowledged":
        lines.append(f"Acknowledged by {data['acknowledged_by']}.")
    if content["type"] == "alert.resolved":
        lines.append(f"Resolved by {data['resolved_by']}. {data['resolution'] or ''}".rstrip())
    if "id" in data:
        lines.append(f"More: cds-service alerts show {data['id'][:_SHOWN_ID]}")
    if "digest" in data:
        # Imported here: it loads what trains, and a serving process must not.
        from cds_service.services.digests import digest_text

        lines.append(digest_text({**data["digest"], "why": "cds-service models digest says it"}))
    return "\n".join(lines)


def _headline(content: Mapping[str, Any]) -> str:
    data, kind = content["data"], content["type"]
    if kind == "release.digest":
        return f"version {data['version']} took the place of {data['previous']}"
    if kind == "alert.test":
        return "test"
    named = " ".join(data["kind"].replace("_", " ").split())  # A header is one line.
    return f"{data['severity']}: {named} {kind.removeprefix('alert.')}"


def _content(kind: str, at: datetime, data: Mapping[str, Any]) -> dict[str, Any]:
    return {"type": kind, "timestamp": at.isoformat(), "data": dict(data)}


def _data(alert: Mapping[str, Any], event: str) -> dict[str, Any]:
    data = {
        "id": alert["id"],
        "kind": alert["kind"],
        "key": alert["key"],
        "severity": alert["severity"],
        "message": alert["message"],
        "model_version": alert["model_version"],
        "detail": alert["detail"],
        "raised_at": alert["at"].isoformat(),
        "times_seen": alert["times_seen"],
    }
    if event in ("acknowledged", "resolved") and alert["acknowledged_at"] is not None:
        data["acknowledged_by"] = alert["acknowledged_by"]
    if event == "resolved":
        data["resolved_by"] = alert["resolved_by"]
        by_itself = alert["resolved_by"] == SERVICE
        data["resolution"] = alert["resolution"] if by_itself else None
    return data


def _cell(value: object) -> str:
    if isinstance(value, float):
        return f"{value:.4g}"
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
