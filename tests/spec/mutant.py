"""A change to the product that takes the behaviour of one requirement out."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Mutant:
    """A change that takes the behaviour of one requirement out."""

    number: int
    path: str
    old: str
    """Text that is in the file exactly once."""
    new: str
