"""Whatever is posted to `/fhir`: taken, or refused with an OperationOutcome; never a 5xx, and of
what is refused nothing is kept."""

import random
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import func, select

from cds_service.storage import session
from cds_service.storage.tables import CONDITIONS
from fhir_mapping.resources import parse_resource
from tests.support.builders import Json
from tests.support.conditions import condition
from tests.support.fuzzer import posted_condition, spoil
from tests.support.service import Service, TestClock, new_context, running

EXAMPLES = 150
TAKEN, REFUSED = {200, 201}, {400, 404, 405, 412, 413, 422}


def transaction() -> Json:
    """Entries that refer to each other."""
    urn = "urn:uuid:0a0f1d9e-3d4b-4f0a-9a61-6f2d1c9b7e11"
    old = [{"other": {"reference": "Patient/p0"}, "type": "replaces"}]
    return {
        "resourceType": "Bundle",
        "type": "transaction",
        "entry": [
            {
                "fullUrl": urn,
                "resource": {"resourceType": "Patient", "id": "p1", "link": old},
                "request": {"method": "PUT", "url": "Patient/p1"},
            },
            {
                "resource": condition(icd="J45.9", subject={"reference": urn}),
                "request": {"method": "POST", "url": "Condition"},
            },
            {"request": {"method": "DELETE", "url": "Condition/c9", "ifMatch": 'W/"0"'}},
        ],
    }


def notification() -> Json:
    """A full-resource notification."""
    focus = {"reference": "https://ehr.example/fhir/Condition/c1"}
    event = {"eventNumber": "2", "focus": focus}
    status = {
        "resourceType": "SubscriptionStatus",
        "type": "event-notification",
        "eventsSinceSubscriptionStart": "2",
        "subscription": {"reference": "Subscription/s"},
        "notificationEvent": [event],
    }
    request = {"method": "PUT", "url": "Condition/c1"}
    return {
        "resourceType": "Bundle",
        "type": "history",
        "entry": [
            {"resource": status},
            {"fullUrl": focus["reference"], "resource": condition(icd="I10"), "request": request},
        ],
    }


@pytest.fixture
def service(tmp_path: Path, database_url: str) -> Iterator[Service]:
    context = new_context(tmp_path, database_url)
    clock = context.clock
    assert isinstance(clock, TestClock)
    with running(context, clock) as started:
        yield started


def stored(service: Service) -> int:
    with session.reading(service.context.engine) as connection:
        count: int = connection.execute(select(func.count()).select_from(CONDITIONS)).scalar_one()
    return count


@pytest.mark.parametrize(
    ("method", "path", "build"),
    [
        ("POST", "/fhir/Condition", posted_condition),
        ("PUT", "/fhir/Condition/c9", posted_condition),
        ("POST", "/fhir", transaction),
        ("POST", "/fhir/subscriptions", notification),
    ],
)
def test_posted(
    service: Service, method: str, path: str, build: Callable[[], dict[str, Any]]
) -> None:
    chance = random.Random(path)  # noqa: S311  # repeatable, not secret
    statuses = set()
    for _ in range(EXAMPLES):
        before, body = stored(service), spoil(build(), chance)
        headers = {"Content-Type": "application/fhir+json"}
        response = service.http.request(method, path, content=body, headers=headers)
        statuses.add(response.status_code in TAKEN)
        assert response.status_code in TAKEN | REFUSED, (response.text, body)
        if response.status_code in REFUSED:
            outcome = response.json()
            assert isinstance(parse_resource("OperationOutcome", outcome), dict)
            assert stored(service) == before
    assert statuses == {True, False}
