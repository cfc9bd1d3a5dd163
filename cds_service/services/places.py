"""A bounded number of calls that wait for FHIR servers, so that a dead one takes no thread from
the calls that need none."""

import threading
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager

from cds_service.errors import BusyError

EACH = 24
"""Calls of a process that may wait for one FHIR server. Our own choice: at the usual 200 ms that is
over a hundred charts a second."""
TOTAL = 32
"""Calls that may wait for all of them: half of the threads that answer (`cds_service.app`)."""


class Places:
    """Places to wait in, one set a process. Nobody queues for one: that would take a thread too."""

    def __init__(self, *, each: int = EACH, total: int = TOTAL) -> None:
        self._each = each
        self._total = total
        self._taken: Counter[str] = Counter()
        self._lock = threading.Lock()

    @contextmanager
    def place(self, server: str) -> Iterator[bool]:
        """Hold a place for the time of the block; whether there was one."""
        with self._lock:
            free = self._taken[server] < self._each and self._taken.total() < self._total
            if free:
                self._taken[server] += 1
        try:
            yield free
        finally:
            if free:
                with self._lock:
                    self._taken[server] -= 1


class Place:
    """A place among those that may wait for one thing; without one `BusyError`."""

    def __init__(self, places: threading.BoundedSemaphore) -> None:
        self._places = places

    def __enter__(self) -> None:
        if not self._places.acquire(blocking=False):
            raise BusyError

    def __exit__(self, *_: object) -> None:
        self._places.release()
