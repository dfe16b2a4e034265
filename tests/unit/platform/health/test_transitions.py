"""From what checks find to the state of a target."""

import random
import re
import statistics
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from growbin_jobs.platform.health.transitions import RECHECK, Memory, Policy, observe
from growbin_jobs.platform.health.words import Finding

START = datetime(2026, 11, 28, tzinfo=UTC)
EVERY = timedelta(minutes=10)
POLICY = Policy(EVERY)
UP, DOWN = Finding("healthy", latency_ms=50), Finding("unreachable", "no connection")


def run(findings, *, memory=None, every=EVERY, quiet=()):
    """Take in findings in turn; returns the memory and all changes."""
    memory, changes = memory or Memory("unknown", START), []
    now = memory.checked_at or START
    for number, finding in enumerate(findings):
        now += every
        seen = observe(memory, finding, now, POLICY, quiet=number in quiet)
        memory, changes = seen.memory, [*changes, *seen.changes]
    return memory, changes


def test_one_failure_is_no_outage_and_is_looked_at_again_soon():
    memory, _ = run([UP])
    seen = observe(memory, DOWN, START + 2 * EVERY, POLICY)

    assert (seen.memory.state, seen.changes, seen.recheck_in) == ("healthy", (), RECHECK)


def test_an_outage_is_two_changes_and_two_notices():
    memory, changes = run([UP, UP, DOWN, DOWN, DOWN, DOWN, UP, UP, UP])

    assert memory.state == "healthy"
    assert [(each.before, each.after, each.alert) for each in changes] == [
        ("unknown", "healthy", False),
        ("healthy", "unreachable", True),
        ("unreachable", "healthy", True),
    ]


def noisy(seed, share):
    """A month of checks every 10 minutes, of which a share fails; in the middle there is an outage of five hours.

    Returns:
      The findings; and how many outages they hold by the rule alone: three failures in a row, until two successes.
    """
    noise = random.Random(seed)
    results = "".join("D" if noise.random() < share else "U" for _ in range(4320))
    results = results[:2000] + "D" * 30 + results[2030:]
    return [DOWN if each == "D" else UP for each in results], len(re.findall("DDD.*?UU", results))


@pytest.mark.parametrize("seed", range(8))
def test_noise_of_one_in_twenty_adds_nothing_to_three_failures_in_a_row(seed):
    """One outage is two transitions; 0.05³ × 4320 = 0.54 more are expected in a month, by chance."""
    findings, outages = noisy(seed, 0.05)

    memory, [first, *changes] = run(findings)

    assert sum(one is not other for one, other in pairwise(findings)) > 300
    assert (first.before, first.after, first.alert) == ("unknown", "healthy", False)
    assert [each.after for each in changes] == ["unreachable", "healthy"] * outages
    assert all(each.alert for each in changes)
    assert memory.state == "healthy"


def test_in_most_months_noise_of_one_in_twenty_is_not_told_at_all():
    outages = [noisy(seed, 0.05)[1] for seed in range(100)]

    assert statistics.median(outages) == 1  # the real one
    assert statistics.mean(outages) < 1 + 1.0


@pytest.mark.parametrize("seed", range(4))
def test_noise_of_one_in_five_is_called_flapping_and_told_less(seed):
    findings, outages = noisy(seed, 0.2)

    _, changes = run(findings)

    assert any(each.after == "flapping" for each in changes)
    assert sum(each.alert for each in changes) < 2 * outages


def test_a_target_that_goes_up_and_down_flaps_and_is_told_once():
    memory, changes = run([UP, UP, DOWN, DOWN] * 10)

    assert memory.state == "flapping"
    assert [each.after for each in changes if each.alert] == ["flapping"]
    calm, more = run([UP] * 30, memory=memory)
    assert (calm.state, [each.alert for each in more]) == ("healthy", [True])


def test_while_the_checker_is_offline_nothing_is_down_and_nobody_is_told():
    memory, _ = run([UP, UP])
    memory, changes = run([None] * 10, memory=memory)

    assert memory.state == "unknown"
    assert [(each.after, each.alert) for each in changes] == [("unknown", False)]
    memory, changes = run([UP], memory=memory)
    assert (memory.state, [each.alert for each in changes]) == ("healthy", [False])


def test_time_without_a_check_is_unknown():
    memory, _ = run([UP])

    _, changes = run([UP], memory=memory, every=timedelta(hours=9))

    assert [(each.after, each.at - START) for each in changes] == [
        ("unknown", 3 * EVERY),
        ("healthy", EVERY + timedelta(hours=9)),
    ]


def test_a_deploy_that_stops_checks_for_hours_repeats_no_alert():
    memory, changes = run([DOWN] * 3)
    assert [each.alert for each in changes] == [True]

    _, changes = run([DOWN] * 3, memory=memory, every=timedelta(hours=2))

    assert not any(each.alert for each in changes)


def test_a_worse_state_is_told_again():
    slow = replace(UP, latency_ms=9000)
    memory, changes = run([slow] * 5 + [DOWN] * 3)

    assert [each.after for each in changes if each.alert] == ["degraded", "unreachable"]
    assert memory.alerted == "unreachable"


def test_maintenance_holds_an_alert_back_until_it_is_over():
    memory, changes = run([UP, DOWN, DOWN, DOWN, DOWN], quiet={1, 2, 3, 4})
    assert not any(each.alert for each in changes)

    _, changes = run([DOWN], memory=memory)

    assert [(each.before, each.after, each.alert) for each in changes] == [("unreachable", "unreachable", True)]


@given(st.lists(st.sampled_from([UP, DOWN, Finding("misconfigured"), Finding("unhealthy"), None]), max_size=80))
def test_notices_of_an_outage_and_of_its_end_take_turns(findings):
    memory, changes = run(findings)
    bad = {"unhealthy", "unreachable", "misconfigured", "flapping", "degraded"}
    told = [each.after in bad for each in changes if each.alert]

    assert all(each.before != each.after or each.alert for each in changes)
    # A bad state may be told twice only when it becomes worse; its end only after it was told.
    ends = [index for index, is_bad in enumerate(told) if not is_bad]
    assert all(index > 0 and told[index - 1] for index in ends)
    assert (memory.alerted is not None) == (bool(told) and told[-1])
