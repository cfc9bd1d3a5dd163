"""Kept history: cleaned rows on disk, each content once, and what the database says of them."""

import os
import shutil
from collections.abc import Collection, Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from hashlib import sha256
from pathlib import Path
from typing import Any, Final
from uuid import UUID, uuid4, uuid5

import pandas as pd
from sqlalchemy import Connection

from cds_service.errors import ServiceError
from cds_service.storage.audit_store import AuditStore
from cds_service.storage.model_store import ModelStore
from model.training.cleaning_report import CleaningReport

_NAMES: Final = UUID("6f3c1f0e-6c1b-5c0f-9a55-1b4f4f7f2d11")
"""Namespace of the ids of histories, which follow from their content."""
_STALE_SECONDS: Final = 86_400.0


@dataclass(frozen=True, slots=True)
class WrittenHistory:
    """Cleaned rows that lie on disk and are not recorded yet."""

    id: str
    path: Path
    sha256: str
    rows: int
    label_version: str


def write_history(folder: Path, frame: pd.DataFrame, label_version: str) -> WrittenHistory:
    """Write cleaned rows. The same rows have the same name, so that what a process leaves that is
    killed before it records them is found again, and not left about with patients in it."""
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    temporary = folder / f".{uuid4().hex}.partial"
    try:
        frame.to_parquet(temporary, index=False)
        clear_left(folder.glob(".*.partial"), beside=temporary)
        content = sha256(temporary.read_bytes()).hexdigest()
        identifier = str(uuid5(_NAMES, f"{content}:{label_version}"))
        path = folder / f"{identifier}.parquet"
        os.replace(temporary, path)
    finally:
        temporary.unlink(missing_ok=True)
    return WrittenHistory(identifier, path, content, len(frame), label_version)


def record_history(
    connection: Connection,
    written: WrittenHistory,
    report: CleaningReport,
    *,
    at: datetime,
    actor: str,
) -> str:
    """Record written rows in the caller's transaction, unless they are known; the id they have."""
    store = ModelStore(connection)
    known = store.history_with(written.sha256, written.label_version)
    if known is not None:
        discard_history(written, keep=(str(known["location"]),))
        return str(known["id"])
    store.add_history(
        {
            "id": written.id,
            "sha256": written.sha256,
            "location": str(written.path.resolve()),
            "label_version": written.label_version,
            "rows": written.rows,
            "added_at": at,
            "report": report.to_dict(),
        }
    )
    AuditStore(connection).add(
        at=at,
        actor=actor,
        action="add-history",
        object_type="history",
        object_id=written.id,
        detail={"rows": written.rows, "sha256": written.sha256},
    )
    return written.id


def clear_left(found: Iterable[Path], *, beside: Path) -> None:
    """Delete what processes left that were killed, files or folders: what is a day older than
    `beside`, by the clock of the disk. It may hold patients' rows."""
    newest = beside.stat().st_mtime
    for left in found:
        with suppress(FileNotFoundError):  # By another process that clears up too.
            if newest - left.stat().st_mtime <= _STALE_SECONDS:
                continue
            if left.is_dir():
                shutil.rmtree(left)
            else:
                left.unlink()


def discard_history(written: WrittenHistory, *, keep: Collection[str]) -> None:
    """Delete written rows that were not recorded; `keep` are locations of those that are."""
    if str(written.path.resolve()) not in keep:
        written.path.unlink(missing_ok=True)


def read_kept(row: Mapping[str, Any]) -> pd.DataFrame:
    """The rows of a kept history as they were written. Raises `ServiceError` if they are gone or
    were changed."""
    path = Path(row["location"])
    if not path.is_file() or sha256(path.read_bytes()).hexdigest() != row["sha256"]:
        raise ServiceError(
            "The stored history of the champion is missing or was changed; "
            "train on the original file again."
        )
    return pd.read_parquet(path)
