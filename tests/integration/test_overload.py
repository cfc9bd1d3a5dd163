"""One machine that hangs takes neither the others' answers nor the process's pulse."""

import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import httpx
import pytest

from cds_service.app import THREADS
from cds_service.context import ProcessContext
from cds_service.services import readiness
from cds_service.services.places import EACH, TOTAL
from tests.support import fhir_server as fake
from tests.support.builders import patient
from tests.support.fhir_server import FHIRServer, fhir_server
from tests.support.jwts import (
    ENDPOINT,
    ISSUER,
    add_client,
    bearer,
    claims,
    ec_key,
    key_server,
    production,
    sign,
)
from tests.support.service import Service, new_context, release, running

KEY = ec_key()
MANY = 70
"""More calls than the process has threads."""


@pytest.fixture
def hanging() -> Iterator[FHIRServer]:
    with fhir_server() as server:
        server.behaviours["*"] = fake.hang
        yield server


@pytest.fixture
def other() -> Iterator[FHIRServer]:
    with fhir_server() as server:
        yield server


@pytest.fixture
def service(
    tmp_path: Path, small_model: tuple[Path, str], hanging: FHIRServer, other: FHIRServer
) -> Iterator[Service]:
    servers = (hanging.url, other.url)
    context = new_context(
        tmp_path, allowed_fhir_servers=servers, fhir_allow_private=True, request_seconds=60
    )
    release(context, "1", *small_model)
    with running(context, context.clock) as started:
        yield started


def unread(service: Service, server: FHIRServer) -> dict[str, Any]:
    """A chart whose vital signs must be read from `server`, and nothing else."""
    request = service.request([], fhirServer=server.url)
    request["prefetch"] = {"patient": request["prefetch"]["patient"], "conditions": None}
    return request


def test_a_fhir_server_that_hangs_keeps_nobody_else_waiting(
    service: Service, hanging: FHIRServer, other: FHIRServer
) -> None:
    assert EACH < TOTAL < THREADS < MANY
    readings = service.vitals()
    other.resources[:] = [patient(), *readings]
    limits = httpx.Limits(max_connections=MANY)
    with (
        httpx.Client(base_url=service.http.base_url, timeout=90, limits=limits) as many,
        ThreadPoolExecutor(MANY) as pool,
    ):
        send = lambda _: many.post(  # noqa: E731  # a word for one line
            "/cds-services/disease-severity", json=unread(service, hanging)
        )
        pending = [pool.submit(send, number) for number in range(MANY)]
        try:
            # What finds no place is answered at once, while the others hang.
            deadline = time.monotonic() + 30
            while (
                sum(one.done() for one in pending) < MANY - EACH
                or len(hanging.asked("Observation")) < EACH
            ):
                assert time.monotonic() < deadline, "the calls wait in a queue"
                time.sleep(0.02)
            assert len(hanging.asked("Observation")) == EACH
            with httpx.Client(base_url=service.http.base_url, timeout=10) as quick:
                assert quick.get("/health/live").status_code == 200
                assert quick.get("/health/ready").status_code == 200
                whole = quick.post("/cds-services/disease-severity", json=service.request(readings))
                assert whole.json()["cards"]
                read = quick.post("/cds-services/disease-severity", json=unread(service, other))
                assert read.status_code == 200, read.text
            assert sum(one.done() for one in pending) == MANY - EACH
        finally:
            hanging.closing.set()
        answers = [one.result() for one in pending]
    assert {answer.status_code for answer in answers} == {503}
    assert all(answer.json()["resourceType"] == "OperationOutcome" for answer in answers)
    # The places are free again.
    hanging.behaviours.clear()
    hanging.resources[:] = [patient(), *readings]
    assert service.assess(unread(service, hanging)).status_code == 200


def test_waiting_for_keys_is_part_of_the_time_budget(
    tmp_path: Path, small_model: tuple[Path, str], other: FHIRServer
) -> None:
    """The keys take two of six seconds, so that five more are too many."""
    context = production(tmp_path, request_seconds=6)
    release(context, "1", *small_model)
    other.behaviours["Observation"] = fake.at_first(1, fake.status(503, Retry_After="5"))
    with key_server(KEY) as keys, running(context, context.clock) as service:
        keys.delay = 2
        add_client(context, issuer=ISSUER, jwks_urls=[keys.url], fhir_servers=[other.url])
        other.resources[:] = [patient(), *service.vitals()]
        token = sign(KEY, claims(service.clock(), aud=ENDPOINT))
        answer = service.http.post(
            "/cds-services/disease-severity", json=unread(service, other), headers=bearer(token)
        )
    assert answer.status_code == 503, answer.text
    assert len(other.asked("Observation")) == 1


def test_keys_take_no_more_than_half_of_the_time_budget(
    tmp_path: Path, small_model: tuple[Path, str]
) -> None:
    context = production(tmp_path, request_seconds=1)
    release(context, "1", *small_model)
    with key_server(KEY) as keys, running(context, context.clock) as service:
        keys.delay = 1.5
        add_client(context, issuer=ISSUER, jwks_urls=[keys.url])
        token = sign(KEY, claims(service.clock(), aud=ENDPOINT))
        body = service.request(service.vitals())
        answer = service.http.post(
            "/cds-services/disease-severity", json=body, headers=bearer(token)
        )
    assert answer.status_code == 401


def test_the_process_lives_while_all_its_threads_are_busy(
    service: Service, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A liveness probe that fails under load has the whole process killed."""
    busy, go = threading.Semaphore(0), threading.Event()

    def blocked(_context: ProcessContext) -> list[str]:
        busy.release()
        assert go.wait(60)
        return []

    monkeypatch.setattr(readiness, "problems", blocked)
    url = f"{service.http.base_url}/health/"
    with ThreadPoolExecutor(THREADS) as pool:
        pending = [pool.submit(httpx.get, f"{url}ready", timeout=90) for _ in range(THREADS)]
        try:
            assert all(busy.acquire(timeout=30) for _ in range(THREADS))
            assert httpx.get(f"{url}live", timeout=10).status_code == 200
        finally:
            go.set()
        assert {one.result().status_code for one in pending} == {200}
