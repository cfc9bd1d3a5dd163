"""One step of a challenger: a transaction that finds it where it was left, audited."""

from datetime import datetime
from typing import Any, Final

from sqlalchemy import Connection

from cds_service.context import ProcessContext
from cds_service.services.alerts import Finding, raise_alert
from cds_service.services.matured import PairedLoss
from cds_service.services.releasing import CHALLENGER_WAITING, waiting_key, withdraw
from cds_service.storage.audit_store import AuditStore
from cds_service.storage.challenger_store import (
    REFUSED,
    SHADOW,
    UNDECIDED,
    WAITING,
    ChallengerStore,
)

STAGE_WORDS: Final = {
    REFUSED: "refused",
    UNDECIDED: "undecided",
    SHADOW: "in shadow",
    WAITING: "waiting for an approver",
}


class ChallengerSteps:
    """Moves challengers from stage to stage."""

    def __init__(self, context: ProcessContext) -> None:
        self._context = context

    def step(
        self,
        version: str,
        stage: str,
        to: str,
        reason: str,
        found: PairedLoss | None,
        actor: str,
    ) -> str:
        """Take a challenger from one stage to another; what came of it in a sentence."""
        at = self._context.clock()
        with self._context.engine.begin() as connection:
            moved = self.move(
                connection,
                version,
                stage,
                to,
                reason,
                at=at,
                actor=actor,
                figures=None if found is None else found.as_json(),
            )
        if not moved:
            return f"Version {version} was taken further by another process."
        return f"Version {version} is {STAGE_WORDS[to]}. {reason}"

    def move(
        self,
        connection: Connection,
        version: str,
        stage: str,
        to: str,
        reason: str,
        *,
        at: datetime,
        actor: str,
        shadow_until: datetime | None = None,
        figures: dict[str, Any] | None = None,
    ) -> bool:
        """One step of a challenger, audited, in the caller's transaction."""
        store = ChallengerStore(connection)
        row = store.get(version)
        values: dict[str, Any] = {"stage": to, "reason": reason}
        if shadow_until is not None:
            values["shadow_until"] = shadow_until
        if figures is not None and row is not None:
            values["detail"] = row["detail"] | {"shadow": figures}
        if to in (REFUSED, UNDECIDED):
            values |= {"decided_at": at, "decided_by": actor}
        if not store.move(version, (stage,), values):
            return False
        AuditStore(connection).add(
            at=at,
            actor=actor,
            action="advance",
            object_type="challenger",
            object_id=version,
            detail={"from": stage, "to": to, "reason": reason},
        )
        if to == WAITING:
            self._ask_for_approval(connection, version, reason, at, actor)
        return True

    def _ask_for_approval(
        self, connection: Connection, version: str, reason: str, at: datetime, actor: str
    ) -> None:
        for other in ChallengerStore(connection).on_the_way():
            if other["stage"] == WAITING and other["version"] != version:
                withdraw(
                    connection,
                    other["version"],
                    at=at,
                    actor=actor,
                    reason=f"Version {version} waits in its place.",
                )
        raise_alert(
            connection,
            Finding(
                kind=CHALLENGER_WAITING,
                key=waiting_key(version),
                severity="info",
                model_version=version,
                message=f"Model version {version} waits for an approver. {reason} To make it "
                f"live: cds-service models approve {version} --reason …",
            ),
            at=at,
        )

    def give_up(self, row: dict[str, Any], reason: str, actor: str) -> str:
        """Withdraw a challenger that cannot go on."""
        at = self._context.clock()
        with self._context.engine.begin() as connection:
            withdraw(connection, row["version"], at=at, actor=actor, reason=reason)
        return f"Version {row['version']} is withdrawn. {reason}"
