"""History files that are dropped into a watched location: read, or set aside with a report.

A file is recorded in the transaction that keeps its rows. A run that was killed is repeated by
the next, which finds the same files and comes to the same.
"""

import json
import shutil
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from hashlib import file_digest, sha256
from pathlib import Path
from tempfile import mkdtemp
from typing import Any, Final
from uuid import uuid4

from pydantic import BaseModel, ConfigDict, ValidationError
from sqlalchemy import Connection
from sqlalchemy.exc import SQLAlchemyError

from cds_service.context import ProcessContext
from cds_service.errors import ServiceError
from cds_service.location_urls import location_url
from cds_service.logs import LOGGER
from cds_service.services.alerts import Finding, cause_passed, raise_alert
from cds_service.services.histories import clear_left
from cds_service.services.history_intake import HistoryIntake, RefusedError, Taken, counts_of
from cds_service.services.locations import FoundFile, Location, LocationError
from cds_service.services.training import HistoryFile
from cds_service.storage.audit_store import AuditStore
from cds_service.storage.session import reading
from cds_service.storage.watched_file_store import WatchedFileStore
from model.errors import HistoryError, ModelError

SETTLE_SECONDS: Final = 30.0
"""A file that has changed within this time may be half of one."""
MAPPING: Final = ".columns.json"
"""Ending of the file that says what another file calls its columns."""
FOR_ALL: Final = "columns.json"
"""The same for every file of the location that has none of its own."""
REPORT: Final = ".report.json"
ASIDE: Final = "set-aside"
KIND: Final = "history_set_aside"
READ, KNOWN, SET_ASIDE = "read", "known", "set_aside"
_ON_ITS_WAY: Final = (".partial", ".part", ".tmp", ".crdownload", ".filepart", "~")
_MAX_MAPPING: Final = 100_000
"""Bytes; a mapping has some hundred."""


