"""Requests to any of the services, and what a refusal looks like."""

from typing import Any
from uuid import uuid4

import httpx

from tests.support.service import Service

Json = dict[str, Any]

HOOKS = {
    "disease-severity": "patient-view",
    "record-problem": "problem-list-item-create",
    "record-discharge": "encounter-discharge",
}


def body(service: str, **changes: Any) -> Json:
    """A whole request to any of the services; a change to `...` leaves a member out."""
    context: Json = {"userId": "Practitioner/1", "patientId": "p1", "encounterId": "e1"}
    if service == "record-problem":
        context["conditions"] = {"resourceType": "Bundle", "type": "collection"}
    request: Json = {
        "hook": HOOKS[service],
        "hookInstance": str(uuid4()),
        "context": context,
        "prefetch": {"patient": {"resourceType": "Patient", "id": "p1"}, "vitals": None},
    }
    return {name: value for name, value in (request | changes).items() if value is not ...}


def post(running: Service, service: str, content: object) -> httpx.Response:
    return running.http.post(f"/cds-services/{service}", json=content)


def assert_refused(response: httpx.Response, status: int, element: str | None) -> None:
    """The status, and an OperationOutcome that names the element."""
    assert response.status_code == status, response.text
    (issue,) = response.json()["issue"]
    assert issue.get("expression") == (None if element is None else [element])
