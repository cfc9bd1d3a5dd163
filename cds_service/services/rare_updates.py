"""A rare case that is confirmed counts at once: new heads, and nothing common changes (C20)."""

from collections.abc import Mapping
from dataclasses import asdict
from datetime import datetime
from hashlib import sha256
from typing import Any, Final
from uuid import uuid4

import msgspec
from sqlalchemy import Connection

from cds_service.context import ProcessContext
from cds_service.services.models import FITTED_AT, ModelService, fitted_at
from cds_service.services.rare_standing import RareEvidence
from cds_service.services.releasing import RARE_UPDATE, ModelRuleError, make_live
from cds_service.services.training import TrainingService
from cds_service.services.training_rows import line_of, training_rows
from cds_service.storage.condition_store import OutcomeStore
from cds_service.storage.model_store import SAME_ANSWERS_AS, ModelStore
from cds_service.storage.session import reading
from model.errors import ArtefactError
from model.scorer import Scorer
from model.training.derived import write_derived
from model.training.rare_update import RareUpdate, update_heads

KIND: Final = "rare-update"
"""Of the row in `evaluations` that says what was found of each disease, and by which cases."""
SEED: Final = 20_260


class RareUpdateService:
    """Fits the heads of rare diseases of the champion anew when the list of cases changes."""

    def __init__(self, context: ProcessContext) -> None:
        self._context = context

    def run(self, *, actor: str) -> str:
        """Release the champion with other heads where the confirmed cases ask for it.

        Estimator, calibration, thresholds and sets stay as they are, byte by byte. It is cheap
        while no case changes. Raises `TrainingError` and `ServiceError`, in a sentence.
        """
        with reading(self._context.engine) as connection:
            row = ModelStore(connection).champion()
            if row is None or row["simulated"]:
                return "There is no champion of real history whose heads could change."
            seen = self._fingerprint(connection, row)
            if seen is None:
                return "No case of a rare disease is known."
            if seen == _last(connection, row["version"]):
                return "The cases of rare diseases are those of the last time."
        try:
            champion = ModelService.load(row)
        except ArtefactError as error:
            return str(error)
        training = TrainingService(
            self._context.engine, self._context.settings, self._context.clock
        )
        # A confirmed case counts at once, and what was counted is not looked at again: it must
        # not wait for its outcome window.
        rows = training_rows(
            self._context, training, row, now=self._context.clock(), include_open=True
        )
        update = update_heads(champion, rows.frame, seed=SEED)
        found = {"fingerprint": seen, "codes": [asdict(one) for one in update.reports]}
        if update.artefact is None:
            with self._context.engine.begin() as connection:
                _keep(connection, row["version"], found, self._context.clock())
            return "The heads of rare diseases stay as they are."
        return self._release(training, row, champion, update, found, actor)

    def _release(
        self,
        training: TrainingService,
        row: Mapping[str, Any],
        champion: Scorer,
        update: RareUpdate,
        found: Mapping[str, Any],
        actor: str,
    ) -> str:
        assert update.artefact is not None  # noqa: S101  # what the caller looked at
        reason = f"rare cases of {', '.join(update.changed)}"
        result = write_derived(champion, update.artefact, training.artefacts, {})
        at = self._context.clock()

        def within(connection: Connection, version: str) -> None:
            make_live(
                connection,
                version,
                RARE_UPDATE,
                at=at,
                actor=actor,
                reason=reason,
                instead_of=row["version"],
                detail={"codes": list(update.changed), "checksum": result.checksum},
            )
            _keep(connection, version, found, at)

        try:
            version = training.models.register_derived(
                result,
                row,
                actor=actor,
                note=reason,
                metrics={
                    FITTED_AT: fitted_at(row).isoformat(),
                    SAME_ANSWERS_AS: row["version"],
                },
                within=within,
            )
        except ModelRuleError as error:
            return str(error)
        training.models.follow_champion(version)
        live = ", ".join(one.code for one in update.reports if one.live) or "none"
        return f"Version {version} is live: {reason}. Heads: {live}."

    def _fingerprint(self, connection: Connection, row: Mapping[str, Any]) -> str | None:
        """Of everything that decides which cases count; `None` if there is none at all.

        Rows of history change only as files come and reviewers speak, so they are not read.
        """
        store = ModelStore(connection)
        named = OutcomeStore(connection).rare(self._context.terminology.label_version)
        evidence = RareEvidence.of(connection, [key for key, _ in named])
        counted = sorted(case for case in named if evidence.confirmed(*case))
        reviewed = sorted((*case, review["decision"]) for case, review in evidence.reviews.items())
        histories = line_of(row, store.versions(), store.histories())
        if not (counted or reviewed or histories):
            return None
        return sha256(msgspec.json.encode([counted, reviewed, histories])).hexdigest()


def _last(connection: Connection, version: str) -> str | None:
    """By which cases the heads of a version were looked at last."""
    for row in ModelStore(connection).evaluations(version):
        if row["kind"] == KIND:
            return str(row["result"]["fingerprint"])
    return None


def _keep(connection: Connection, version: str, found: Mapping[str, Any], at: datetime) -> None:
    ModelStore(connection).add_evaluation(
        {
            "id": str(uuid4()),
            "at": at,
            "kind": KIND,
            "model_version": version,
            "result": dict(found),
        }
    )
