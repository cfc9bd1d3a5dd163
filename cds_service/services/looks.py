"""How often a held-out part was looked at: the more often, the less it proves."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Literal
from uuid import uuid4

from sqlalchemy import Connection

from cds_service.storage.look_store import LookStore

Purpose = Literal["train", "retrain", "compare", "report"]
CAUTION_FROM = 10
"""Looks from which a caution is given: docs/decisions/0019-held-out-looks.md."""


@dataclass(frozen=True, slots=True)
class Looks:
    """What had been seen of a held-out part before this look."""

    rows: int
    before: int
    since: datetime | None
    """The first look; `None` where this is it."""

    def __str__(self) -> str:
        """One sentence, and from `CAUTION_FROM` looks on a second."""
        times = "1 time" if self.before == 1 else f"{self.before} times"
        when = "" if self.since is None else f" (since {self.since.astimezone(UTC):%Y-%m-%d})"
        said = f"This held-out part ({self.rows} rows) was looked at {times} before{when}."
        if self.before >= CAUTION_FROM:
            said += (
                " Caution: whoever chooses among models by the same rows again and again finds one "
                "that looks better by chance. Bring newer rows."
            )
        return said

    def as_json(self) -> dict[str, Any]:
        """JSON types."""
        since = None if self.since is None else self.since.isoformat()
        return {"looked_at_before": self.before, "looked_at_since": since}


def look(
    connection: Connection,
    held_out: Mapping[str, Any],
    *,
    at: datetime,
    actor: str,
    purpose: Purpose,
    model_version: str | None,
) -> Looks:
    """Record one look at a held-out part, in the caller's transaction.

    `held_out` is a `model.training.fingerprints.held_out_record`.
    """
    store = LookStore(connection)
    before, since = store.before(held_out["fingerprint"])
    start = held_out["from"]
    store.add(
        {
            "id": str(uuid4()),
            "at": at,
            "actor": actor,
            "purpose": purpose,
            "fingerprint": held_out["fingerprint"],
            "rows": held_out["rows"],
            "held_out_from": None if start is None else datetime.fromisoformat(start),
            "model_version": model_version,
        }
    )
    return Looks(held_out["rows"], before, since)
