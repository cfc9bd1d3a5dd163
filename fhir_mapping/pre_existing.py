"""What the Conditions that come with a chart say was known before (clinical rule C16)."""

import json
from collections.abc import Sequence
from datetime import UTC, datetime, tzinfo
from typing import Any

from fhir_mapping.bundles import Entry, read_contents
from fhir_mapping.elements import Raw
from fhir_mapping.labels import classify
from fhir_mapping.references import PatientMatcher
from fhir_mapping.terminology import Terminology
from model.severity import Severity

MOST_READ = 200
"""Conditions of one chart that are looked at: a problem list is tens long."""


def known_before(
    conditions: Raw | Sequence[Raw] | None,
    patient: PatientMatcher,
    terminology: Terminology,
    prediction_time: datetime,
    zone: tzinfo = UTC,
) -> frozenset[Severity]:
    """The categories of the patient's Conditions that count and were known by then; never raises.

    What is restricted is not told (C21). `zone` is where the days of dates without a time end.
    """
    found = set()
    for entry in read_contents(conditions).entries[:MOST_READ]:
        facts = classify(_decoded(entry), terminology=terminology, zone=zone)
        if (
            facts.counts
            and not facts.restricted
            and facts.severity is not None
            and facts.known_at is not None
            and facts.known_at <= prediction_time
            and facts.subject is not None
            and patient.matches(facts.subject)
        ):
            found.add(facts.severity)
    return frozenset(found)


def _decoded(entry: Entry) -> dict[str, Any]:
    try:
        resource = json.loads(bytes(entry.raw))
    except (ValueError, RecursionError):
        return {}
    return resource if isinstance(resource, dict) else {}
