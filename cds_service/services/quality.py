"""How well the model does: what was judged chunk by chunk, and which version is what in it.

It reads what `services/evaluating` kept; a serving process measures nothing itself.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from cds_service.context import ProcessContext
from cds_service.storage.challenger_store import SHADOW, WAITING, ChallengerStore
from cds_service.storage.evaluation_store import EvaluationChunkStore
from cds_service.storage.model_store import ModelStore
from cds_service.storage.session import reading

SHOWN_CHUNKS = 16
"""Chunks of a page."""
MOST_CHALLENGERS = 3
"""Challengers that are drawn beside the others; more lines would not be told apart."""


@dataclass(frozen=True, slots=True)
class Role:
    """A version and what it is; figures of those it answers alike hold for it too."""

    role: str
    """`live`, `before` (the last champion) or `challenger`."""
    version: str
    alike: Sequence[str]

    def figures(self, chunk: Mapping[str, Any]) -> dict[str, Any] | None:
        """What was measured of it in a chunk."""
        versions = chunk["result"]["versions"]
        return next((versions[name] for name in self.alike if name in versions), None)


@dataclass(frozen=True, slots=True)
class Quality:
    """What was judged, oldest chunk first."""

    chunks: Sequence[Mapping[str, Any]]
    roles: Sequence[Role]
    simulated: bool
    """The live version learnt from simulated patients."""
    earlier: bool
    """There are chunks before these."""
    later: bool


def answering(chunk: Mapping[str, Any]) -> str | None:
    """The version that answered most of a chunk; `None` if none was judged."""
    versions = chunk["result"]["versions"]
    return max(versions, key=lambda name: int(versions[name]["answered"])) if versions else None


def answered_figures(chunk: Mapping[str, Any]) -> dict[str, Any] | None:
    """What was measured of it."""
    version = answering(chunk)
    return None if version is None else chunk["result"]["versions"][version]


def figure(
    records: Sequence[Mapping[str, Any]], metric: str, category: str | None
) -> Mapping[str, Any] | None:
    """One record of a metric; not a cell of the confusion table."""
    for record in records:
        if (record["metric"], record["category"]) == (metric, category) and not record.get(
            "decided"
        ):
            return record
    return None


class QualityService:
    """Reads what was judged."""

    def __init__(self, context: ProcessContext) -> None:
        self._context = context

    def view(self, *, before: int | None = None) -> Quality:
        """The newest chunks as they stand, or those before the one of this number."""
        with reading(self._context.engine) as connection:
            store = EvaluationChunkStore(connection)
            found = store.newest(SHOWN_CHUNKS + 1, before=before)
            models = ModelStore(connection)
            releases = models.releases()
            roles: list[Role] = []
            if releases:
                live = str(releases[0]["version"])
                same = models.alike(live)
                roles.append(Role("live", live, same))
                past = [str(one["version"]) for one in releases if one["version"] not in same]
                roles += [Role("before", name, models.alike(name)) for name in past[:1]]
            known = {one.version for one in roles}
            challengers = [
                str(row["version"])
                for row in ChallengerStore(connection).on_the_way()
                if row["stage"] in (SHADOW, WAITING) and row["version"] not in known
            ]
            roles += [Role("challenger", name, [name]) for name in challengers[-MOST_CHALLENGERS:]]
        return Quality(
            chunks=found[:SHOWN_CHUNKS][::-1],
            roles=roles,
            simulated=bool(releases and releases[0]["simulated"]),
            earlier=len(found) > SHOWN_CHUNKS,
            later=before is not None,
        )
