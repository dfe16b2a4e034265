import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from growbin_jobs.engine.backoff import Backoff, pause_after

pauses = st.floats(min_value=0, max_value=1e9, allow_nan=False)
factors = st.floats(min_value=0, max_value=10)
jitters = st.tuples(factors, factors).map(sorted).map(tuple)


def test_pauses_double_up_to_the_last():
    backoff = Backoff(0.5, 3.0)

    assert [backoff.failed() for _ in range(5)] == [0.5, 1.0, 2.0, 3.0, 3.0]


def test_a_success_starts_again_from_the_first():
    backoff = Backoff(1, 100)
    backoff.failed()
    backoff.failed()

    assert backoff.reset() is True
    assert backoff.reset() is False
    assert backoff.failed() == 1


@given(failures=st.integers(0, 10**30), first=pauses, last=pauses, jitter=jitters)
def test_a_pause_is_within_its_bounds(failures, first, last, jitter):
    pause = pause_after(failures, first, last, jitter)
    without = pause_after(failures, first, last)

    assert without == min(first * 2 ** min(failures, 64), last)
    # A random number between two floats may be rounded onto, not beyond, a float next to the bound.
    assert without * jitter[0] * (1 - 1e-9) <= pause <= without * jitter[1] * (1 + 1e-9)


@given(first=pauses, last=pauses, count=st.integers(1, 80))
def test_pauses_never_shrink(first, last, count):
    backoff = Backoff(first, last)
    taken = [backoff.failed() for _ in range(count)]

    assert taken == sorted(taken)
    assert backoff.failures == count


def test_jitter_spreads_the_pauses():
    assert len({pause_after(0, 1.0, 1.0, (0.5, 1.5)) for _ in range(20)}) > 1


@pytest.mark.parametrize("value", [-1, math.nan, math.inf, -math.inf])
def test_pauses_that_are_none_are_refused(value):
    for arguments in ((value, 1.0), (1.0, value), (1.0, 1.0, (value, 1.0)), (1.0, 1.0, (1.0, value))):
        with pytest.raises(ValueError, match="finite"):
            Backoff(*arguments)
