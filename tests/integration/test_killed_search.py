"""SIGKILL in the middle of `train --search`: nothing stays behind, and the next one goes on."""

import hashlib
import os
import signal
import time
from pathlib import Path

import pytest

from cds_service.services.training import HistoryFile, TrainingService
from model.artefact import MANIFEST
from model.training.design import TrainingSettings
from model.training.evaluating import FoldResult, Job
from model.training.evaluations import PREFIX, Kept
from tests.support.cohorts import small_cohort
from tests.support.process import command
from tests.support.service import new_context

OPTIONS = (*("train", "--search", "--trials", "4", "--workers", "2"), "--no-report")
FEW = TrainingSettings(
    estimators=("logistic", "decision_tree", "xgboost"),
    balancings=("none", "class_weights"),
    search=True,
    trials=4,
    folds=2,
    bootstrap_replicates=20,
)
"""What the command searches, too."""
FAULTS = f"""
import dataclasses, os
from cds_service.services.training import TrainingService
whole = TrainingService.train_history
def fewer(self, history, design, **more):
    return whole(self, history, dataclasses.replace(
        design, estimators={FEW.estimators}, balancings={FEW.balancings}, folds={FEW.folds},
        bootstrap_replicates={FEW.bootstrap_replicates},
    ), **more)
TrainingService.train_history = fewer
from model.training.evaluations import Kept
put = Kept.put
def noted(self, job, result):
    put(self, job, result)
    with open("{{notes}}", "a") as notes:
        notes.write(self._path(job).name + "\\n")
Kept.put = noted
"""
"""Fewer candidates than a search has, and a note of each evaluation that was done."""
KILLED_AT = 18
"""Evaluation: in the second stage, after the 12 of six ways in two folds."""
KILL = f"""
import multiprocessing, signal
def killed(self, job, result):
    if self._folder.exists() and len(os.listdir(self._folder)) == {KILLED_AT}:
        # The moment before a finished file gets its name.
        os.replace = lambda *_: os.kill(os.getpid(), signal.SIGKILL)
        with open("{{workers}}", "w") as workers:
            workers.write(" ".join(str(one.pid) for one in multiprocessing.active_children()))
    noted(self, job, result)
Kept.put = killed
"""


@pytest.fixture
def history(tmp_path: Path) -> Path:
    path = tmp_path / "history.csv"
    small_cohort(900, 41).to_csv(path, index=False)
    return path


def search(folder: Path, history: Path, faults: str = "") -> tuple[int, list[str]]:
    """Run the command on the data of `folder`; its return code and the evaluations that it did."""
    notes = folder / "notes.txt"
    notes.write_text("")
    ran = command(
        folder, *OPTIONS, "--history", str(history), faults=FAULTS.format(notes=notes) + faults
    )
    assert ran.returncode in (0, -signal.SIGKILL), ran.stderr
    return ran.returncode, notes.read_text().split()


def undisturbed(
    folder: Path, history: Path, monkeypatch: pytest.MonkeyPatch
) -> tuple[str, list[str]]:
    """Checksum of a search in this process, and the evaluations that it did."""
    done: list[str] = []
    put = Kept.put

    def noted(self: Kept, job: Job, result: FoldResult) -> None:
        put(self, job, result)
        done.append(self._path(job).name)

    with monkeypatch.context() as patch:
        patch.setattr(Kept, "put", noted)
        context = new_context(folder)
        service = TrainingService(context.engine, context.settings, context.clock)
        report = service.train_history(
            HistoryFile(history),
            FEW,
            actor="test",
            progress=lambda _step, _done: None,
            with_report=False,
        )
        context.engine.dispose()
    return report.result.checksum, done


def checksum(folder: Path) -> str:
    """Of the one model there is, beside which no search has left anything."""
    (model,) = (folder / "models").iterdir()
    return hashlib.sha256((model / MANIFEST).read_bytes()).hexdigest()


def alive(process: int) -> bool:
    """Whether it runs: one that ended and that nobody asks about is not alive."""
    try:
        state = Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()[0]
    except (FileNotFoundError, ProcessLookupError):
        return False
    return state not in ("Z", "X")


def test_a_search_that_was_killed_goes_on_and_leaves_no_process(
    tmp_path: Path, history: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole, everything = undisturbed(tmp_path / "whole", history, monkeypatch)

    broken = tmp_path / "broken"
    new_context(broken).engine.dispose()
    code, _ = search(broken, history, KILL.format(workers=broken / "workers"))
    assert code == -signal.SIGKILL
    workers = [int(text) for text in (broken / "workers").read_text().split()]
    assert len(workers) == 2
    deadline = time.monotonic() + 30
    while any(alive(worker) for worker in workers) and time.monotonic() < deadline:
        time.sleep(0.05)
    left = [worker for worker in workers if alive(worker)]
    for worker in left:
        os.kill(worker, signal.SIGKILL)
    assert left == []
    (folder,) = (broken / "models").iterdir()
    assert folder.name.startswith(PREFIX)
    kept = {path.name for path in folder.glob("*.npz")}
    assert len(kept) == KILLED_AT
    assert len(list(folder.glob("*.unfinished"))) == 1

    code, others = search(broken, history)
    assert code == 0
    assert not kept & set(others)
    assert sorted([*kept, *others]) == sorted(everything)
    assert len(set(everything)) == len(everything)
    assert checksum(broken) == whole
