"""Behaviour taken out, one requirement at a time: its tests must notice.

`python -m tests.spec.mutants [R20 …]` (`make mutants`) copies the project, makes one change of
`MUTANTS` to the copy, runs the tests marked with the requirement, and fails if they still pass.
"""

import shutil
import subprocess
import sys
import tempfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from tests.spec.mutant import Mutant
from tests.spec.mutants_answers import ANSWERS
from tests.spec.mutants_requests import REQUESTS
from tests.spec.requirements import BINDING, REQUIREMENTS, shown_by

ROOT = Path(__file__).resolve().parents[2]
COPIED = ("model", "fhir_mapping", "hooks", "cds_service", "tests", "docs", "pyproject.toml")
TEST_FAILED = 1
"""Exit code of pytest where tests ran and failed; 2 and more mean that they did not run."""


MUTANTS: tuple[Mutant, ...] = (*REQUESTS, *ANSWERS)


def survives(mutant: Mutant, names: list[str]) -> str | None:
    """Why the mutant was not caught, or `None` if it was."""
    with tempfile.TemporaryDirectory() as folder:
        copy = Path(folder)
        _copy(copy)
        file = copy / mutant.path
        text = file.read_text("utf-8")
        if text.count(mutant.old) != 1:
            return f"the text to change is {text.count(mutant.old)} times in {mutant.path}"
        file.write_text(text.replace(mutant.old, mutant.new), "utf-8")
        code, last = _test(copy, names)
    return None if code == TEST_FAILED else f"pytest ended with {code}: {last}"


def _copy(folder: Path) -> None:
    for name in COPIED:
        if (ROOT / name).is_dir():
            ignored = shutil.ignore_patterns("__pycache__")
            shutil.copytree(ROOT / name, folder / name, ignore=ignored)
        else:
            shutil.copy(ROOT / name, folder / name)


def _test(folder: Path, names: list[str]) -> tuple[int, str]:
    run = subprocess.run(  # our own tests
        [sys.executable, "-m", "pytest", "-q", "-x", "-p", "no:cacheprovider", *names],
        cwd=folder,
        capture_output=True,
        text=True,
        check=False,
    )
    return run.returncode, "".join(run.stdout.splitlines()[-1:])


def main(wanted: list[str]) -> int:
    """Try the mutants; the number that was not caught, and requirements without one."""
    found = shown_by()
    chosen = [m for m in MUTANTS if not wanted or f"R{m.number}" in wanted]
    with tempfile.TemporaryDirectory() as folder:
        # What fails unchanged would prove nothing.
        _copy(Path(folder))
        code, last = _test(Path(folder), sorted({n for m in chosen for n in found[m.number]}))
    if code != 0:
        sys.stdout.write(f"the tests fail without any change: {last}\n")
        return 1
    missed = 0
    with ThreadPoolExecutor(2) as pool:
        verdicts = pool.map(lambda m: survives(m, found.get(m.number, [])), chosen)
        for mutant, verdict in zip(chosen, verdicts, strict=True):
            missed += verdict is not None
            sys.stdout.write(f"R{mutant.number:<3} {mutant.path}: {verdict or 'noticed'}\n")
            sys.stdout.flush()
    if not wanted:
        have = {mutant.number for mutant in MUTANTS}
        for row in REQUIREMENTS:
            if row.level in BINDING and row.number not in have:
                missed += 1
                sys.stdout.write(f"R{row.number:<3} has no mutant\n")
    return missed


if __name__ == "__main__":
    sys.exit(bool(main(sys.argv[1:])))
