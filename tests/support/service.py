"""The whole service on a real port, with a clock the test sets."""

import socket
import ssl
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path
from typing import Any
from uuid import uuid4

import httpx
import uvicorn
from fastapi import APIRouter

from cds_service.app import create_app
from cds_service.context import ProcessContext
from cds_service.settings import Settings
from cds_service.storage import session
from cds_service.storage.model_store import ModelStore

# Not UTC, so that a forgotten time zone shows.
NEPAL = timezone(timedelta(hours=5, minutes=45))


@dataclass
class TestClock:
    """A clock that stands where the test puts it."""

    __test__ = False
    time: datetime = field(default_factory=lambda: datetime(2026, 3, 1, 12, tzinfo=NEPAL))

    def __call__(self) -> datetime:
        return self.time


@dataclass
class Service:
    """A running service."""

    http: httpx.Client
    context: ProcessContext
    clock: TestClock

    def assess(self, request: dict[str, Any]) -> httpx.Response:
        """Call `disease-severity`."""
        return self.http.post("/cds-services/disease-severity", json=request)

    def request(self, observations: list[dict[str, Any]], **changes: Any) -> dict[str, Any]:
        """A `patient-view` request of a woman born in 1959."""
        bundle = {
            "resourceType": "Bundle",
            "type": "searchset",
            "entry": [{"resource": resource} for resource in observations],
        }
        patient = {
            "resourceType": "Patient",
            "id": "p1",
            "gender": "female",
            "birthDate": "1959-03-02",
        }
        return {
            "hook": "patient-view",
            "hookInstance": str(uuid4()),
            "context": {"userId": "Practitioner/1", "patientId": "p1"},
            "prefetch": {"patient": patient, "vitals": bundle},
        } | changes

    def observation(self, code: str, value: float, unit: str, **changes: Any) -> dict[str, Any]:
        """A vital sign taken ten minutes ago."""
        return {
            "resourceType": "Observation",
            "id": f"o-{code}",
            "status": "final",
            "code": {"coding": [{"system": "http://loinc.org", "code": code}]},
            "subject": {"reference": "Patient/p1"},
            "effectiveDateTime": (self.clock() - timedelta(minutes=10)).isoformat(),
            "valueQuantity": {
                "value": value,
                "unit": unit,
                "system": "http://unitsofmeasure.org",
                "code": unit,
            },
        } | changes

    def vitals(
        self,
        heart_rate: float = 72,
        temperature: float = 36.8,
        systolic: float = 124,
        diastolic: float = 76,
    ) -> list[dict[str, Any]]:
        """Four vital signs, by default of somebody well."""
        return [
            self.observation("8867-4", heart_rate, "/min"),
            self.observation("8310-5", temperature, "Cel"),
            self.observation("8480-6", systolic, "mm[Hg]"),
            self.observation("8462-4", diastolic, "mm[Hg]"),
        ]


def release(context: ProcessContext, version: str, artefact: Path, checksum: str) -> None:
    """Make an artefact live without the registry."""
    at = datetime(2026, 1, 1, tzinfo=UTC)
    with context.engine.begin() as connection:
        store = ModelStore(connection)
        store.add_version(
            {
                "version": version,
                "location": str(artefact),
                "checksum": checksum,
                "kind": "test",
                "simulated": True,
                "created_at": at,
                "created_by": "test",
                "note": "",
                "history_id": None,
                "metrics": {},
            }
        )
        store.add_release(
            {"version": version, "action": "promote", "at": at, "actor": "test", "reason": "test"}
        )


@contextmanager
def running(
    context: ProcessContext,
    clock: TestClock,
    *routers: APIRouter,
    port: int = 0,
    certificate: Path | None = None,
) -> Iterator[Service]:
    """Serve `context` until the block ends, and these routes beside those of the application; with
    a certificate (and its key, PEM) over https."""
    app = create_app(context)
    for router in routers:
        app.include_router(router)
    with socket.socket() as listener:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind(("127.0.0.1", port))
        port = listener.getsockname()[1]
        server = uvicorn.Server(
            uvicorn.Config(app, log_config=None, access_log=False, ssl_certfile=certificate)
        )
        thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]}, daemon=True)
        thread.start()
        deadline = time.monotonic() + 20
        while not server.started:
            if time.monotonic() > deadline or not thread.is_alive():
                raise RuntimeError("the service did not start")
            time.sleep(0.01)
        try:
            base = (
                f"http://127.0.0.1:{port}" if certificate is None else f"https://localhost:{port}"
            )
            trusted = (
                True if certificate is None else ssl.create_default_context(cafile=certificate)
            )
            with httpx.Client(base_url=base, timeout=30, verify=trusted) as http:
                yield Service(http, context, clock)
        finally:
            server.should_exit = True
            thread.join()


def new_context(folder: Path, database_url: str | None = None, **settings: Any) -> ProcessContext:
    """A process in development mode with an empty, migrated database."""
    chosen: dict[str, Any] = {"development": True, "data_dir": folder, "database_url": database_url}
    context = ProcessContext.create(Settings(**chosen | settings), clock=TestClock())
    session.upgrade(context.engine)
    return context
