"""Commands as the console script runs them, in this process, and quick to train."""

import os
import sys
from contextlib import redirect_stderr, redirect_stdout
from dataclasses import dataclass
from functools import partial
from io import StringIO
from pathlib import Path

import pytest

from cds_service.__main__ import main
from model.training.design import TrainingSettings
from tests.support.cohorts import small_cohort

QUICK = partial(
    TrainingSettings,
    estimators=("logistic",),
    balancings=("none",),
    folds=2,
    bootstrap_replicates=20,
    threads=1,
)
MAPPED = {
    "age": "EDAD",
    "heart_rate": "HR",
    "body_temperature": "TEMP",
    "systolic_bp": "SBP",
    "diastolic_bp": "DBP",
    "severity": "LABEL",
}
COLUMNS = [part for name, column in MAPPED.items() for part in ("--column", f"{name}={column}")]


@dataclass(frozen=True)
class Ran:
    """What a command came to."""

    code: int
    out: str
    err: str

    def sentence(self, code: int = 1) -> str:
        """The error, which must be one sentence and no traceback."""
        assert self.code == code, self.out + self.err
        assert "Traceback" not in self.err + self.out
        last = self.err.rstrip("\n").rsplit("\n", 1)[-1]
        assert last.startswith("cds-service: "), self.err
        return last


def run(folder: Path, *arguments: object, **environment: str) -> Ran:
    """One command on the data folder `folder`, in this process."""
    out, err, code = StringIO(), StringIO(), 0
    with pytest.MonkeyPatch.context() as patch, redirect_stdout(out), redirect_stderr(err):
        for name in [name for name in os.environ if name.startswith("CDS_")]:
            patch.delenv(name)
        variables = {"CDS_DATA_DIR": str(folder), "CDS_DEVELOPMENT": "true", "COLUMNS": "200"}
        for name, value in (variables | environment).items():
            patch.setenv(name, value)
        patch.setattr(sys, "argv", ["cds-service", *map(str, arguments)])
        for place in (
            "model.training.design",
            "cds_service.services.training",
            "cds_service.services.retraining",
        ):
            patch.setattr(f"{place}.TrainingSettings", QUICK)
        patch.setattr("cds_service.services.training.STARTER_ROWS", 2_000)
        try:
            main()
        except SystemExit as exit_:
            code = exit_.code if isinstance(exit_.code, int) else 1
    return Ran(code, out.getvalue(), err.getvalue())


def done(folder: Path, *arguments: object, **environment: str) -> str:
    """What a command that must succeed printed."""
    ran = run(folder, *arguments, **environment)
    assert ran.code == 0, ran.err
    return ran.out


def history(path: Path, rows: int = 1_200, *, categories: int = 5, seed: int = 3) -> Path:
    """A history file as a Spanish hospital may write it."""
    frame = small_cohort(rows, seed, categories=categories).rename(columns=MAPPED)
    frame.to_csv(path, sep=";", decimal=",", index=False)
    return path
