"""Assessments and Conditions in a database, without HTTP: for tests of what comes of them."""

import json
from datetime import UTC, datetime
from typing import Any
from uuid import uuid4

from sqlalchemy import Table, select

from cds_service.context import ProcessContext
from cds_service.security.secrecy import Secrecy
from cds_service.services.deliveries import Incoming, Received
from cds_service.services.labelled import Labelled, labelled
from cds_service.services.outcomes import OutcomeService
from cds_service.storage import session
from cds_service.storage.assessment_store import AssessmentStore
from cds_service.storage.condition_store import ConditionStore, OutcomeStore
from tests.support.service import TestClock

BASE = "https://ehr.example/fhir"
SEEN = datetime(2026, 3, 1, 12, tzinfo=UTC)
"""When the patient of these tests is assessed."""


def set_time(context: ProcessContext, at: datetime) -> None:
    """Put the clock of the process."""
    assert isinstance(context.clock, TestClock)
    context.clock.time = at


def use_keys(context: ProcessContext, *keys: bytes) -> None:
    """Rotate the secret keys, newest first."""
    object.__setattr__(context, "secrecy", Secrecy(keys))


def assessed(
    context: ProcessContext,
    *,
    patient: str = "p1",
    at: datetime = SEEN,
    encounter: str | None = None,
    encounter_class: str | None = "emergency",
    situation: str = "scored",
    client: str = "development",
    base: str = BASE,
) -> str:
    """Store a scored assessment, as `AssessingService` does; its id."""
    named = {"user": "Practitioner/1", "base": base, "patient": patient, "encounter": encounter}
    identifier = str(uuid4())
    scored = situation == "scored"
    record = {
        "id": identifier,
        "client": client,
        "service": "disease-severity",
        "hook_instance": str(uuid4()),
        "request_hash": "hash",
        "prediction_time": at,
        "patient_key": context.secrecy.patient_keys(base, patient)[0],
        "encounter_key": encounter and context.secrecy.encounter_keys(base, encounter)[0],
        "encounter_class": encounter_class,
        "situation": situation,
        "features": {"age": 60.0, "heart_rate": 90.0, "minutes_before": {"heart_rate": 5.0}},
        "provenance": None,
        "probabilities": {"mild": 0.6, "acute": 0.4} if scored else None,
        "category": "mild" if scored else None,
        "prediction_set": ["mild", "acute"] if scored else None,
        "contributions": None,
        "atypicality": 0.5,
        "model_version": "1" if scored else None,
        "indicator": "info",
        "suppressed": None,
        "identifiers": context.secrecy.encrypt(json.dumps(named).encode()),
        "response": b"x",
    }
    with context.engine.begin() as connection:
        assert AssessmentStore(connection).add(record, None)
    return identifier


def receive(
    context: ProcessContext, *resources: dict[str, Any], client: str = "development", **more: Any
) -> Received:
    """Hand Conditions of patient p1 to the service; `more` are members of `Incoming`."""
    incoming = [
        Incoming(**{"resource": resource, "base": BASE, "patient_id": "p1"} | more)
        for resource in resources
    ]
    return OutcomeService(context).receive(incoming, client=client, channel="test", actor="test")


def outcome(context: ProcessContext, assessment: str) -> dict[str, Any] | None:
    """The outcome of an assessment as it is stored."""
    with session.reading(context.engine) as connection:
        return OutcomeStore(connection).decided(context.terminology.label_version).get(assessment)


def category(context: ProcessContext, assessment: str) -> str | None:
    """Its category; `None` also where there is no outcome."""
    found = outcome(context, assessment)
    return None if found is None else found["category"]


def current(context: ProcessContext, patient: str = "p1") -> list[dict[str, Any]]:
    """Conditions of a patient as they stand now, under any of the keys."""
    with session.reading(context.engine) as connection:
        keys = context.secrecy.patient_keys(BASE, patient)
        return [row for key in keys for row in ConditionStore(connection).current(key)]


def joined(context: ProcessContext, **options: Any) -> Labelled:
    """Assessments with their outcomes at the time of the clock."""
    with session.reading(context.engine) as connection:
        version = context.terminology.label_version
        return labelled(connection, now=context.clock(), label_version=version, **options)


def rows(context: ProcessContext, table: Table) -> int:
    """How many rows a table has."""
    with session.reading(context.engine) as connection:
        return len(connection.execute(select(table)).all())
