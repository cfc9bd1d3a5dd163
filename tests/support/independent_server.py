"""The FHIR server nobody on this project wrote, kept beside the checkout, as its own process."""

import json
import shutil
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.support.builders import Json
from tests.support.require import unavailable

_SECONDS = 120
"""A machine that is busy with other tests may need long to load the FHIR definitions."""


@dataclass(frozen=True)
class IndependentServer:
    """A running server."""

    root: str

    @property
    def url(self) -> str:
        """Its FHIR base."""
        return f"{self.root}/fhir/R4"

    def log(self) -> list[dict[str, Any]]:
        """Every request so far."""
        found: list[dict[str, Any]] = httpx.get(f"{self.root}/_log", timeout=20).json()
        return found


@contextmanager
def installed(source: Path) -> Iterator[Path]:
    """A copy of the server with its packages; skips where there is no source or no network."""
    if not (source / "server.mjs").is_file():
        pytest.skip("the FHIR server is not beside this checkout (../shared/fhir-server)")
    for program in ("node", "npm"):
        if shutil.which(program) is None:
            unavailable("node", f"{program} is not installed")
    folder = Path(tempfile.mkdtemp(prefix="cds-fhir-"))
    try:
        for name in ("server.mjs", "package.json"):
            shutil.copy(source / name, folder)
        done = subprocess.run(
            ["npm", "install", "--ignore-scripts", "--no-audit", "--no-fund"],
            cwd=folder,
            capture_output=True,
            text=True,
            check=False,
        )
        if done.returncode:
            unavailable("node", f"npm could not install the server: {done.stderr[-300:]}")
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


@contextmanager
def serving(
    folder: Path, resources: Sequence[Json], **environment: str
) -> Iterator[IndependentServer]:
    """Serve these resources until the block ends; `environment`: FHIR_TOKEN, MAX_PAGE."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    seed = folder / f"seed-{port}.json"
    entries = [{"resource": resource} for resource in resources]
    seed.write_text(json.dumps({"resourceType": "Bundle", "type": "collection", "entry": entries}))
    output = folder / f"server-{port}.log"
    with output.open("wb") as log:
        process = subprocess.Popen(
            ["node", "server.mjs", str(port), str(seed)],
            cwd=folder,
            env={"PATH": "/usr/local/bin:/usr/bin:/bin", **environment},
            stdout=log,
            stderr=subprocess.STDOUT,
        )
    try:
        _wait(process, output)
        yield IndependentServer(f"http://127.0.0.1:{port}")
    finally:
        process.kill()
        process.wait()


def _wait(process: subprocess.Popen[bytes], output: Path) -> None:
    """Until the server has said that it listens, which it does once the resources are there."""
    until = time.monotonic() + _SECONDS
    while b"FHIR R4 on" not in output.read_bytes():
        if process.poll() is not None or time.monotonic() > until:
            raise RuntimeError(f"the FHIR server did not start: {output.read_text()[-1000:]}")
        time.sleep(0.05)
