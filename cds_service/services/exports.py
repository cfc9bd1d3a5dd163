"""Assessments, outcomes and reports as Parquet in a folder or a bucket, each row exactly once.

Which rows a file holds is committed before it is written, and the name follows from the rows: a
run that was killed is finished by the next with the same name and the same content.
"""

from collections import Counter
from datetime import UTC, date, datetime, timedelta
from hashlib import sha256
from itertools import groupby
from typing import Any, Final
from uuid import uuid4

from cds_service.context import ProcessContext
from cds_service.errors import ServiceError
from cds_service.location_urls import location_url
from cds_service.logs import LOGGER
from cds_service.security.pseudonyms import Pseudonyms, export_key
from cds_service.services.export_rows import RowWriter
from cds_service.services.locations import Location
from cds_service.settings import Settings, read_secret_keys
from cds_service.storage.audit_store import AuditStore
from cds_service.storage.export_store import DATASETS, PLANNED, ExportStore
from cds_service.storage.session import reading

PART_ROWS: Final = 20_000
"""Rows of one file; they are in memory at once."""
SETTLING: Final = timedelta(hours=1)
"""How long after its end a day waits for what was under way at midnight. What is later still goes
into a further part."""


class ExportService:
    """Writes what is in no file yet, and knows which file each row is in."""

    def __init__(self, context: ProcessContext) -> None:
        self._context = context

    def run(self, *, actor: str, to: str | None = None, day: date | None = None) -> str:
        """Export all days that have ended, or one, to CDS_EXPORT_URL or elsewhere.

        Days are those of UTC. Raises `ServiceError` where there is no location, it cannot be
        written, or the day has not ended.
        """
        until = _start(self._context.clock() - SETTLING)
        since = None
        if day is not None:
            since = datetime(day.year, day.month, day.day, tzinfo=UTC)
            if since >= until:
                raise ServiceError(f"{day} has not been over for an hour (UTC).")
            until = since + timedelta(days=1)
        target = self._target(to)
        location = Location.open(target, self._context.settings.export_storage_options)
        writer = RowWriter(self._context.secrecy, _pseudonyms(self._context.settings))
        done: Counter[str] = Counter()
        for part in self._planned(target):  # What an earlier run left.
            done += self._write(location, writer, part, actor=actor)
        for dataset in DATASETS:
            start = since
            while missing := self._missing(target, dataset, start, until):
                for part in self._plan(target, dataset, missing):
                    done += self._write(location, writer, part, actor=actor)
                start = missing[-1][1]  # What is older is in files now, and not looked through.
        if not done:
            return "Everything is exported already."
        rows = ", ".join(f"{done[name]} {name}" for name in DATASETS if done[name])
        return f"{done['parts']} files written: {rows or 'no row is left of what was planned'}."

    def parts(self, to: str | None = None) -> list[dict[str, Any]]:
        """The files of a location, by dataset and day. Raises `ServiceError`."""
        with reading(self._context.engine) as connection:
            return ExportStore(connection).parts(self._target(to))

    def _target(self, to: str | None) -> str:
        if to is None:
            to = self._context.settings.export_url
        if to is None:
            raise ServiceError("Say where to with --to, or set CDS_EXPORT_URL.")
        try:
            return location_url(to, development=self._context.settings.development)
        except ValueError as error:
            raise ServiceError(f"The location {error}.") from None

    def _planned(self, target: str) -> list[dict[str, Any]]:
        with reading(self._context.engine) as connection:
            return ExportStore(connection).parts(target, PLANNED)

    def _missing(
        self, target: str, dataset: str, since: datetime | None, until: datetime
    ) -> list[tuple[str, datetime]]:
        with reading(self._context.engine) as connection:
            return ExportStore(connection).missing(
                target, dataset, since=since, until=until, limit=PART_ROWS
            )

    def _plan(
        self, target: str, dataset: str, missing: list[tuple[str, datetime]]
    ) -> list[dict[str, Any]]:
        """Commit which rows the next files hold, one a day."""
        parts = []
        with self._context.engine.begin() as connection:
            store = ExportStore(connection)
            store.lock()
            taken = store.taken(target, dataset, [row_id for row_id, _ in missing])
            for day, rows in groupby(missing, key=lambda row: _start(row[1]).date()):
                row_ids = [row_id for row_id, _ in rows if row_id not in taken]
                if row_ids:
                    part = self._part(target, dataset, day, row_ids)
                    store.plan(part, row_ids)
                    parts.append(part)
        # Without what another process planned meanwhile, and writes.
        return parts

    def _part(self, target: str, dataset: str, day: date, row_ids: list[str]) -> dict[str, Any]:
        of_rows = sha256("\n".join(sorted(row_ids)).encode()).hexdigest()[:16]
        return {
            "id": str(uuid4()),
            "target": target,
            "dataset": dataset,
            "day": day.isoformat(),
            "name": f"dataset={dataset}/day={day.isoformat()}/part-{of_rows}.parquet",
            "rows": len(row_ids),
            "sha256": "",
            "state": PLANNED,
            "at": self._context.clock(),
        }

    def _write(
        self, location: Location, writer: RowWriter, part: dict[str, Any], *, actor: str
    ) -> Counter[str]:
        """Write a file, then record that it is there."""
        with reading(self._context.engine) as connection:
            rows = ExportStore(connection).rows(part)
        data = writer.parquet(part["dataset"], rows)
        location.write(part["name"], data)
        content, at = sha256(data).hexdigest(), self._context.clock()
        with self._context.engine.begin() as connection:
            if not ExportStore(connection).written(
                part["id"], rows=len(rows), sha256=content, at=at
            ):
                return Counter()  # Another process wrote the same.
            AuditStore(connection).add(
                at=at,
                actor=actor,
                action="export",
                object_type="export",
                object_id=part["id"],
                detail={"target": location.url, "name": part["name"], "rows": len(rows)},
            )
        LOGGER.info("exported", extra={"part": part["name"], "rows": len(rows)})
        return Counter({"parts": 1, part["dataset"]: len(rows)})


def _start(at: datetime) -> datetime:
    """Start of the day of a time, in UTC."""
    return at.astimezone(UTC).replace(hour=0, minute=0, second=0, microsecond=0)


def _pseudonyms(settings: Settings) -> Pseudonyms:
    if settings.export_key is not None:
        return Pseudonyms(export_key(settings.export_key.get_secret_value()))
    return Pseudonyms.derived(read_secret_keys(settings))
