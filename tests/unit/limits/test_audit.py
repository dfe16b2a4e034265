from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from growbin_jobs.limits.audit import Sent, audit
from growbin_jobs.limits.promises import Promise
from growbin_jobs.rates import Rate

LUNA = "gpt-6-luna"


def promise(name="vision", most=100, since=0.0, window=60.0):
    return Promise(name, since, Rate(most, window), "setting")


def sent(at, purpose="vision", *, user=None, tokens=0, model=LUNA):
    return Sent(at, purpose, model, user, tokens)


def found(requests, *history):
    return {finding.name: finding for finding in audit(requests, history or (promise(),))}


def test_as_many_as_were_promised_keep_the_promise_and_one_more_breaks_it():
    kept = found([sent(100 + i * 0.5) for i in range(100)])["vision"]
    broken = found([sent(100 + i * 0.5) for i in range(101)])["vision"]

    assert (kept.worst, kept.broken) == (100, 0)
    assert (broken.worst, broken.broken, broken.worst_at) == (101, 1, 150)


def test_windows_are_those_of_any_60_s_and_not_of_the_clock_s_minutes():
    requests = [sent(119 + i * 0.01) for i in range(60)] + [sent(121 + i * 0.01) for i in range(60)]

    assert found(requests)["vision"].worst == 120


@given(st.lists(st.floats(0, 500), max_size=60), st.integers(1, 20))
def test_the_worst_is_that_of_a_slow_exact_count(moments, most):
    moments = sorted(60 + moment for moment in moments)
    finding = found(map(sent, moments), promise(most=most))["vision"]
    inside = [sum(moment - 60.0 <= other <= moment for other in moments) for moment in moments]

    assert finding.worst == max(inside, default=0)
    assert finding.total == len(moments)
    # Windows may overlap in ways that count a request at both ends; ends are those that the requests give.
    assert finding.broken == len([1 for i, _ in enumerate(moments) if _until(moments, i) > most])


def _until(moments, index):
    """Units in the window that ends with a request, of those up to it."""
    return sum(moments[index] - 60.0 <= other for other in moments[: index + 1])


def test_use_is_that_of_the_busiest_ten_windows():
    finding = found([sent(1000 + i * 0.61) for i in range(1100)])["vision"]

    assert 0.97 <= finding.use <= 1.0
    assert finding.broken == 0


def test_each_limit_counts_its_own():
    history = [promise("project", 9), promise("text", 1), promise("tokens:vision", 900), promise("model:gpt-6-luna", 9)]
    requests = [sent(100, tokens=400), sent(101, "text", tokens=5), sent(102, model=f"{LUNA}-2026-09-01", tokens=500)]
    findings = found(requests, *history)

    assert {name: finding.worst for name, finding in findings.items()} == {
        "project": 3,
        "text": 1,
        "tokens:vision": 900,
        "model:gpt-6-luna": 3,
    }
    assert not any(finding.broken for finding in findings.values())


def test_users_are_judged_by_their_own_promise_and_else_by_that_of_all():
    history = [promise("user:*", 2), promise("user:vip", 5)]
    findings = found([sent(100, user=user) for user in ("a", "a", "a", "vip", "vip", "vip")], *history)

    assert {name: finding.broken for name, finding in findings.items()} == {"user:a": 1, "user:vip": 0}


def test_a_limit_that_was_lowered_is_judged_by_what_held_then():
    history = [promise(most=100), promise(most=10, since=1000)]
    before = [sent(900 + i * 0.61) for i in range(100)]

    assert found([*before, sent(1001)], *history)["vision"].broken == 0, "the larger one holds while it changes"
    after = [sent(1200 + i) for i in range(11)]
    assert found([*before, *after], *history)["vision"].broken == 1


def test_what_was_sent_before_anything_was_promised_is_not_judged():
    finding = found([sent(i * 0.1) for i in range(300)], promise(since=25.0))["vision"]

    assert (finding.worst, finding.broken) == (300, 0)


def test_a_change_of_the_window_s_length_is_not_judged():
    history = [promise(most=1, window=1.0), promise(most=60, since=100)]

    assert found([sent(90 + i * 0.1) for i in range(300)], *history)["vision"].broken == 0


def test_nothing_sent_is_nothing_found():
    finding = found([])["vision"]

    assert (finding.worst, finding.worst_at, finding.use, finding.broken) == (0, None, 0.0, 0)


@pytest.mark.parametrize("spacing", [0.59, 0.61])
def test_it_tells_a_limit_that_is_kept_from_one_that_is_not(spacing):
    """The test can fail: a spacing that is a little too short breaks the promise."""
    moments = [100 + i * spacing for i in range(1000)]
    assert all(later > earlier for earlier, later in pairwise(moments))

    assert (found(map(sent, moments))["vision"].broken > 0) == (spacing < 0.6)
