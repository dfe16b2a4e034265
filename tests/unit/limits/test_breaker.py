"""Who may send, and what a success changes."""

import pytest

from growbin_jobs.limits.breaker import (
    CAREFUL,
    GIVES_WAY,
    PROBE_LEASE,
    RAMP,
    TOLD_FRESH,
    TOLD_LASTS,
    Admission,
    Breaker,
    admit,
    closed_in,
    reset,
    succeeded,
    told,
    told_now,
    unused,
)

OPEN = Breaker("m", state="open", reason="failed", open_until=105.0, changed_at=100.0, suspect="first")
OPERATOR = Breaker("m", state="operator", reason="model_not_offered", open_until=160.0, changed_at=100.0)


def test_a_closed_one_lets_everybody_through_and_changes_nothing():
    assert admit(Breaker("m"), 1000.0, per_minute=100, message_id="a") == (Admission(), Breaker("m"))


def test_one_probe_at_the_end_of_the_pause_closes_it():
    assert admit(OPEN, 104.0)[0].wait == pytest.approx(1.0)
    probe, breaker = admit(OPEN, 105.0)
    assert (probe.wait, probe.probe, probe.look_up) == (0.0, 1, False)
    other, breaker = admit(breaker, 105.0)
    assert other.wait == PROBE_LEASE

    assert succeeded(breaker, 110.0, sent_at=105.0, probe=1).state == "closed"


def test_a_probe_whose_holder_died_is_replaced_and_its_late_word_is_old():
    _, breaker = admit(OPEN, 200.0)
    second, breaker = admit(breaker, 200.0 + PROBE_LEASE)

    assert second.probe == 2
    assert succeeded(breaker, 300.0, sent_at=200.0, probe=1) == breaker
    assert succeeded(breaker, 300.0, sent_at=260.0, probe=2).state == "closed"


def test_a_probe_that_was_not_sent_leaves_its_place_to_the_next():
    probe, breaker = admit(OPEN, 105.0)
    breaker = unused(breaker, 106.0, probe=probe.probe)

    assert admit(breaker, 106.0)[0].probe == 2
    assert unused(admit(breaker, 106.0)[1], 107.0, probe=1).probe_until == 106.0 + PROBE_LEASE, "an old probe's word"


def test_the_message_that_failed_last_gives_way_to_others():
    assert admit(OPEN, 105.0, message_id="first")[0].wait == GIVES_WAY
    assert admit(OPEN, 105.0, message_id="another")[0].probe == 1
    assert admit(OPEN, 105.0 + GIVES_WAY, message_id="first")[0].probe == 1, "nobody else has come"


@pytest.mark.parametrize(
    ("reason", "look_up"),
    [("model_not_offered", True), ("model_access_denied", True), ("model_quota_exhausted", False)],
)
def test_what_a_free_look_up_can_tell_is_looked_up_first(reason, look_up):
    breaker = Breaker("m", state="operator", reason=reason, open_until=160.0)

    assert admit(breaker, 160.0)[0] == Admission(probe=1, look_up=look_up, reason=reason)


def test_only_what_was_sent_later_proves_that_the_server_serves_others():
    failing = Breaker("m", reason="failed", failures=3, failed_at=45.0)

    older = succeeded(failing, 50.0, sent_at=40.0)
    assert older == Breaker("m", failed_at=45.0, proven_at=40.0)
    proven = succeeded(older, 60.0, sent_at=55.0)
    assert proven.proven_at == 55.0
    assert succeeded(proven, 70.0, sent_at=65.0) == proven, "the usual case writes nothing"
    assert succeeded(OPEN, 101.0, sent_at=90.0) == OPEN, "a success from before the outage"


def test_a_person_closes_it_and_what_the_last_probe_says_is_old():
    _, breaker = admit(OPERATOR, 200.0)
    closed = reset(breaker, 201.0)

    assert (closed.state, closed.changed_at) == ("closed", 201.0)
    assert closed.fence > breaker.fence


def test_after_an_outage_the_requests_come_back_slowly():
    breaker, now, sent = reset(OPEN, 200.0), 200.0, []
    while now < 200.0 + 2 * RAMP:
        admission, breaker = admit(breaker, now, per_minute=100)
        if admission.wait:
            now += admission.wait
        else:
            sent.append(now - 200.0)
            now += 0.6  # the limit

    minute = [sum(start <= moment < start + 15 for moment in sent) for start in (0, 30, 60, 95)]
    assert minute == sorted(minute)
    assert minute[0] <= 5, "15 s at a tenth and a little more"
    assert minute[-1] >= 24


def test_a_server_that_limits_the_rate_is_asked_carefully_until_it_answers():
    held = Breaker("m", reason="rate_limited", failures=1, open_until=100.0, held_at=98.0)

    assert admit(held, 99.0)[0].wait == pytest.approx(1.0)
    first, breaker = admit(held, 100.0)
    assert first.wait == 0
    assert admit(breaker, 100.0)[0].wait == CAREFUL
    answered = succeeded(breaker, 101.0, sent_at=100.0)
    assert admit(answered, 102.0)[1] == answered


def test_a_request_that_waited_for_its_turn_is_stopped_by_what_happened_meanwhile():
    assert closed_in(Breaker("m"), 100.0) == 0
    assert closed_in(Breaker("m", open_until=106.0), 100.0) == 0, "a place after an outage, perhaps its own"
    assert closed_in(OPEN, 100.0) == 5.0
    assert closed_in(Breaker("m", reason="rate_limited", failures=1, open_until=160.0), 100.0) == 60.0


def test_a_limit_that_the_server_tells_of_lowers_ours_and_fades():
    breaker = told(Breaker("m"), 1000.0, by_server=40, per_minute=100)

    assert told_now(breaker, 1000.0, 100) == 40
    assert told_now(breaker, 1000.0 + TOLD_LASTS / 2, 100) == 70
    assert told_now(breaker, 1000.0 + TOLD_LASTS, 100) == 100
    assert told_now(breaker, 1000.0, 30) == 30, "never above ours"
    assert told(breaker, 1010.0, by_server=90, per_minute=100) == breaker
    assert told(breaker, 1010.0, by_server=40, per_minute=100) == breaker, "not written with each response"
    assert told(breaker, 1000.0 + TOLD_FRESH, by_server=40, per_minute=100).told_at == 1000.0 + TOLD_FRESH
    assert told(Breaker("m"), 0.0, by_server=500, per_minute=100) == Breaker("m")
    admission, after = admit(breaker, 1000.0, per_minute=100)
    assert (admission.wait, after.open_until) == (0, 1001.5)
