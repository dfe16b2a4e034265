import random
from bisect import bisect_right

import pytest
from hypothesis import given
from hypothesis import strategies as st

from growbin_jobs.limits.parameters import spacing, use


def most_in_any_window(moments, window):
    """The slow, exact count: for each moment, how many lie in the window that begins with it."""
    moments = sorted(moments)
    return max(bisect_right(moments, first + window) - index for index, first in enumerate(moments))


def granted(count, space, burst):
    """Moments of grants under full load: the burst at once, then one each spacing."""
    return [max(0.0, (number - burst + 1) * space) for number in range(count)]


@pytest.mark.parametrize(
    ("burst", "spread", "used"), [(1, 1, 0.984), (2, 1, 0.974), (3, 1, 0.964), (1, 2, 0.968), (1, 0, 1.0)]
)
def test_the_table_of_the_module(burst, spread, used):
    assert use(100, 60, burst=burst, spread=spread) == pytest.approx(used, abs=0.0005)


@pytest.mark.parametrize(("most", "window"), [(100, 60), (200, 60), (10, 1), (5, 60)])
@pytest.mark.parametrize("burst", [1, 2, 3])
@pytest.mark.parametrize("spread", [0.0, 1.0, 3.0])
def test_the_server_never_counts_more_than_was_promised(most, window, burst, spread):
    space = spacing(most, window, burst=burst, spread=spread)
    grants = granted(6 * most, space, burst)
    random.seed(7)
    delays = {
        "uniform": lambda _: random.uniform(0, spread),
        "the worst: late ones meet punctual ones": lambda moment: spread if (moment // window) % 2 == 0 else 0.0,
        "alternating": lambda moment: spread if round(moment / space) % 2 else 0.0,
    }

    for delay in delays.values():
        assert most_in_any_window([moment + delay(moment) for moment in grants], window) <= most


def test_a_shorter_spacing_breaks_it_so_the_test_can_fail():
    grants = granted(600, 0.6, 1)  # 100 a minute on average, no more

    assert most_in_any_window([moment + (1.0 if moment < 60 else 0.0) for moment in grants], 60) > 100


@given(st.integers(1, 500), st.floats(1, 3600), st.integers(1, 5), st.floats(0, 5))
def test_the_use_is_below_one_and_falls_with_burst_and_spread(most, window, burst, spread):
    if burst <= most:
        assert 0 < use(most, window, burst=burst, spread=spread) <= 1


@pytest.mark.parametrize("wrong", [(0, 60, 1), (100, 0, 1), (100, 60, 0), (100, 60, 101), (-1, 60, 1)])
def test_what_no_limit_can_keep_is_refused(wrong):
    most, window, burst = wrong
    with pytest.raises(ValueError, match=r"limit|burst"):
        spacing(most, window, burst=burst)
