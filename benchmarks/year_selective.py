"""Naive and weighted figures of acute illness beside the truth, chunk by chunk (C18)."""

from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from scipy.stats import norm
from sqlalchemy import select

from benchmarks.year_replay import Replay
from cds_service.storage.session import reading
from cds_service.storage.tables import EVALUATION_CHUNKS
from model.severity import Severity

METRICS = ("prevalence", "recall")
"""Of acute illness, as `model.evaluation.verification` calls them."""
_Z = float(norm.ppf(0.975))
ACUTE = Severity.ACUTE.value


@dataclass(frozen=True)
class Figure:
    """One figure of one chunk, and what it is in truth."""

    metric: str
    day: float
    """Middle of the chunk."""
    truth: float
    """Of every assessment of the chunk, verified or not."""
    naive: float
    """Of the verified."""
    naive_covers: bool
    weighted: float
    lower: float
    upper: float

    @property
    def weighted_covers(self) -> bool:
        """Whether the weighted interval covers the truth."""
        return self.lower <= self.truth <= self.upper


@dataclass(frozen=True)
class Coverage:
    """How often intervals of a metric covered the truth, and how far off the figures were."""

    chunks: int
    naive: int
    weighted: int
    naive_error: float
    weighted_error: float


def coverage(replay: Replay) -> dict[str, Coverage]:
    """By metric; empty where no chunk has weighted figures."""
    found = {}
    everything = figures(replay)
    for metric in METRICS:
        mine = [one for one in everything if one.metric == metric]
        if mine:
            found[metric] = Coverage(
                len(mine),
                sum(one.naive_covers for one in mine),
                sum(one.weighted_covers for one in mine),
                float(np.mean([one.naive - one.truth for one in mine])),
                float(np.mean([one.weighted - one.truth for one in mine])),
            )
    return found


def figures(replay: Replay) -> list[Figure]:
    """Of the version that answered most of each chunk, as the chunk stands."""
    answered = replay.answered
    answered = answered[answered["category"].notna()]
    found: list[Figure] = []
    for chunk in standing(replay):
        inside = (answered["at"] >= chunk["started_at"]) & (answered["at"] < chunk["ended_at"])
        versions = chunk["result"]["versions"]
        version = max(versions, key=lambda name: versions[name]["answered"], default=None)
        weighted = None if version is None else versions[version].get("weighted")
        rows = answered[inside & (answered["model_version"] == version)]
        if weighted is None or not len(rows):
            continue
        day = float(rows["day"].median())
        records = {(one["metric"], one["category"]): one for one in weighted["figures"]}
        for metric in METRICS:
            record = records.get((metric, ACUTE))
            if record is not None and record["lower"] is not None:
                found.append(_figure(metric, day, rows, record))
    return found


def standing(replay: Replay) -> list[dict[str, Any]]:
    """The newest revision of each evaluation chunk, oldest chunk first."""
    with reading(replay.hospital.context.engine) as connection:
        query = select(EVALUATION_CHUNKS).order_by(EVALUATION_CHUNKS.c.revision)
        rows = {row.number: dict(row._mapping) for row in connection.execute(query)}
    return [rows[number] for number in sorted(rows)]


def _figure(metric: str, day: float, rows: pd.DataFrame, record: dict[str, Any]) -> Figure:
    acute = (rows["severity"] == ACUTE).to_numpy()
    hit = (rows["category"] == ACUTE).to_numpy()
    known = rows["verified"].to_numpy(dtype=bool)
    # Prevalence is acute among all, recall is flagged among acute.
    of, event = (np.ones(len(rows), dtype=bool), acute) if metric == "prevalence" else (acute, hit)
    truth = float(event[of].mean())
    naive = float(event[of & known].mean())
    return Figure(
        metric,
        day,
        truth,
        naive,
        _wilson_covers(truth, naive, int((of & known).sum())),
        float(record["value"]),
        float(record["lower"]),
        float(record["upper"]),
    )


def _wilson_covers(truth: float, share: float, n: int) -> bool:
    """Whether the 95 % score interval of a share of `n` covers the truth (Wilson 1927)."""
    return abs(share - truth) <= _Z * float(np.sqrt(truth * (1.0 - truth) / n))
