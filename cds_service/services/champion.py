"""The live model of this process, replaced without a restart when another is released."""

import threading
from pathlib import Path
from typing import NamedTuple

from sqlalchemy import Engine

from cds_service.logs import LOGGER
from cds_service.storage.model_store import ModelStore
from cds_service.storage.session import reading
from model.errors import ModelError
from model.scorer import Scorer

POLL_SECONDS = 1.0
"""A promotion reaches every replica within this time and the time of loading."""


class _Live(NamedTuple):
    release: int
    scorer: Scorer | None


class Champion:
    """Holds the scorer of the newest release; a thread looks for a newer one."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._live = _Live(0, None)
        self._refused = 0
        self._stop = threading.Event()
        self._thread: threading.Thread | None = None

    @property
    def scorer(self) -> Scorer | None:
        """The live model; `None` until there is one."""
        return self._live.scorer

    def refresh(self) -> bool:
        """Load the newest release if it is not the live one; whether it changed.

        A release whose artefact cannot be loaded leaves the old model answering. It is said once
        and tried again: the files may only be late on this machine.
        """
        with reading(self._engine) as connection:
            store = ModelStore(connection)
            newest = store.newest_release()
            if newest == self._live.release:
                return False
            champion = store.champion()
        if champion is None:
            return False
        try:
            scorer = Scorer.load(
                Path(champion["location"]),
                version=champion["version"],
                expected_checksum=champion["checksum"],
            )
        except (ModelError, OSError) as error:
            if self._refused != champion["release_id"]:
                self._refused = champion["release_id"]
                LOGGER.error(
                    "model not loaded",
                    extra={"version": champion["version"], "why": str(error)},
                )
            return False
        self._live = _Live(champion["release_id"], scorer)
        LOGGER.info("model loaded", extra={"version": champion["version"]})
        return True

    def start(self) -> None:
        """Load what is live and keep looking."""
        self.refresh()
        self._stop.clear()
        self._thread = threading.Thread(target=self._poll, name="champion", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """Stop looking."""
        self._stop.set()
        if self._thread is not None:
            self._thread.join()

    def _poll(self) -> None:
        while not self._stop.wait(POLL_SECONDS):
            try:
                self.refresh()
            except Exception:
                # Whatever it was: who stops looking would answer with the old model for ever.
                LOGGER.exception("the newest release could not be read")
