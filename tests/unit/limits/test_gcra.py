"""The arithmetic against a slow, exact model: it keeps every start and counts all windows by hand."""

from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.whole import examples

from growbin_jobs.limits.gcra import Limit, decide

WAYS = st.tuples(
    st.floats(0, 3),  # seconds since the request before
    st.sets(st.sampled_from(["a", "b", "c"]), min_size=1),
    st.integers(1, 3),  # cost
    st.sampled_from([0.0, 0.5, 2.0]),  # patience
    st.booleans(),  # reserve
)
LIMITS = st.tuples(st.floats(0.05, 2), st.integers(3, 6))


class Exact:
    """Every unit with its start; what a limit may grant follows from counting, not from a TAT."""

    def __init__(self, spacing, burst):
        self.spacing, self.burst, self.starts = spacing, burst, []

    def add(self, start, cost):
        self.starts += [start] * cost

    def worst(self):
        """How far any window holds more than burst + its length / spacing: at most 0 for a right limit."""
        starts = sorted(self.starts)
        return max(
            (
                last - first + 1 - self.burst - (starts[last] - starts[first]) / self.spacing
                for first in range(len(starts))
                for last in range(first, len(starts))
            ),
            default=0.0,
        )


@settings(max_examples=examples(300), deadline=None)
@given(st.tuples(LIMITS, LIMITS, LIMITS), st.lists(WAYS, max_size=40))
def test_no_window_ever_holds_more_than_it_may(shapes, requests):
    now = 1000.0
    limits = {name: Limit(name, *shape) for name, shape in zip("abc", shapes, strict=True)}
    exact = {name: Exact(*shape) for name, shape in zip("abc", shapes, strict=True)}

    for pause, names, cost, patience, reserve in requests:
        now += pause
        before = dict(limits)
        decision, changed = decide(
            [limits[name] for name in sorted(names)],
            dict.fromkeys(names, cost),
            now,
            patience=patience,
            reserve=reserve,
        )
        limits.update({limit.name: limit for limit in changed})
        touched = {name for name in limits if limits[name] != before[name]}

        assert decision.start >= now
        assert decision.granted == (decision.start <= now + patience)
        if decision.granted:
            assert touched == names, "all"
        else:
            assert touched == ({decision.limit} if reserve else set()), "or nothing"
        for name in touched:
            exact[name].add(decision.start, cost)

    assert all(each.worst() <= 1e-6 for each in exact.values())


@given(st.lists(st.floats(0, 0.3), min_size=1, max_size=60))
def test_under_load_nothing_is_lost(pauses):
    """Whoever waits for the start that was named gets it: the starts are as close as the spacing allows."""
    limit, now, starts = Limit("a", spacing=0.5, burst=1), 0.0, []
    for pause in pauses:
        now += pause
        decision, [limit] = decide([limit], {"a": 1}, now, patience=1e9, horizon=1e9)
        starts.append(decision.start)

    busy = [later - earlier for earlier, later in pairwise(starts)]
    assert all(gap >= 0.5 - 1e-9 for gap in busy)
    assert starts[-1] <= max(sum(pauses), starts[0] + 0.5 * (len(pauses) - 1)) + 1e-6


def test_places_in_a_line_are_given_in_order_and_only_in_the_limit_that_decides():
    vision, user = Limit("vision", 0.1, 1), Limit("user:a", 10.0, 1)
    waits = []
    for _ in range(4):
        decision, changed = decide([user, vision], {"user:a": 1, "vision": 1}, 0.0, reserve=True)
        for limit in changed:
            user, vision = (limit, vision) if limit.name == "user:a" else (user, limit)
        waits.append((decision.granted, decision.limit, decision.wait))

    assert waits[0][0]
    assert waits[1:] == [(False, "user:a", 10.0), (False, "user:a", 20.0), (False, "user:a", 30.0)]
    assert vision.tat == 0.1, "one user's line does not hold up the others"


@pytest.mark.parametrize("ahead", [3601.0, 1e6, float("inf")])
def test_a_moment_further_ahead_than_anybody_can_reserve_heals(ahead):
    decision, [limit] = decide([Limit("a", 0.1, 1, tat=100.0 + ahead)], {"a": 1}, 100.0)

    assert decision.granted
    assert limit.tat == pytest.approx(100.1)


def test_a_hold_is_waited_for_and_charged_when_it_ends():
    decision, [limit] = decide([Limit("a", 1.0, 1, held_until=130.0)], {"a": 1}, 100.0, patience=60.0)

    assert (decision.start, limit.tat) == (130.0, 131.0)
