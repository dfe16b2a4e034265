import time
from datetime import timedelta

import dramatiq
import pytest
from dramatiq import RateLimitExceeded, Retry
from dramatiq.middleware import Shutdown
from dramatiq.middleware.time_limit import TimeLimitExceeded

import growbin_jobs.reasons  # noqa: F401 it registers the codes that are used here
from growbin_jobs.engine.errors import Deferred, Permanent, Transient


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


def test_what_always_asks_for_no_pause_does_not_run_at_full_speed(recording_broker, actor, run):
    for deferrals in (0, 50):
        run(actor, Deferred("now", wait=0), "a1", options={"deferrals": deferrals})

    [(_, first), (_, late)] = recording_broker.sent
    assert first == 0
    assert late >= 1000


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


# --- Dramatiq's options


@pytest.fixture
def declared(recording_broker):
    """Declare an actor with options."""

    def declare(name="act", **options):
        return dramatiq.actor(lambda *args: None, actor_name=name, broker=recording_broker, **options)

    return declare


def test_what_throws_names_is_given_up_at_once(recording_broker, declared, run):
    actor = declared(throws=(KeyError, ValueError))

    assert run(actor, ValueError("secret")).given_up == ("given_up", {"detail": "ValueError"})
    assert not run(actor, IndexError()).failed


def test_throws_does_not_touch_what_asks_to_wait(recording_broker, declared, run):
    assert not run(declared(throws=Exception), Deferred("away", wait=1)).failed


def test_a_retry_comes_back_after_its_own_delay(recording_broker, declared, run):
    for delay in (0, 1234, timedelta(seconds=1.234)):
        run(declared(f"act{delay}"), Retry("later", delay=delay))

    assert [delay for _, delay in recording_broker.sent] == [0, 1234, 1234]
    assert [message.options["retries"] for message, _ in recording_broker.sent] == [1, 1, 1]


def test_no_limit_means_retries_without_end(recording_broker, declared, run):
    assert not run(declared(max_retries=None), ValueError(), options={"retries": 10_000}).failed
    assert not run(declared("other"), ValueError(), options={"retries": 10_000, "max_retries": None}).failed


@pytest.mark.parametrize(("low", "high", "pause"), [(0, 0, 0), (0, 1000, 0), (500, 0, 0), (100, 150, 150)])
def test_backoff_stays_within_the_actor_s_bounds(recording_broker, declared, run, low, high, pause):
    run(declared(min_backoff=low, max_backoff=high), ValueError(), options={"retries": 1})

    [(_, delay)] = recording_broker.sent
    assert pause <= delay <= pause * 1.5


def test_retry_when_decides_and_the_limit_does_not(recording_broker, declared, run):
    asked = []
    actor = declared(
        max_retries=0, retry_when=lambda retries, error: asked.append((retries, type(error))) or retries < 5
    )

    assert not run(actor, ValueError(), options={"retries": 4}).failed
    assert run(actor, ValueError(), options={"retries": 5}).failed
    assert asked == [(4, ValueError), (5, ValueError)]


def test_a_decision_that_fails_is_a_dead_letter_that_says_so(recording_broker, declared, run):
    def broken(retries, error):
        raise RuntimeError("secret")

    delivery = run(declared(retry_when=broken), ValueError("secret"))

    assert not delivery.requeued
    assert delivery.given_up[0] == "decision_invalid"
    assert "RuntimeError" in delivery.given_up[1]["detail"]
    assert "secret" not in delivery.given_up[1]["detail"]


@pytest.mark.parametrize("delay", [float("nan"), float("inf"), "5", [1]])
def test_a_delay_that_is_none_is_a_dead_letter_that_says_so(declared, run, delay):
    assert run(declared(), Retry("later", delay=delay)).given_up[0] == "decision_invalid"


def test_an_actor_is_told_when_retries_are_spent(recording_broker, declared, run):
    declared("told")
    actor = declared(max_retries=1, on_retry_exhausted="told")

    run(actor, ValueError(), "a1", options={"retries": 1})

    [(message, _)] = recording_broker.sent
    assert message.actor_name == "told"
    assert message.args[0]["args"] == ("a1",)
    assert message.args[1] == {"retries": 1, "max_retries": 1}


@pytest.mark.parametrize("error", [RateLimitExceeded("full"), Shutdown()])
def test_waiting_for_a_slot_or_another_worker_spends_no_retry(recording_broker, declared, run, error):
    delivery = run(declared(max_retries=0), error)

    [(message, _)] = recording_broker.sent
    assert not delivery.failed
    assert message.options["deferrals"] == 1
    assert "retries" not in message.options


def test_the_dead_letter_names_the_argument_that_is_missing(recording_broker, actor, run):
    assert "analysis_id" in run(actor, TypeError("odd")).given_up[1]["detail"]


def test_odd_counts_in_a_message_do_not_hurt(recording_broker, declared, run):
    for odd in ("x", None, [], -3, {"a": 1}):
        assert not run(declared(f"act{odd}"), ValueError(), options={"retries": odd, "deferrals": odd}).failed
        if odd == -3:  # a time, and too long ago
            continue
        options = {"deferrals": odd, "deferred_since": odd}
        assert not run(declared(f"wait{odd}"), Deferred("away", wait=1), options=options).failed
