"""Numbers that anybody may have sent."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from growbin_jobs.engine.errors import DecisionInvalid, Deferred
from growbin_jobs.engine.foreign_numbers import finite

ANYTHING = st.one_of(
    st.floats(), st.integers(), st.integers(min_value=10**300, max_value=10**400).map(lambda n: -n), st.booleans(),
    st.none(), st.text(max_size=5), st.complex_numbers(), st.decimals(), st.fractions(),
)  # fmt: skip


@given(ANYTHING)
def test_it_is_a_finite_float_or_nothing_whatever_was_sent(value):
    read = finite(value)

    assert read is None or (type(read) is float and math.isfinite(read))
    if isinstance(value, int) and not isinstance(value, bool) and abs(value) < 2**53:
        assert read == value


@pytest.mark.parametrize("value", [10**309, -(10**400), math.inf, -math.inf, math.nan, True, "1", None])
def test_what_is_none_is_nothing(value):
    assert finite(value) is None


def test_a_wait_that_no_clock_can_count_is_refused_where_it_is_said():
    with pytest.raises(DecisionInvalid, match="wait must be finite seconds"):
        Deferred("later", wait=10**400)
