"""Two looks at a difference, with the error spent over them: by hand and by simulation."""

import numpy as np
import pytest
from scipy.stats import norm

from model.evaluation.sequential import (
    ONE_SIDED_ERROR,
    Boundary,
    ClusterMean,
    beyond,
    cluster_mean,
    first_boundary,
    last_boundary,
    spent,
)

MARGIN = 0.003


def test_a_cluster_mean_by_hand() -> None:
    found = cluster_mean(np.array([1.0, 3.0, 5.0, 7.0]), ["a", "a", "b", "c"])
    # Deviations -3, -1, 1, 3; sums by cluster -4, 1, 3: 3/2 · 26/16.
    assert (found.value, found.rows, found.clusters) == (4.0, 4, 3)
    assert found.standard_error == pytest.approx(np.sqrt(1.5 * 26 / 16))
    assert found.information == pytest.approx(1 / (1.5 * 26 / 16))


def test_rows_of_their_own_give_the_ordinary_standard_error() -> None:
    values = np.random.default_rng(1).normal(size=50)
    found = cluster_mean(values, np.arange(50))
    assert found.standard_error == pytest.approx(values.std(ddof=1) / np.sqrt(50))
    # The same rows twice in a patient are no more information.
    twice = cluster_mean(np.repeat(values, 2), np.repeat(np.arange(50), 2))
    assert twice.standard_error == pytest.approx(found.standard_error)


def test_one_patient_has_no_standard_error() -> None:
    with pytest.raises(ValueError, match="two clusters"):
        cluster_mean(np.array([1.0, 2.0]), ["a", "a"])


def test_spending_is_that_of_the_paper() -> None:
    # Lan and DeMets: 2 − 2Φ(2.2414/√t) for one-sided 0.025.
    assert spent(0.5) == pytest.approx(2 * norm.sf(2.241403 / np.sqrt(0.5)), abs=1e-8)
    assert spent(0.5) == pytest.approx(0.001525, abs=1e-6)
    assert spent(0.0) == 0.0
    assert spent(1.0) == spent(1.7) == pytest.approx(ONE_SIDED_ERROR)
    amounts = [spent(t) for t in np.linspace(0, 1, 30)]
    assert amounts == sorted(amounts)
    with pytest.raises(ValueError, match="negative"):
        spent(-0.1)


def test_boundaries_of_two_even_looks_are_the_published_ones() -> None:
    """Jennison and Turnbull (2000), table 7.2 family: 2.963 and 1.969 for halves."""
    first = first_boundary(0.5)
    last = last_boundary(first, np.sqrt(0.5))
    assert first.limit == pytest.approx(2.963, abs=0.001)
    assert last.limit == pytest.approx(1.969, abs=0.001)
    assert last.spent == ONE_SIDED_ERROR


def test_a_look_at_everything_may_spend_everything() -> None:
    only = first_boundary(1.0)
    assert only.limit == pytest.approx(norm.isf(0.025))
    # Nothing is left for another.
    assert last_boundary(only, 0.9).limit > 10


def test_looks_that_are_hardly_apart_and_far_apart() -> None:
    early = first_boundary(0.01)
    assert early.limit > 10
    assert last_boundary(early, 0.1).limit == pytest.approx(norm.isf(0.025), abs=1e-3)
    same = last_boundary(first_boundary(0.5), 1.0)
    assert norm.sf(same.limit) == pytest.approx(ONE_SIDED_ERROR, abs=1e-4)
    with pytest.raises(ValueError, match="between 0 and 1"):
        last_boundary(Boundary(0.001, 3.0), 1.5)


def test_a_difference_without_spread() -> None:
    assert beyond(ClusterMean(0.01, 0.0, 5, 3), 0.003) == float("inf")
    assert beyond(ClusterMean(0.003, 0.0, 5, 3), 0.003) == float("-inf")


def alarms(
    mean: float, *, runs: int, seed: int, rows: int = 600, share: float = 0.5
) -> tuple[int, int]:
    """Of `runs` watches how many end at the first look, at `share` of the rows, and the second.

    Differences of losses as they are: heavy-tailed, and alike within a patient.
    """
    rng = np.random.default_rng(seed)
    first_found = second_found = 0
    patient = np.repeat(np.arange(rows), 2)  # two visits a patient
    for _ in range(runs):
        common = rng.standard_t(5, rows)[patient]
        own = rng.standard_t(5, 2 * rows)
        values = mean + 0.1 * (0.6 * common + 0.8 * own) / np.sqrt(5 / 3)
        # Patients come one after the other.
        early = round(2 * rows * share)
        half = cluster_mean(values[:early], patient[:early])
        whole = cluster_mean(values, patient)
        first = first_boundary(share)
        if beyond(half, MARGIN) >= first.limit:
            first_found += 1
            continue
        rho = np.sqrt(min(half.information / whole.information, 1.0))
        if beyond(whole, MARGIN) >= last_boundary(first, rho).limit:
            second_found += 1
    return first_found, second_found


@pytest.mark.parametrize("share", [0.3, 0.5, 0.9])
def test_at_the_margin_at_most_one_in_forty_is_called_worse(share: float) -> None:
    runs = 1_000
    early, late = alarms(MARGIN, runs=runs, seed=1, share=share)
    error = (early + late) / runs
    allowed = ONE_SIDED_ERROR + 3 * np.sqrt(ONE_SIDED_ERROR * (1 - ONE_SIDED_ERROR) / runs)
    assert error <= allowed
    # The error is spent, not saved: a boundary that nothing passes would be no boundary.
    assert error >= ONE_SIDED_ERROR - 3 * np.sqrt(ONE_SIDED_ERROR / runs)
    assert early <= (0.01 if share <= 0.5 else 0.03) * runs


def test_a_clearly_worse_model_is_found_and_a_better_one_never() -> None:
    early, late = alarms(MARGIN + 0.02, runs=200, seed=2)
    assert early + late >= 190
    assert early >= 40
    assert alarms(-0.01, runs=200, seed=3) == (0, 0)
