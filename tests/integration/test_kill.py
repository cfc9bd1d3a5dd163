"""SIGKILL: no assessment that was answered is lost, and nothing half-written is taken for whole."""

import json
import re
import threading
from collections import Counter
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import httpx
from sqlalchemy import Engine, text

from cds_service.security.secrecy import Secrecy
from cds_service.settings import Settings, read_secret_keys
from cds_service.storage import session
from cds_service.storage.model_store import ModelStore
from model.scorer import Scorer
from model.training.simulation import simulate_cohort
from tests.support.hospital import visit, visits
from tests.support.process import command, serving
from tests.support.service import new_context, release

REQUESTS = 500
KILLED_AFTER = 200
THREADS = 4

Call = dict[str, Any]


@contextmanager
def database(folder: Path) -> Iterator[Engine]:
    engine = session.create_database_engine(f"sqlite:///{folder / 'cds.sqlite3'}")
    yield engine
    engine.dispose()


@dataclass
class Client:
    """An EHR of several threads; it stops where nobody answers any more."""

    url: str
    enough: int = REQUESTS
    answers: dict[str, bytes] = field(default_factory=dict)
    """hookInstance → body of the 200."""
    refused: Counter[int] = field(default_factory=Counter)
    reached: threading.Event = field(default_factory=threading.Event)

    def send(self, calls: Sequence[Call]) -> None:
        waiting = iter(calls)
        with ThreadPoolExecutor(THREADS) as pool:
            for done in [pool.submit(self._work, waiting) for _ in range(THREADS)]:
                done.result()
        self.reached.set()

    def _work(self, waiting: Iterator[Call]) -> None:
        with httpx.Client(base_url=self.url, timeout=30) as http:
            # `next` of a list iterator is one step of the interpreter: no call is sent twice.
            for call in waiting:
                try:
                    response = http.post("/cds-services/disease-severity", json=call)
                except httpx.TransportError:
                    return
                if response.status_code == httpx.codes.OK:
                    self.answers[call["hookInstance"]] = response.content
                else:
                    self.refused[response.status_code] += 1
                if len(self.answers) >= self.enough:
                    self.reached.set()


def check_stored(folder: Path, answers: dict[str, bytes]) -> int:
    """Every answer is stored as it was sent, and every stored assessment is whole.

    Returns how many assessments are stored.
    """
    settings = Settings(development=True, data_dir=folder)
    secrecy = Secrecy(read_secret_keys(settings))
    with database(folder) as engine, session.reading(engine) as connection:
        assert connection.execute(text("PRAGMA integrity_check")).scalar() == "ok"
        rows = connection.execute(text("SELECT id, hook_instance, response FROM assessments"))
        stored = {row.hook_instance: row for row in rows}
        cards = connection.execute(text("SELECT uuid, assessment_id FROM cards")).all()
        audited = connection.execute(
            text("SELECT object_id FROM audit_events WHERE action = 'assess'")
        ).scalars()
        assert sorted(audited) == sorted(row.id for row in stored.values())
    missing = answers.keys() - stored.keys()
    assert not missing, f"{len(missing)} answered assessments are lost"
    sent = []
    for instance, row in stored.items():
        response = secrecy.decrypt(row.response)
        assert answers.get(instance, response) == response
        sent += [(card["uuid"], row.id) for card in json.loads(response)["cards"]]
    assert sorted(sent) == sorted((card.uuid, card.assessment_id) for card in cards)
    return len(stored)


