"""Latency of `disease-severity` as a ratio to the floor (`benchmarks.floor`).

One worker each, one client, about 10 kB of prefetch, every assessment stored in SQLite. The two
are asked in turn, so that a drift of the machine's speed cancels out. Target: at most 3.
"""

import argparse
import http.client
import json
import os
import socket
import statistics
import subprocess
import sys
import tempfile
import time
import uuid
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from datetime import UTC, datetime, timedelta
from typing import Any

TARGET = 3.0


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--requests", type=int, default=500)
    parser.add_argument("--warm-up", type=int, default=100)
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder, ExitStack() as stack:
        environment = os.environ | {"CDS_DATA_DIR": folder, "CDS_DEVELOPMENT": "true"}
        for command in (["db", "upgrade"], ["train", "--if-none"]):
            subprocess.run(  # noqa: S603  # our own program
                [sys.executable, "-m", "cds_service", *command], env=environment, check=True
            )
        shown = subprocess.run(  # our own program
            [sys.executable, "-m", "cds_service", "models", "show", "champion"],
            env=environment,
            check=True,
            capture_output=True,
        )
        artefact = json.loads(shown.stdout)["location"]
        service_port, floor_port = _free_port(), _free_port()
        service = stack.enter_context(
            _server(
                ["-m", "cds_service", "serve"],
                environment | {"CDS_PORT": str(service_port), "CDS_LOG_LEVEL": "WARNING"},
                service_port,
            )
        )
        floor = stack.enter_context(
            _server(
                (
                    "-m uvicorn benchmarks.floor:application --factory --no-access-log "
                    f"--log-level warning --port {floor_port}"
                ).split(),
                environment | {"FLOOR_ARTEFACT": artefact},
                floor_port,
            )
        )
        times: dict[str, list[float]] = {"service": [], "floor": []}
        for number in range(arguments.warm_up + arguments.requests):
            body = json.dumps(request()).encode()
            for name, connection, path in (
                ("service", service, "/cds-services/disease-severity"),
                ("floor", floor, "/"),
            ):
                taken = _post(connection, path, body)
                if number >= arguments.warm_up:
                    times[name].append(taken)
    medians = {name: statistics.median(values) for name, values in times.items()}
    ratio = medians["service"] / medians["floor"]
    print(f"body                {len(body) / 1000:.1f} kB, {arguments.requests} requests each")  # noqa: T201  # its output
    for name, values in times.items():
        p99 = statistics.quantiles(values, n=100)[98]
        print(f"{name:<19} median {medians[name] * 1e3:.2f} ms, 99 % {p99 * 1e3:.2f} ms")  # noqa: T201  # its output
    verdict = "within" if ratio <= TARGET else "OVER"
    print(f"ratio of medians    {ratio:.2f} ({verdict} the target of {TARGET:.0f})")  # noqa: T201  # its output


def request() -> dict[str, Any]:
    """A `patient-view` request with about 10 kB of prefetch, readings ten minutes old."""
    taken = (datetime.now(UTC) - timedelta(minutes=10)).isoformat(timespec="seconds")
    codes = [("8867-4", 112, "/min"), ("8310-5", 38.4, "Cel"), ("9279-1", 22, "/min")]
    codes += [("59408-5", 94, "%"), ("8480-6", 98, "mm[Hg]"), ("8462-4", 61, "mm[Hg]")]
    entries = []
    for repeat in range(3):
        for code, value, unit in codes:
            observation = {
                "resourceType": "Observation",
                "id": f"{code}-{repeat}",
                "meta": {"versionId": "1", "lastUpdated": taken},
                "status": "final",
                "category": [
                    {
                        "coding": [
                            {
                                "system": "http://terminology.hl7.org/CodeSystem/observation-category",
                                "code": "vital-signs",
                            }
                        ]
                    }
                ],
                "code": {"coding": [{"system": "http://loinc.org", "code": code}]},
                "subject": {"reference": "Patient/p1"},
                "effectiveDateTime": taken,
                "valueQuantity": {
                    "value": value + repeat,
                    "unit": unit,
                    "system": "http://unitsofmeasure.org",
                    "code": unit,
                },
            }
            entries.append({"fullUrl": f"urn:uuid:{uuid.uuid4()}", "resource": observation})
    return {
        "hook": "patient-view",
        "hookInstance": str(uuid.uuid4()),
        "context": {"userId": "Practitioner/1", "patientId": "p1"},
        "prefetch": {
            "patient": {
                "resourceType": "Patient",
                "id": "p1",
                "gender": "female",
                "birthDate": "1959-03-02",
            },
            "vitals": {"resourceType": "Bundle", "type": "searchset", "entry": entries},
        },
    }


def _post(connection: http.client.HTTPConnection, path: str, body: bytes) -> float:
    started = time.perf_counter()
    connection.request("POST", path, body, {"Content-Type": "application/json"})
    response = connection.getresponse()
    content = response.read()
    taken = time.perf_counter() - started
    if response.status != http.client.OK:
        raise SystemExit(f"{path} answered {response.status}: {content[:200]!r}")
    return taken


@contextmanager
def _server(
    arguments: list[str], environment: dict[str, str], port: int
) -> Iterator[http.client.HTTPConnection]:
    process = subprocess.Popen([sys.executable, *arguments], env=environment)  # noqa: S603  # our own program
    try:
        deadline = time.monotonic() + 60
        while True:
            try:
                socket.create_connection(("127.0.0.1", port), timeout=1).close()
                break
            except OSError:
                if time.monotonic() > deadline or process.poll() is not None:
                    raise SystemExit("a server did not start") from None
                time.sleep(0.1)
        connection = http.client.HTTPConnection("127.0.0.1", port)
        # Without this, small writes wait for acknowledgements and the floor looks slower.
        connection.connect()
        connection.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        yield connection
        connection.close()
    finally:
        process.terminate()
        process.wait()


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


if __name__ == "__main__":
    main()
