"""No command about clients and channels says a patient value, a token or a key."""

import json
import os
import re
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterable, Iterator
from contextlib import closing, contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from cds_service.context import ProcessContext
from cds_service.services.deliveries import Incoming, Received
from cds_service.services.outcomes import OutcomeService
from cds_service.settings import Settings
from cds_service.storage.session import upgrade
from model.artefact import load
from tests.support import fhir_server
from tests.support.artefacts import KEPT
from tests.support.backend import TokenEndpoint, add_backend_client
from tests.support.builders import bundle, concept
from tests.support.commands import run
from tests.support.hl7v2 import dg1, framed, merge, message
from tests.support.jwts import ISSUER, ec_key, jwks
from tests.support.marked import (
    PATIENT,
    leaks,
    marked_condition,
    marked_observations,
    marked_patient,
    opened,
)
from tests.support.process import ROOT, START_SECONDS
from tests.support.service import release
from tests.support.stored import assessed

PRIVATE = {"CDS_FHIR_ALLOW_PRIVATE": "true", "CDS_LOG_LEVEL": "DEBUG", "COLUMNS": "200"}
FAULTS = """
from cds_service.services.outcomes import OutcomeService
receive = OutcomeService.receive
def failing_receive(self, conditions, **options):
    conditions = list(conditions)
    if any("fault" in str(one.resource.get("id")) for one in conditions):
        raise LookupError(f"{conditions} {options}")
    return receive(self, conditions, **options)
OutcomeService.receive = failing_receive
"""


@pytest.fixture
def context(tmp_path: Path) -> Iterator[ProcessContext]:
    """The process the commands run in, with the clock of the world."""
    context = ProcessContext.create(Settings(development=True, data_dir=tmp_path))
    upgrade(context.engine)
    yield context
    context.engine.dispose()


def ran(folder: Path, code: int, *arguments: object) -> str:
    """What a command wrote to both streams, which is nothing of a patient."""
    done = run(folder, *arguments, **PRIVATE)
    said = done.out + done.err
    assert done.code == code, said
    assert "Traceback" not in said
    assert not leaks(said), arguments
    return said


def write(path: Path, content: Any) -> Path:
    path.write_text(content if isinstance(content, str) else json.dumps(content))
    return path


def test_no_command_about_clients_says_a_value(tmp_path: Path, context: ProcessContext) -> None:
    release(context, "1", KEPT, load(KEPT)[1])
    key = ec_key()
    private = key.public() | {"d": "xqz-private-part"}
    for name, content, words in (
        ("text.json", "xqz secret", "is not JSON"),
        ("private.json", {"keys": [private]}, "private or shared keys"),
        ("odd.json", {"keys": [{"kty": "xqz", "kid": "xqz", "x": "xqz"}]}, "no key that can be"),
    ):
        path = write(tmp_path / name, content)
        assert words in ran(
            tmp_path, 1, "clients", "add", "e", "--issuer", ISSUER, "--jwks-file", path
        )
    good = write(tmp_path / "jwks.json", jwks(key))
    server = "https://xqz-hospital.example/fhir"
    options = ("--issuer", ISSUER, "--jwks-file", good, "--fhir-server", f"{server[:8]}ehr.example")
    added = ran(tmp_path, 0, "clients", "add", "ehr", *options, "--secret", "read")
    (secret,) = re.findall(r"cds_\w{8}_[\w-]{43}", added)
    afterwards = [
        ran(tmp_path, 0, "clients", "set", "ehr", "--lookback-hours", "6"),
        ran(tmp_path, 0, "clients", "list"),
        ran(tmp_path, 0, "clients", "show", "ehr"),
        ran(tmp_path, 0, "clients", "secret", "list", "ehr"),
        ran(tmp_path, 1, "clients", "check", "ehr"),
    ]
    assert not any(secret in said or secret[13:] in said for said in afterwards)
    assert key.public()["x"] not in "".join(afterwards)
    # A saved request, read as it is, half, and as what no request is.
    body = opened(conditions=bundle(marked_condition()), xqz={"resourceType": "Xqz"})
    said = ran(tmp_path, 0, "clients", "explain", write(tmp_path / "r.json", body))
    assert "heart_rate: LOINC 8867-4" in said
    assert "Skipped:" in said
    assert "not allowed to this client" in said
    for number, bad in enumerate(
        (
            json.dumps(body)[:-9],
            "xqz",
            body | {"hook": "xqz"},
            body | {"hookInstance": "xqz"},
            body | {"fhirServer": "xqz"},
            body | {"context": {"patientId": "xqz/137.31337", "userId": "xqz"}},
            body | {"prefetch": "xqz"},
        )
    ):
        assert "answered 400" in ran(
            tmp_path, 1, "clients", "explain", write(tmp_path / f"{number}.json", bad)
        )


def failing(_service: OutcomeService, conditions: Iterable[Incoming], **options: Any) -> Received:
    """A fault that quotes what it was called with."""
    raise LookupError(f"{list(conditions)} {options}")


