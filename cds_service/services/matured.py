"""Two versions on what became known since: stored rows scored again, after the answer (C18).

Both versions score the feature row that is stored with an assessment, whichever of them answered.
"""

from dataclasses import dataclass
from datetime import datetime
from typing import Any

import numpy as np
import pandas as pd
from scipy.stats import norm

from cds_service.context import ProcessContext
from cds_service.services.labelled import labelled
from cds_service.services.outcomes import OutcomeService
from cds_service.storage.session import reading
from model.evaluation.sequential import ClusterMean, cluster_mean
from model.population import ages_in_range
from model.scorer import Scorer
from model.training.gate_figures import ONE_SIDED, scores


@dataclass(frozen=True, slots=True)
class PairedLoss:
    """Log loss of two versions on the same outcomes, nat."""

    old: float
    new: float
    difference: ClusterMean
    """New minus old: above 0 the new one is worse."""

    @property
    def lower(self) -> float:
        """One-sided 95 % bound: the new version is worse by at least this."""
        spread = float(norm.ppf(ONE_SIDED)) * self.difference.standard_error
        return self.difference.value - spread

    def as_json(self) -> dict[str, Any]:
        """JSON types."""
        found = self.difference
        return {
            "outcomes": found.rows,
            "patients": found.clusters,
            "log_loss_old": self.old,
            "log_loss_new": self.new,
            "difference": found.value,
            "standard_error": found.standard_error,
        }


def matured_outcomes(
    context: ProcessContext, *, since: datetime, decide: bool = True
) -> pd.DataFrame:
    """Index assessments from `since` on whose window has passed and whose outcome counts.

    Outcomes that our own suggestion prompted are left out: the loop must not feed itself (C18).
    Without `decide` outcomes stand as they were decided last, which is enough to count them.
    """
    if decide:
        OutcomeService(context).refresh()
    with reading(context.engine) as connection:
        frame = labelled(
            connection,
            now=context.clock(),
            label_version=context.terminology.label_version,
            since=since,
        ).frame
    if len(frame):
        frame = frame[~frame["prompted"].astype(bool)]
    return frame.reset_index(drop=True)


def paired_loss(old: Scorer, new: Scorer, frame: pd.DataFrame) -> PairedLoss | None:
    """Both versions on the rows whose category and age both cover; `None` with fewer than two
    patients, or two shared categories.

    Probabilities are scaled to the shared categories, as the gates do.
    """
    shared = [code for code in old.classes if code in new.classes]
    if len(shared) < 2 or not len(frame):
        return None
    age = frame["age"].to_numpy(dtype=np.float64, na_value=np.nan)
    usable = frame["severity"].isin([code.value for code in shared]).to_numpy(dtype=bool)
    for scorer in (old, new):
        usable = usable & ages_in_range(age, scorer.facts.min_age, scorer.facts.max_age)
    rows = frame[usable]
    if rows["patient_id"].nunique() < 2:
        return None
    before, after = (scores(scorer, rows, shared).loss for scorer in (old, new))
    found = cluster_mean(after - before, rows["patient_id"].to_numpy(dtype=object).astype(str))
    return PairedLoss(float(before.mean()), float(after.mean()), found)
