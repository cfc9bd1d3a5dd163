"""Distances of inputs, against hand-computed values and scipy."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import ks_2samp

from model.evaluation.drift import (
    Reference,
    correlation,
    counts,
    distance,
    quantile_edges,
    stability_index,
)

VALUES = st.lists(st.integers(-5, 5), min_size=1, max_size=40)


def test_d_by_hand() -> None:
    # Up to 2: 2 of 3 against 1 of 4; up to 3: 3 of 3 against 2 of 4.
    assert distance([1, 2, 3], [2, 3, 4, 5]) == pytest.approx(1 / 2)
    assert distance([1, 2], [3, 4]) == 1.0
    assert distance([1, 2, np.nan], [2, 1]) == 0.0
    assert np.isnan(distance([np.nan], [1.0]))


def test_d_of_a_yes_no_input_is_the_difference_of_shares() -> None:
    assert distance([1, 1, 1, 0], [1, 0, 0, 0]) == pytest.approx(0.5)


@given(VALUES, VALUES)
def test_d_is_that_of_scipy(first: list[int], second: list[int]) -> None:
    with np.errstate(all="ignore"):  # Of its p value, which is not asked for.
        theirs = ks_2samp(first, second, method="asymp").statistic
    assert distance(first, second) == pytest.approx(theirs)
    assert distance(first, second) == pytest.approx(distance(second, first))


@given(st.lists(VALUES, min_size=2, max_size=6))
def test_each_reference_chunk_is_compared_with_the_others(chunks: list[list[int]]) -> None:
    found = Reference.of(chunks)
    for i, chunk in enumerate(chunks):
        others = [value for j, other in enumerate(chunks) if j != i for value in other]
        assert found.distances[i] == pytest.approx(distance(chunk, others))
    assert len(found.values) == sum(map(len, chunks))


def test_a_chunk_without_values_is_no_reference() -> None:
    assert len(Reference.of([[1.0, 2.0], [np.nan]]).distances) == 0
    assert len(Reference.of([]).values) == 0


def test_stability_index_by_hand() -> None:
    # Two bins: 50 % and 50 % in the reference, 80 % and 20 % now.
    reference, sample = [0] * 50 + [1] * 50, [0] * 80 + [1] * 20
    by_hand = 0.3 * np.log(0.8 / 0.5) + (-0.3) * np.log(0.2 / 0.5)
    assert stability_index(sample, reference) == pytest.approx(by_hand)
    assert stability_index(reference, reference) == 0.0
    # An empty bin counts as half a row.
    empty = stability_index([0] * 10, reference)
    assert empty == pytest.approx(0.5 * np.log(1 / 0.5) + (0.05 - 0.5) * np.log(0.05 / 0.5))
    assert np.isnan(stability_index([], reference))


def test_bins_of_the_stability_index_are_deciles() -> None:
    reference = np.arange(1_000)
    assert counts(reference, quantile_edges(reference)).tolist() == [100] * 10
    assert counts([-5, 5000, 5000], quantile_edges(reference)).tolist() == [1, *[0] * 8, 2]


def test_correlation_of_ranks() -> None:
    outcome = [0.0] * 10 + [1.0] * 10
    rising = correlation(np.arange(20.0), outcome)
    assert rising is not None
    assert rising.n == 20
    assert rising.value == pytest.approx(0.8671, abs=1e-4)
    assert correlation(np.exp(np.arange(20.0)), outcome) == rising
    assert correlation(np.ones(20), outcome) is None
    assert correlation(np.arange(20.0), [0.0] * 11 + [1.0] * 9) is None
    gaps = correlation([*range(20), np.nan, 3], [*outcome, 1.0, np.nan])
    assert gaps == rising
