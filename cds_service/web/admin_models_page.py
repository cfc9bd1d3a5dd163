"""The models page: versions, challengers and releases as rows of words."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from cds_service.services.models_view import Pair, Standing, Version
from cds_service.services.quality import figure
from cds_service.storage.challenger_store import WAITING
from cds_service.storage.comparison_request_store import FAILED
from cds_service.storage.comparison_request_store import WAITING as WAITS
from cds_service.web.admin_sections import Table, named
from cds_service.web.words import Words

ACTIONS = ("promote", "rollback", "approve", "withdraw")
COMPARED = (
    ("log_loss", None),
    ("auroc", "acute"),
    ("recall", "acute"),
    ("precision", "acute"),
)
_SIGNS = {True: "✓", False: "✗", None: "–"}


@dataclass(frozen=True, slots=True)
class Line:
    """A version in the list."""

    version: str
    state: str
    kind: str
    data: str
    at: str
    by: str
    note: str
    has_report: bool
    is_live: bool


@dataclass(frozen=True, slots=True)
class Way:
    """A challenger."""

    version: str
    stage: str
    origin: str
    against: str
    at: str
    until: str
    reason: str
    waits: bool


@dataclass(frozen=True, slots=True)
class GateLine:
    """A gate and its answer."""

    name: str
    sign: str
    state: str
    passed: bool | None
    sentence: str
    """In English, as it was kept."""


@dataclass(frozen=True, slots=True)
class AskedFor:
    """The last comparison of a pair that a person asked for, while there is something to say."""

    waiting: str | None
    failed: str | None
    why: str
    """Why it failed; in English, as it was kept."""
    is_off: bool
    """The schedule does no comparisons."""


def asked_for(
    request: Mapping[str, Any] | None, pair: Pair, words: Words, *, is_off: bool
) -> AskedFor:
    """What is said of it: a failure only until a comparison was made after it."""
    if request is None:
        return AskedFor(None, None, "", is_off)
    named = {"at": words.time(request["asked_at"]), "by": request["asked_by"]}
    found = pair.comparison
    is_newer = found is None or request["ended_at"] is None or request["ended_at"] >= found["at"]
    return AskedFor(
        waiting=words.say("ask.waiting", **named) if request["state"] == WAITS else None,
        failed=(
            words.say("ask.failed", **named) if request["state"] == FAILED and is_newer else None
        ),
        why=request["result"] or "",
        is_off=is_off,
    )


def line_of(version: Version, words: Words) -> Line:
    """A version in words."""
    row = version.row
    return Line(
        version=row["version"],
        state=words.say(f"stage.{version.state}"),
        kind=named(words, "kind", row["kind"]),
        data=words.say("data.simulated" if row["simulated"] else "data.history"),
        at=words.time(row["created_at"]),
        by=row["created_by"],
        note=row["note"],
        has_report=version.has_report,
        is_live=bool(row["live"]),
    )


def way_of(row: Mapping[str, Any], words: Words) -> Way:
    """A challenger in words."""
    until = row["shadow_until"]
    return Way(
        version=row["version"],
        stage=words.say(f"stage.{row['stage']}"),
        origin=named(words, "origin", row["origin"]),
        against=row["champion"],
        at=words.time(row["created_at"]),
        until="" if until is None else words.time(until),
        reason=row["reason"],
        waits=row["stage"] == WAITING,
    )


def live_of(standing: Standing, words: Words) -> list[tuple[str, str]]:
    """The live version, since when, by whom and why."""
    live = standing.live
    if live is None:
        return []
    told = [
        (words.say("version"), live["version"]),
        (words.say("kind"), named(words, "kind", live["kind"])),
        (words.say("data"), words.say("data.simulated" if live["simulated"] else "data.history")),
        (words.say("since"), words.say("since.is", at=words.time(live["at"]), actor=live["actor"])),
        (words.say("reason"), live["reason"]),
    ]
    if standing.watch is not None:
        state = words.say(f"watch.{standing.watch['state']}", n=len(standing.watch["looks"]))
        told.append((words.say("watch"), state))
    return told


def gates_of(comparison: Mapping[str, Any], words: Words) -> list[GateLine]:
    """The answers of the gates."""
    return [
        GateLine(
            name=named(words, "gate", gate["name"]),
            sign=_SIGNS[gate["passed"]],
            state=words.say(f"passed.{gate['passed']}"),
            passed=gate["passed"],
            sentence=gate["sentence"],
        )
        for gate in comparison["gates"]
    ]


def outcome_of(comparison: Mapping[str, Any], words: Words) -> list[tuple[str, str]]:
    """When it was compared, on what, and what came of it."""
    held_out = comparison.get("held_out", {})
    told = [
        (words.say("compared.at"), words.time(comparison["at"])),
        (words.say("compared.against"), str(comparison.get("champion", ""))),
        (words.say("compared.outcome"), words.say(f"outcome.{_outcome(comparison)}")),
    ]
    if "rows" in held_out:
        told.append((words.say("compared.rows"), words.count(held_out["rows"])))
    if "before" in held_out:
        told.append((words.say("compared.looks"), words.count(held_out["before"])))
    return told


def _outcome(comparison: Mapping[str, Any]) -> str:
    outcome = comparison.get("outcome")
    if outcome in ("promoted-ok", "refused", "not-enough"):
        return str(outcome)
    return "promoted-ok" if comparison["promote"] else "refused"


def warnings_of(
    comparison: Mapping[str, Any] | None, live: Mapping[str, Any] | None, words: Words
) -> list[str]:
    """What speaks against making a version live; it forbids nothing."""
    if live is None:
        return []
    if comparison is None:
        return [words.say("warn.never")]
    told = []
    if not comparison["promote"]:
        told.append(words.say("warn.against"))
    if str(comparison.get("champion")) != live["version"]:
        told.append(
            words.say("warn.other", then=comparison.get("champion", ""), now=live["version"])
        )
    return told


def release_rows(standing: Standing, words: Words) -> list[Sequence[str]]:
    """Who made which version live."""
    return [
        [
            words.time(one["at"]),
            one["version"],
            named(words, "action", one["action"]),
            one["actor"],
            one["reason"],
        ]
        for one in standing.releases
    ]


def same_assessments(pair: Pair, words: Words) -> Table | None:
    """Weighted figures of both in the newest chunk in which both were judged."""
    if pair.chunk is None:
        return None
    chunk = pair.chunk
    names = [pair.first["version"], pair.second["version"]]
    rows = []
    for metric, category in COMPARED:
        cells = []
        for name in names:
            weighted = chunk["result"]["versions"][name]["weighted"]
            found = weighted and figure(weighted["figures"], metric, category)
            cells.append(words.interval(found or None))
        of = "" if category is None else f" ({words.category(category)})"
        rows.append([f"{words.say(f'metric.{metric}')}{of}", *cells])
    share = words.percent(chunk["verified"] / chunk["rows"] if chunk["rows"] else None, 0)
    span = f"{chunk['started_at']:%Y-%m-%d} – {chunk['ended_at']:%Y-%m-%d}"
    caption = words.say("pair.chunk", number=chunk["number"], span=span, share=share)
    return Table(
        caption, [words.say("figure"), *(words.say("pair.of", version=n) for n in names)], rows
    )


def held_out(pair: Pair, words: Words) -> Table | None:
    """Each on its own held-out part: not paired, and said so."""
    rows = []
    for metric, category in COMPARED:
        cells = []
        for row in (pair.first, pair.second):
            found = figure(row["metrics"].get("held_out", []), metric, category)
            cells.append(words.interval(found))
        of = "" if category is None else f" ({words.category(category)})"
        rows.append([f"{words.say(f'metric.{metric}')}{of}", *cells])
    if all(cell == words.say("none") for row in rows for cell in row[1:]):
        return None
    names = [row["version"] for row in (pair.first, pair.second)]
    head = [words.say("figure"), *(words.say("pair.of", version=name) for name in names)]
    return Table(words.say("pair.held_out"), head, rows)