def test_no_pull_says_a_value(tmp_path: Path, context: ProcessContext) -> None:
    seen = datetime.now(UTC) - timedelta(days=2)
    with fhir_server.fhir_server() as server:
        endpoint = TokenEndpoint(server)
        add_backend_client(context, server, tmp_path)
        key = (tmp_path / "backend.pem").read_text()

        def pull(code: int, patient: str) -> str:
            """Ask for another patient: one that could not be had is not asked for again soon."""
            assessed(context, client="ehr", base=server.url, at=seen, patient=patient)
            return ran(tmp_path, code, "outcomes", "pull")

        listed = {"category": [concept("problem-list-item")]}
        listed["recordedDate"] = (seen + timedelta(hours=3)).isoformat()
        chart = [marked_patient(), *marked_observations(), marked_condition(**listed)]
        chart += [marked_condition(id="xqz-2", **listed | {"xqz": "xqz", "onsetDateTime": "xqz"})]
        said = []
        for number, bad in enumerate(
            (
                fhir_server.status(401, WWW_Authenticate="xqz"),
                fhir_server.redirect(f"https://xqz.example/Patient/{PATIENT}"),
                fhir_server.body({"resourceType": "Xqz"}),
                fhir_server.body({"resourceType": "OperationOutcome", "issue": [{"xqz": "xqz"}]}),
                fhir_server.html(),
                fhir_server.drop,
            )
        ):
            server.behaviours = {"*": bad}
            said.append(pull(1, f"xqz-{number}"))
        server.behaviours = {}
        server.resources[:] = chart
        said.append(pull(0, PATIENT))
        assert "1 Conditions stored" in said[-1]
        assert endpoint.claims
        server.resources.append(marked_patient() | {"id": "xqz-fault"})
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(OutcomeService, "receive", failing)
            said.append(pull(1, "xqz-fault"))
        assert "LookupError" in said[-1]
        server.tokens = lambda _form: (400, {"error": "Xqz", "error_description": "xqz"})
        said.append(pull(1, "xqz-token"))
        said.append(ran(tmp_path, 0, "outcomes", "jwks", "ehr"))
        write(tmp_path / "backend.pem", "-----BEGIN PRIVATE KEY-----\nxqz")
        said.append(ran(tmp_path, 1, "outcomes", "jwks", "ehr"))
        write(tmp_path / "backend.pem", {"kty": "RSA", "d": "xqz", "n": "xqz"})
        said.append(pull(1, "xqz-key"))
    lines = key.splitlines()[1:-1]
    assert len(lines) > 10
    assert not any(line in "".join(said) for line in lines)


@contextmanager
def listening(folder: Path) -> Iterator[tuple[int, Path]]:
    """`cds-service mllp` until the block ends: its port and what it writes."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    kept = {name: value for name, value in os.environ.items() if "CDS_" not in name}
    chosen = {"CDS_DEVELOPMENT": "true", "CDS_DATA_DIR": str(folder), "CDS_MLLP_PORT": str(port)}
    log = folder / "mllp.log"
    code = f"{FAULTS}\nfrom cds_service.__main__ import main\nmain()"
    with log.open("wb") as output:
        process = subprocess.Popen(
            [sys.executable, "-c", code, "mllp"],
            env=kept | PRIVATE | chosen,
            cwd=ROOT,
            stdout=output,
            stderr=subprocess.STDOUT,
        )
    try:
        deadline = time.monotonic() + START_SECONDS
        while b"Listening" not in log.read_bytes():
            assert time.monotonic() < deadline, log.read_text()
            assert process.poll() is None, log.read_text()
            time.sleep(0.05)
        yield port, log
        process.send_signal(signal.SIGTERM)
        assert process.wait(START_SECONDS) == 0
    finally:
        process.kill()
        process.wait()


def test_no_listener_says_a_value(tmp_path: Path, context: ProcessContext) -> None:
    del context
    name = f"{PATIENT}^^^HOSP^MR"
    messages = [
        message(dg1("J00^Xqz disease^I10C", identifier="xqz-1"), patient=name),
        message(dg1("xqz^xqz^xqz", at="xqz", kind="xqz", identifier="xqz"), patient=name),
        message(dg1(identifier="xqz-fault"), patient=name),
        message(dg1(), patient="xqz^^^xqz^xqz", charset="xqz", control_id="1"),
        message(dg1(), event="XQZ^XQZ", sent="xqz"),
        merge(into="xqz^^^H^MR", old="xqz-2^^^H^MR"),
        "MSH|^^|Xqz\r",
        "PID|1||xqz\r",
    ]
    with listening(tmp_path) as (port, log):
        for content in (*(framed(one) for one in messages), b"\x0bxqz", b"xqz\xff" * 9):
            with closing(socket.create_connection(("127.0.0.1", port), 30)) as connection:
                connection.sendall(content)
                connection.shutdown(socket.SHUT_WR)
                while connection.recv(65_536):
                    pass
    said = log.read_text()
    codes = re.findall(r'"code": "(\w\w)"', said)
    assert {"AA", "AE"} <= set(codes), said
    assert "LookupError" in said
    assert not leaks(said)
