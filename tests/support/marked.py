"""A patient whose every datum is marked, so that it is found wherever it leaks."""

import re
from base64 import b64encode
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import uuid4

from tests.support.builders import blood_pressure, bundle, condition, observation, patient

# Everything marked holds this, in some case, or one of the numbers.
MARK = "xqz"
NUMBERS = ("137.31337", "38.76543", "151.24680", "151.2468", "1961-07-23", "555-0199")
PATIENT = "xqz-patient-4711"
TOKEN = "xqzAccessToken"
# A JWT whose parts are base64, as they would be logged.
JWT = ".".join(
    b64encode(part).decode()
    for part in (b'{"alg":"ES384"}', b'{"sub":"Xqz Family"}', b"xqz signature")
)


def leaks(text: str) -> list[str]:
    """What of the marked patient stands in a text, with its surroundings."""
    patterns = [MARK, JWT, *JWT.split("."), *NUMBERS]
    found = re.compile("|".join(map(re.escape, patterns)), re.IGNORECASE)
    return [text[max(m.start() - 80, 0) : m.end() + 20] for m in found.finditer(text)]


def marked_patient(**changes: Any) -> dict[str, Any]:
    return patient(
        PATIENT,
        birth_date="1961-07-23",
        name=[{"family": "Xqzfamily", "given": ["Xqzgiven"]}],
        identifier=[{"system": "urn:oid:1.2.3", "value": "XQZ-MRN-0815"}],
        address=[{"line": ["Xqzstreet 12"], "city": "Xqztown", "postalCode": "xqz1"}],
        telecom=[{"system": "phone", "value": "555-0199"}],
        **changes,
    )


def marked_observations() -> list[dict[str, Any]]:
    at = datetime.now(UTC) - timedelta(minutes=10)
    more: dict[str, Any] = {"at": at, "subject": f"Patient/{PATIENT}"}
    more["note"] = [{"text": "Xqz says it hurts"}]
    return [
        observation("8867-4", 137.31337, id="xqz-observation-1", **more),
        observation("8310-5", 38.76543, "Cel", id="xqz-observation-2", **more),
        blood_pressure(151.2468, 82, id="xqz-observation-3", **more),
        observation("8867-4", 1e9, "xqz-unit", id="xqz-observation-4", **more),
        observation("8310-5", "137.31337", "Cel", id="xqz-observation-5", **more),
    ]


def marked_condition(**changes: Any) -> dict[str, Any]:
    marked: dict[str, Any] = {
        "id": "xqz-condition-1",
        "subject": f"Patient/{PATIENT}",
        "encounter": {"reference": "Encounter/xqz-encounter-99"},
        "code": {"text": "Xqz shameful disease", "coding": [{"code": "J00"}]},
        "note": [{"text": "Xqz note"}],
    }
    return condition("J00", **marked | changes)


def opened(**prefetch: Any) -> dict[str, Any]:
    """A chart of the marked patient; more prefetch keys by keyword."""
    return {
        "hook": "patient-view",
        "hookInstance": str(uuid4()),
        "fhirServer": "https://xqz-hospital.example/fhir",
        "fhirAuthorization": {
            "access_token": TOKEN,
            "token_type": "Bearer",
            "expires_in": 300,
            "scope": "patient/Observation.read xqz",
            "subject": "xqz-client",
            "patient": PATIENT,
        },
        "context": {
            "userId": "Practitioner/xqz-doctor",
            "patientId": PATIENT,
            "encounterId": "xqz-encounter-99",
        },
        "prefetch": {"patient": marked_patient(), "vitals": bundle(*marked_observations())}
        | prefetch,
    }


def problem(*resources: Any, **context: Any) -> dict[str, Any]:
    """New problems of the marked patient; more members of the context by keyword."""
    body = opened() | {"hook": "problem-list-item-create"}
    del body["prefetch"]
    conditions = {"resourceType": "Bundle", "entry": [{"resource": r} for r in resources]}
    body["context"] |= {"conditions": conditions} | context
    return body


def overridden(**changes: Any) -> dict[str, Any]:
    entry = {
        "card": "xqz-card",
        "outcome": "overridden",
        "outcomeTimestamp": "2026-03-01T12:00:00Z",
        "overrideReason": {
            "reason": {"code": "xqz-code", "system": "urn:xqz", "display": "Xqz reason"},
            "userComment": "Xqzfamily looks better, 137.31337",
        },
    }
    return {"feedback": [entry | changes]}
