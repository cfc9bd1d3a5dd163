"""The pages that navigation offers: one line each."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from cds_service.security.people import Person
from cds_service.security.permissions import Permission


@dataclass(frozen=True, slots=True)
class Entry:
    """A page that stands in the navigation."""

    path: str
    words: str
    """Key of its name: among the words of the layout, or of the dashboard."""
    permission: Permission


ENTRIES = (
    Entry("/sandbox", "nav.sandbox", Permission.SANDBOX),
    Entry("/triage", "nav.triage", Permission.TRIAGE),
    Entry("/review", "nav.review", Permission.REVIEW),
    Entry("/admin", "nav.admin", Permission.DASHBOARD),
)
SECTIONS = (
    Entry("/admin", "admin.overview", Permission.DASHBOARD),
    Entry("/admin/quality", "admin.quality", Permission.DASHBOARD),
    Entry("/admin/inputs", "admin.inputs", Permission.DASHBOARD),
    Entry("/admin/models", "admin.models", Permission.MODELS),
    Entry("/admin/runs", "admin.runs", Permission.DASHBOARD),
    Entry("/admin/alerts", "admin.alerts", Permission.ALERTS),
    Entry("/admin/clients", "admin.clients", Permission.CLIENTS),
    Entry("/admin/audit", "admin.audit", Permission.AUDIT),
    Entry("/admin/exports", "admin.exports", Permission.EXPORTS),
)
"""The pages of the dashboard, which its own navigation offers."""


def offered(
    person: Person | None, is_there: Callable[[str], bool], entries: Sequence[Entry] = ENTRIES
) -> list[Entry]:
    """The pages that are there (`is_there` tells of a path) and that this person may use, in the
    order in which they are offered."""
    if person is None:
        return []
    return [one for one in entries if person.may(one.permission) and is_there(one.path)]


def is_active(entry: Entry, path: str) -> bool:
    """Whether a path is that of the page or below it."""
    return path == entry.path or path.startswith(entry.path + "/")
