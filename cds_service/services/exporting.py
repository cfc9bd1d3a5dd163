"""Export of a version to ONNX, compared with the version on real rows before it is written."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import Any

import pandas as pd
from sqlalchemy import Engine

from cds_service.context import Clock
from cds_service.errors import NotFoundError, ServiceError
from cds_service.services.model_cards import CHAMPION
from cds_service.storage.audit_store import AuditStore
from cds_service.storage.model_store import ModelStore
from cds_service.storage.session import reading
from model.artefact import Artefact, load
from model.features import FloatArray
from model.scorer import frame_matrix
from model.training.cleaning import clean_history
from model.training.fitting import select
from model.training.history import read_history
from model.training.onnx_export import Exported, export, require_packages, write
from model.training.simulation import simulate_cohort

Progress = Callable[[str, float], None]
SIMULATED_ROWS, SIMULATED_SEED = 5_000, 20_261
"""Of the rows a simulated model is compared on; not those it was trained on."""


@dataclass(frozen=True, slots=True)
class ExportReport:
    """What was written, and how well it agrees."""

    version: str
    onnx: Path
    details: Path
    rows: int
    largest_difference: float
    compared_on: str
    """Where the rows come from, in words."""


@dataclass(frozen=True, slots=True)
class RowsFile:
    """A file of rows to compare on, and how its columns are to be read."""

    path: Path
    columns: Mapping[str, str]
    time_column: str | None = None
    timezone: str | None = None


class ExportService:
    """Writes a version as ONNX. Needs neither the registry nor the version to be in use."""

    def __init__(self, engine: Engine, clock: Clock) -> None:
        self._engine = engine
        self._clock = clock

    def export(
        self, version: str, target: Path, *, actor: str, rows: RowsFile | None, progress: Progress
    ) -> ExportReport:
        """Export `version` (or `champion`) to `target`, with a JSON file beside it.

        Compared on `rows`, else on the history that was kept with the version, else, for a
        simulated model, on simulated rows. Raises `NotFoundError`, `ArtefactError` for damaged
        files, `ExportError`, `HistoryError` for a file that cannot be read, and `ServiceError`
        where there is nothing to compare on or the files cannot be written.
        """
        require_packages()
        with reading(self._engine) as connection:
            store = ModelStore(connection)
            row = store.champion() if version == CHAMPION else store.version(version)
            history = None
            if row is not None and row["history_id"] is not None:
                history = store.history(row["history_id"])
        if row is None:
            raise NotFoundError("There is no such model version.")
        progress("reading the model", 0.0)
        folder = Path(row["location"])
        artefact, checksum = load(folder, row["checksum"])
        progress("reading rows", 0.1)
        frame, source = _frame(artefact, rows, history)
        matrix: FloatArray = select(frame_matrix(frame), artefact.columns)
        progress("exporting and comparing", 0.3)
        found = export(artefact, folder, version=row["version"], checksum=checksum, matrix=matrix)
        progress("writing", 0.95)
        details = _write(found, target)
        with self._engine.begin() as connection:
            AuditStore(connection).add(
                at=self._clock(),
                actor=actor,
                action="export-model",
                object_type="model",
                object_id=row["version"],
                detail={"onnx_sha256": found.details["onnx_sha256"]},
            )
        return ExportReport(
            row["version"], target, details, found.rows, found.largest_difference, source
        )


def _frame(
    artefact: Artefact, rows: RowsFile | None, history: dict[str, Any] | None
) -> tuple[pd.DataFrame, str]:
    """Rows to compare on, and where they come from."""
    if rows is not None:
        raw = read_history(
            rows.path,
            column_map=rows.columns,
            time_column=rows.time_column,
            timezone=rows.timezone,
            require_severity=False,
        )
        ages = artefact.attributes["min_age"], artefact.attributes["max_age"]
        cleaned = clean_history(raw, min_age=ages[0], max_age=ages[1], require_severity=False)
        return cleaned.frame, f"rows of {rows.path.name}"
    if history is not None:
        path = Path(history["location"])
        if not path.is_file() or sha256(path.read_bytes()).hexdigest() != history["sha256"]:
            raise ServiceError(
                "The history kept with this version is missing or was changed; name a file of rows "
                "with --rows."
            )
        return pd.read_parquet(path), "the history it was trained on"
    if artefact.attributes["simulated"]:
        return simulate_cohort(SIMULATED_ROWS, SIMULATED_SEED), "simulated rows"
    raise ServiceError("No history is kept with this version: name a file of rows with --rows.")


def _write(found: Exported, target: Path) -> Path:
    try:
        return write(found, target)
    except OSError as error:
        raise ServiceError(f"{target} cannot be written ({error.strerror or error}).") from None
