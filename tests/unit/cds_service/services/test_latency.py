"""Durations in buckets."""

import math
from collections import Counter

import numpy as np
import pytest

from cds_service.services.latency import LAST, bucket_of, quantile, upper_end


@pytest.mark.parametrize(
    ("seconds", "bucket"),
    [(0.0, 0), (0.001, 0), (0.00101, 1), (0.002, 8), (0.0021, 9), (1.024, 80), (1e9, LAST)],
)
def test_eight_buckets_make_a_doubling(seconds: float, bucket: int) -> None:
    assert bucket_of(seconds) == bucket


def test_a_duration_lies_in_its_bucket() -> None:
    for bucket in range(1, LAST):
        assert bucket_of(upper_end(bucket)) == bucket
        assert bucket_of(upper_end(bucket) * 1.001) == bucket + 1


def test_quantiles_are_right_to_within_a_twentieth() -> None:
    draw = np.random.default_rng(4)
    durations = sorted(draw.lognormal(math.log(0.03), 0.8, 20_001).tolist())
    counts = Counter(bucket_of(one) for one in durations)
    for share in (0.5, 0.95, 0.99):
        found = quantile(counts, share)
        assert found is not None
        assert found == pytest.approx(durations[math.ceil(share * 20_001) - 1], rel=0.05)


def test_of_nothing_there_is_no_quantile() -> None:
    assert quantile({}, 0.5) is None
    assert quantile({7: 0}, 0.5) is None


def test_the_half_of_two_is_the_first() -> None:
    assert quantile({0: 1, 80: 1}, 0.5) == 0.001
    assert quantile({0: 1, 80: 1}, 0.95) == pytest.approx(1.024 / 2**0.0625)
