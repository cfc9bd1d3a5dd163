"""How exports and watched history stand, for people; nothing is exported or read here.

A serving process loads nothing that reads or writes Parquet, so this asks the tables alone.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from cds_service.context import ProcessContext
from cds_service.location_urls import location_url
from cds_service.storage.export_store import ExportStore
from cds_service.storage.job_store import JobStore
from cds_service.storage.session import reading
from cds_service.storage.watched_file_store import WatchedFileStore


@dataclass(frozen=True, slots=True)
class Standing:
    """Where files go to or come from, and how the last run ended."""

    location: str | None
    """Without credentials; `None` if none is set up."""
    job: Mapping[str, Any] | None
    """The row of the schedule's job, if there is one."""


class ExportDesk:
    """Reads what `export` and `ingest history --watched` left."""

    def __init__(self, context: ProcessContext) -> None:
        self._context = context

    def exports(self) -> tuple[Standing, Sequence[dict[str, Any]]]:
        """Where to, and how many files and rows there are by location, set and state."""
        with reading(self._context.engine) as connection:
            job = JobStore(connection).all().get("export")
            sets = ExportStore(connection).standing()
        return Standing(self._url(self._context.settings.export_url), job), sets

    def files(self, *, limit: int, offset: int) -> Sequence[dict[str, Any]]:
        """Some files of all locations, the newest first."""
        with reading(self._context.engine) as connection:
            return ExportStore(connection).newest(limit=limit, offset=offset)

    def history(self) -> tuple[Standing, Mapping[str, int]]:
        """Where from, and how many files there are of each state."""
        with reading(self._context.engine) as connection:
            job = JobStore(connection).all().get("history")
            counts = WatchedFileStore(connection).counts()
        return Standing(self._url(self._context.settings.history_watch_url), job), counts

    def watched(self, *, limit: int, offset: int) -> Sequence[dict[str, Any]]:
        """Some files that were found, the newest first."""
        with reading(self._context.engine) as connection:
            return WatchedFileStore(connection).newest(limit=limit, offset=offset)

    def _url(self, text: str | None) -> str | None:
        # The settings refuse what is no location, and one with credentials.
        development = self._context.settings.development
        return None if text is None else location_url(text, development=development)
