"""The pages that navigation offers: one line each."""

from collections.abc import Callable
from dataclasses import dataclass

from cds_service.security.people import Person
from cds_service.security.permissions import Permission


@dataclass(frozen=True, slots=True)
class Entry:
    """A page that stands in the navigation."""

    path: str
    words: str
    """Key of its name among the words of the layout."""
    permission: Permission


ENTRIES = (
    Entry("/sandbox", "nav.sandbox", Permission.SANDBOX),
    Entry("/triage", "nav.triage", Permission.TRIAGE),
    Entry("/review", "nav.review", Permission.REVIEW),
    Entry("/admin", "nav.admin", Permission.DASHBOARD),
)


def offered(person: Person | None, is_there: Callable[[str], bool]) -> list[Entry]:
    """The pages that are there (`is_there` tells of a path) and that this person may use, in the
    order in which they are offered."""
    if person is None:
        return []
    return [one for one in ENTRIES if person.may(one.permission) and is_there(one.path)]


def is_active(entry: Entry, path: str) -> bool:
    """Whether a path is that of the page or below it."""
    return path == entry.path or path.startswith(entry.path + "/")
