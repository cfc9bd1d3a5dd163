"""Figures when truth is selected (C18): weighted by inverse probability of verification.

Only some assessments get an outcome, and who gets one depends on what was predicted. Figures of
the verified alone are then biased (verification bias: Begg and Greenes 1983, Zhou 1998). Each
verified assessment stands for the unverified ones like it: it counts 1 over its probability of
being verified. That is right if, among assessments alike in what the probability is estimated
from, getting an outcome does not depend on what the outcome is (missing at random: Little and
Rubin 2002). Where it does, no weight helps, and only the bounds hold
(`model.evaluation.verification_bounds`).
"""

from typing import Any

import numpy as np
from threadpoolctl import threadpool_limits  # type: ignore[import-untyped]  # has no types

from model.evaluation.intervals import MetricValue, bootstrap_weights, share, summarise
from model.evaluation.judged_rows import NOT_KNOWN, JudgedRows, strata
from model.evaluation.metrics import MINIMUM_CASES, MINIMUM_ROWS, ranking
from model.evaluation.propensity import cross_fitted, verification_design
from model.evaluation.study_rows import TOO_FEW, Draws
from model.evaluation.verification_bounds import bounds
from model.features import FloatArray

CLIP = (0.01, 0.99)
"""Quantiles of the weights of the verified to which the rest is clipped: one row whose probability
was estimated as nearly nothing would else be the whole figure, at the price of a small bias."""
_SMALLEST_PROBABILITY = 1e-15

_Key = tuple[str, int | None]


def weighted_figures(rows: JudgedRows, draws: Draws) -> dict[str, Any] | None:
    """Weighted figures with intervals drawn by patient, bounds, and what the weights are like.

    JSON types; `None` with fewer than `MINIMUM_ROWS` verified rows. `figures` has one record a
    figure (`metric`, `category`, `value`, `lower`, `upper`, `standard_error`, `n`): `log_loss`, and
    of each category `prevalence`, `recall`, `precision`, `flag_rate`, `auroc`,
    `observed_to_expected`. The flag rate is of all rows: what was decided is known of each. The
    probabilities are fitted anew in every replicate; the limits of clipping are those of the rows
    as they are. `never_verified` names groups without a single outcome: what is said of them rests
    on the form of the regression alone (positivity fails).
    """
    verified = rows.verified
    if int(verified.sum()) < MINIMUM_ROWS:
        return None
    design = verification_design(rows)
    limits = (1.0, np.inf)
    blocks: list[dict[_Key, FloatArray]] = []
    first: FloatArray = np.empty(0)
    smallest = 1.0
    # Many small products: threads would spend their time waiting for each other.
    with threadpool_limits(1):
        for counts in bootstrap_weights(rows.patient, draws.replicates, draws.seed):
            probability = cross_fitted(design, verified, rows.patient, counts, seed=draws.seed)
            inverse = 1.0 / probability[:, verified]
            if not blocks:
                first, smallest = inverse[0], float(probability[0].min())
                limits = tuple(np.quantile(first, CLIP))
            weights = counts[:, verified] * np.clip(inverse, *limits)
            blocks.append(_figures(rows, weights, counts))
    values = {key: np.concatenate([block[key] for block in blocks]) for key in blocks[0]}
    used = np.clip(first, *limits)
    return {
        "rows": len(verified),
        "verified": int(verified.sum()),
        "effective_sample_size": float(used.sum() ** 2 / (used**2).sum()),
        "largest_weight": float(used.max()),
        "clipped": float(np.mean((first < limits[0]) | (first > limits[1]))),
        "smallest_probability": smallest,
        "never_verified": _never_verified(rows),
        "figures": _records(rows, values),
        "bounds": bounds(rows, draws),
    }


def _figures(rows: JudgedRows, weights: FloatArray, counts: FloatArray) -> dict[_Key, FloatArray]:
    """Every figure for each row of `weights` (R, verified) and `counts` (R, n)."""
    verified = rows.verified
    outcome, decisions = rows.outcome[verified], rows.decisions[verified]
    probabilities = rows.probabilities[verified]
    total = weights.sum(axis=1)
    said = np.maximum(probabilities[np.arange(len(outcome)), outcome], _SMALLEST_PROBABILITY)
    found: dict[_Key, FloatArray] = {
        ("log_loss", None): share(weights @ -np.log(said), total),
    }
    for i in range(len(rows.classes)):
        case = (outcome == i).astype(np.float64)
        flag = (decisions == i).astype(np.float64)
        cases, hits = weights @ case, weights @ (case * flag)
        area, _ = ranking(probabilities[:, i], case, weights)
        flagged = counts @ (rows.decisions == i).astype(np.float64)
        found |= {
            ("prevalence", i): share(cases, total),
            ("recall", i): share(hits, cases),
            ("precision", i): share(hits, weights @ flag),
            ("flag_rate", i): share(flagged, counts.sum(axis=1)),
            ("auroc", i): area,
            ("observed_to_expected", i): share(cases, weights @ probabilities[:, i]),
        }
    return found


def _records(rows: JudgedRows, values: dict[_Key, FloatArray]) -> list[dict[str, Any]]:
    known = rows.verified
    cases = np.bincount(rows.outcome[known], minlength=len(rows.classes))
    flagged = np.bincount(rows.decisions[known], minlength=len(rows.classes))
    n = int(known.sum())
    found: list[dict[str, Any]] = []
    for (name, i), drawn in values.items():
        rests_on, enough = n, True
        if i is not None and name == "precision":
            rests_on = int(flagged[i])
            enough = rests_on >= MINIMUM_CASES
        elif i is not None and name != "flag_rate":
            rests_on = int(cases[i])
            enough = min(rests_on, n - rests_on) >= MINIMUM_CASES
        elif name == "flag_rate":
            rests_on = len(known)
        value = summarise(drawn, rests_on) if enough else MetricValue(None, None, None, rests_on)
        spread = drawn[1:][np.isfinite(drawn[1:])]
        found.append(
            {
                "metric": name,
                "category": None if i is None else rows.classes[i].value,
                "value": value.value,
                "lower": value.lower,
                "upper": value.upper,
                "standard_error": float(spread.std(ddof=1))
                if value.value is not None and len(spread) > 1
                else None,
                "n": value.n,
            }
        )
    return found


def _never_verified(rows: JudgedRows) -> list[dict[str, Any]]:
    """Groups of `TOO_FEW` rows or more of which not one has an outcome."""
    verified = rows.outcome != NOT_KNOWN
    return [
        {"by": by, "level": level, "rows": int(member.sum())}
        for by, levels in strata(rows).items()
        for level, member in levels.items()
        if member.sum() >= TOO_FEW and not verified[member].any()
    ]
