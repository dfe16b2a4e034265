"""The histogram of latencies."""

from collections import Counter
from math import ceil

import pytest
from hypothesis import given
from hypothesis import strategies as st

from growbin_jobs.platform.measures.histogram import GROWTH, bucket_of, percentile, value_of

LATENCIES = st.lists(st.integers(1, 3_600_000), min_size=1, max_size=200)


@given(LATENCIES, st.sampled_from([0.5, 0.95, 0.99, 1.0]))
def test_a_percentile_is_at_most_two_per_cent_away(latencies, share):
    exact = sorted(latencies)[ceil(share * len(latencies)) - 1]

    assert percentile(Counter(map(bucket_of, latencies)), share) == pytest.approx(exact, rel=0.02)


def test_nothing_has_no_percentile():
    assert percentile({}, 0.5) is None


@pytest.mark.parametrize("bucket", [1, 7, 100])
def test_an_exact_power_is_in_its_own_bucket(bucket):
    assert bucket_of(GROWTH**bucket) == bucket
    assert value_of(bucket) < GROWTH**bucket
