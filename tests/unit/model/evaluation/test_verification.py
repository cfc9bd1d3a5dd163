"""Verification bias: the naive figure is wrong, the weighted one covers the truth, and where even
weights are wrong the bounds hold."""

from itertools import product
from typing import Any

import numpy as np
import pandas as pd
import pytest
from sklearn.linear_model import LogisticRegression

from model.evaluation.judged_rows import NOT_KNOWN, JudgedRows, verified_shares
from model.evaluation.metrics import ranking
from model.evaluation.propensity import cross_fitted, ridge_logistic, verification_design
from model.evaluation.study_rows import Draws
from model.evaluation.verification import weighted_figures
from model.evaluation.verification_bounds import auroc_bounds, bounds
from tests.support.selected_truth import CLASSES, Mechanism, selected

SEEDS = range(1, 21)
ROWS = 1_000
TRUTH = {"recall": 0.514, "prevalence": 0.137, "log_loss": 0.319, "auroc": 0.810}
"""Of 400,000 charts of `selected` that are all verified."""


def of_acute(records: list[dict[str, Any]], metric: str) -> dict[str, Any]:
    return next(
        one for one in records if one["metric"] == metric and one["category"] in ("acute", None)
    )


def test_the_truth_is_what_it_is_said_to_be() -> None:
    everyone = selected(100_000, 999, "all")
    acute, flagged = everyone.outcome == 1, everyone.decisions == 1
    said = everyone.probabilities[np.arange(100_000), everyone.outcome]
    area, _ = ranking(everyone.probabilities[:, 1], acute * 1.0, np.ones((1, 100_000)))
    found = {
        "recall": flagged[acute].mean(),
        "prevalence": acute.mean(),
        "log_loss": -np.log(said).mean(),
        "auroc": area[0],
    }
    assert found == pytest.approx(TRUTH, abs=0.012)


@pytest.fixture(scope="module")
def by_risk() -> list[tuple[JudgedRows, dict[str, Any]]]:
    """Verification depends on the predicted risk; half of the patients come twice."""
    made = [selected(ROWS, seed, "risk", per_patient=2) for seed in SEEDS]
    return [
        (rows, weighted_figures(rows, Draws(50, seed)) or {})
        for rows, seed in zip(made, SEEDS, strict=True)
    ]


def test_the_naive_figure_is_wrong(by_risk: list[tuple[JudgedRows, dict[str, Any]]]) -> None:
    recalls, shares = [], []
    for rows, _ in by_risk:
        acute, flagged = rows.outcome == 1, rows.decisions == 1
        recalls.append(flagged[acute].mean())
        shares.append(acute[rows.verified].mean())
    # Those found are verified more often than those missed: sensitivity looks 0.17 better.
    assert np.mean(recalls) - TRUTH["recall"] > 0.15
    assert np.mean(shares) - TRUTH["prevalence"] > 0.10


@pytest.mark.parametrize("metric", TRUTH)
def test_the_weighted_figure_covers_the_truth(
    by_risk: list[tuple[JudgedRows, dict[str, Any]]], metric: str
) -> None:
    found = [of_acute(weighted["figures"], metric) for _, weighted in by_risk]
    covered = [one["lower"] <= TRUTH[metric] <= one["upper"] for one in found]
    assert sum(covered) >= 17
    assert np.mean([one["value"] for one in found]) == pytest.approx(TRUTH[metric], abs=0.05)
    assert all(0.0 < one["standard_error"] < 0.2 for one in found)


def test_the_bounds_hold_whatever_verification_depends_on() -> None:
    mechanisms: tuple[Mechanism, ...] = ("risk", "outcome", "flag")
    missed = []
    for mechanism, seed in product(mechanisms, range(1, 6)):
        found = bounds(selected(ROWS, seed, mechanism), Draws(60, seed))
        for metric in ("recall", "prevalence", "auroc"):
            one = of_acute(found, metric)
            assert one["outer_lower"] <= one["lower"] <= one["upper"] <= one["outer_upper"]
            assert one["outer_lower"] <= TRUTH[metric] <= one["outer_upper"]
        if mechanism == "outcome":
            weighted = weighted_figures(selected(ROWS, seed, mechanism), Draws(30, seed)) or {}
            prevalence = of_acute(weighted["figures"], "prevalence")
            missed.append(not prevalence["lower"] <= TRUTH["prevalence"] <= prevalence["upper"])
    # Where verification depends on the outcome itself, no weight helps.
    assert sum(missed) >= 4


