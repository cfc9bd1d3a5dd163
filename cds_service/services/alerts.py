"""Alerts: raised once, kept open, acknowledged, resolved. No patient data is in them."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Literal
from uuid import uuid4

from sqlalchemy import Connection, Engine, event

from cds_service.errors import NotFoundError, ServiceError
from cds_service.logs import LOGGER
from cds_service.storage.alert_delivery_store import AlertDeliveryStore
from cds_service.storage.alert_store import AlertStore
from cds_service.storage.audit_store import AuditStore
from cds_service.storage.session import reading

AlertSeverity = Literal["info", "warning", "critical"]
LONGEST_NOTE = 2_000
"""Characters of what somebody writes beside an alert."""
SERVICE = "service"
"""Who resolved an alert whose cause has passed."""


@dataclass(frozen=True, slots=True)
class Finding:
    """What an alert is raised for."""

    kind: str
    """Such as `business_floor`, `input_drift`, `rollback`."""
    key: str
    """What it is about: the same again is the same alert."""
    severity: AlertSeverity
    message: str
    """One or more sentences for an administrator; never a patient's value or id."""
    model_version: str | None = None
    detail: Mapping[str, Any] = field(default_factory=dict)
    """Counts and figures, JSON types."""


def raise_alert(connection: Connection, finding: Finding, *, at: datetime) -> bool:
    """Raise an alert in the caller's transaction; `False` if it is open already.

    One that is open is seen once more: its time and count move, nobody is told again. It is logged
    when the transaction commits.
    """
    store = AlertStore(connection)
    if store.seen_again(finding.key, at=at):
        return False
    added = store.add(
        {
            "id": str(uuid4()),
            "at": at,
            "kind": finding.kind,
            "key": finding.key,
            "severity": finding.severity,
            "model_version": finding.model_version,
            "message": finding.message,
            "detail": dict(finding.detail),
            "last_seen_at": at,
            "times_seen": 1,
        }
    )
    if not added:  # Another process was faster.
        return False
    told = {"kind": finding.kind, "key": finding.key}
    event.listen(connection, "commit", lambda _: LOGGER.warning("alert", extra=told), once=True)
    return True


def cause_passed(connection: Connection, key: str, *, at: datetime, resolution: str) -> bool:
    """Resolve the open alert of a key, because what it was raised for is over."""
    return AlertStore(connection).resolve(key, at=at, by=SERVICE, resolution=resolution)


class AlertRuleError(ServiceError):
    """What is asked for does not fit how the alert stands."""

    status = 409
    code = "conflict"


class AlertService:
    """Lists alerts, and keeps what administrators say of them."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    def alerts(self, *, resolved: bool = False) -> list[dict[str, Any]]:
        """Open alerts, oldest first; with `resolved` also those that are closed."""
        with reading(self._engine) as connection:
            return AlertStore(connection).listed(resolved=resolved)

    def counts(self) -> dict[str, int]:
        """How many are `open`, `acknowledged` and `resolved`; each alert is one of these."""
        with reading(self._engine) as connection:
            return AlertStore(connection).counts()

    def open_by_severity(self) -> dict[str, int]:
        """How many are not resolved, by severity."""
        with reading(self._engine) as connection:
            return AlertStore(connection).open_by_severity()

    def part(self, state: str, *, limit: int, offset: int = 0) -> list[dict[str, Any]]:
        """Some of those of a state of `counts`, the most urgent first."""
        with reading(self._engine) as connection:
            return AlertStore(connection).part(state, limit=limit, offset=offset)

    def alert(self, identifier: str) -> dict[str, Any]:
        """One alert, with `deliveries`: what was told of it and over which channel.

        `identifier` may be the beginning of one. Raises `ServiceError` for none and for several.
        """
        with reading(self._engine) as connection:
            found = _one(connection, identifier)
            found["deliveries"] = AlertDeliveryStore(connection).of([found["id"]])
        return found

    def acknowledge(
        self, identifier: str, *, actor: str, at: datetime, note: str = ""
    ) -> dict[str, Any]:
        """Say that somebody is at it, with a note or without; it stays open. Raises
        `AlertRuleError` if it is not open, somebody was before, or the note is too long."""
        said = note.strip() or None
        if said is not None and len(said) > LONGEST_NOTE:
            raise AlertRuleError(f"A note has at most {LONGEST_NOTE} characters.")
        with self._engine.begin() as connection:
            found = _one(connection, identifier)
            store = AlertStore(connection)
            if not store.acknowledge(found["id"], at=at, by=actor, note=said):
                raise AlertRuleError(_stands(_one(connection, found["id"])))
            # That there is a note, not what it says: see `resolve`.
            more = {} if said is None else {"note": True}
            _audit(connection, "acknowledge-alert", found, at=at, actor=actor, more=more)
        return found

    def resolve(self, identifier: str, *, reason: str, actor: str, at: datetime) -> dict[str, Any]:
        """Close it. What raised it raises a new one if it goes on. Raises `AlertRuleError` if it is
        closed, or the reason is empty."""
        if not reason.strip():
            raise AlertRuleError("Say why with --reason; it is kept.")
        with self._engine.begin() as connection:
            found = _one(connection, identifier)
            closed = AlertStore(connection).close(
                found["id"], at=at, by=actor, resolution=reason.strip()
            )
            if not closed:
                raise AlertRuleError(_stands(_one(connection, found["id"])))
            # Without the reason, which stands in the alert: free text may name anybody.
            _audit(connection, "resolve-alert", found, at=at, actor=actor)
        return found


def _one(connection: Connection, identifier: str) -> dict[str, Any]:
    """The alert whose id begins so."""
    found = AlertStore(connection).beginning_with(identifier) if identifier else []
    if not found:
        raise NotFoundError("There is no such alert; see cds-service alerts list --all.")
    if len(found) > 1:
        raise AlertRuleError("Several alerts begin so: give more of the id.")
    return found[0]


def _stands(alert: Mapping[str, Any]) -> str:
    if alert["resolved_at"] is not None:
        return f"It was resolved by {alert['resolved_by']} on {alert['resolved_at']:%Y-%m-%d}."
    return f"It was acknowledged by {alert['acknowledged_by']} already."


def _audit(
    connection: Connection,
    action: str,
    alert: Mapping[str, Any],
    *,
    at: datetime,
    actor: str,
    more: Mapping[str, Any] | None = None,
) -> None:
    AuditStore(connection).add(
        at=at,
        actor=actor,
        action=action,
        object_type="alert",
        object_id=alert["id"],
        detail={"kind": alert["kind"], "key": alert["key"], **(more or {})},
    )
