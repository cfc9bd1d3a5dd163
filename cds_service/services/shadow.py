"""Shadows: what a version that is not live would have said of the charts that were opened.

Scores are computed from the stored rows, after the answer and never inside a request.
"""

from datetime import timedelta
from pathlib import Path
from typing import Any

from sqlalchemy import Connection

from cds_service.context import ProcessContext
from cds_service.logs import LOGGER
from cds_service.services.labelled import input_frame
from cds_service.storage.model_store import ModelStore
from cds_service.storage.session import reading
from cds_service.storage.shadow_store import ShadowStore
from model.errors import ModelError
from model.scorer import Scorer

BATCH = 500
"""Assessments scored and committed at a time."""
LATE = timedelta(days=1)
"""How far before the newest scored assessment it looks again: one is committed seconds after its
time, and all since a version was registered would be looked through every few minutes."""


def shadow_versions(connection: Connection) -> list[str]:
    """Versions that score along: the champion before the live one, then challengers in stage
    `shadow` or `waiting`, oldest first.

    A version that the live one differs from by its heads of rare diseases alone is none.
    """
    store = ModelStore(connection)
    live = [release["version"] for release in store.releases()]
    same = store.alike(live[0]) if live else []
    before = [version for version in live if version not in same][:1]
    challengers = ShadowStore(connection).challengers()
    return [
        *before,
        *(name for name in challengers if name not in before and name not in live[:1]),
    ]


class ShadowService:
    """Scores stored assessments with the versions that are in shadow."""

    def __init__(self, context: ProcessContext) -> None:
        self._context = context

    def run(self, *, actor: str) -> str:
        """Score what is not scored yet; says in a sentence how much that was.

        A version scores the assessments since it was registered, which it cannot have learnt from,
        except those it answered itself. Each batch is a transaction of its own, and a row is
        written once: killed or run twice at a time, it goes on where it was. A version whose files
        cannot be read is passed over and logged.
        """
        with reading(self._context.engine) as connection:
            store = ModelStore(connection)
            rows = [store.version(name) for name in shadow_versions(connection)]
        told: list[str] = []
        for row in rows:
            if row is not None:
                count = self._score(row)
                why = "files cannot be read" if count is None else f"{count} scored"
                told.append(f"version {row['version']} {why}")
        LOGGER.info("shadows scored", extra={"actor": actor, "versions": len(told)})
        return f"In shadow: {', '.join(told)}." if told else "No version is in shadow."

    def _score(self, row: dict[str, Any]) -> int | None:
        """How many rows were added; `None` if the version cannot be loaded."""
        version = str(row["version"])
        try:
            scorer = Scorer.load(
                Path(row["location"]), version=version, expected_checksum=row["checksum"]
            )
        except (ModelError, OSError) as error:
            LOGGER.error(
                "model not loaded", extra={"version": version, "why": type(error).__name__}
            )
            return None
        added, since = 0, row["created_at"]
        with reading(self._context.engine) as connection:
            newest = ShadowStore(connection).newest_scored(version)
        if newest is not None:
            since = max(since, newest - LATE)
        while True:
            with reading(self._context.engine) as connection:
                batch = ShadowStore(connection).unscored(version, since=since, limit=BATCH)
            if not batch:
                return added
            since = batch[0]["prediction_time"]  # What lies before has its scores.
            scores = self._scores(scorer, batch)
            with self._context.engine.begin() as connection:
                # If another process was faster, the next batch is without its rows.
                if ShadowStore(connection).add(scores):
                    added += len(scores)

    def _scores(self, scorer: Scorer, batch: list[dict[str, Any]]) -> list[dict[str, Any]]:
        at = self._context.clock()
        probabilities = scorer.probabilities(input_frame([row["features"] for row in batch]))
        return [
            {
                "assessment_id": row["id"],
                "model_version": scorer.facts.version,
                "probabilities": {
                    code.value: float(p) for code, p in zip(scorer.classes, said, strict=True)
                },
                "category": str(category),
                "at": at,
            }
            for row, said, category in zip(
                batch, probabilities, scorer.decide(probabilities), strict=True
            )
        ]
