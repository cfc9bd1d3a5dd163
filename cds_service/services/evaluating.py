"""Judging what was predicted, chunk by chunk, once its outcomes are in (C18)."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path
from typing import Any
from uuid import uuid4

import pandas as pd
from sqlalchemy import Connection
from threadpoolctl import threadpool_limits  # type: ignore[import-untyped]  # has no types

from cds_service.context import ProcessContext
from cds_service.errors import ServiceError
from cds_service.logs import LOGGER
from cds_service.services.evaluation_alerts import watch_chunks
from cds_service.services.evaluation_chunks import Chunk, cut, fingerprint, settled
from cds_service.services.evaluation_runs import record_runs
from cds_service.services.judged_rows import as_answered, judged_rows, versions_of
from cds_service.services.labelled import Labelled, labelled
from cds_service.services.outcomes import OutcomeService
from cds_service.services.runs import said_of
from cds_service.services.shadow import ShadowService
from cds_service.storage.audit_store import AuditStore
from cds_service.storage.evaluation_store import EvaluationChunkStore
from cds_service.storage.model_store import ModelStore
from cds_service.storage.session import reading
from cds_service.storage.shadow_store import SCORE_COLUMNS, ShadowStore
from model.artefact import documents
from model.errors import ModelError
from model.evaluation.chunk_figures import feedback_shares, judge
from model.evaluation.judged_rows import JudgedRows, verified_shares
from model.evaluation.prevalence_shift import prevalence_shift
from model.evaluation.study_rows import Draws
from model.severity import Severity

REPLICATES = 200
SEED = 20_260
AT_ONCE = 20
"""Chunks that are read together."""
_UNJUDGED = ""
"""The fingerprint of a chunk that could not be judged: the next run tries again."""


@dataclass(frozen=True, slots=True)
class _Due:
    """A chunk that is to be judged."""

    chunk: Chunk
    revision: int
    fingerprint: str
    rows: pd.DataFrame
    scores: pd.DataFrame
    """Of shadows: `assessment_id`, `model_version`, `probabilities`, `category`."""


class EvaluationError(ServiceError):
    """Chunks could not be judged."""


class EvaluatingService:
    """Cuts matured assessments into chunks and judges each; again, when it has changed."""

    def __init__(
        self, context: ProcessContext, *, replicates: int = REPLICATES, runs: bool = True
    ) -> None:
        """`replicates` draws of patients make an interval; with `runs` MLflow is told."""
        self._context = context
        self._replicates = replicates
        self._runs = runs

    def run(self, *, actor: str, refresh: bool = True) -> str:
        """Judge what is new or has changed; says in a sentence what was done.

        Each chunk is kept in a transaction of its own, so that a run that was killed goes on
        where it was; what MLflow has not been told of is told at the end. Versions in shadow score
        what they have not scored yet first, and `refresh` decides outcomes anew before.

        Raises `EvaluationError`, once all else is done, if a chunk could not be judged.
        """
        if refresh:
            OutcomeService(self._context).refresh()
        shadows = ShadowService(self._context).run(actor=actor)
        judged = again = 0
        failed: list[str] = []
        for due in self._due():
            kept = due
            try:
                # With one thread the figures are the same on every machine, and come no later.
                with threadpool_limits(1):
                    result = self._judge(due)
            except Exception as error:
                number = due.chunk.number
                LOGGER.exception("chunk not judged", extra={"chunk": number})
                failed.append(f"Chunk {number} could not be judged: {said_of(error).rstrip('.')}.")
                if due.revision > 1:
                    continue  # What was judged before stands; the next run tries again.
                # Its bounds are kept: the next chunk begins where it ends.
                kept, result = replace(due, fingerprint=_UNJUDGED), self._counts(due)
            if self._keep(kept, result, actor):
                judged += kept is due
                again += due.revision > 1
            elif due.revision == 1:
                break  # Another process cuts chunks, and ours would begin where its may not end.
        with self._context.engine.begin() as connection:
            watch_chunks(connection, at=self._context.clock())
        if self._runs:
            record_runs(self._context)
        chunks = "1 chunk" if judged == 1 else f"{judged} chunks"
        said = f"Judged {chunks}, {again} of them again because something became known later."
        if failed:
            raise EvaluationError(" ".join((*failed, said)))
        return f"{said} {shadows}"

    def newest(self, count: int) -> list[dict[str, Any]]:
        """The last chunks as they stand, the newest first."""
        with reading(self._context.engine) as connection:
            return EvaluationChunkStore(connection).newest(count)

    def _due(self) -> Iterator[_Due]:
        """Chunks of which more is known than when they were judged, then those that are new.

        A few at a time: all that a hospital ever saw would not fit into memory.
        """
        with reading(self._context.engine) as connection:
            standing = EvaluationChunkStore(connection).standing()
        for start in range(0, len(standing), AT_ONCE):
            yield from self._changed(standing[start : start + AT_ONCE])
        yield from self._new(_chunk(standing[-1]) if standing else None)

    def _changed(self, standing: Sequence[Mapping[str, Any]]) -> list[_Due]:
        """Which of some chunks that follow each other are to be judged again."""
        with reading(self._context.engine) as connection:
            start, end = standing[0]["started_at"], standing[-1]["ended_at"]
            rows = settled(self._labelled(connection, start, end))
            found = [self._due_of(connection, _chunk(one), rows, one) for one in standing]
        return [due for due in found if due is not None]

    def _new(self, last: Chunk | None) -> list[_Due]:
        """Chunks after `last` that are closed by now."""
        settings, now = self._context.settings, self._context.clock()
        with reading(self._context.engine) as connection:
            labels = self._labelled(connection, None if last is None else last.ended_at, None)
            rows = settled(labels)
            chunks = cut(
                _times(rows),
                until=now if labels.open_from is None else labels.open_from,
                rows=settings.evaluation_chunk_rows,
                days=settings.evaluation_chunk_days,
                after=last,
            )
            found = [self._due_of(connection, chunk, rows, None) for chunk in chunks]
        return [due for due in found if due is not None]

    def _labelled(
        self, connection: Connection, since: datetime | None, until: datetime | None
    ) -> Labelled:
        return labelled(
            connection,
            now=self._context.clock(),
            label_version=self._context.terminology.label_version,
            since=since,
            until=until,
        )

    def _due_of(
        self,
        connection: Connection,
        chunk: Chunk,
        rows: pd.DataFrame,
        judged: Mapping[str, Any] | None,
    ) -> _Due | None:
        """What is to be judged of a chunk; `None` if nothing is new since it was `judged`."""
        part, bounds = _between(rows, chunk), (chunk.started_at, chunk.ended_at)
        shadows = ShadowStore(connection)
        now_so = fingerprint(
            part, shadows.counts(*bounds), label_version=self._context.terminology.label_version
        )
        if judged is not None and judged["fingerprint"] == now_so:
            return None
        scores = pd.DataFrame(shadows.between(*bounds), columns=SCORE_COLUMNS)
        scores = scores[scores["assessment_id"].isin(set(part.get("assessment_id", ())))]
        return _Due(chunk, 1 if judged is None else judged["revision"] + 1, now_so, part, scores)

    def _judge(self, due: _Due) -> dict[str, Any]:
        draws = Draws(self._replicates, SEED + due.chunk.number)
        versions: dict[str, Any] = {}
        for version in versions_of(due.rows, due.scores):
            rows, lost = judged_rows(due.rows, due.scores, version)
            answered = int((due.rows["model_version"] == version).sum())
            versions[version] = {
                "answered": answered,
                "not_covered": lost,
                "prevalence_shift": self._shift(version, rows, draws.seed),
            } | judge(rows, draws)
        counts = self._counts(due)
        if len(due.rows):
            counts["verification"] = verified_shares(as_answered(due.rows))
            counts["feedback"] = feedback_shares(due.rows)
        return counts | {"versions": versions}

    def _counts(self, due: _Due) -> dict[str, Any]:
        """What is known of a chunk without judging it."""
        return {
            "rows": len(due.rows),
            "verified": int(due.rows["verified"].sum()) if len(due.rows) else 0,
            "champion": self._champion(),
            "verification": [],
            "feedback": [],
            "versions": {},
        }

    def _shift(self, version: str, rows: JudgedRows, seed: int) -> list[dict[str, Any]] | None:
        """How common the categories are now; `None` where the version's files cannot be read."""
        with reading(self._context.engine) as connection:
            row = ModelStore(connection).version(version)
        if row is None:
            return None
        try:
            attributes = documents(Path(row["location"]), row["checksum"])["attributes"]
        except (ModelError, OSError):
            return None
        base = {Severity(code): float(rate) for code, rate in attributes["base_rates"].items()}
        return prevalence_shift(
            rows.probabilities,
            rows.patient,
            rows.classes,
            base,
            # More than figures take: the interval is wider.
            replicates=5 * self._replicates // 2,
            seed=seed,
        )

    def _champion(self) -> str | None:
        with reading(self._context.engine) as connection:
            champion = ModelStore(connection).champion()
        return None if champion is None else str(champion["version"])

    def _keep(self, due: _Due, result: Mapping[str, Any], actor: str) -> bool:
        at = self._context.clock()
        with self._context.engine.begin() as connection:
            added = EvaluationChunkStore(connection).add(
                {
                    "id": str(uuid4()),
                    "number": due.chunk.number,
                    "revision": due.revision,
                    "started_at": due.chunk.started_at,
                    "ended_at": due.chunk.ended_at,
                    "label_version": self._context.terminology.label_version,
                    "fingerprint": due.fingerprint,
                    "rows": result["rows"],
                    "verified": result["verified"],
                    "at": at,
                    "run_id": None,
                    "result": result,
                }
            )
            if added:
                AuditStore(connection).add(
                    at=at,
                    actor=actor,
                    action="evaluate-chunk",
                    object_type="chunk",
                    object_id=str(due.chunk.number),
                    detail={"revision": due.revision, "rows": result["rows"]},
                )
        return added


def _chunk(row: Mapping[str, Any]) -> Chunk:
    return Chunk(row["number"], row["started_at"], row["ended_at"])


def _times(rows: pd.DataFrame) -> Sequence[datetime]:
    return [time.to_pydatetime() for time in rows["recorded_at"]] if len(rows) else []


def _between(rows: pd.DataFrame, chunk: Chunk) -> pd.DataFrame:
    if not len(rows):
        return rows
    times = rows["recorded_at"]
    inside = (times >= chunk.started_at) & (times < chunk.ended_at)
    return rows[inside].reset_index(drop=True)
