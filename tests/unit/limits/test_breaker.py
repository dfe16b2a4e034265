"""The transitions of a breaker, alone and under many callers in virtual time."""

import random
from itertools import pairwise

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from growbin_jobs.limits.breaker import (
    FIRST_PAUSE,
    LONGEST_PAUSE,
    OPERATOR_PAUSE,
    PROBE_LEASE,
    RAMP,
    THRESHOLD,
    Breaker,
    admit,
    failed,
    reset,
    succeeded,
)


def opened(now=100.0, **options):
    breaker = Breaker("m")
    for _ in range(THRESHOLD):
        breaker = failed(breaker, now, sent_at=now, reason="failed", **options)
    return breaker


def test_some_failures_among_successes_open_nothing():
    breaker = Breaker("m")
    for _ in range(20):
        for _ in range(THRESHOLD - 1):
            breaker = failed(breaker, 1.0, sent_at=1.0, reason="failed")
        breaker = succeeded(breaker, 1.0)

    assert breaker == Breaker("m")


def test_sustained_failures_open_it_and_one_probe_closes_it():
    breaker = opened(now=100.0)

    assert breaker.state == "open"
    assert admit(breaker, 100.0 + FIRST_PAUSE - 1)[0].wait == pytest.approx(1.0)
    probe, breaker = admit(breaker, 100.0 + FIRST_PAUSE)
    assert (probe.wait, probe.probe, probe.unbilled) == (0.0, 1, False)
    other, breaker = admit(breaker, 100.0 + FIRST_PAUSE)
    assert other.wait == PROBE_LEASE

    assert succeeded(breaker, 110.0, probe=1).state == "closed"


def test_a_probe_whose_holder_died_is_replaced_and_its_late_word_is_old():
    _, breaker = admit(opened(), 200.0)
    second, breaker = admit(breaker, 200.0 + PROBE_LEASE)

    assert second.probe == 2
    assert succeeded(breaker, 300.0, probe=1) == breaker
    assert failed(breaker, 300.0, sent_at=200.0, reason="failed", probe=1) == breaker
    assert succeeded(breaker, 300.0, probe=2).state == "closed"


def test_each_failed_probe_doubles_the_pause_up_to_the_longest():
    breaker, now, pauses = opened(now=0.0), 0.0, []
    for _ in range(9):
        pauses.append(breaker.open_until - now)
        now = breaker.open_until
        probe, breaker = admit(breaker, now)
        breaker = failed(breaker, now, sent_at=now, reason="failed", probe=probe.probe)

    assert pauses == [5, 10, 20, 40, 80, 160, 300, 300, 300]
    assert LONGEST_PAUSE == 300


@pytest.mark.parametrize("waits", [(60, 5), (5, 60)])
def test_what_a_server_asks_only_ever_lengthens_the_pause(waits):
    breaker = opened(now=100.0)
    for wait in waits:
        breaker = failed(breaker, 101.0, sent_at=99.0, reason="rate_limited", asked_wait=wait)

    assert breaker.open_until == 161.0


@pytest.mark.parametrize("reason", ["model_quota_exhausted", "model_access_denied", "model_not_offered"])
def test_what_only_an_operator_can_mend_opens_at_once_and_is_probed_for_free(reason):
    breaker = failed(Breaker("m"), 100.0, sent_at=99.0, reason=reason, needs_operator=True)

    assert (breaker.state, breaker.reason) == ("operator", reason)
    assert admit(breaker, 100.0 + OPERATOR_PAUSE - 1)[0].wait == pytest.approx(1.0)
    probe, breaker = admit(breaker, 100.0 + OPERATOR_PAUSE)
    assert probe.unbilled
    again = failed(breaker, 161.0, sent_at=160.0, reason=reason, needs_operator=True, probe=probe.probe)
    assert (again.state, again.open_until, again.changed_at) == ("operator", 161.0 + OPERATOR_PAUSE, 100.0)
    assert succeeded(breaker, 161.0, probe=probe.probe).state == "closed"
    assert reset(breaker, 161.0).state == "closed"


def test_an_operator_s_cause_found_while_it_is_open_is_named():
    breaker = failed(opened(now=100.0), 101.0, sent_at=99.0, reason="rate_limited", asked_wait=1000.0)
    breaker = failed(breaker, 102.0, sent_at=99.0, reason="model_quota_exhausted", needs_operator=True)

    assert (breaker.state, breaker.reason) == ("operator", "model_quota_exhausted")
    assert breaker.open_until == 1101.0, "a pause only grows"


