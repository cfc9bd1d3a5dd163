"""What the pages of exports and watched history show."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from cds_service.web.words import Words

SIGNS = {"written": "✓", "planned": "…", "read": "✓", "known": "=", "set_aside": "▲"}
"""Beside the word for a state: never colour alone."""
_SHOWN = 12
"""Characters of a checksum."""


@dataclass(frozen=True, slots=True)
class SetView:
    """All files of one set of rows at one location that stand alike."""

    location: str
    name: str
    state: str
    days: str
    files: str
    rows: str
    at: str


@dataclass(frozen=True, slots=True)
class FileView:
    """A file, exported or found."""

    name: str
    where: str
    at: str
    state: str
    state_key: str
    said: Sequence[str]


def set_view(row: Mapping[str, Any], words: Words) -> SetView:
    """One row of the sets."""
    first, last = row["first"], row["last"]
    return SetView(
        location=row["target"],
        name=words.say(f"set.{row['dataset']}"),
        state=_state(row["state"], words),
        days=first if first == last else words.say("days", first=first, last=last),
        files=words.count(row["files"]),
        rows=words.count(row["rows"]),
        at=words.time(row["at"]),
    )


def file_view(row: Mapping[str, Any], words: Words) -> FileView:
    """An exported file."""
    said = [words.say("rows.n", n=words.count(row["rows"]))]
    if row["sha256"]:
        said.append(f"SHA-256 {row['sha256'][:_SHOWN]}…")
    return FileView(
        name=row["name"],
        where=row["target"],
        at=words.time(row["at"]),
        state=_state(row["state"], words),
        state_key=row["state"],
        said=said,
    )


def watched_view(row: Mapping[str, Any], words: Words) -> FileView:
    """A history file that was found."""
    report = row["report"] or {}
    if row["state"] == "set_aside":
        key = f"why.{report.get('why')}"
        said = [words.say(key if words.has(key) else "why.fault")]
        said.append(words.say("report" if report.get("report_written") else "report.none"))
    else:
        kept, known = report.get("rows_kept", 0), report.get("rows_known", 0)
        said = [words.say("rows.kept", kept=words.count(kept), known=words.count(known))]
    return FileView(
        name=row["name"],
        where="",
        at=words.time(row["seen_at"]),
        state=_state(row["state"], words),
        state_key=row["state"],
        said=said,
    )


def job_lines(job: Mapping[str, Any] | None, words: Words) -> list[tuple[str, str]]:
    """How the job of the schedule stands: its last run, and when it is due."""
    if job is None:
        return []
    lines = []
    if job["finished_at"] is not None:
        lines.append((words.say("job.finished"), words.time(job["finished_at"])))
    if job["result"]:
        lines.append((words.say("job.result"), job["result"]))
    if job["failures"]:
        lines.append((words.say("job.failures"), words.count(job["failures"])))
    lines.append((words.say("job.due"), words.time(job["due_at"])))
    return lines


def _state(state: str, words: Words) -> str:
    return f"{SIGNS.get(state, '?')} {words.say(f'state.{state}')}"
