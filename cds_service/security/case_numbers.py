"""Local case numbers: short, read aloud without mistakes, and drawn at random.

A case is found again by its number and nothing else, so a slip of the pen must not lead to
another one: the last sign is a check sign.
"""

import secrets
from typing import Final

_SIGNS: Final = "123456789ABCDEFGHJKMNPQRSTVWXYZ"
"""Without I and L (like 1), O and 0 (like each other), U: 31 signs, a prime number, so that the
check sign finds every single wrong sign and every swap of two neighbours."""
_DRAWN: Final = 7
"""Signs drawn: 31 ** 7, 27 thousand million numbers."""
_READ_AS = str.maketrans({"I": "1", "L": "1"})


def new_case_number() -> str:
    """A number like `K7M4-9QXE`."""
    drawn = "".join(secrets.choice(_SIGNS) for _ in range(_DRAWN))
    return _spelt(drawn + _check(drawn))


def read_case_number(text: str) -> str | None:
    """The number somebody typed, in its one spelling; `None` if it cannot be one.

    Case, spaces and hyphens are alike.
    """
    signs = "".join(text.upper().split()).replace("-", "").translate(_READ_AS)
    if len(signs) != _DRAWN + 1 or any(sign not in _SIGNS for sign in signs):
        return None
    return _spelt(signs) if _check(signs[:-1]) == signs[-1] else None


def _check(signs: str) -> str:
    """Weighted sum of the places modulo 31; the weights 2, 3, … differ and are no multiple."""
    total = sum(weight * _SIGNS.index(sign) for weight, sign in enumerate(signs, start=2))
    return _SIGNS[total % len(_SIGNS)]


def _spelt(signs: str) -> str:
    return f"{signs[:4]}-{signs[4:]}"
