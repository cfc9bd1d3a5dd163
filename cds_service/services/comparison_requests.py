"""The job `compare`: comparisons that were asked for on the dashboard.

A serving process evaluates nothing, so it only asks; whoever runs the schedule compares.
"""

from functools import partial
from typing import Any, Final

from sqlalchemy import Connection
from sqlalchemy.exc import SQLAlchemyError

from cds_service.context import ProcessContext
from cds_service.errors import ServiceError
from cds_service.logs import LOGGER
from cds_service.services.comparing import Comparing, Comparison
from cds_service.services.runs import Progress, is_told, said_of
from cds_service.services.training import TrainingService
from cds_service.storage.comparison_request_store import DONE, FAILED, ComparisonRequestStore
from cds_service.storage.session import reading

SEED: Final = 20_260
"""That of `models compare`: the same rows, the same figures."""
MOST_TRIES: Final = 3
NOTHING: Final = "No comparison was asked for."
_KILLED: Final = (
    f"It was begun {MOST_TRIES} times and never came to an end: most likely its process was "
    "killed, as where memory is short."
)


class ComparisonRequests:
    """Does what waits, the oldest first. What ends is recorded with the comparison itself, so one
    that was killed waits on and is done again."""

    def __init__(self, context: ProcessContext) -> None:
        self._context = context

    def run(self, *, actor: str, progress: Progress | None = None) -> str:
        """Compare every pair that waits, each for whoever asked; one that cannot be compared
        holds up no other."""
        del actor
        ended = {DONE: 0, FAILED: 0}
        seen: set[str] = set()
        while waiting := [row for row in self._waiting() if row["id"] not in seen]:
            request = waiting[0]
            seen.add(request["id"])
            if progress is not None:
                of_all = len(seen) + len(waiting) - 1
                what = f"comparing version {request['second']} with version {request['first']}"
                progress(what, (len(seen) - 1) / of_all)
            state = self._do(request)
            if state is not None:
                ended[state] += 1
        if not seen:
            return NOTHING
        return f"Compared {ended[DONE]} of {sum(ended.values())} pairs that were asked for."

    def _do(self, request: dict[str, Any]) -> str | None:
        """How it ended; `None` where another process was faster."""
        if request["tries"] >= MOST_TRIES:
            return self._failed(request, _KILLED)
        with self._context.engine.begin() as connection:
            ComparisonRequestStore(connection).begin(request["id"])
        try:
            training = TrainingService(
                self._context.engine, self._context.settings, self._context.clock
            )
            Comparing(self._context, training).compare_versions(
                request["first"],
                request["second"],
                actor=request["asked_by"],
                seed=SEED,
                also=partial(self._done, request["id"]),
            )
        except SQLAlchemyError:
            # The database is away: it waits, and the job is tried again.
            raise
        except Exception as error:
            if not is_told(error):
                LOGGER.error("comparison failed", extra={"why": said_of(error)})
            return self._failed(request, said_of(error))
        return DONE

    def _done(self, identifier: str, connection: Connection, comparison: Comparison) -> None:
        at, said = self._context.clock(), comparison.decision.reason
        if not ComparisonRequestStore(connection).end(identifier, DONE, at=at, result=said):
            # Its lease was over, and another process has done it.
            raise ServiceError("This comparison has ended already.")

    def _failed(self, request: dict[str, Any], said: str) -> str | None:
        at = self._context.clock()
        with self._context.engine.begin() as connection:
            store = ComparisonRequestStore(connection)
            return FAILED if store.end(request["id"], FAILED, at=at, result=said) else None

    def _waiting(self) -> list[dict[str, Any]]:
        with reading(self._context.engine) as connection:
            return ComparisonRequestStore(connection).waiting()
