"""What failures change, alone and in any order of callers, deaths and late words."""

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule
from tests.whole import examples

from growbin_jobs.limits.breaker import PROBE_LEASE, Breaker, admit, reset, succeeded, unused
from growbin_jobs.limits.breaker_failures import (
    ALONE,
    FIRST_HOLD,
    FIRST_PAUSE,
    KINDS,
    LONGEST_PAUSE,
    OPERATOR_PAUSE,
    THRESHOLDS,
    Failure,
    Past,
    failed,
    is_own_fault,
    noted,
)
from growbin_jobs.limits.breaker_remedies import REASONS, remedy


def opened(now=100.0, reason="failed", **options):
    breaker = Breaker("m")
    for number in range(THRESHOLDS[KINDS[reason]]):
        breaker = failed(breaker, now, sent_at=now, reason=reason, message_id=str(number), **options)
    assert breaker.state != "closed"
    return breaker


def test_some_failures_among_successes_open_nothing():
    breaker = Breaker("m")
    for _ in range(20):
        for _ in range(THRESHOLDS["outage"] - 1):
            breaker = failed(breaker, 1.0, sent_at=1.0, reason="failed")
        breaker = succeeded(breaker, 1.0, sent_at=0.5)

    assert (breaker.state, breaker.failures) == ("closed", 0)


def test_failures_of_a_server_add_up_whatever_they_are_called():
    breaker = Breaker("m")
    for reason in ("failed", "timeout", "unreachable", "failed") * 2:
        assert breaker.state == "closed"
        breaker = failed(breaker, 1.0, sent_at=1.0, reason=reason)

    assert breaker.state == "open"


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
    """Two answers of 429, a second apart (BerriAI/litellm#40130)."""
    breaker = Breaker("m")
    for later, wait in enumerate(waits):
        breaker = failed(breaker, 100.0 + later, sent_at=99.0, reason="rate_limited", asked_wait=wait)

    assert breaker.open_until - 100 == pytest.approx(60, abs=1)
    assert breaker.state == "closed"
    assert breaker.failures == 1, "what was sent before the hold is no news"


def test_a_day_s_wish_is_obeyed():
    breaker = failed(Breaker("m"), 100.0, sent_at=99.0, reason="rate_limited", asked_wait=86_400.0)

    assert admit(breaker, 100.0)[0].wait == 86_400.0


def test_a_server_that_always_limits_the_rate_gets_fewer_and_fewer_requests():
    """``Retry-After: 0`` without an end (dlt-hub/dlt#4036), and everybody always asks."""
    breaker, now, sent = Breaker("m"), 0.0, []
    while now < 60.0:
        admission, breaker = admit(breaker, now, per_minute=100)
        if admission.wait == 0:
            sent.append(now)
            breaker = failed(breaker, now + 0.1, sent_at=now, reason="rate_limited", probe=admission.probe)
        now += 0.1

    assert len(sent) <= 10
    assert sent[1] - sent[0] >= FIRST_HOLD
    assert breaker.state == "open"


@pytest.mark.parametrize("reason", [reason for reason, kind in KINDS.items() if kind == "operator"])
def test_what_only_an_operator_can_mend_opens_at_once(reason):
    breaker = failed(Breaker("m"), 100.0, sent_at=99.0, reason=reason)

    assert (breaker.state, breaker.reason) == ("operator", reason)
    assert admit(breaker, 100.0 + OPERATOR_PAUSE - 1)[0].wait == pytest.approx(1.0)
    probe, breaker = admit(breaker, 100.0 + OPERATOR_PAUSE)
    again = failed(breaker, 161.0, sent_at=160.0, reason=reason, probe=probe.probe)
    assert (again.state, again.open_until, again.changed_at) == ("operator", 161.0 + OPERATOR_PAUSE, 100.0)


def test_a_failing_server_does_not_hide_that_an_operator_is_needed():
    probe, breaker = admit(opened(reason="model_quota_exhausted"), 200.0)
    breaker = failed(breaker, 201.0, sent_at=200.0, reason="unreachable", probe=probe.probe)

    assert (breaker.state, breaker.reason) == ("operator", "model_quota_exhausted")


