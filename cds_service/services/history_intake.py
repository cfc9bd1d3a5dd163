"""A history file becomes rows to learn from later: read, checked, without what is known already."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from sqlalchemy import Connection

from cds_service.context import ProcessContext
from cds_service.errors import ServiceError
from cds_service.logs import LOGGER
from cds_service.services.histories import (
    discard_history,
    read_kept,
    record_history,
    write_history,
)
from cds_service.services.models import ModelService
from cds_service.services.training import HistoryFile
from cds_service.storage.model_store import ModelStore
from cds_service.storage.session import reading
from cds_service.storage.watched_file_store import WatchedFileStore
from model.errors import HistoryError
from model.training.cleaning import clean_history
from model.training.cleaning_report import CleaningReport
from model.training.fingerprints import content_sha256, row_digests
from model.training.history import read_history

MOST_DROPPED: Final = 0.5
"""Share of rows read above which a file is refused: something is wrong with all of it."""
_HARMLESS: Final = ("duplicate", "out_of_population")
"""Reasons for dropping that say nothing against a file."""


class RefusedError(HistoryError):
    """A file that can be read, and must not be learnt from. `report` says what cleaning found."""

    def __init__(self, message: str, report: CleaningReport) -> None:
        super().__init__(message)
        self.report = report


@dataclass(frozen=True, slots=True)
class Taken:
    """What became of a file."""

    history_id: str | None
    """`None` where all its rows were known."""
    rows: int
    """That are kept."""
    known: int
    """Rows that an earlier file has: same patient, time and inputs. They are left out."""
    otherwise: int
    """Of these, rows to which the earlier file gives another category, which stays."""
    report: CleaningReport


@dataclass(frozen=True, slots=True)
class _Known:
    """What kept histories of one version of the rules hold."""

    ids: frozenset[str]
    rows: frozenset[bytes]
    with_category: frozenset[bytes]
    contents: frozenset[str]
    """Of whole histories, whatever their file was called."""


class HistoryIntake:
    """Takes history files without training on them."""

    def __init__(self, context: ProcessContext) -> None:
        self._context = context

    def take(
        self,
        history: HistoryFile,
        *,
        actor: str,
        record: Callable[[Connection, Taken], None] = lambda _connection, _taken: None,
    ) -> Taken:
        """Read, clean and check a file, and keep the rows that are new.

        `record` runs in the transaction that keeps them. Raises `HistoryError`, in words for who
        brought the file; they may repeat the header of the file. Raises `RefusedError` for one
        of which too much had to be dropped or stands in another unit.
        """
        raw = read_history(
            history.path,
            column_map=history.columns,
            time_column=history.time_column,
            timezone=history.timezone,
            source=history.source,
        )
        min_age, max_age = self._population()
        cleaned = clean_history(raw, min_age=min_age, max_age=max_age)
        _check(cleaned.report)
        label_version = history.label_version or self._context.terminology.label_version
        digests = row_digests(cleaned.frame)
        with_category = row_digests(cleaned.frame, with_category=True)
        while True:
            known = self._known(label_version)
            repeated = np.asarray([digest in known.rows for digest in digests], dtype=np.bool_)
            if _content(cleaned.frame) in known.contents:
                repeated[:] = True
            otherwise = repeated & _not_in(with_category, known.with_category)
            new = cleaned.frame[~repeated].reset_index(drop=True)
            folder = self._context.settings.data_dir / "history"
            written = write_history(folder, new, label_version) if len(new) else None
            with self._context.engine.begin() as connection:
                WatchedFileStore(connection).lock()
                if _ids(connection, label_version) == known.ids:
                    at, history_id = self._context.clock(), None
                    if written is not None:
                        history_id = record_history(
                            connection, written, cleaned.report, at=at, actor=actor
                        )
                    taken = Taken(
                        history_id,
                        len(new),
                        int(repeated.sum()),
                        int(otherwise.sum()),
                        cleaned.report,
                    )
                    record(connection, taken)
                    return taken
                locations = [str(row["location"]) for row in ModelStore(connection).histories()]
            # Another process kept a history meanwhile, which may hold some of these rows.
            if written is not None:
                discard_history(written, keep=locations)

    def _population(self) -> tuple[float, float]:
        """The ages of the live model, so that what it learnt from is kept (C1)."""
        with reading(self._context.engine) as connection:
            champion = ModelStore(connection).champion()
        if champion is None:
            return 18.0, 110.0
        facts = ModelService.load(champion).facts
        return facts.min_age, facts.max_age

    def _known(self, label_version: str) -> _Known:
        with reading(self._context.engine) as connection:
            histories = [
                row
                for row in ModelStore(connection).histories()
                if row["label_version"] == label_version  # C17: versions are not pooled.
            ]
        rows: set[bytes] = set()
        with_category: set[bytes] = set()
        contents = set()
        for row in histories:
            try:
                frame = read_kept(row)
            except ServiceError:
                # Whoever learns from it is told; new rows are not refused for it.
                LOGGER.warning("history not compared", extra={"history": row["id"]})
                continue
            rows.update(digest for digest in row_digests(frame) if digest is not None)
            with_category.update(row_digests(frame, with_category=True))
            contents.add(_content(frame))
        return _Known(
            frozenset(row["id"] for row in histories),
            frozenset(rows),
            frozenset(with_category),
            frozenset(contents),
        )


def _ids(connection: Connection, label_version: str) -> frozenset[str]:
    return frozenset(
        row["id"]
        for row in ModelStore(connection).histories()
        if row["label_version"] == label_version
    )


def _content(frame: pd.DataFrame) -> str:
    """Hash of what the rows say, but for the name of their source, which may be the file's."""
    return content_sha256(frame.drop(columns="source", errors="ignore"))


def _not_in(digests: NDArray[np.object_], known: frozenset[bytes]) -> NDArray[np.bool_]:
    return np.asarray([digest not in known for digest in digests], dtype=np.bool_)


def _check(report: CleaningReport) -> None:
    """Raise `RefusedError` for a file that is wrong as a whole."""
    dropped = report.count("dropped") - sum(
        report.count("dropped", reason=reason) for reason in _HARMLESS
    )
    if dropped > MOST_DROPPED * report.rows_read:
        raise RefusedError(
            f"{dropped:,} of {report.rows_read:,} rows had to be dropped: see the findings.", report
        )
    for finding in report.findings:
        if finding.reason.startswith("looks_like_") and (
            len(finding.rows) > MOST_DROPPED * report.rows_kept
        ):
            raise RefusedError(
                f"The column {finding.column} stands in another unit: see the findings.", report
            )


def counts_of(taken: Taken) -> Mapping[str, Any]:
    """Counts of a file that was taken, for the database and the log."""
    return {
        "rows_read": taken.report.rows_read,
        "rows_kept": taken.rows,
        "rows_known": taken.known,
        "rows_known_otherwise": taken.otherwise,
    }
