"""Codes of rare diseases in one spelling: `ORPHA:558`, `OMIM:154700`.

History files, outcomes and reviews name the same disease in the same way, so that its few cases
are counted together.
"""

import re
from collections.abc import Iterable

SEPARATOR = "|"
"""Between the codes of a row that has several rare diseases."""

_ORPHA = re.compile(
    r"(?:https?://(?:www\.)?orpha\.net/\S*?[/_:=]|(?:ordo:)?orpha(?:net|code)?[\s:_#-]*)?"
    r"0*([1-9][0-9]{0,6})(?:\.0)?",
    re.IGNORECASE,
)
_OMIM = re.compile(
    r"(?:https?://(?:www\.)?omim\.org/(?:entry/)?|o?mim[\s:_-]*)[#*+%^]?([1-9][0-9]{5})",
    re.IGNORECASE,
)
_CANONICAL = re.compile(r"(ORPHA|OMIM):([1-9][0-9]*)")


def normal_rare_code(text: object) -> str | None:
    """The code as it is spelled here; `None` for what is no ORPHAcode and no OMIM number.

    An ORPHAcode comes alone (`558`, also as spreadsheets write it, `558.0`), as `ORPHA:558` or
    alike, or as an address of orpha.net; an OMIM number only with its name or address, because a
    number alone is an ORPHAcode.
    """
    if not isinstance(text, str):
        return None
    for prefix, pattern in (("ORPHA", _ORPHA), ("OMIM", _OMIM)):
        match = pattern.fullmatch(text.strip())
        if match:
            return f"{prefix}:{match[1]}"
    return None


def codes_of(cell: object) -> tuple[str, ...]:
    """The codes in a cell of the column `rare_code`, each once, in order; none if it is empty."""
    parts = cell.split(SEPARATOR) if isinstance(cell, str) else ()
    return in_order(code for code in map(normal_rare_code, parts) if code is not None)


def in_order(codes: Iterable[str]) -> tuple[str, ...]:
    """Codes each once: ORPHAcodes before OMIM numbers, each by number."""
    return tuple(sorted(set(codes), key=_place))


def _place(code: str) -> tuple[int, int, str]:
    match = _CANONICAL.fullmatch(code)
    if match is None:
        return (2, 0, code)
    return (("ORPHA", "OMIM").index(match[1]), int(match[2]), code)
