"""Counters of a message's options, whatever somebody has put there."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from growbin_jobs.engine.delivery.runs import MOST, counted


@pytest.mark.parametrize("value", [-1, 2**63, 10**400, 1.5, "3", None, [], float("inf")])
def test_what_nobody_has_counted_counts_as_none(value):
    assert counted({"retries": value}, "retries") == 0


@given(st.integers(0, MOST - 1))
def test_a_count_is_what_it_is(value):
    assert counted({"retries": value}, "retries") == value
