"""A mergeable histogram of latencies: buckets grow by 4 %, so a percentile is at most 2 % away from the exact one."""

import math
from collections.abc import Mapping
from typing import Final

#: A latency is in the bucket ``ceil(ln(ms) / LOG_GROWTH)``, those up to 1 ms in bucket 0; the SQL of
#: ``tables/slot_counts`` says the same.
GROWTH: Final = 1.04
LOG_GROWTH: Final = math.log(GROWTH)


def bucket_of(milliseconds: int) -> int:
    """Return the bucket of a latency."""
    # A latency at the edge of a bucket belongs to it, whatever the last digit of its logarithm is.
    return 0 if milliseconds <= 1 else math.ceil(math.log(milliseconds) / LOG_GROWTH - 1e-9)


def value_of(bucket: int) -> float:
    """Return the latency that stands for a bucket, in milliseconds: both its ends are equally far away, in per cent."""
    upper = math.exp(bucket * LOG_GROWTH)
    return 1.0 if bucket == 0 else 2 * upper / (1 + GROWTH)


def percentile(buckets: Mapping[int, int], share: float) -> float | None:
    """Return the latency that a share of the calls did not exceed (nearest rank), in milliseconds.

    Parameters:
      buckets: Calls in each bucket.
      share: Above 0, at most 1, such as 0.95.
    """
    total = sum(buckets.values())
    if total == 0:
        return None
    rank, seen = math.ceil(share * total), 0
    for bucket in sorted(buckets):
        seen += buckets[bucket]
        if seen >= rank:
            return value_of(bucket)
    raise AssertionError("unreachable: the last bucket holds the last rank")
