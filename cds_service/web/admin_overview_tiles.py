"""The figures of the overview that are looked at first."""

from dataclasses import dataclass

from cds_service.services.overview import Overview
from cds_service.web.words import Words

_MANY_FAILED = 0.001
"""Share of failed calls from which on somebody should look. Our own choice."""


@dataclass(frozen=True, slots=True)
class Tile:
    """A figure by itself."""

    name: str
    value: str
    note: str
    href: str | None = None
    is_bad: bool = False


def tiles(overview: Overview, words: Words) -> list[Tile]:
    """What is looked at first."""
    calls, answers, verified = overview.calls, overview.answers, overview.verification
    alerts = overview.open_alerts
    version = overview.version
    scored = sum(verified.values())
    return [
        Tile(
            words.say("tile.version"),
            words.say("none") if version is None else version["version"],
            words.say("version.none")
            if version is None
            else words.say(
                "version.since.simulated" if version["simulated"] else "version.since",
                at=words.time(version["at"]),
            ),
            is_bad=version is None or version["simulated"],
        ),
        Tile(
            words.say("tile.alerts"),
            words.count(sum(alerts.values())),
            ", ".join(
                words.say(f"alerts.{severity}", n=words.count(alerts[severity]))
                for severity in ("critical", "warning", "info")
                if alerts.get(severity)
            )
            or words.say("alerts.none"),
            href="/admin/alerts",
            is_bad=bool(alerts.get("critical")),
        ),
        Tile(
            words.say("tile.calls"),
            words.count(calls.total),
            words.say(
                "calls.note",
                failed=share_of(calls.failed, calls.total, words, 2),
                refused=share_of(calls.refused, calls.total, words),
            ),
            is_bad=calls.failed > _MANY_FAILED * calls.total,
        ),
        Tile(
            words.say("tile.latency"),
            milliseconds(overview.waiting.median, words),
            words.say("latency.note", high=milliseconds(overview.waiting.high, words)),
        ),
        Tile(
            words.say("tile.cards"),
            words.count(answers.shown),
            words.say("cards.note", n=words.count(answers.assessed)),
        ),
        Tile(
            words.say("tile.flagged"),
            share_of(answers.flagged, answers.scored, words),
            words.say("flagged.note", n=words.count(answers.scored)),
        ),
        Tile(
            words.say("tile.accepted"),
            share_of(answers.accepted, answers.answered, words),
            words.say(
                "accepted.note",
                n=words.count(answers.answered),
                share=share_of(answers.answered, answers.shown, words),
            ),
        ),
        Tile(
            words.say("tile.verified"),
            share_of(verified["verified"], scored, words),
            words.say("verified.note", n=words.count(scored), open=words.count(verified["open"])),
        ),
    ]


def ratio(part: int, whole: int) -> float | None:
    """A share, of nothing none."""
    return part / whole if whole else None


def share_of(part: int, whole: int, words: Words, decimals: int = 1) -> str:
    """A share as a percentage."""
    return words.percent(ratio(part, whole), decimals)


def milliseconds(seconds: float | None, words: Words) -> str:
    """A duration, to the millisecond."""
    return words.say("none") if seconds is None else f"{words.figure(seconds * 1_000, 0)}\u00a0ms"
