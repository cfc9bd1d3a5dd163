"""What is said of floors, of looks at held-out rows, and of the code."""

import subprocess
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from cds_service.services.code_version import code_version
from cds_service.services.floors import floor_figures
from cds_service.services.looks import Looks
from cds_service.settings import Settings


def _record(metric: str, category: str | None, value: float | None) -> dict[str, Any]:
    return {"metric": metric, "category": category, "decided": None, "value": value}


RECORDS = [
    _record("recall", "mild", 0.9),
    _record("recall", "acute", 0.35),
    _record("precision", "acute", None),
    _record("auroc", "mild", 0.7),
    _record("auroc", "acute", 0.8),
    _record("auroc", "terminal", None),
]


def test_without_floors_nothing_is_judged() -> None:
    assert floor_figures(Settings(), RECORDS) == ()


def test_figures_are_held_against_their_floors() -> None:
    settings = Settings(floor_acute_sensitivity=0.4, floor_acute_ppv=0.1, floor_macro_auroc=0.75)
    sensitivity, ppv, auroc = floor_figures(settings, RECORDS)
    assert (sensitivity.value, sensitivity.below) == (0.35, True)
    assert str(sensitivity) == "sensitivity for acute 0.350 is below the floor of 0.4"
    assert (ppv.value, ppv.below) == (None, False)
    assert "not enough cases" in str(ppv)
    # The mean of what has a figure; at the floor is not below it.
    assert auroc.value == pytest.approx(0.75)
    assert not auroc.below


@pytest.mark.parametrize(("before", "caution"), [(0, False), (1, False), (9, False), (10, True)])
def test_looks_are_said_with_a_caution_from_ten(before: int, caution: bool) -> None:
    since = datetime(2026, 3, 1, 23, tzinfo=UTC) if before else None
    said = str(Looks(564, before, since))
    times = "1 time " if before == 1 else f"{before} times "
    assert said.startswith(f"This held-out part (564 rows) was looked at {times}before")
    assert ("(since 2026-03-01)" in said) == bool(before)
    assert ("Caution" in said) == caution


def test_the_code_is_told_by_its_commit_or_its_version(tmp_path: Path) -> None:
    assert code_version(tmp_path).startswith("cds-service ")

    def git(*arguments: str) -> str:
        return subprocess.run(
            ["git", "-C", tmp_path, "-c", "user.name=t", "-c", "user.email=t@t", *arguments],
            check=True,
            capture_output=True,
            text=True,
        ).stdout.strip()

    git("init", "-q")
    (tmp_path / "code.py").write_text("")
    git("add", ".")
    git("commit", "-qm", "first")
    commit = git("rev-parse", "HEAD")
    assert code_version(tmp_path) == commit
    (tmp_path / "code.py").write_text("1")
    assert code_version(tmp_path) == f"{commit}+changes"
