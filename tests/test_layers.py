"""Imports point one way: model ← fhir_mapping ← hooks ← cds_service (docs/architecture.md)."""

import ast
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
PACKAGES = ("model", "fhir_mapping", "hooks", "cds_service")
CONTRACT = {"model.features", "model.severity"}
"""All that FHIR mapping may know of the model: names, units, ranges and categories."""
HEAVY = ("mlflow", "imblearn", "optuna", "matplotlib", "plotly", "model.training")
"""What a serving process never loads."""


def imports(path: Path) -> Iterator[str]:
    """Every module a file imports, type checking included."""
    for node in ast.walk(ast.parse(path.read_text("utf-8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: relative imports hide the direction"
            yield node.module or ""
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def files(package: str) -> list[Path]:
    found = sorted((ROOT / package).rglob("*.py"))
    assert found
    return found


def ours(name: str) -> str | None:
    top = name.split(".")[0]
    return top if top in PACKAGES else None


@pytest.mark.parametrize("package", PACKAGES)
def test_imports_point_left(package: str) -> None:
    allowed = PACKAGES[: PACKAGES.index(package) + 1]
    for path in files(package):
        for name in imports(path):
            assert ours(name) in (None, *allowed), f"{path} imports {name}"


def test_fhir_mapping_knows_only_the_contract_of_the_model() -> None:
    for path in files("fhir_mapping"):
        for name in imports(path):
            if ours(name) == "model":
                module = ".".join(name.split(".")[:2])
                assert module in CONTRACT, f"{path} imports {name}"


def test_the_root_of_the_model_imports_no_training_or_evaluation() -> None:
    for path in (ROOT / "model").glob("*.py"):
        for name in imports(path):
            assert not name.startswith(("model.training", "model.evaluation")), f"{path}: {name}"


def test_evaluation_imports_no_training() -> None:
    for path in (ROOT / "model" / "evaluation").glob("*.py"):
        for name in imports(path):
            assert not name.startswith("model.training"), f"{path}: {name}"


FHIR_ACCESS = {f"fhir_mapping/{name}.py" for name in ("addresses", "client", "exchange")}
"""The way to FHIR servers, which is all that speaks HTTP below the process."""


@pytest.mark.parametrize("package", ["model", "fhir_mapping", "hooks"])
def test_no_http_sql_or_clock_below_the_process(package: str) -> None:
    banned = {"fastapi", "starlette", "sqlmodel", "sqlalchemy", "httpx", "pydantic_settings"}
    for path in files(package):
        tops = {name.split(".")[0] for name in imports(path)}
        if path.name == "registry.py":
            tops.discard("sqlalchemy")  # Only to catch what MLflow's own store raises.
        if path.relative_to(ROOT).as_posix() in FHIR_ACCESS:
            tops.discard("httpx")
        assert not tops & banned, f"{path} imports {tops & banned}"
        text = path.read_text("utf-8")
        for clock in ("datetime.now", "date.today", "utcnow", "time.time("):
            assert clock not in text, f"{path} reads the clock"


def test_fhir_resources_has_one_importer() -> None:
    importers = {
        path.relative_to(ROOT).as_posix()
        for package in PACKAGES
        for path in files(package)
        if any(name.startswith("fhir.resources") for name in imports(path))
    }
    assert importers == {"fhir_mapping/resources.py"}


def test_stores_own_all_sql_and_services_know_no_routes() -> None:
    for path in files("cds_service"):
        folder = path.relative_to(ROOT / "cds_service").parts[0]
        names = set(imports(path))
        if folder in ("routes", "cli"):
            assert not any(name.startswith(("sqlalchemy", "sqlmodel")) for name in names), path
        if folder in ("services", "storage", "security"):
            assert not any(
                name.startswith(("cds_service.routes", "cds_service.cli", "fastapi"))
                for name in names
            ), path


def test_a_serving_process_loads_nothing_that_trains() -> None:
    code = (
        "import sys; import cds_service.cli.app; import cds_service.cli.serve;"
        f"heavy = [m for m in {HEAVY!r} if m in sys.modules]; sys.exit(' '.join(heavy) or 0)"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
