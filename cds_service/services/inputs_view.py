"""How the inputs do: chunks that were held against a reference, as the input watch kept them.

It reads what `services/watching_inputs` kept; a serving process measures nothing itself.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

from cds_service.context import ProcessContext
from cds_service.storage.input_chunk_store import InputChunkStore
from cds_service.storage.session import reading

SHOWN_CHUNKS = 24
"""Chunks of a page."""


@dataclass(frozen=True, slots=True)
class NewCode:
    """A code or unit that came for the first time."""

    chunk: Mapping[str, Any]
    kind: str
    """`codes` or `units`."""
    input: str
    """`not_used`: of no input."""
    text: str
    """As it was sent."""


@dataclass(frozen=True, slots=True)
class Inputs:
    """What was watched, oldest chunk first."""

    chunks: Sequence[Mapping[str, Any]]
    new_codes: Sequence[NewCode]
    """That came in one of them, newest first."""
    joined: Mapping[str, Any] | None
    """The newest of them whose outcomes were joined."""
    earlier: bool
    """There are chunks before these."""

    @property
    def names(self) -> list[str]:
        """Inputs that have a distribution in any of them."""
        return list(dict.fromkeys(name for one in self.chunks for name in one["result"]["inputs"]))

    def quantity(self, chunk: Mapping[str, Any], name: str) -> Mapping[str, Any] | None:
        """A watched figure of a chunk, beside its limits."""
        found: Mapping[str, Any] | None = chunk["result"]["quantities"].get(name)
        return found


class InputsViewService:
    """Reads what was watched."""

    def __init__(self, context: ProcessContext) -> None:
        self._context = context

    def view(self, *, before: int | None = None) -> Inputs:
        """The newest chunks, or those before the one of this number."""
        with reading(self._context.engine) as connection:
            found = InputChunkStore(connection).newest(SHOWN_CHUNKS + 1, before=before)
        chunks = found[:SHOWN_CHUNKS][::-1]
        return Inputs(
            chunks=chunks,
            new_codes=_new_codes(found[::-1]),
            joined=next((one for one in found[:SHOWN_CHUNKS] if one["outcomes"]), None),
            earlier=len(found) > SHOWN_CHUNKS,
        )


def _new_codes(chunks: Sequence[Mapping[str, Any]]) -> list[NewCode]:
    """What each chunk knew that the one before it did not; what the first of all knew was new only
    to the watch."""
    found: list[NewCode] = []
    for before, chunk in pairwise(chunks):
        for kind in ("codes", "units"):
            known = before["state"].get(kind, {})
            for name, texts in sorted(chunk["state"].get(kind, {}).items()):
                new = [text for text in texts if text not in known.get(name, ())]
                found += [NewCode(chunk, kind, name, text) for text in new]
    return found[::-1]
