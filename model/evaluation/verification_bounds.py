"""What the figures could be at worst and at best, whatever the unverified have (Manski 1990)."""

from typing import Any

import numpy as np

from model.evaluation.intervals import CONFIDENCE, bootstrap_weights, share
from model.evaluation.judged_rows import JudgedRows
from model.evaluation.study_rows import Draws, number
from model.features import FloatArray


def bounds(rows: JudgedRows, draws: Draws) -> list[dict[str, Any]]:
    """Bounds of `prevalence`, `recall` and `auroc` of each category, JSON types.

    One record a figure: `metric`, `category`, `lower`, `upper`, of these rows; and `outer_lower`,
    `outer_upper`, which allow for the draw of patients too: the lower limit of the 95 % interval
    of the lower bound and the upper one of the upper (Horowitz and Manski 2000).
    """
    blocks: dict[tuple[str, int], list[FloatArray]] = {}
    for counts in bootstrap_weights(rows.patient, draws.replicates, draws.seed):
        for i in range(len(rows.classes)):
            for name, pair in _of_category(rows, i, counts).items():
                blocks.setdefault((name, i), []).append(pair)
    tail = (1.0 - CONFIDENCE) / 2.0
    found: list[dict[str, Any]] = []
    for (name, i), parts in blocks.items():
        values = np.concatenate(parts)
        drawn = values[1:][np.isfinite(values[1:]).all(axis=1)]
        outer = (np.nan, np.nan)
        if len(drawn) > 1:
            outer = (
                float(np.quantile(drawn[:, 0], tail)),
                float(np.quantile(drawn[:, 1], 1.0 - tail)),
            )
        found.append(
            {
                "metric": name,
                "category": rows.classes[i].value,
                "lower": number(values[0, 0]),
                "upper": number(values[0, 1]),
                # A percentile may fall inside the bound itself where hardly anything varies.
                "outer_lower": number(np.fmin(outer[0], values[0, 0])),
                "outer_upper": number(np.fmax(outer[1], values[0, 1])),
            }
        )
    return found


def _of_category(rows: JudgedRows, i: int, counts: FloatArray) -> dict[str, FloatArray]:
    """Lower and upper bound of each figure for each row of `counts` (R, n), (R, 2)."""
    unknown = (~rows.verified).astype(np.float64)
    case = (rows.outcome == i).astype(np.float64)
    flag = (rows.decisions == i).astype(np.float64)
    total = counts.sum(axis=1)
    cases = counts @ case
    hits, missed = counts @ (case * flag), counts @ (case * (1.0 - flag))
    flagged, passed = counts @ (unknown * flag), counts @ (unknown * (1.0 - flag))
    score = rows.probabilities[:, i]
    return {
        "prevalence": np.column_stack(
            [share(cases, total), share(cases + flagged + passed, total)]
        ),
        # At worst all unverified cases were passed over, at best all were flagged.
        "recall": np.column_stack(
            [
                share(hits, hits + missed + passed),
                share(hits + flagged, hits + missed + flagged),
            ]
        ),
        "auroc": auroc_bounds(score, case, unknown, counts),
    }


def auroc_bounds(
    score: FloatArray, case: FloatArray, unknown: FloatArray, counts: FloatArray
) -> FloatArray:
    """Smallest and largest AUROC over all outcomes the unknown may have, (R, 2).

    `score`, `case` (1 or 0; 0 where unknown) and `unknown` (1 or 0) are (n,), `counts` (R, n).
    With a given number of cases among the unknown, the area is largest if those with the highest
    scores are the cases and smallest if those with the lowest are; all numbers are tried. NaN
    where there is no case or no other whatever they have.
    """
    ranks = _midranks(score, counts)
    total = counts.sum(axis=1, keepdims=True)
    known_cases = (counts @ case)[:, None]
    known_ranks = ((counts * ranks) @ case)[:, None]
    open_rows = np.flatnonzero(unknown > 0)
    ascending = open_rows[np.argsort(score[open_rows], kind="stable")]
    found: list[FloatArray] = []
    for order in (ascending, ascending[::-1]):
        added = counts[:, order]
        start = np.zeros((len(counts), 1))
        more = np.concatenate([start, np.cumsum(added, axis=1)], axis=1)
        sums = np.concatenate([start, np.cumsum(added * ranks[:, order], axis=1)], axis=1)
        cases = known_cases + more
        # The ranks of the cases among all are their pairs with others and with each other.
        won = known_ranks + sums - cases**2 / 2.0
        found.append(share(won, cases * (total - cases)))
    both = np.concatenate(found, axis=1)
    defined = np.isfinite(both).any(axis=1)
    lower = np.where(np.isfinite(both), both, np.inf).min(axis=1)
    upper = np.where(np.isfinite(both), both, -np.inf).max(axis=1)
    return np.column_stack([np.where(defined, lower, np.nan), np.where(defined, upper, np.nan)])


def _midranks(score: FloatArray, counts: FloatArray) -> FloatArray:
    """Weight of the rows below each row, and half of that of its equals, (R, n)."""
    _, level = np.unique(score, return_inverse=True)
    order = np.argsort(level, kind="stable")
    ends = np.flatnonzero(np.append(np.diff(level[order]) > 0, True))
    through = np.cumsum(counts[:, order], axis=1)[:, ends]
    before = np.concatenate([np.zeros((len(counts), 1)), through[:, :-1]], axis=1)
    return np.asarray(((before + through) / 2.0)[:, level])
