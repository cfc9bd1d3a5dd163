"""What the dashboard shows in tests: alerts, calls, answers, exports and files."""

from datetime import timedelta
from typing import Any

from cds_service.context import ProcessContext
from cds_service.services.alerts import AlertSeverity, Finding, raise_alert
from cds_service.storage.alert_store import AlertStore

EVIL = "<script>document.title='evil'</script><img src=x onerror=alert(1)>"
"""What nobody may get to run."""


def add_alert(
    context: ProcessContext,
    key: str,
    *,
    kind: str = "input_drift",
    severity: AlertSeverity = "warning",
    message: str = "Temperatures are higher than in the reference.",
    days_ago: float = 0.0,
    detail: dict[str, Any] | None = None,
) -> str:
    """Raise an alert; returns its id."""
    at = context.clock() - timedelta(days=days_ago)
    with context.engine.begin() as connection:
        finding = Finding(kind, key, severity, message, "7", detail or {"rows": 512})
        assert raise_alert(connection, finding, at=at)
        (found,) = (one for one in AlertStore(connection).unresolved() if one["key"] == key)
    return str(found["id"])
