"""Runs as another process can see them: what is under way, how far it is, how others ended.

Nothing depends on it: where the database is away, work goes on and only its progress is not told.
"""

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Final
from uuid import uuid4

from sqlalchemy import Engine
from sqlalchemy.exc import SQLAlchemyError

from cds_service.context import Clock
from cds_service.errors import ConfigurationError, ServiceError
from cds_service.logs import LOGGER, place
from cds_service.storage.run_store import DONE, FAILED, LEFT, RunStore
from fhir_mapping.errors import MappingError
from model.errors import ModelError

WRITTEN_SECONDS: Final = 1.0
"""Progress is written no more often than this, but for another step."""
SEEN_SECONDS: Final = 20.0
"""How often a process says that it is alive."""
LONGEST_RESULT: Final = 500
"""Characters kept of what a run says."""
LONGEST_STEP: Final = 100

Progress = Callable[[str, float], None]
"""Called with the step that runs and the share of the whole that is done, 0 to 1."""


class Run:
    """A run that is under way."""

    def __init__(self, engine: Engine, clock: Clock, identifier: str) -> None:
        self.id = identifier
        self.result: str | None = None
        """A sentence about what came of it, never data."""
        self._engine = engine
        self._clock = clock
        self._step = ""
        self._written = float("-inf")

    def progress(self, step: str, share: float) -> None:
        """Tell how far it is."""
        now = time.monotonic()
        if step == self._step and now - self._written < WRITTEN_SECONDS:
            return
        self._step, self._written = step, now
        told = {"step": step[:LONGEST_STEP], "share": min(max(share, 0.0), 1.0)}
        self._write(told)

    def alive(self) -> None:
        """Tell that its process is there."""
        self._write({})

    def _write(self, values: dict[str, object]) -> None:
        try:
            with self._engine.begin() as connection:
                RunStore(connection).see(self.id, {"seen_at": self._clock(), **values})
        except SQLAlchemyError as error:
            LOGGER.warning("progress not written", extra={"why": type(error).__name__})


@contextmanager
def recorded(engine: Engine, clock: Clock, kind: str, *, actor: str) -> Iterator[Run]:
    """Record what the block does as a run of this kind; what it raises is its failure, and goes
    on. Set `result` of the run to what came of it."""
    run = Run(engine, clock, str(uuid4()))
    begin(engine, clock, run.id, kind, actor)
    over = threading.Event()
    alive = threading.Thread(target=_stay_alive, args=(run, over), name="run-alive", daemon=True)
    alive.start()
    state, result = LEFT, "Left before it was done."
    try:
        yield run
        state, result = DONE, run.result or ""
    except Exception as error:
        state, result = FAILED, said_of(error)
        raise
    finally:
        over.set()
        alive.join()
        _end(engine, clock, run.id, state, result)


def said_of(error: Exception) -> str:
    """What may be told of an error: the message of another may quote what it failed on."""
    if is_told(error):
        return str(error)
    return f"unexpected {type(error).__name__} at {place(error.__traceback__)}"


def is_told(error: Exception) -> bool:
    """Whether its message is in words for people, without data."""
    return isinstance(error, ServiceError | ConfigurationError | MappingError | ModelError)


def begin(engine: Engine, clock: Clock, identifier: str, kind: str, actor: str) -> None:
    """Keep that a run begins."""
    at = clock()
    run = {"id": identifier, "kind": kind, "actor": actor, "started_at": at, "seen_at": at}
    try:
        with engine.begin() as connection:
            RunStore(connection).begin(run, alone=False)
    except SQLAlchemyError as error:
        LOGGER.warning("run not recorded", extra={"why": type(error).__name__})


def _end(engine: Engine, clock: Clock, identifier: str, state: str, result: str) -> None:
    try:
        with engine.begin() as connection:
            RunStore(connection).end(
                identifier, state, at=clock(), result=result[:LONGEST_RESULT] or None
            )
    except SQLAlchemyError as error:
        LOGGER.warning("end of a run not recorded", extra={"why": type(error).__name__})


def _stay_alive(run: Run, over: threading.Event) -> None:
    while not over.wait(SEEN_SECONDS):
        run.alive()
