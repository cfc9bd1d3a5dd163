"""What the dashboard shows in tests: alerts, calls, answers, exports and files."""

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

import numpy as np
from sqlalchemy import insert

from cds_service.context import ProcessContext
from cds_service.services.alerts import AlertSeverity, Finding, raise_alert
from cds_service.services.latency import bucket_of
from cds_service.storage.alert_store import AlertStore
from cds_service.storage.call_count_store import CallCountStore
from cds_service.storage.tables import ASSESSMENTS, CARDS, FEEDBACK, OUTCOMES

EVIL = "<script>document.title='evil'</script><img src=x onerror=alert(1)>"
"""What nobody may get to run."""
CLIENTS = {"mercy": 0.5, "north-clinic": 0.3, "st-anne": 0.2}
"""Names of clients, and their shares of the calls."""
CATEGORIES = ("not-ill", "mild", "acute", "chronic", "terminal")


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


def fill_overview(
    context: ProcessContext,
    *,
    days: int = 30,
    a_day: int = 120,
    clients: Mapping[str, float] = CLIENTS,
    seed: int = 3,
) -> None:
    """Plausible days: calls by hour, assessments, cards, feedback and outcomes."""
    draw = np.random.default_rng(seed)
    now = context.clock()
    version = context.terminology.label_version
    calls: list[dict[str, Any]] = []
    assessments, cards, feedback, outcomes = [], [], [], []
    for day in range(days):
        start = (now - timedelta(days=days - 1 - day)).astimezone(UTC)
        start = start.replace(hour=0, minute=0, second=0, microsecond=0)
        weekend = start.weekday() >= 5
        for name, weight in clients.items():
            n = int(draw.poisson(a_day * weight * (0.6 if weekend else 1.0)))
            for number in range(n):
                at = start + timedelta(minutes=float(draw.triangular(0, 780, 1439)))
                if at > now:
                    continue
                key = f"{day}-{name}-{number}"
                category = str(draw.choice(CATEGORIES, p=(0.5, 0.26, 0.14, 0.09, 0.01)))
                suppressed = None if category == "acute" or draw.random() < 0.25 else "x"
                row = _assessment(key, name, at, category, suppressed)
                assessments.append(row)
                seconds = float(draw.lognormal(-4.2, 0.5))
                calls.append(a_call(name, "disease-severity", 200, seconds, at))
                if draw.random() < 0.0008:
                    calls.append(a_call(name, "disease-severity", 503, 4.0, at))
                if draw.random() < 0.02:
                    calls.append(a_call("", "disease-severity", 401, 0.003, at))
                if suppressed is None:
                    cards.append({"uuid": f"card-{key}", "assessment_id": key, "kind": "scored"})
                    if draw.random() < 0.55:
                        said = "accepted" if draw.random() < 0.72 else "overridden"
                        feedback.append(a_feedback(key, name, at, said))
                        calls.append(a_call(name, "feedback", 200, 0.012, at))
                if (now - at).days > 7 and draw.random() < 0.6:
                    outcomes.append(an_outcome(key, at, version, category))
                    calls.append(a_call(name, "record-problem", 200, 0.03, at))
    with context.engine.begin() as connection:
        CallCountStore(connection).add(calls)
        connection.execute(insert(ASSESSMENTS), assessments)
        connection.execute(insert(CARDS), [one | {"indicator": "info"} for one in cards])
        connection.execute(insert(FEEDBACK), feedback)
        if outcomes:
            connection.execute(insert(OUTCOMES), outcomes)


def _assessment(
    key: str, client: str, at: datetime, category: str, suppressed: str | None
) -> dict[str, Any]:
    return {
        "id": key,
        "client": client,
        "service": "disease-severity",
        "hook_instance": key,
        "request_hash": "hash",
        "prediction_time": at,
        "patient_key": key,
        "encounter_class": "emergency",
        "situation": "scored",
        "category": category,
        "model_version": "7",
        "suppressed": None if suppressed is None else "category_not_wanted",
        "identifiers": b"",
        "response": b"",
    }


def a_call(client: str, service: str, status: int, seconds: float, at: datetime) -> dict[str, Any]:
    """A row of `call_counts`: one call."""
    return {
        "hour": at.replace(minute=0, second=0, microsecond=0),
        "client": client,
        "service": service,
        "status": status,
        "bucket": bucket_of(seconds),
        "calls": 1,
        "last_at": at,
    }


def a_feedback(key: str, client: str, at: datetime, outcome: str) -> dict[str, Any]:
    """What was said of the card of an assessment."""
    return {
        "id": f"said-{key}",
        "client": client,
        "service": "disease-severity",
        "card_uuid": f"card-{key}",
        "known_card": True,
        "outcome": outcome,
        "outcome_timestamp": at,
        "received_at": at,
    }


def an_outcome(key: str, at: datetime, version: str, category: str | None) -> dict[str, Any]:
    """The outcome of an assessment."""
    return {
        "id": f"outcome-{key}",
        "assessment_id": key,
        "label_version": version,
        "category": category,
        "classes": [],
        "pre_existing": [],
        "after_diagnosis": False,
        "prompted": False,
        "needs_second_source": False,
        "rare_codes": [],
        "condition_ids": [],
        "decided_at": at,
    }
