import time

import dramatiq
import pytest
from dramatiq.middleware.time_limit import TimeLimitExceeded
from hypothesis import given
from hypothesis import strategies as st

from growbin_jobs.engine.errors import Deferred, Permanent, Transient
from growbin_jobs.engine.middleware.retries import MAX_BACKOFF, backoff


@pytest.fixture
def actor(recording_broker):
    @dramatiq.actor(broker=recording_broker)
    def work(analysis_id):
        pass

    return work


def test_nothing_happens_after_a_success(recording_broker, actor, run):
    delivery = run(actor, None, "a1")

    assert recording_broker.sent == []
    assert not delivery.failed


@pytest.mark.parametrize("error", [Transient("odd"), ValueError("odd"), TimeLimitExceeded()])
def test_an_error_that_may_pass_is_retried_later_under_the_same_id(recording_broker, actor, run, error):
    delivery = run(actor, error, "a1")

    [(retry, delay)] = recording_broker.sent
    assert retry.message_id == delivery.message_id
    assert retry.options["retries"] == 1
    assert 100 <= delay <= 150
    assert not delivery.failed


def test_retries_have_an_end(recording_broker, actor, run):
    delivery = run(actor, ValueError("personal data"), "a1", options={"retries": 2})

    assert delivery.failed
    assert delivery.given_up == ("retries_exhausted", {"attempts": 3, "detail": "ValueError"})
    assert recording_broker.sent == []


def test_an_error_can_say_what_a_person_is_told_in_the_end(actor, run):
    delivery = run(actor, Transient("no JSON", final_code="model_answer_invalid"), "a1", options={"retries": 2})

    assert delivery.given_up == ("model_answer_invalid", {"attempts": 3, "detail": "no JSON"})


def test_an_error_can_ask_for_fewer_retries_but_not_for_more(actor, run):
    assert run(actor, Transient("timed out", max_retries=1), "a1", options={"retries": 1}).failed
    assert run(actor, Transient("timed out", max_retries=9), "a1", options={"retries": 2}).failed


def test_a_permanent_error_is_given_up_at_once(recording_broker, actor, run):
    delivery = run(actor, Permanent("picture_missing"), "a1")

    assert delivery.failed
    assert delivery.given_up == ("picture_missing", {})
    assert recording_broker.sent == []


def test_a_call_that_does_not_fit_is_given_up_at_once(actor, run):
    delivery = run(actor, TypeError("missing argument"))

    assert delivery.given_up[0] == "request_invalid"


def test_a_type_error_inside_an_actor_is_retried(actor, run):
    assert not run(actor, TypeError("inside"), "a1").failed


def test_waiting_spends_no_retry(recording_broker, actor, run):
    delivery = run(actor, Deferred("rate limit", wait=2.0), "a1", options={"retries": 2, "deferrals": 40})

    [(message, delay)] = recording_broker.sent
    assert message.options["retries"] == 2
    assert message.options["deferrals"] == 41
    assert 2000 <= delay <= 2500
    assert not delivery.failed


def test_waiting_has_an_end_in_all(actor, run):
    long_ago = {"deferred_since": time.time() - 3601}

    delivery = run(actor, Deferred("database is away", wait=2.0), "a1", options=long_ago)

    assert delivery.given_up[0] == "waited_too_long"


@pytest.mark.parametrize("error", [ValueError(), Deferred("away", wait=1)])
def test_a_retry_that_cannot_be_published_goes_back_to_its_queue(recording_broker, actor, run, error):
    recording_broker.away = True

    delivery = run(actor, error, "a1")

    assert delivery.requeued
    assert not delivery.failed


def test_a_stale_delivery_is_left_to_the_broker(recording_broker, actor, run):
    delivery = run(actor, None, "a1")
    delivery.consumer.closed = True

    recording_broker.emit_after("process_message", delivery, exception=ValueError())

    assert recording_broker.sent == []
    assert not delivery.failed


@given(retries=st.integers(0, 60), base=st.integers(1, 600_000))
def test_pauses_grow_and_stay_bounded(retries, base):
    pause = backoff(retries, base)

    assert min(base * 2**retries, MAX_BACKOFF) <= pause <= MAX_BACKOFF * 1.5
