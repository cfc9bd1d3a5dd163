"""Looks things up in the audit trail. Whoever does so stands in it too."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

from cds_service.context import ProcessContext
from cds_service.storage.audit_store import AuditSearch, AuditStore
from cds_service.storage.session import reading


@dataclass(frozen=True, slots=True)
class Found:
    """Some events, the newest first."""

    events: Sequence[dict[str, Any]]
    before: int | None
    """The event before which the next ones lie; `None` if there are none."""


class AuditTrail:
    """Reads `audit_events`."""

    def __init__(self, context: ProcessContext) -> None:
        self._context = context

    def search(
        self, search: AuditSearch, *, actor: str, limit: int, before: int | None = None
    ) -> Found:
        """Up to `limit` events that fit, those before event `before`; the search is audited.

        Of it is kept which days it was about and by what was looked for, not what was typed: that
        may be anything.
        """
        with reading(self._context.engine) as connection:
            events = AuditStore(connection).found(search, limit=limit + 1, before=before)
        typed = ("action", "actor", "object_type", "object_id")
        with self._context.engine.begin() as connection:
            AuditStore(connection).add(
                at=self._context.clock(),
                actor=actor,
                action="search-audit",
                object_type="audit",
                object_id="events",
                detail={
                    "since": None if search.since is None else search.since.isoformat(),
                    "until": None if search.until is None else search.until.isoformat(),
                    "by": [name for name in typed if asdict(search)[name] is not None],
                    "events": min(len(events), limit),
                },
            )
        more = len(events) > limit
        return Found(events[:limit], events[limit - 1]["id"] if more else None)

    def names(self) -> tuple[list[str], list[str]]:
        """Actions and kinds of objects that occurred lately, to choose from."""
        with reading(self._context.engine) as connection:
            return AuditStore(connection).names()
