"""Making a version live: everything that changes with it, in the caller's transaction."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, Literal

from sqlalchemy import Connection

from cds_service.errors import ServiceError
from cds_service.services.alerts import cause_passed
from cds_service.storage.audit_store import AuditStore
from cds_service.storage.challenger_store import (
    GATE,
    ON_THE_WAY,
    PROMOTED,
    REFUSED,
    SHADOW,
    UNDECIDED,
    WAITING,
    WITHDRAWN,
    ChallengerStore,
)
from cds_service.storage.model_store import ModelStore
from cds_service.storage.release_watch_store import (
    REPLACED,
    ROLLED_BACK,
    WATCHING,
    ReleaseWatchStore,
)

Action = Literal["promote", "rollback", "rare-update"]
RARE_UPDATE: Action = "rare-update"
CHALLENGER_WAITING = "challenger_waiting"
"""Kind of the alert that asks for an approver; its key names the version too."""


class ModelRuleError(ServiceError):
    """A promotion or rollback that the rules do not allow."""

    status = 409
    code = "business-rule"

    def __init__(self, diagnostics: str, *, problem: str = "rule") -> None:
        """`problem` names the rule, for whoever says it in other words."""
        super().__init__(diagnostics)
        self.problem = problem


def make_live(
    connection: Connection,
    version: str,
    action: Action,
    *,
    at: datetime,
    actor: str,
    reason: str,
    instead_of: str | None = None,
    stages: Sequence[str] | None = None,
    detail: Mapping[str, Any] | None = None,
) -> int:
    """Release a version; returns the id of the release.

    With `instead_of` that version must be live, and with `stages` this one a challenger in one of
    them, else `ModelRuleError`: another process was faster.

    A promotion over a version of real history is watched from here on, and other challengers,
    which were held against the version before, are withdrawn. A `rare-update` changes nothing
    that is common, so watch and challengers go on with the new version.
    """
    models, challengers = ModelStore(connection), ChallengerStore(connection)
    watches = ReleaseWatchStore(connection)
    models.lock_releases()
    previous = models.champion()
    if instead_of is not None and (previous is None or previous["version"] != instead_of):
        raise ModelRuleError(
            f"Version {instead_of} is not live any more; nothing was changed.", problem="not_live"
        )
    decided = {"stage": PROMOTED, "decided_at": at, "decided_by": actor, "reason": reason}
    if action == "promote":
        moved = challengers.move(
            version,
            stages or (GATE, REFUSED, UNDECIDED, SHADOW, WAITING, WITHDRAWN),
            decided,
        )
        if stages is not None and not moved:
            raise ModelRuleError(
                f"Version {version} is not where it was on its way; nothing was changed.",
                problem="stage",
            )
    release = models.add_release(
        {"version": version, "action": action, "at": at, "actor": actor, "reason": reason}
    )
    AuditStore(connection).add(
        at=at,
        actor=actor,
        action=action,
        object_type="model",
        object_id=version,
        detail={"reason": reason} | dict(detail or {}),
    )
    cause_passed(connection, waiting_key(version), at=at, resolution="It is live.")
    if previous is None:
        return release
    if action == RARE_UPDATE:
        watches.follow(previous["version"], version)
        challengers.follow(previous["version"], version)
        return release
    watches.close(ROLLED_BACK if action == "rollback" else REPLACED)
    for other in challengers.on_the_way():
        withdraw(
            connection,
            other["version"],
            at=at,
            actor=actor,
            reason=f"Version {version} became champion; this one was held against another.",
        )
    if action == "promote" and not previous["simulated"]:
        watches.add(
            {
                "release_id": release,
                "version": version,
                "previous": previous["version"],
                "state": WATCHING,
                "looks": [],
                "digest": None,
                "at": at,
            }
        )
    return release


def withdraw(
    connection: Connection, version: str, *, at: datetime, actor: str, reason: str
) -> bool:
    """Take a challenger off its way; `False` if it is at the end already."""
    done = ChallengerStore(connection).move(
        version,
        ON_THE_WAY,
        {"stage": WITHDRAWN, "decided_at": at, "decided_by": actor, "reason": reason},
    )
    if done:
        cause_passed(connection, waiting_key(version), at=at, resolution="It was withdrawn.")
        AuditStore(connection).add(
            at=at,
            actor=actor,
            action="withdraw",
            object_type="challenger",
            object_id=version,
            detail={"reason": reason},
        )
    return done


def waiting_key(version: str) -> str:
    """Key of the alert that this version waits for an approver."""
    return f"{CHALLENGER_WAITING}:{version}"
