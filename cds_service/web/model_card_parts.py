"""What the page of a model card is made of: sections with facts, tables and texts."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

Facts = Mapping[str, Any]
"""Those of `services.model_cards`."""


@dataclass(frozen=True, slots=True)
class Table:
    """A table whose first column names the rows."""

    caption: str
    head: Sequence[str]
    rows: Sequence[Sequence[str]]
    texts: int = 1
    """Columns of text at the left; the others are numbers."""


@dataclass(frozen=True, slots=True)
class WrittenText:
    """What a person wrote."""

    language: str
    note: str
    text: str


@dataclass(frozen=True, slots=True)
class AttributeText:
    """One source attribute as it is shown."""

    title: str
    paragraph: str
    says: Sequence[str]
    written: Sequence[WrittenText]
    open: str | None
    """Who is asked to fill it in."""


@dataclass(frozen=True, slots=True)
class GroupText:
    """A group of source attributes."""

    title: str
    attributes: Sequence[AttributeText]


@dataclass(frozen=True, slots=True)
class Section:
    """A section of the page."""

    id: str
    title: str
    paragraphs: Sequence[str] = ()
    facts: Sequence[tuple[str, Sequence[str]]] = ()
    tables: Sequence[Table] = ()
    groups: Sequence[GroupText] = ()