def test_a_group_that_is_never_verified_is_named() -> None:
    rows = selected(ROWS, 3, "flag")
    never = (weighted_figures(rows, Draws(5, 3)) or {})["never_verified"]
    named = {(one["by"], one["level"]) for one in never}
    assert {("category", "mild"), ("card", "not shown"), ("risk", "1")} <= named
    assert ("category", "acute") not in named
    shares = {(one["by"], one["level"]): one["share"] for one in verified_shares(rows)}
    assert shares["category", "mild"] == 0.0
    assert shares["all", "all"] == pytest.approx(rows.verified.mean())


def test_where_all_are_verified_the_weights_change_nothing() -> None:
    rows = selected(600, 4, "all")
    weighted = weighted_figures(rows, Draws(20, 4)) or {}
    acute, flagged = rows.outcome == 1, rows.decisions == 1
    assert weighted["effective_sample_size"] == pytest.approx(600, rel=1e-3)
    assert of_acute(weighted["figures"], "recall")["value"] == pytest.approx(
        flagged[acute].mean(), abs=1e-3
    )
    for metric in ("recall", "prevalence", "auroc"):
        one = of_acute(weighted["bounds"], metric)
        assert one["lower"] == pytest.approx(one["upper"])


def test_too_few_outcomes_have_no_figures() -> None:
    rows = selected(600, 4, "all")
    few = JudgedRows(
        rows.frame,
        np.where(np.arange(600) < 29, rows.outcome, NOT_KNOWN).astype(np.intp),
        rows.patient,
        rows.probabilities,
        rows.decisions,
        CLASSES,
    )
    assert weighted_figures(few, Draws(5, 1)) is None


def test_bounds_by_hand() -> None:
    # Acute: one found, one missed; not acute: one; unknown: one flagged, two passed over.
    rows = JudgedRows(
        pd.DataFrame(index=range(6)),
        np.array([1, 1, 0, NOT_KNOWN, NOT_KNOWN, NOT_KNOWN]),
        np.arange(6),
        np.tile([0.5, 0.5], (6, 1)),
        np.array([1, 0, 0, 1, 0, 0]),
        CLASSES,
    )
    found = bounds(rows, Draws(0, 0))
    prevalence, recall = of_acute(found, "prevalence"), of_acute(found, "recall")
    assert (prevalence["lower"], prevalence["upper"]) == pytest.approx((2 / 6, 5 / 6))
    assert (recall["lower"], recall["upper"]) == pytest.approx((1 / 4, 2 / 3))


def test_the_bounds_of_the_area_are_those_of_all_outcomes_there_can_be() -> None:
    rng = np.random.default_rng(5)
    for _ in range(30):
        n, open_rows = 9, rng.integers(1, 6)
        score = rng.integers(0, 5, n) / 5.0  # Ties.
        unknown = np.zeros(n)
        unknown[rng.choice(n, open_rows, replace=False)] = 1.0
        case = rng.integers(0, 2, n) * (1.0 - unknown)
        counts = rng.integers(0, 3, (1, n)).astype(np.float64)
        areas = []
        for values in product((0.0, 1.0), repeat=int(open_rows)):
            filled = case.copy()
            filled[unknown > 0] = values
            areas.append(ranking(score, filled, counts)[0][0])
        found = auroc_bounds(score, case, unknown, counts)[0]
        if np.isnan(areas).all():
            assert np.isnan(found).all()
        else:
            assert found == pytest.approx([np.nanmin(areas), np.nanmax(areas)])


def test_the_regression_is_that_of_scikit_learn() -> None:
    rows = selected(400, 6, "risk")
    design, target = verification_design(rows), rows.verified.astype(np.float64)
    weights = np.random.default_rng(1).integers(0, 3, (2, 400)).astype(np.float64)
    found = ridge_logistic(design, target, weights, penalty=1.0)
    for i in range(2):
        other = LogisticRegression(C=1.0, tol=1e-8, max_iter=1_000)
        other.fit(design[:, 1:], target, sample_weight=weights[i])
        assert found[i, 1:] == pytest.approx(other.coef_[0], abs=2e-3)
        assert found[i, 0] == pytest.approx(other.intercept_[0], abs=2e-3)


def test_nobody_is_in_the_fit_of_their_own_probability() -> None:
    rows = selected(300, 8, "risk", per_patient=3)
    design, weights = verification_design(rows), np.ones((1, 300))
    before = cross_fitted(design, rows.verified, rows.patient, weights)
    other = np.where(rows.patient == 7, ~rows.verified, rows.verified)
    after = cross_fitted(design, other, rows.patient, weights)
    assert after[0, rows.patient == 7] == pytest.approx(before[0, rows.patient == 7])
    assert np.abs(after - before).max() > 1e-4