def test_an_operator_s_cause_found_while_it_is_open_is_named():
    breaker = failed(opened(now=100.0), 101.0, sent_at=99.0, reason="rate_limited", asked_wait=1000.0)
    breaker = failed(breaker, 102.0, sent_at=99.0, reason="model_quota_exhausted")

    assert (breaker.state, breaker.reason) == ("operator", "model_quota_exhausted")
    assert breaker.open_until == 1101.0, "a pause only grows"


def test_results_from_before_an_outage_open_no_second_one():
    closed = reset(opened(now=100.0), 150.0)
    for _ in range(20):
        closed = failed(closed, 151.0, sent_at=149.0, reason="timeout")

    assert (closed.state, closed.failures) == ("closed", 0)


def test_one_message_that_is_refused_again_and_again_opens_nothing():
    reason = "model_rejected_request"
    breaker = Breaker("m")
    for _ in range(20):
        breaker = failed(breaker, 1.0, sent_at=1.0, reason=reason, message_id="the only one")
    assert breaker.state == "closed"

    for message in ("b", "c"):
        breaker = failed(breaker, 1.0, sent_at=1.0, reason=reason, message_id=message)
    assert (breaker.state, breaker.reason) == ("operator", reason)


def test_a_probe_that_is_refused_is_followed_by_another_message():
    probe, breaker = admit(opened(now=100.0), 105.0, message_id="bad")
    breaker = failed(
        breaker, 106.0, sent_at=105.0, reason="model_rejected_request", probe=probe.probe, message_id="bad"
    )

    assert (breaker.state, breaker.open_until) == ("open", 106.0 + FIRST_PAUSE)
    assert admit(breaker, 111.0, message_id="bad")[0].wait > 0
    assert admit(breaker, 111.0, message_id="good")[0].probe == 2


# --- whose fault it is


def test_it_is_the_message_s_own_fault_once_others_were_served():
    breaker = Breaker("m", proven_at=50.0)

    assert not is_own_fault(breaker, None, reason="failed", message_id="a"), "its first failure"
    assert is_own_fault(breaker, Past(40.0, 1), reason="failed", message_id="a")
    assert not is_own_fault(breaker, Past(60.0, 1), reason="failed", message_id="a"), "nobody was served since"
    assert not is_own_fault(opened(), Past(40.0, 1), reason="failed", message_id="a"), "an outage"


def test_a_message_that_is_refused_while_nobody_else_asks_is_given_up_after_some_tries():
    breaker, past, own = Breaker("m"), None, []
    for turn in range(ALONE):
        result, past = noted(breaker, past, 10.0 + turn, Failure("model_rejected_request", message_id="a"))
        breaker = result.breaker
        own.append(result.own_fault)

    assert own == [False, False, True]


def test_a_message_that_is_denied_alone_waits_for_a_person():
    """A key without the right and a wrong address deny each message, and perhaps there is only one."""
    breaker, past, states = Breaker("m"), None, []
    for turn in range(20):
        admission, breaker = admit(breaker, 100.0 * turn + 10, message_id="a")
        result, past = noted(
            breaker, past, 100.0 * turn + 11, Failure("model_forbidden", 1.0, 0.0, admission.probe, "a")
        )
        breaker = result.breaker
        states.append((breaker.state, result.own_fault))

    assert states == [("closed", False)] * 2 + [("operator", False)] * 18


def test_it_is_given_up_when_others_were_served_after_two_such_outages():
    breaker, past, now, own = Breaker("m"), None, 0.0, []
    for _ in range(3):
        while breaker.state == "closed":
            now += 5
            result, past = noted(breaker, past, now, Failure("model_forbidden", message_id="a"))
            own.append(result.own_fault)
            if result.own_fault:
                break
            breaker = result.breaker
        now += 100
        admission, breaker = admit(breaker, now, message_id="b")
        breaker = succeeded(breaker, now + 1, sent_at=now, probe=admission.probe)
        now += 1000  # nobody else asks

    assert own == [False] * 6 + [True]


