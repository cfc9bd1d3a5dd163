"""The real program in a process of its own: started, killed, and read to the last line it wrote."""

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryFile

import httpx

ROOT = Path(__file__).resolve().parents[2]
START_SECONDS = 60
"""A process on a busy machine may need long to import what it serves with."""


@dataclass
class Program:
    """A `cds-service serve` that answers."""

    process: subprocess.Popen[bytes]
    url: str
    output: Path
    """What it wrote to standard output and standard error, in that order of arrival."""

    def lines(self) -> list[str]:
        """The JSON lines of the log."""
        return [line for line in self.output.read_text().splitlines() if line.startswith("{")]

    def kill(self) -> None:
        """SIGKILL it and whatever it started: nothing gets a chance to tidy up."""
        if self.process.poll() is None:
            # Its own group, so that nothing else is hit.
            os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait()

    def stop(self) -> None:
        """End it as an operator does."""
        if self.process.poll() is None:
            self.process.terminate()
        self.process.wait(START_SECONDS)

    def wait_until(self, path: str, status: int = 200) -> None:
        """Wait for an answer of this status. Raises `RuntimeError` if none comes."""
        deadline = time.monotonic() + START_SECONDS
        while time.monotonic() < deadline and self.process.poll() is None:
            try:
                if httpx.get(self.url + path, timeout=5).status_code == status:
                    return
            except httpx.TransportError:
                pass
            time.sleep(0.02)
        raise RuntimeError(f"no {status} from {path}: {self.output.read_text()[-2000:]}")


@contextmanager
def serving(
    folder: Path, *, faults: str = "", ready: bool = True, **settings: str
) -> Iterator[Program]:
    """Serve with the data of `folder` until the block ends.

    `faults` is Python that runs in the process before the program, `settings` are environment
    variables. With `ready` it waits for a loaded model, else only for an answer at all.
    """
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    output = folder / f"serve-{port}.log"
    with output.open("wb") as log:
        process = subprocess.Popen(
            _program("serve", faults=faults),
            env=environment(folder, CDS_PORT=str(port), **settings),
            cwd=ROOT,
            stdout=log,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
    program = Program(process, f"http://127.0.0.1:{port}", output)
    try:
        program.wait_until("/health/ready" if ready else "/health/live")
        yield program
    finally:
        program.kill()


@contextmanager
def starting(
    folder: Path, name: str, *arguments: str, faults: str = "", **settings: str
) -> Iterator[Program]:
    """Run `cds-service ARGUMENTS` beside the test until the block ends; it answers no requests.

    What it writes goes to `NAME.log` in `folder`.
    """
    output = folder / f"{name}.log"
    with output.open("wb") as log:
        process = subprocess.Popen(
            _program(*arguments, faults=faults),
            env=environment(folder, **settings),
            cwd=ROOT,
            stdout=log,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
    program = Program(process, "", output)
    try:
        yield program
    finally:
        program.kill()


def command(
    folder: Path, *arguments: str, faults: str = "", **settings: str
) -> subprocess.CompletedProcess[str]:
    """Run `cds-service ARGUMENTS` to its end, on the data of `folder`."""
    # Files, not pipes: a process that it left behind would hold a pipe open for ever.
    with TemporaryFile("w+") as output, TemporaryFile("w+") as errors:
        ran = subprocess.run(
            _program(*arguments, faults=faults),
            env=environment(folder, **settings),
            cwd=ROOT,
            stdout=output,
            stderr=errors,
            text=True,
            check=False,
        )
        output.seek(0)
        errors.seek(0)
        return subprocess.CompletedProcess(ran.args, ran.returncode, output.read(), errors.read())


def _program(*arguments: str, faults: str = "") -> list[str]:
    if not faults:
        return [sys.executable, "-m", "cds_service", *arguments]
    code = f"{faults}\nfrom cds_service.__main__ import main\nmain()"
    return [sys.executable, "-c", code, *arguments]


def environment(folder: Path, **settings: str) -> dict[str, str]:
    """The environment without the developer's own settings."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("CDS_")}
    chosen = {"CDS_DEVELOPMENT": "true", "CDS_DATA_DIR": str(folder)}
    # Threads of numerical libraries would only wait for each other beside other tests.
    return kept | {"OMP_NUM_THREADS": "1"} | chosen | settings
