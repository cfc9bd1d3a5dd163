"""What the clients of each vendor show of a card, and the shape they take it in."""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Literal


class Vendor(StrEnum):
    """Whose clients read a card; they differ in what they show of it."""

    STANDARD = "standard"
    EPIC = "epic"
    CERNER = "cerner"


@dataclass(frozen=True, slots=True)
class Shape:
    """A card as one vendor's clients take it."""

    selection: Literal["at-most-one", "any"] = "at-most-one"
    """`selectionBehavior` (R40)."""
    static_topic: bool = False
    """The topic is the kind of card, never the category's own code."""
    action_alone: bool = False
    """Of a suggestion only the description of its action is shown."""
    one_category: bool = False
    """A Condition may have one category only."""
    narrow: bool = False
    """A pane of about an eighth of the screen: one statement a line, lists, no tables."""
    version_1_0: bool = False
    """Only what CDS Hooks 1.0 has."""


# Epic: tutorial on fhir.epic.com (`docId=cds-hooks`): only `any`, one action a suggestion, whose
# description is shown; an alphanumeric static topic. Oracle Health: fhir.cerner.com, `CDS Hooks`
# (draft of 2021): response of 1.0, a pane of an eighth of the screen. Both write a Condition with a
# single category (Oracle: Millennium Platform APIs, `Create a condition`).
SHAPES: Mapping[Vendor, Shape] = {
    Vendor.STANDARD: Shape(),
    Vendor.EPIC: Shape(selection="any", static_topic=True, action_alone=True, one_category=True),
    Vendor.CERNER: Shape(narrow=True, one_category=True, version_1_0=True),
}

_NOT_IN_1_0: Mapping[str, tuple[str, ...]] = {
    "card": ("uuid", "overrideReasons"),
    "source": ("topic",),
}


def without_later_members(card: Mapping[str, Any]) -> dict[str, Any]:
    """The card without what CDS Hooks 2.0 added to it: a client of 1.0 may refuse what it does
    not know, and a card that is not shown is worse than one without feedback."""
    kept = {name: value for name, value in card.items() if name not in _NOT_IN_1_0["card"]}
    kept["source"] = {
        name: value for name, value in card["source"].items() if name not in _NOT_IN_1_0["source"]
    }
    return kept