def test_an_outage_of_any_length_is_nobody_s_own_fault():
    breaker, past, own = Breaker("m"), None, []
    for turn in range(50):
        result, past = noted(breaker, past, 10.0 + turn, Failure("failed", message_id="a"))
        breaker = result.breaker
        own.append(result.own_fault)

    assert not any(own)
    assert breaker.state == "open"


def test_failures_of_an_outage_that_is_over_are_forgotten():
    closed = reset(opened(now=100.0), 150.0)
    closed = succeeded(failed(closed, 160.0, sent_at=155.0, reason="failed"), 165.0, sent_at=161.0)

    result, past = noted(closed, Past(99.0, 5), 170.0, Failure("failed", age=1.0, message_id="a"))

    assert (result.own_fault, past) == (False, Past(170.0, 1))


def test_each_reason_has_a_remedy_in_both_languages():
    assert set(KINDS) == REASONS
    assert all(remedy(reason, language) for reason in KINDS for language in ("ko", "en"))


class Cluster(RuleBasedStateMachine):
    """Any order of callers, deaths, late words and passing time."""

    def __init__(self):
        super().__init__()
        self.now, self.breaker, self.flying, self.past = 1000.0, Breaker("m"), [], {}

    @rule(seconds=st.floats(0, 400))
    def time_passes(self, seconds):
        self.now += seconds

    @rule(message=st.sampled_from("abc"), per_minute=st.sampled_from([0.0, 100.0]))
    def somebody_asks(self, message, per_minute):
        before = self.breaker
        admission, self.breaker = admit(before, self.now, per_minute=per_minute, message_id=message)
        if admission.wait == 0:
            assert self.now >= before.open_until
            if before.state != "closed":
                assert admission.probe == before.fence + 1
                assert self.now >= before.probe_until, "two probes at once"
            self.flying.append((message, admission.probe, self.now))

    @precondition(lambda self: self.flying)
    @rule(data=st.data(), good=st.booleans(), reason=st.sampled_from(sorted(KINDS)), wait=st.sampled_from([0.0, 1e3]))
    def a_result_comes(self, data, good, reason, wait):
        message, probe, sent_at = self.flying.pop(data.draw(st.integers(0, len(self.flying) - 1)))
        before = self.breaker
        if good:
            self.breaker = succeeded(before, self.now, sent_at=sent_at, probe=probe)
        else:
            failure = Failure(reason, self.now - sent_at, wait, probe, message)
            result, past = noted(before, self.past.get(message), self.now, failure)
            self.breaker = result.breaker
            self.past[message] = past or self.past.get(message)
            if result.own_fault:
                assert before.state == "closed"
                assert result.breaker == before
            assert result.opened == (before.state != result.breaker.state)
        if before.state != "closed" and self.breaker.state == "closed":
            assert good
            assert probe == before.fence, "only the latest probe closes"
        if before.state != "closed" and self.breaker.state != "closed":
            assert self.breaker.open_until >= before.open_until, "a pause only grows"

    @precondition(lambda self: self.flying)
    @rule(data=st.data())
    def a_process_dies(self, data):
        self.flying.pop(data.draw(st.integers(0, len(self.flying) - 1)))

    @precondition(lambda self: any(probe for _, probe, _ in self.flying))
    @rule()
    def a_probe_is_given_back(self):
        one = next(flying for flying in self.flying if flying[1])
        self.flying.remove(one)
        self.breaker = unused(self.breaker, self.now, probe=one[1])

    @rule()
    def a_person_resets(self):
        self.breaker = reset(self.breaker, self.now)

    @invariant()
    def it_never_sticks(self):
        """Whatever happened, a request of any message is let through after the pause and the lease have passed."""
        later = max(self.now, self.breaker.open_until, self.breaker.probe_until) + PROBE_LEASE
        for message in "abc":
            assert admit(self.breaker, later, per_minute=100, message_id=message)[0].wait == 0


Cluster.TestCase.settings = settings(max_examples=examples(60), stateful_step_count=40, deadline=None)
TestCluster = Cluster.TestCase
