"""`outcomes pull`, `outcomes jwks` and `mllp` as an operator runs them."""

import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from cds_service.context import ProcessContext
from cds_service.settings import Settings
from cds_service.storage.session import upgrade
from tests.support.backend import TokenEndpoint, add_backend_client
from tests.support.builders import patient
from tests.support.commands import done, run
from tests.support.conditions import condition
from tests.support.fhir_server import FHIRServer, fhir_server, status
from tests.support.hl7v2 import acknowledged, dg1, framed, message
from tests.support.jwts import rsa_key
from tests.support.process import ROOT, START_SECONDS
from tests.support.service import new_context, running
from tests.support.stored import BASE, SEEN, assessed, category, set_time

PRIVATE = {"CDS_FHIR_ALLOW_PRIVATE": "true"}


@contextmanager
def process(folder: Path) -> Iterator[ProcessContext]:
    """The process the commands run in."""
    settings = Settings(development=True, data_dir=folder)
    context = ProcessContext.create(settings)
    upgrade(context.engine)
    try:
        yield context
    finally:
        context.engine.dispose()


@pytest.fixture
def server() -> Iterator[FHIRServer]:
    with fhir_server([patient()]) as server:
        TokenEndpoint(server)
        yield server


def test_pull_prints_what_it_did(tmp_path: Path, server: FHIRServer) -> None:
    with process(tmp_path) as context:
        assert "nothing to ask" in done(tmp_path, "outcomes", "pull")
        add_backend_client(context, server, tmp_path)
        seen = datetime.now(UTC) - timedelta(days=2)
        assessment = assessed(context, client="ehr", base=server.url, at=seen)
        assessed(context, client="ehr", base=server.url, at=seen, patient="gone")
        assessed(context, client="ehr", base=server.url, at=datetime.now(UTC), patient="new")
        server.resources += [
            patient("new"),
            condition(icd="I21.9", recorded=(seen + timedelta(hours=5)).isoformat()),
            condition(icd="I21.9", id="c2", recorded="yesterday"),
        ]
        out = done(tmp_path, "outcomes", "pull", "--client", "ehr", **PRIVATE)
        assert "2 patients asked for, 0 notices followed." in out
        assert "1 Conditions stored, 0 known already." in out
        assert "1 skipped: invalid" in out
        assert "1 not asked for again: patient not found" in out
        assert "Next due: " in out
        assert category(context, assessment) == "acute"
        assert "0 patients asked for" in done(tmp_path, "outcomes", "pull", **PRIVATE)
        out = done(tmp_path, "outcomes", "pull", "--now", **PRIVATE)
        assert "asked for" in out
        assert "1 known already" in out


def test_pull_ends_with_1_when_everything_failed(tmp_path: Path, server: FHIRServer) -> None:
    with process(tmp_path) as context:
        add_backend_client(context, server, tmp_path)
        assessed(context, client="ehr", base=server.url)
        server.behaviours["*"] = status(503)
        ran = run(tmp_path, "outcomes", "pull", **PRIVATE)
        assert ran.code == 1
        assert "1 failed, to be tried again: unavailable" in ran.out
    assert "no client nobody" in run(tmp_path, "outcomes", "pull", "--client", "nobody").sentence()
    said = run(tmp_path, "outcomes", "pull", "--client", "development").sentence()
    assert "has no access of our own" in said


def test_jwks_is_public(tmp_path: Path, server: FHIRServer) -> None:
    with process(tmp_path) as context:
        add_backend_client(context, server, tmp_path)
    (key,) = json.loads(done(tmp_path, "outcomes", "jwks", "ehr"))["keys"]
    assert key["n"] == rsa_key().public()["n"]
    assert (key["kid"], key["alg"], key["use"]) == ("k1", "RS384", "sig")
    assert "d" not in key


def test_a_serving_process_pulls_by_itself(tmp_path: Path, server: FHIRServer) -> None:
    context = new_context(tmp_path, fhir_allow_private=True, outcome_pull_seconds=0.05)
    add_backend_client(context, server, tmp_path)
    assessment = assessed(context, client="ehr", base=server.url)
    server.resources.append(condition(icd="I21.9"))
    set_time(context, SEEN + timedelta(days=1))
    with running(context, context.clock):  # type: ignore[arg-type]  # the clock of a test
        deadline = time.monotonic() + 30
        while category(context, assessment) is None and time.monotonic() < deadline:
            time.sleep(0.02)
        assert category(context, assessment) == "acute"


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def test_the_listener_as_a_process(tmp_path: Path) -> None:
    port = free_port()
    log = tmp_path / "mllp.log"
    with process(tmp_path) as context, log.open("wb") as output:
        assessment = assessed(context, encounter="e1")
        program = subprocess.Popen(
            [sys.executable, "-m", "cds_service", "mllp", "--fhir-server", BASE],
            env={name: value for name, value in os.environ.items() if "CDS_" not in name}
            | {
                "CDS_DEVELOPMENT": "true",
                "CDS_DATA_DIR": str(tmp_path),
                "CDS_MLLP_PORT": str(port),
            },
            cwd=ROOT,
            stdout=output,
            stderr=subprocess.STDOUT,
        )
        try:
            deadline = time.monotonic() + START_SECONDS
            while b"Listening" not in log.read_bytes():
                assert time.monotonic() < deadline, log.read_text()
                assert program.poll() is None, log.read_text()
                time.sleep(0.05)
            with socket.create_connection(("127.0.0.1", port), timeout=30) as connection:
                connection.sendall(framed(message(dg1())))
                answer = connection.recv(65_536)
            assert acknowledged(answer.strip(b"\x0b\x1c\r"))[:2] == ["AA", "M1"]
            assert category(context, assessment) == "acute"
            program.send_signal(signal.SIGTERM)
            assert program.wait(START_SECONDS) == 0
        finally:
            program.kill()
            program.wait()
    assert "Xqz" not in log.read_text()
    assert '"code": "AA"' in log.read_text()