def test_sigkill_loses_no_answered_assessment(
    tmp_path: Path, small_model: tuple[Path, str]
) -> None:
    context = new_context(tmp_path)
    release(context, "1", *small_model)
    context.engine.dispose()
    now = datetime.now(UTC)
    patients = simulate_cohort(2 * REQUESTS, seed=5).head(REQUESTS)
    calls = [visit(patient, row, now) for patient, row in visits(patients)]
    assert len({call["hookInstance"] for call in calls}) == REQUESTS

    with serving(tmp_path) as program:
        client = Client(program.url, enough=KILLED_AFTER)
        sending = threading.Thread(target=client.send, args=(calls,))
        sending.start()
        assert client.reached.wait(60)
        program.kill()
        sending.join()
    answered = dict(client.answers)
    assert KILLED_AFTER <= len(answered) < REQUESTS, "the kill was not in the middle"
    assert not client.refused
    # At most the calls that were under way are stored without their answer having arrived.
    before = check_stored(tmp_path, answered)
    assert before - len(answered) <= THREADS

    with serving(tmp_path) as program:
        again = Client(program.url)
        again.send([call for call in calls if call["hookInstance"] in answered])
        assert again.answers == answered
        assert check_stored(tmp_path, answered) == before
        rest = Client(program.url)
        rest.send([call for call in calls if call["hookInstance"] not in answered])
        assert not again.refused + rest.refused
        assert len(answered | rest.answers) == REQUESTS
        assert check_stored(tmp_path, answered | rest.answers) == REQUESTS


# Each makes `kill` happen at the worst moment of one step of a training.
MOMENTS = {
    "while the registry makes its tables": """
import alembic.runtime.migration as migration
steps = migration.HeadMaintainer.update_to_step
def step(self, made):
    # The column is there, the number of the step that adds it is not written yet.
    return kill() if "bd07f7e963c5" in self.heads else steps(self, made)
migration.HeadMaintainer.update_to_step = step
""",
    "before the folder of the model has its name": """
import model.artefact
model.artefact._flush = kill
""",
    "before the version is recorded": """
from cds_service.storage.model_store import ModelStore
ModelStore.add_version = kill
""",
    "before the version goes live": """
from cds_service.storage.model_store import ModelStore
ModelStore.add_release = kill
""",
}
# Runs the command once for each moment, each time in a child of its own, and once undisturbed;
# prints how each child ended. What all import is imported once, and one candidate is enough:
# what is killed need not be good.
TRAININGS = f"""
import functools, os, signal, sys
import imblearn.over_sampling, mlflow.tracking, sklearn.linear_model, xgboost
import cds_service.services.training
import model.training.design as design
from cds_service.__main__ import main
design.TrainingSettings = functools.partial(
    design.TrainingSettings, estimators=("logistic",), balancings=("none",), folds=2,
    bootstrap_replicates=20,
)
def kill(*_arguments, **_options):
    os.kill(os.getpid(), signal.SIGKILL)

for fault in {[*MOMENTS.values(), ""]!r}:
    child = os.fork()
    if not child:
        exec(fault)
        main()
        sys.exit()
    ended = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    print("ended with", ended, flush=True)
sys.exit()
"""


def test_a_killed_training_leaves_nothing_that_is_taken_for_a_model(tmp_path: Path) -> None:
    history = tmp_path / "history.csv"
    simulate_cohort(1_500, seed=5).to_csv(history, index=False)
    new_context(tmp_path).engine.dispose()
    ran = command(tmp_path, "train", "--no-report", "--history", str(history), faults=TRAININGS)
    ended = re.findall(r"^ended with (\S+)$", ran.stdout, re.MULTILINE)
    assert ended == ["-9"] * len(MOMENTS) + ["0"], ran.stdout + ran.stderr
    assert "Promoted. There was no champion." in ran.stdout
    with database(tmp_path) as engine, session.reading(engine) as connection:
        store = ModelStore(connection)
        (release,) = store.releases()
        versions = store.versions()
    # Recorded before the last kill, never live; and the one that came through.
    assert [row["version"] for row in versions] == ["2", "3"]
    assert release["version"] == "3"
    assert "Model version 3." in ran.stdout
    for row in versions:
        Scorer.load(
            Path(row["location"]), version=row["version"], expected_checksum=row["checksum"]
        )
    folders = list((tmp_path / "models").iterdir())
    assert any(folder.name.startswith(".unfinished-") for folder in folders)
    for folder in folders:
        if not folder.name.startswith("."):
            Scorer.load(folder, version="1")
