"""How long calls took, as counts in buckets: what can be added up, whoever counted.

A bucket is about a tenth wider than the one before, so that a figure read from them is right to
within a twentieth (the idea of HDR histograms and of DDSketch: Masson, Rim and Lee 2019).
"""

import math
from collections.abc import Mapping
from typing import Final

_PER_DOUBLING: Final = 8
_FIRST: Final = 0.001
"""Upper end of bucket 0, s."""
LAST: Final = 136
"""The last bucket: all that took longer than about two minutes."""


def bucket_of(seconds: float) -> int:
    """The bucket of a duration."""
    if seconds <= _FIRST:
        return 0
    return min(LAST, math.ceil(_PER_DOUBLING * math.log2(seconds / _FIRST) - 1e-9))


def upper_end(bucket: int) -> float:
    """The longest duration of a bucket, s."""
    return float(_FIRST * 2.0 ** (bucket / _PER_DOUBLING))


def quantile(counts: Mapping[int, int], share: float) -> float | None:
    """The duration, s, that `share` of the counted ones did not exceed; `None` without any.

    The middle of its bucket, by ratio: at most a twentieth away from the true one, except where a
    millisecond or less, or two minutes and more, are told apart no further.
    """
    total = sum(counts.values())
    if not total:
        return None
    wanted, seen = max(1, math.ceil(share * total - 1e-9)), 0
    for bucket in sorted(counts):
        seen += counts[bucket]
        if seen >= wanted:
            break
    return upper_end(bucket) if bucket == 0 else upper_end(bucket) / 2 ** (0.5 / _PER_DOUBLING)
