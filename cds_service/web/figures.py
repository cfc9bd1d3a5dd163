"""What is stored as JSON, as names and texts to be read."""

import json
from collections.abc import Iterator, Mapping
from itertools import islice
from typing import Any

MOST = 200
"""Figures of one record that are shown."""
_LONGEST = 400
"""Characters of one."""


def figures(detail: Mapping[str, Any]) -> list[tuple[str, str]]:
    """Name and text of every figure, however deep it stands: `limits.upper` and `0.25`."""
    return list(islice(_inside(detail, ""), MOST))


def _inside(value: Any, path: str) -> Iterator[tuple[str, str]]:
    if isinstance(value, Mapping):
        for name, inner in value.items():
            yield from _inside(inner, f"{path}.{name}" if path else str(name))
    else:
        text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
        yield path[:_LONGEST], text[:_LONGEST]
