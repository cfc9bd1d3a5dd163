"""Alerts: raised once, kept open, acknowledged, resolved. No patient data is in them."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Literal
from uuid import uuid4

from sqlalchemy import Connection

from cds_service.logs import LOGGER
from cds_service.storage.alert_store import AlertStore

AlertSeverity = Literal["info", "warning", "critical"]
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

    One that is open is seen once more: its time and count move, nobody is told again.
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
    LOGGER.warning("alert", extra={"kind": finding.kind, "key": finding.key})
    return True


def cause_passed(connection: Connection, key: str, *, at: datetime, resolution: str) -> bool:
    """Resolve the open alert of a key, because what it was raised for is over."""
    return AlertStore(connection).resolve(key, at=at, by=SERVICE, resolution=resolution)
