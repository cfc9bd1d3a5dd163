"""Calls are counted by hour, client, service, status and how long they took.

Each process counts in memory and adds what it has to the database every few seconds, beside the
calls and not in them. A process that is killed loses the counts of those seconds and nothing else.
"""

import threading
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from cds_service.context import ProcessContext
from cds_service.logs import LOGGER
from cds_service.services.latency import bucket_of
from cds_service.storage.call_count_store import CallCountStore

FLUSH_SECONDS: Final = 10.0
KEPT: Final = timedelta(days=100)
"""A little more than the longest period of the dashboard."""
WENT_AWAY: Final = 499
"""Stands for the status of a call whose caller did not wait for the answer."""
NOBODY: Final = ""
"""Stands for the client of a call that was not let in."""
SERVICES: Final = {
    "/cds-services": "discovery",
    "/cds-services/disease-severity": "disease-severity",
    "/cds-services/record-problem": "record-problem",
    "/cds-services/record-discharge": "record-discharge",
    "/fhir/$assess-severity": "assess-severity",
}
FEEDBACK: Final = "feedback"
FHIR: Final = "fhir"
OTHER: Final = "other"
_Key = tuple[datetime, str, str, int, int]


def service_of(path: str) -> str | None:
    """What a call to this path is counted as; `None` for what is no call of a client.

    Nothing of the path itself is kept: it may name a patient.
    """
    found = SERVICES.get(path)
    if found is not None:
        return found
    if path.startswith("/cds-services/"):
        return FEEDBACK if path.endswith("/feedback") else OTHER
    return FHIR if path.startswith("/fhir/") or path == "/fhir" else None


class CallCounts:
    """Counts the calls of this process, and adds them to those of all."""

    def __init__(self, context: ProcessContext) -> None:
        self._context = context
        self._lock = threading.Lock()
        self._counts: dict[_Key, tuple[int, datetime]] = {}
        self._forgot: datetime | None = None
        self._stop = threading.Event()
        self._thread: threading.Thread | None = None

    def note(self, service: str, client: str, status: int, seconds: float) -> None:
        """Count one call that was answered now. Never waits for the database."""
        at = self._context.clock().astimezone(UTC)
        hour = at.replace(minute=0, second=0, microsecond=0)
        key = (hour, client, service, status, bucket_of(seconds))
        with self._lock:
            calls, _ = self._counts.get(key, (0, at))
            self._counts[key] = (calls + 1, at)

    def flush(self) -> None:
        """Add what was counted to the database; what could not be added is kept for the next
        time. Raises what the database raises."""
        with self._lock:
            taken, self._counts = self._counts, {}
        if not taken:
            return
        try:
            self._add(taken)
        except BaseException:
            with self._lock:
                for key, (calls, at) in taken.items():
                    more, newest = self._counts.get(key, (0, at))
                    self._counts[key] = (calls + more, max(at, newest))
            raise

    def start(self) -> None:
        """Begin to add every few seconds."""
        self._stop.clear()
        self._thread = threading.Thread(target=self._poll, name="call-counts", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """Add what is left, and stop."""
        self._stop.set()
        if self._thread is not None:
            self._thread.join()
        self._try()

    def _add(self, taken: dict[_Key, tuple[int, datetime]]) -> None:
        rows: list[dict[str, Any]] = [
            {
                "hour": hour,
                "client": client,
                "service": service,
                "status": status,
                "bucket": bucket,
                "calls": calls,
                "last_at": at,
            }
            for (hour, client, service, status, bucket), (calls, at) in taken.items()
        ]
        newest = max(row["hour"] for row in rows)
        with self._context.engine.begin() as connection:
            store = CallCountStore(connection)
            store.add(rows)
            if newest != self._forgot:
                store.forget(newest - KEPT)
        self._forgot = newest

    def _poll(self) -> None:
        while not self._stop.wait(FLUSH_SECONDS):
            self._try()

    def _try(self) -> None:
        try:
            self.flush()
        except Exception:
            # Whatever it was: the counts are kept, and it is tried again.
            LOGGER.exception("calls not counted")