class Mapped(BaseModel):
    """What stands in a mapping file; each means what the option of `train` does."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)

    columns: dict[str, str] = {}
    time_column: str | None = None
    timezone: str | None = None
    source: str | None = None
    label_version: str | None = None


@dataclass(frozen=True, slots=True)
class _Waiting:
    """A file that was found, with its mapping."""

    file: FoundFile
    mapping: FoundFile | None

    @property
    def seen(self) -> list[list[Any]]:
        """How both stood: whoever changes one has the file read again."""
        return [[one.name, one.size, one.changed] for one in (self.file, self.mapping) if one]


class _BadMappingError(HistoryError):
    """The mapping file cannot be used."""


class HistoryWatchService:
    """Takes what is new in CDS_HISTORY_WATCH_URL."""

    def __init__(
        self, context: ProcessContext, *, wait: Callable[[float], object] = time.sleep
    ) -> None:
        self._context = context
        self._wait = wait
        self._intake = HistoryIntake(context)

    def run(self, *, actor: str) -> str:
        """Read every file that is new and does not change any more.

        Raises `ServiceError` if the location is not set or cannot be listed.
        """
        location = self._location()
        done: Counter[str] = Counter()
        waiting = self._new(location, done)
        if waiting:
            self._wait(SETTLE_SECONDS)
            settled = {one.file.name: one for one in self._new(location, Counter())}
            with self._folder() as folder:
                for one in waiting:
                    if settled.get(one.file.name) == one:
                        done += self._take(location, one, folder, actor=actor)
                    else:
                        done["still changing"] += 1
        words = ", ".join(f"{count} {what}" for what, count in done.items() if count)
        return f"Watched history: {words}." if words else "Watched history: nothing new."

    def files(self) -> list[dict[str, Any]]:
        """Every file that was found so far, oldest first."""
        with reading(self._context.engine) as connection:
            return WatchedFileStore(connection).all()

    def _location(self) -> Location:
        settings = self._context.settings
        if settings.history_watch_url is None:
            raise ServiceError("Say where history is dropped: set CDS_HISTORY_WATCH_URL.")
        url = location_url(settings.history_watch_url, development=settings.development)
        return Location.open(url, settings.history_watch_storage_options)

    def _new(self, location: Location, done: Counter[str]) -> list[_Waiting]:
        """Files that were not read as they stand; what was set aside before is moved, if it lies
        here still."""
        newest = {row["name"]: row for row in self.files()}
        listed = {one.name: one for one in location.listed()}
        found = []
        for name, file in listed.items():
            if not _is_history(name):
                continue
            mapping = listed.get(name + MAPPING) or listed.get(FOR_ALL)
            one = _Waiting(file, mapping)
            row = newest.get(name)
            if row is None or row["report"].get("seen") != one.seen:
                found.append(one)
            elif row["state"] == SET_ASIDE and _move(location, name, row["sha256"]):
                done["moved aside"] += 1
        return found

    @contextmanager
    def _folder(self) -> Iterator[Path]:
        """Where files are copied to, which are as sensitive as the kept rows."""
        root = self._context.settings.data_dir / "history" / ".incoming"
        root.mkdir(mode=0o700, parents=True, exist_ok=True)
        folder = Path(mkdtemp(dir=root))
        clear_left(root.iterdir(), beside=folder)
        try:
            yield folder
        finally:
            shutil.rmtree(folder, ignore_errors=True)

    def _take(self, location: Location, one: _Waiting, folder: Path, *, actor: str) -> Counter[str]:
        """Read one file, or set it aside; the words of the sentence."""
        path = folder / one.file.name
        try:
            location.fetch(one.file.name, path)
            mapping = _fetched(location, one.mapping, folder)
        except LocationError as error:
            LOGGER.warning("history not fetched", extra={"why": str(error)})
            return Counter({"could not be fetched": 1})
        with path.open("rb") as file:
            content = file_digest(file, "sha256").hexdigest()
        try:
            return self._read(one, path, content, mapping, actor=actor)
        except HistoryError as error:
            return self._set_aside(location, one, content, error, actor=actor)
        except (ServiceError, ModelError, SQLAlchemyError, OSError):
            raise  # Nothing that the file is to blame for.
        except Exception as error:
            # A file that breaks the reader must not keep others from being read.
            return self._set_aside(location, one, content, error, actor=actor)
        finally:
            path.unlink(missing_ok=True)

    def _read(
        self, one: _Waiting, path: Path, content: str, mapping: bytes | None, *, actor: str
    ) -> Counter[str]:
        mapped = _mapped(mapping)
        label_version = mapped.label_version or self._context.terminology.label_version
        # The same content read in the same way comes to the same.
        read_as = sha256(b"\0".join([mapping or b"", label_version.encode()])).hexdigest()
        report: dict[str, Any] = {"seen": one.seen, "read_as": read_as}
        with reading(self._context.engine) as connection:
            before = WatchedFileStore(connection).with_content(content)
        same = [
            row
            for row in before
            if row["report"].get("read_as") == read_as and row["state"] != SET_ASIDE
        ]
        if same:
            with self._context.engine.begin() as connection:
                row = self._row(one, content, KNOWN, report, history_id=same[0]["history_id"])
                WatchedFileStore(connection).add(row)
                self._good(connection, one)
            return Counter({"known already": 1})
        history = HistoryFile(
            path,
            columns=mapped.columns,
            time_column=mapped.time_column,
            timezone=mapped.timezone or self._context.settings.time_zone,
            source=mapped.source,
            label_version=mapped.label_version,
        )

        def record(connection: Connection, taken: Taken) -> None:
            state = READ if taken.rows else KNOWN
            row = self._row(
                one, content, state, report | dict(counts_of(taken)), history_id=taken.history_id
            )
            WatchedFileStore(connection).add(row)
            self._good(connection, one)
            AuditStore(connection).add(
                at=row["seen_at"],
                actor=actor,
                action="watched-history",
                object_type="watched_file",
                object_id=row["id"],
                detail={"state": state, **counts_of(taken)},
            )

        taken = self._intake.take(history, actor=actor, record=record)
        LOGGER.info("history read", extra=dict(counts_of(taken)))
        if not taken.rows:
            return Counter({"known already": 1})
        return Counter({"read": 1, "rows kept": taken.rows, "rows known already": taken.known})

    def _set_aside(
        self,
        location: Location,
        one: _Waiting,
        content: str,
        error: Exception,
        *,
        actor: str,
    ) -> Counter[str]:
        """Report first, then the alert, then the move: whatever is missing the next run does."""
        kind = type(error).__name__
        told = {
            "file": one.file.name,
            "sha256": content,
            # May repeat the header of the file, so it goes nowhere but beside it.
            "reason": str(error) if isinstance(error, HistoryError) else f"A fault: {kind}.",
            "cleaning": error.report.to_dict() if isinstance(error, RefusedError) else None,
        }
        written = _report(location, one.file.name, told)
        word = _WHY.get(kind, "fault")
        report = {"seen": one.seen, "why": word, "report_written": written}
        row = self._row(one, content, SET_ASIDE, report)
        with self._context.engine.begin() as connection:
            WatchedFileStore(connection).add(row)
            raise_alert(
                connection,
                Finding(
                    kind=KIND,
                    key=_key(one.file.name),
                    severity="warning",
                    # Without the name, which people choose, and without what stands in the file.
                    message=(
                        "A history file in the watched location was not taken: "
                        f"{_WORDS[word]}. Its report lies in {ASIDE}/ there; "
                        "cds-service ingest history --list names it."
                    ),
                    detail={"file": row["id"][:8], "why": word, "report_written": written},
                ),
                at=row["seen_at"],
            )
            AuditStore(connection).add(
                at=row["seen_at"],
                actor=actor,
                action="set-aside-history",
                object_type="watched_file",
                object_id=row["id"],
                detail={"why": word},
            )
        LOGGER.warning("history set aside", extra={"file": row["id"], "why": word, "fault": kind})
        _move(location, one.file.name, content)
        return Counter({"set aside": 1})

    def _row(
        self,
        one: _Waiting,
        content: str,
        state: str,
        report: Mapping[str, Any],
        *,
        history_id: str | None = None,
    ) -> dict[str, Any]:
        return {
            "id": str(uuid4()),
            "name": one.file.name,
            "sha256": content,
            "seen_at": self._context.clock(),
            "state": state,
            "history_id": history_id,
            "report": dict(report),
        }

    def _good(self, connection: Connection, one: _Waiting) -> None:
        at = self._context.clock()
        resolution = "A file of the same name was read."
        cause_passed(connection, _key(one.file.name), at=at, resolution=resolution)


_WHY: Final = {
    "HistoryError": "not_readable",
    "RefusedError": "too_much_wrong",
    "_BadMappingError": "bad_mapping",
}
_WORDS: Final = {
    "not_readable": "it cannot be read as history",
    "too_much_wrong": "more than half of it is wrong",
    "bad_mapping": "its mapping file cannot be used",
    "fault": "reading it failed",
}


def _is_history(name: str) -> bool:
    """Whether a file is meant to be read: not hidden, on its way, a mapping or a report."""
    lowered = name.lower()
    if name.startswith((".", "_")) or lowered.endswith(_ON_ITS_WAY):
        return False
    return lowered != FOR_ALL and not lowered.endswith((MAPPING, REPORT))


def _fetched(location: Location, mapping: FoundFile | None, folder: Path) -> bytes | None:
    if mapping is None:
        return None
    if mapping.size > _MAX_MAPPING:
        return b""  # Which is no JSON.
    path = folder / f"{uuid4().hex}.mapping"
    location.fetch(mapping.name, path)
    return path.read_bytes()


def _mapped(mapping: bytes | None) -> Mapped:
    if mapping is None:
        return Mapped()
    try:
        return Mapped.model_validate_json(mapping)
    except ValidationError as error:
        places = sorted({".".join(map(str, issue["loc"])) or "file" for issue in error.errors()})
        raise _BadMappingError(f"The mapping file is wrong at: {', '.join(places)}.") from None


def _key(name: str) -> str:
    """Key of the alert about a file; a name is what people choose, so it is hashed."""
    return f"{KIND}:{sha256(name.encode()).hexdigest()[:12]}"


def _report(location: Location, name: str, told: Mapping[str, Any]) -> bool:
    """Write the report beside where the file will lie; `False` where nothing can be written."""
    data = json.dumps(told, indent=2, ensure_ascii=False, default=str).encode()
    try:
        location.write(f"{ASIDE}/{name}{REPORT}", data)
    except LocationError:
        return False
    return True


def _move(location: Location, name: str, content: str) -> bool:
    """Move a file aside; `False` where that cannot be done."""
    try:
        taken = {one.name for one in location.below(ASIDE).listed()}
        location.move(name, f"{ASIDE}/{content[:8]}-{name}" if name in taken else f"{ASIDE}/{name}")
    except LocationError:
        return False
    return True
