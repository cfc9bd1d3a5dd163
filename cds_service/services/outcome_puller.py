"""The process asks for outcomes by itself, and follows the notices that come."""

import threading
from collections.abc import Callable

from cds_service.context import ProcessContext
from cds_service.errors import ServiceError
from cds_service.logs import LOGGER
from cds_service.services.notices import Notices
from cds_service.services.pulling import OutcomePulls, Pulled


def pull_outcomes(
    context: ProcessContext, pulls: OutcomePulls, *, actor: str, name: str | None, early: bool
) -> Pulled:
    """One run: notices first, because what they bring need not be asked for again.

    Raises what `OutcomePulls.clients` raises.
    """
    pulls.clients(name)
    noticed = Pulled()
    Notices(context, pulls).follow(noticed, actor=actor)
    pulled = pulls.run(actor=actor, name=name, early=early)
    return noticed + pulled


class OutcomePuller:
    """Asks for outcomes in the background of a serving process."""

    def __init__(self, context: ProcessContext) -> None:
        self._context = context
        self._stop = threading.Event()
        self._pulls = OutcomePulls(context, stopping=self._stop.is_set)
        self._thread: threading.Thread | None = None

    def start(self) -> None:
        """Begin, unless `CDS_OUTCOME_PULL_SECONDS` is 0."""
        if self._context.settings.outcome_pull_seconds == 0:
            return
        self._stop.clear()
        self._thread = threading.Thread(target=self._poll, name="outcome-pulls", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """Stop after the patient that is being asked for."""
        self._stop.set()
        if self._thread is not None:
            self._thread.join()

    def run(self, *, actor: str, stopping: Callable[[], bool] = lambda: False) -> str:
        """One run as a job of the schedule. Raises `ServiceError` if all failed."""
        pulls = OutcomePulls(self._context, stopping=stopping)
        if not pulls.clients():
            return "No client has given us access of our own."
        pulled = pull_outcomes(self._context, pulls, actor=actor, name=None, early=False)
        said = (
            f"{pulled.asked} patients asked for, {pulled.notices} notices followed, "
            f"{pulled.received.stored} Conditions stored, {pulled.failed.total()} failed."
        )
        if pulled.all_failed:
            raise ServiceError(said)
        return said

    def once(self) -> Pulled | None:
        """One run, unless no client has given us access."""
        if not self._pulls.clients():
            return None
        pulled = pull_outcomes(self._context, self._pulls, actor="schedule", name=None, early=False)
        if pulled.asked or pulled.notices:
            LOGGER.info(
                "outcomes pulled",
                extra={
                    "asked": pulled.asked,
                    "notices": pulled.notices,
                    "stored": pulled.received.stored,
                    "failed": dict(pulled.failed),
                },
            )
        return pulled

    def _poll(self) -> None:
        while not self._stop.wait(self._context.settings.outcome_pull_seconds):
            try:
                self.once()
            except Exception:
                # Whatever it was: who stops asking would never hear of another outcome.
                LOGGER.exception("outcomes could not be pulled")
