"""Odd texts, large batches and calls at once are no fault of the service, on both databases."""

import json
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from hashlib import sha256
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
from sqlalchemy import Table, select

from cds_service.storage import session
from cds_service.storage.tables import ASSESSMENTS, AUDIT_EVENTS, CARDS, FEEDBACK
from model.artefact import load
from tests.support.artefacts import KEPT
from tests.support.service import Service, new_context, release, running


@pytest.fixture
def service(tmp_path: Path, database_url: str) -> Iterator[Service]:
    """The service with the model kept in the tests, on SQLite and on PostgreSQL."""
    context = new_context(tmp_path, database_url)
    release(context, "1", KEPT, load(KEPT)[1])
    with running(context, context.clock) as started:
        yield started


def stored(service: Service, table: Table) -> list[Any]:
    with session.reading(service.context.engine) as connection:
        return list(connection.execute(select(table)).all())


def test_c12_one_call_sent_eight_times_at_once_is_one_assessment(service: Service) -> None:
    request = service.request(service.vitals())
    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(service.assess, [request] * 8))
    assert {answer.status_code for answer in answers} == {200}
    assert len({answer.content for answer in answers}) == 1
    assert len(stored(service, ASSESSMENTS)) == 1
    assert len(stored(service, CARDS)) == 1
    assert len(stored(service, AUDIT_EVENTS)) == 1


def test_many_calls_at_once_are_all_stored(service: Service) -> None:
    requests = [service.request(service.vitals()) for _ in range(60)]
    with ThreadPoolExecutor(12) as pool:
        answers = list(pool.map(service.assess, requests))
    assert {answer.status_code for answer in answers} == {200}
    kept = {row.hook_instance for row in stored(service, ASSESSMENTS)}
    assert kept == {request["hookInstance"] for request in requests}


def long_text() -> str:
    """Longer than an entry of PostgreSQL's indexes may be, and not to be compressed."""
    return "".join(sha256(str(number).encode()).hexdigest() for number in range(500))


@pytest.mark.parametrize("text", ["a\u0000b\ufffe😀", long_text()], ids=["nul", "long"])
def test_odd_texts_are_never_a_fault_of_the_service(service: Service, text: str) -> None:
    odd = service.observation("8867-4", 72, text, id=text, status=text, note=[{"text": text}])
    other = {"resourceType": text, "id": text}
    timed = service.observation("8310-5", 37, "Cel") | {"effectiveDateTime": text}
    request = service.request([*service.vitals(), odd, other, timed], fhirServer=f"https://{text}")
    request["prefetch"][text] = {"resourceType": text}
    assert service.assess(request).status_code == 200
    entries = [
        {
            "card": text,
            "outcome": "overridden",
            "outcomeTimestamp": "0001-01-01T00:00:00Z",
            "overrideReason": {
                "reason": {"code": text, "system": text, "display": text},
                "userComment": text,
                "extension": {text: text},
            },
        },
        {
            "card": text,
            "outcome": "accepted",
            "outcomeTimestamp": "9999-12-31T23:59:59Z",
            "acceptedSuggestions": [{"id": text}],
        },
    ]
    url = "/cds-services/disease-severity/feedback"
    assert service.http.post(url, json={"feedback": entries}).status_code == 200
    assert [row.known_card for row in stored(service, FEEDBACK)] == [False, False]
    for changed in ({"hookInstance": text}, {"hook": text}, {"context": {"userId": text}}):
        assert service.assess(service.request([]) | changed).status_code == 400
    assert service.http.post(f"/cds-services/{'x' * 2_000}").status_code == 404


@pytest.mark.parametrize(
    "server", ["http://[bad", "https://a.example:port/fhir", "https://", "http://\u0130/"]
)
def test_a_server_that_is_no_url_is_never_a_fault_of_the_service(
    service: Service, server: str
) -> None:
    request = service.request(service.vitals(), fhirServer=server)
    assert service.assess(request).status_code in (200, 400)


def test_a_batch_of_feedback_may_be_large(service: Service) -> None:
    (card,) = service.assess(service.request(service.vitals())).json()["cards"]
    entry = {"outcome": "overridden", "outcomeTimestamp": "2026-03-01T12:00:00Z"}
    entries = [entry | {"card": str(uuid4())} for _ in range(2_000)]
    entries.append(entry | {"card": card["uuid"]})
    url = "/cds-services/disease-severity/feedback"
    assert service.http.post(url, json={"feedback": entries}).status_code == 200
    assert sum(row.known_card for row in stored(service, FEEDBACK)) == 1


def test_lone_surrogates_are_refused_and_not_a_fault(service: Service) -> None:
    body = json.dumps(service.request(service.vitals())).replace("female", "\\ud800 x")
    url = "/cds-services/disease-severity"
    assert service.http.post(url, content=body.encode()).status_code == 400
    raw = json.dumps(service.request(service.vitals())).encode()
    raw = raw.replace(b"female", b"\xed\xa0\x80")
    assert service.http.post(url, content=raw).status_code in (200, 400)
