"""Sections of charts and tables, which the pages of figures consist of (`admin_sections.html`)."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from cds_service.web.charts import Chart
from cds_service.web.words import Words


@dataclass(frozen=True, slots=True)
class Table:
    """Rows under headings; the first cell of each row is its own heading."""

    caption: str
    head: Sequence[str]
    rows: Sequence[Sequence[str]]
    of_numbers: bool = True
    """Its cells stand to the right."""


@dataclass(frozen=True, slots=True)
class Section:
    """A part of a page under a heading of its own."""

    id: str
    title: str
    lead: Sequence[str] = ()
    charts: Sequence[Chart] = ()
    tables: Sequence[Table] = ()
    notes: Sequence[str] = ()
    """Cautions, which stand before the figures."""
    folded: Sequence[Table] = field(default=())
    """Tables for who wants all of it."""


def named(words: Words, prefix: str, name: str) -> str:
    """The words of a name, or the name itself where there are none."""
    key = f"{prefix}.{name}"
    return words.say(key) if words.has(key) else name.replace("_", " ")


def options(
    codes: Sequence[str], chosen: str | None, names: Mapping[str, str]
) -> list[dict[str, object]]:
    """Entries of a `<select>`."""
    return [{"value": one, "name": names[one], "chosen": one == chosen} for one in codes]
