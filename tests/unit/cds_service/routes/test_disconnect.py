"""A client that goes away in the middle of its request is no fault of the service."""

import logging
import socket
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.service import Service, new_context, running


@pytest.fixture
def service(tmp_path: Path) -> Iterator[Service]:
    context = new_context(tmp_path)
    with running(context, context.clock) as started:
        yield started


def test_a_body_cut_off_is_logged_without_an_error(
    service: Service, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, logger="cds_service")
    url = service.http.base_url
    with socket.create_connection((url.host, url.port)) as client:
        client.sendall(
            b"POST /cds-services/disease-severity HTTP/1.1\r\n"
            b"Host: x\r\nContent-Length: 100\r\n\r\n{"
        )
        time.sleep(0.1)
    deadline = time.monotonic() + 5
    while not caplog.records and time.monotonic() < deadline:
        time.sleep(0.01)
    assert [(r.levelname, r.getMessage()) for r in caplog.records] == [
        ("INFO", "the client went away")
    ]
