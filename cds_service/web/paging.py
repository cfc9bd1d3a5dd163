"""Long lists, a page at a time; numbers in addresses."""

from dataclasses import dataclass
from typing import Any
from urllib.parse import urlencode

PAGE_ROWS = 50
_LONGEST = 9
"""Digits of a number that are read."""


@dataclass(frozen=True, slots=True)
class Paging:
    """Where in a list its reader is."""

    number: int
    """From 1 on."""
    total: int
    """Rows of the whole list."""
    rows: int = PAGE_ROWS
    """Of one page."""

    @property
    def pages(self) -> int:
        """How many there are; an empty list has one."""
        return max(1, -(-self.total // self.rows))

    @property
    def offset(self) -> int:
        """Rows before this page."""
        return (self.number - 1) * self.rows


def number_of(text: str | None) -> int | None:
    """A number in an address; `None` for what is none, or is longer than any of ours."""
    if text is None or not text.isascii() or not text.isdigit() or len(text) > _LONGEST:
        return None
    return int(text)


def paging(asked: str | None, total: int, rows: int = PAGE_ROWS) -> Paging:
    """The page that was asked for, or the nearest there is."""
    last = Paging(1, total, rows).pages
    return Paging(min(max(1, number_of(asked) or 1), last), total, rows)


def pager(place: Paging, **asked: Any) -> dict[str, Any]:
    """What `parts.pager` needs: links that keep what else was asked for."""
    kept = {name: str(value) for name, value in asked.items() if value not in (None, "")}

    def link(number: int) -> str | None:
        inside = 1 <= number <= place.pages
        return "?" + urlencode(kept | {"page": str(number)}) if inside else None

    return {
        "number": place.number,
        "pages": place.pages,
        "total": place.total,
        "before": link(place.number - 1),
        "after": link(place.number + 1),
    }
