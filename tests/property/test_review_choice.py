"""No twins are asked about, whatever comes; and the audit sample is what it says it is."""

from uuid import UUID

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays
from scipy.stats import binomtest

from cds_service.security.secrecy import Secrecy
from model.evaluation.active_learning import FARTHEST, TWINS, choose, feature_space

VALUES = st.one_of(st.just(float("nan")), st.floats(-1e6, 1e6))


@given(
    values=arrays.arrays(np.float64, st.tuples(st.integers(1, 30), st.just(3)), elements=VALUES),
    budget=st.integers(0, 12),
    seed=st.integers(0, 9),
)
def test_no_two_that_are_asked_about_are_twins(values: np.ndarray, budget: int, seed: int) -> None:
    rng = np.random.default_rng(seed)
    priorities, asked = rng.uniform(0.1, 3, len(values)), rng.random(len(values)) < 0.2
    places = feature_space(values)
    chosen = choose(places, priorities, budget, asked=asked)
    assert len(chosen) <= budget
    assert not asked[chosen].any()
    among = [*chosen, *np.flatnonzero(asked)]
    for i, one in enumerate(chosen):
        for other in among[i + 1 :]:
            assert np.linalg.norm(places[one] - places[other]) >= TWINS
    if len(chosen) < budget:  # Then whatever is left is somebody's twin.
        for left in set(range(len(values))) - set(among):
            assert min(np.linalg.norm(places[left] - places[one]) for one in among) < TWINS


@given(twins=st.integers(2, 60), others=st.integers(1, 10))
def test_fifty_twins_leave_the_budget_to_others(twins: int, others: int) -> None:
    places = np.concatenate([np.zeros(twins), np.arange(1, others + 1) * FARTHEST])[:, None]
    priorities = np.concatenate([np.full(twins, 9.0), np.full(others, 0.1)])
    chosen = choose(places, priorities, 20)
    assert sum(one < twins for one in chosen) == 1
    assert len(chosen) == 1 + others


def test_the_audit_sample_is_one_in_a_hundred_and_the_same_each_time() -> None:
    secrecy = Secrecy([b"k" * 32])
    rng = np.random.default_rng(3)
    ids = [str(UUID(bytes=rng.bytes(16), version=4)) for _ in range(40_000)]
    places = np.array([secrecy.sampling_place(one) for one in ids])
    assert ((places >= 0) & (places < 1)).all()
    chosen = int((places < 0.01).sum())
    assert binomtest(chosen, len(ids), 0.01).pvalue > 1e-4
    assert np.histogram(places, 10, (0, 1))[0] == pytest.approx(4_000, rel=0.06)
    assert [secrecy.sampling_place(one) for one in ids[:50]] == list(places[:50])
    # Nobody without the key can tell which.
    other = Secrecy([b"j" * 32])
    both = sum(
        p < 0.01 and other.sampling_place(i) < 0.01 for i, p in zip(ids, places, strict=True)
    )
    assert both < 30
