"""README's walk through: its commands are run in order and must print the answers it shows.

Compared is everything but uuids, times and model versions. `UPDATE_README=1` writes the answers of
this run into README instead.
"""

import base64
import json
import os
import re
import shutil
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from urllib.error import URLError

from tests.support.require import unavailable

ROOT = Path(__file__).resolve().parents[2]
README = ROOT / "README.md"
START, END = "## One walk through", "## Services"
EXAMPLE = re.compile(
    r"```sh\n(?P<command>.*?)```\n(?:\n```(?:json|text)\n(?P<answer>.*?)```\n)?", re.S
)
CARD = re.compile(r"^> .*\n(?:>.*\n)*", re.M)
FIGURES = re.compile(r"(?<=```text\n)all categories.*?(?=```)", re.S)
MARK = "--- end of example ---"
PAUSE = "sleep 3\n"
WAIT = """for second in 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19 20; do
  sleep 1
  if curl -s http://127.0.0.1:8000/health/ready | grep -q '"2"'; then break; fi
done
"""
"""What a reader's pause becomes: this machine may be busy with other tests."""

# uuids, instants, days, then versions as the card, the commands and /health/ready name them.
VARIES = (
    (re.compile(r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}"), "UUID"),
    (re.compile(r"\d{4}-\d\d-\d\dT[0-9:.]+(?:Z|[+-]\d\d:\d\d)"), "TIME"),
    (re.compile(r"\(since \d{4}-\d\d-\d\d\)"), "(since DATE)"),
    (re.compile(r"(?i)(model |version |model_version\": ?\")\d+"), r"\1N"),
)


@dataclass(frozen=True)
class Run:
    """What the machine said."""

    training: str
    """Of the starter model, by the commands of `make run`."""
    answers: list[str]
    """Of the examples, in order."""
    card: str
    """`detail` of the card in the second step."""


def test_the_commands_of_the_readme_print_what_it_shows(tmp_path: Path) -> None:
    if shutil.which("curl") is None:
        unavailable("curl", "curl is not installed")
    text = README.read_text("utf-8")
    start, end = text.index(START), text.index(END)
    examples = list(EXAMPLE.finditer(text, start, end))
    assert len(examples) >= 8
    assert PAUSE in text
    run = walk(tmp_path, [example["command"] for example in examples])
    found = fill(text, examples, run)
    if os.environ.get("UPDATE_README"):
        README.write_text(found, "utf-8")
    else:
        assert normal(found) == normal(text)
    # Versions are left out of the comparison; that the new one answers is the point.
    assert "Model 1: " in run.card
    assert any(
        answer.endswith("Model 2: decision support, not a diagnosis\n") for answer in run.answers
    )


def fill(text: str, examples: list[re.Match[str]], run: Run) -> str:
    """README with the answers of this run."""
    assert len(FIGURES.findall(text)) == 1
    for example, answer in reversed(list(zip(examples, run.answers, strict=True))):
        if example["answer"] is None:
            assert answer == "", f"no answer is shown for: {example['command']}"
        else:
            text = text[: example.start("answer")] + answer + text[example.end("answer") :]
    quote = "".join(f"> {line}".rstrip() + "\n" for line in run.card.splitlines())
    card = CARD.search(text, text.index(START), text.index(END))
    assert card is not None
    text = text[: card.start()] + quote + text[card.end() :]
    return FIGURES.sub(lambda _: figures(run.training), text)


def figures(training: str) -> str:
    """Of the held-out figures: all categories together, and acute illness."""
    (together,) = re.findall(r"^all categories .*?\n\n", training, re.M | re.S)
    acute = re.findall(r"^(?:category +metric|acute +(?:Rec|Prec|AUR)).*\n", training, re.M)
    return together + "".join(acute)


def normal(text: str) -> str:
    for pattern, name in VARIES:
        text = pattern.sub(name, text)
    return text


def walk(folder: Path, commands: list[str]) -> Run:
    """Serve as `make run` does, in an empty folder, and run the commands in one shell."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = str(probe.getsockname()[1])
    environment = {k: v for k, v in os.environ.items() if not k.upper().startswith("CDS_")} | {
        "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}",
        "CDS_DATA_DIR": str(folder / "var"),
        "CDS_PORT": port,
        # The patient's hash decides what a comparison may use; another key, another count.
        "CDS_SECRET_KEYS": json.dumps([base64.b64encode(b"k" * 32).decode()]),
        "PYTHONUTF8": "1",
    }
    recipe = re.search(r"^run:.*\n((?:\t.*\n)+)", (ROOT / "Makefile").read_text("utf-8"), re.M)
    assert recipe is not None
    *prepare, serve = recipe[1].replace("\t", "").replace("$(BIN)/", "").splitlines()
    training = "".join(shell(command, folder, environment) for command in prepare)
    script = f"\necho '{MARK}'\n".join(commands).replace(PAUSE, WAIT).replace("8000", port)
    with serving(serve, folder, environment, port):
        printed = shell("set -eu\n" + script, folder, environment)
    answers = [answer.replace(port, "8000") for answer in printed.split(MARK + "\n")]
    card = json.loads((folder / "var" / "answer.json").read_text("utf-8"))["cards"][0]
    # A one-line body without a line end would run into the next prompt; README shows it apart.
    closed = [
        answer if answer.endswith("\n") or not answer else answer + "\n" for answer in answers
    ]
    return Run(training, closed, card["detail"])


def shell(command: str, folder: Path, environment: dict[str, str]) -> str:
    """Standard output of a POSIX shell; the progress bars go to standard error."""
    done = subprocess.run(
        ["sh", "-c", command],
        cwd=folder,
        env=environment,
        capture_output=True,
        text=True,
        timeout=900,
        check=False,
    )
    assert done.returncode == 0, f"{command}\n{done.stdout}\n{done.stderr}"
    return done.stdout


@contextmanager
def serving(command: str, folder: Path, environment: dict[str, str], port: str) -> Iterator[None]:
    """The server until the block ends."""
    log = folder / "serve.log"
    with log.open("w") as stderr:
        process = subprocess.Popen(
            ["sh", "-c", command], cwd=folder, env=environment, stdout=stderr, stderr=stderr
        )
        try:
            deadline = time.monotonic() + 60
            while not ready(port):
                assert process.poll() is None, log.read_text()
                assert time.monotonic() < deadline, log.read_text()
                time.sleep(0.1)
            yield
        finally:
            process.terminate()
            process.wait(timeout=30)


def ready(port: str) -> bool:
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/health/ready", timeout=5):
            return True
    except (URLError, OSError):
        return False
