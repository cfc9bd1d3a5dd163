"""Other priors for the champion, fitted to recent outcomes and judged on others of them."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from cds_service.context import ProcessContext
from cds_service.errors import ServiceError
from cds_service.services.comparing import Comparing, Comparison
from cds_service.services.models import ModelService, fitted_at
from cds_service.services.training import TrainingService
from cds_service.services.training_rows import TrainingRows
from cds_service.storage.challenger_store import ChallengerStore
from model.population import ages_in_range
from model.scorer import Scorer
from model.severity import parse_severity
from model.training.derived import write_derived
from model.training.recalibration import TEST, recalibrate, roles

RECENT: Final = timedelta(days=90)
"""How old an outcome may be that tells today's shares."""


@dataclass(frozen=True, slots=True)
class _Recent:
    frame: pd.DataFrame
    """Rows of the model's population with a category."""
    recent: NDArray[np.bool_]
    """Which are recent, of patients the champion has not learnt from."""


class Recalibrating:
    """Makes and judges challengers that differ from the champion by their priors alone."""

    def __init__(
        self, context: ProcessContext, training: TrainingService, comparing: Comparing
    ) -> None:
        self._context = context
        self._training = training
        self._comparing = comparing

    def make(
        self,
        champion: Mapping[str, Any],
        rows: TrainingRows,
        until: datetime,
        *,
        actor: str,
        seed: int,
        challenger: Mapping[str, Any],
    ) -> str:
        """Fit, register and send on its way; returns the version.

        Raises `ServiceError` for a simulated champion and `TrainingError` with too few recent
        outcomes.
        """
        if champion["simulated"]:
            raise ServiceError(
                "The champion is the simulated starter model: train on history, its priors are "
                "nobody's."
            )
        scorer = ModelService.load(dict(champion))
        found = self._recent(champion, scorer, rows, until)
        made = recalibrate(scorer, found.frame[found.recent], found.frame[~found.recent], seed=seed)
        result = write_derived(scorer, made.artefact, self._training.artefacts, made.report)
        at = self._context.clock()
        return self._training.models.register_derived(
            result,
            champion,
            actor=actor,
            note="recalibration",
            metrics={
                "held_out": made.report["metrics"],
                "fitted_at": fitted_at(champion).isoformat(),
            },
            within=lambda connection, version: ChallengerStore(connection).add(
                {"version": version, "created_at": at, "reason": ""} | dict(challenger)
            ),
        )

    def judge(
        self,
        champion: Mapping[str, Any],
        version: str,
        rows: TrainingRows,
        until: datetime,
        *,
        seed: int,
    ) -> Comparison:
        """The gates, on the recent outcomes that nothing was fitted to."""
        row = self._training.models.version(version)
        old, new = ModelService.load(dict(champion)), ModelService.load(row)
        found = self._recent(champion, old, rows, until)
        role = np.full(len(found.frame), "", dtype="<U4")
        role[found.recent] = roles(found.frame[found.recent])
        return self._comparing.compare(
            champion,
            row,
            found.frame,
            np.asarray(role == TEST),
            seed=seed,
            allow_fewer_categories=False,
            scorers=(old, new),
            also=rows.older,
        )

    def _recent(
        self, champion: Mapping[str, Any], scorer: Scorer, rows: TrainingRows, until: datetime
    ) -> _Recent:
        frame = rows.frame
        age = frame["age"].to_numpy(dtype=np.float64, na_value=np.nan)
        known = np.asarray([parse_severity(value) is not None for value in frame["severity"]])
        inside = known & ages_in_range(age, scorer.facts.min_age, scorer.facts.max_age)
        frame = frame[inside].reset_index(drop=True)
        if "recorded_at" not in frame:
            return _Recent(frame, np.zeros(len(frame), dtype=bool))
        times = pd.to_datetime(frame["recorded_at"], utc=True)
        start = max(
            until - RECENT,
            scorer.shared_from or scorer.trained_through or fitted_at(champion),
        )
        recent = np.asarray(times > start, dtype=bool)
        unseen = self._comparing.unseen_by_version(frame, champion, scorer, rows.older)
        return _Recent(frame, recent & unseen)
