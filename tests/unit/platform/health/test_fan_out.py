"""Checks of thousands of targets are no burst."""

from collections import Counter
from datetime import timedelta
from math import ceil

from growbin_jobs.platform.health.fan_out import A_SECOND, SENT_A_SECOND, WITHIN, spread

EVERY = timedelta(minutes=10)


def test_ten_thousand_checks_spread_over_the_interval():
    waits = spread([f"agent:{number}" for number in range(10_000)], EVERY)

    in_a_second = Counter(wait // 1000 for _, wait in waits)
    first, *_, last = (wait / 1000 for _, wait in waits)
    assert (first, last < 0.9 * EVERY.total_seconds()) == (10_000 / SENT_A_SECOND, True)
    assert max(in_a_second.values()) == ceil(10_000 / (WITHIN * EVERY.total_seconds())) == 21


def test_a_few_do_not_wait_long_and_always_as_long():
    names = [f"agent:{number}" for number in range(A_SECOND)]

    assert all(wait <= 1000 for _, wait in spread(names, EVERY))
    assert spread(names, EVERY) == spread(reversed(names), EVERY)
    assert spread([], EVERY) == []
