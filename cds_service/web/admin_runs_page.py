"""The runs page: what is under way, how each job stands, what ran last."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from cds_service.services.job_desk import LONG, Asleep, is_asked_for, may_start
from cds_service.services.runs_view import Now
from cds_service.services.schedule import Entry
from cds_service.storage.run_store import DONE, FAILED
from cds_service.web.admin_sections import named
from cds_service.web.words import Words

_MINUTE, _HOUR = 60, 3600
_SIGNS = {DONE: "✓", FAILED: "✗"}


@dataclass(frozen=True, slots=True)
class Bar:
    """A run that is under way."""

    id: str
    name: str
    at: str
    by: str
    lasting: str
    step: str
    """In English, as its process wrote it."""
    share: float | None
    percent: str
    silent: str | None
    """When it was last heard of, if that is long ago."""


@dataclass(frozen=True, slots=True)
class Job:
    """A job of the schedule."""

    key: str
    """Its name for commands."""
    name: str
    every: str
    due: str
    at: str
    lasted: str
    state: str
    sign: str
    is_failed: bool
    result: str
    may_start: bool
    """A person may have it run now."""
    is_long: bool
    """It may take hours, so that they are asked once more."""


@dataclass(frozen=True, slots=True)
class Past:
    """A run that has ended."""

    name: str
    at: str
    by: str
    lasted: str
    state: str
    sign: str
    is_failed: bool
    result: str


def kind_of(kind: str, words: Words) -> str:
    """A kind of run in words, with its name for commands."""
    return words.say("run.name", words=named(words, "run", kind), name=kind)


def lasting(seconds: float, words: Words) -> str:
    """How long, to what a reader cares for: "0.4 s", "12 s", "3 min 5 s", "2 h 10 min"."""
    if seconds < 1:
        return words.say("lasting.s", s=words.figure(max(seconds, 0.0), 1))
    whole = round(seconds)
    if whole < _MINUTE:
        return words.say("lasting.s", s=whole)
    if whole < _HOUR:
        return words.say("lasting.min", m=whole // _MINUTE, s=whole % _MINUTE)
    return words.say("lasting.h", h=whole // _HOUR, m=whole % _HOUR // _MINUTE)


def bars_of(now: Now, words: Words) -> list[Bar]:
    """What is under way."""
    return [
        Bar(
            id=one.row["id"],
            name=kind_of(one.row["kind"], words),
            at=words.time(one.row["started_at"]),
            by=one.row["actor"],
            lasting=lasting(one.seconds, words),
            step=one.row["step"],
            share=one.row["share"],
            percent=words.percent(one.row["share"], 0),
            silent=words.time(one.row["seen_at"]) if one.is_silent else None,
        )
        for one in now.under_way
    ]


def jobs_of(now: Now, words: Words) -> list[Job]:
    """Each job, in the order in which they run."""
    return [_job(entry, now.at, words) for entry in now.jobs]


def asleep_text(found: Asleep | None, words: Words) -> str | None:
    """That no process seems to run the schedule, if so; the command follows it."""
    if found is None:
        return None
    if found.since is None:
        return words.say("asleep.never")
    return words.say("asleep.since", at=words.time(found.since))


def _job(entry: Entry, at: datetime, words: Words) -> Job:
    row = entry.row or {}
    begun, failures, ended = row.get("started_at"), row.get("failures", 0), row.get("finished_at")
    state = words.say("job.never")
    if failures:
        state = words.say("job.failed.one" if failures == 1 else "job.failed", n=failures)
    elif ended is not None:
        state = words.say(f"state.{DONE}")
    due = words.say("job.off") if entry.note == "off" else entry.note
    if entry.note.startswith("needs "):
        due = words.say("job.needs", name=entry.note.removeprefix("needs "))
    if entry.due_at is not None:
        due = words.time(entry.due_at)
        if is_asked_for(entry):
            due = words.say("start.asked", by=row["asked_by"])
    return Job(
        key=entry.name,
        name=kind_of(entry.name, words),
        every=entry.every,
        due=due,
        at="" if ended is None else words.time(ended),
        # What is under way began after the last end.
        lasted=""
        if begun is None or ended is None or begun > ended
        else lasting((ended - begun).total_seconds(), words),
        state=state,
        sign="✗" if failures else "✓" if ended is not None else "–",
        is_failed=bool(failures),
        result=row.get("result") or "",
        may_start=may_start(entry, at),
        is_long=entry.name in LONG,
    )


def past_of(row: Mapping[str, Any], words: Words) -> Past:
    """A run that has ended."""
    return Past(
        name=kind_of(row["kind"], words),
        at=words.time(row["started_at"]),
        by=row["actor"],
        lasted=_lasted(row, words),
        state=words.say(f"state.{row['state']}"),
        sign=_SIGNS.get(row["state"], "–"),
        is_failed=row["state"] == FAILED,
        result=row["result"] or "",
    )


def _lasted(row: Mapping[str, Any], words: Words) -> str:
    ended = row["ended_at"]
    return "" if ended is None else lasting((ended - row["started_at"]).total_seconds(), words)