def test_results_from_before_an_outage_neither_close_it_nor_open_the_next():
    breaker = opened(now=100.0)
    assert succeeded(breaker, 101.0) == breaker

    closed = reset(breaker, 150.0)
    for _ in range(2 * THRESHOLD):
        closed = failed(closed, 151.0, sent_at=149.0, reason="timeout")
    assert (closed.state, closed.failures) == ("closed", 0)


def test_after_an_outage_the_requests_come_back_slowly():
    closed = reset(opened(now=100.0), 200.0)

    shares = [admit(closed, 200.0 + part * RAMP)[0].share for part in (0.0, 0.5, 1.0, 2.0)]
    assert shares == [pytest.approx(0.1), pytest.approx(0.55), 1.0, 1.0]
    assert admit(Breaker("m"), 0.0)[0].share == 1.0


class Cluster(RuleBasedStateMachine):
    """Any order of callers, deaths, late words and passing time."""

    def __init__(self):
        super().__init__()
        self.now, self.breaker, self.flying, self.opened_until = 1000.0, Breaker("m"), [], 0.0

    @rule(seconds=st.floats(0, 400))
    def time_passes(self, seconds):
        self.now += seconds

    @rule()
    def somebody_asks(self):
        before = self.breaker
        admission, self.breaker = admit(self.breaker, self.now)
        if admission.wait == 0:
            if before.state != "closed":
                assert admission.probe == before.fence + 1
                assert self.now >= before.open_until
                assert self.now >= before.probe_until, "two probes at once"
            self.flying.append((admission.probe, self.now))

    @precondition(lambda self: self.flying)
    @rule(data=st.data(), good=st.booleans(), operator=st.booleans(), wait=st.sampled_from([0.0, 10.0, 1000.0]))
    def a_result_comes(self, data, good, operator, wait):
        probe, sent_at = self.flying.pop(data.draw(st.integers(0, len(self.flying) - 1)))
        before = self.breaker
        if good:
            self.breaker = succeeded(before, self.now, probe=probe)
        else:
            self.breaker = failed(
                before, self.now, sent_at=sent_at, reason="r", needs_operator=operator, asked_wait=wait, probe=probe
            )
        if before.state != "closed" and self.breaker.state == "closed":
            assert good
            assert probe == before.fence, "only the latest probe closes"
        if before.state != "closed" and self.breaker.state != "closed":
            assert self.breaker.open_until >= before.open_until, "a pause only grows"

    @precondition(lambda self: self.flying)
    @rule(data=st.data())
    def a_process_dies(self, data):
        self.flying.pop(data.draw(st.integers(0, len(self.flying) - 1)))

    @rule()
    def a_person_resets(self):
        self.breaker = reset(self.breaker, self.now)

    @invariant()
    def it_never_sticks(self):
        """Whatever happened, a request is let through after the pause and the lease have passed."""
        later = max(self.now, self.breaker.open_until, self.breaker.probe_until)
        assert admit(self.breaker, later)[0].wait == 0


Cluster.TestCase.settings = settings(max_examples=60, stateful_step_count=40, deadline=None)
TestCluster = Cluster.TestCase


def test_an_outage_costs_one_request_a_pause_in_the_whole_cluster():
    """144 callers, a server that hangs for 50 s and then fails, for 30 minutes; each second some of them die."""
    random.seed(3)
    breaker, sent, pending, end = Breaker("m"), [], [], 1800.0
    now = 0.0
    while now < end:
        for due, sent_at, probe in [one for one in pending if one[0] <= now]:
            breaker = failed(breaker, now, sent_at=sent_at, reason="timeout", probe=probe)
            pending.remove((due, sent_at, probe))
        for _ in range(144 - len(pending)):
            admission, breaker = admit(breaker, now)
            if admission.wait == 0:
                sent.append(now)
                if random.random() < 0.95:  # the others die with the request
                    pending.append((now + 50.0, now, admission.probe))
        now += 1.0
    opened_at = 52.0

    during = [moment for moment in sent if moment > opened_at]
    assert breaker.state == "open"
    # Each probe takes 50 s to fail, or its lease to be lost, and the pauses grow to 300 s.
    assert len(during) <= 12
    assert sum(later - earlier < FIRST_PAUSE for earlier, later in pairwise(during)) == 0
