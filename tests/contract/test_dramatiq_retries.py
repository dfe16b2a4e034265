"""What Dramatiq's reference says of retries, on each broker."""

from datetime import timedelta

import pytest
from dramatiq import RateLimitExceeded, Retry
from tests.contract.conftest import AT_ONCE

from growbin_jobs.engine.errors import Deferred, Permanent, Transient


def test_a_failing_actor_is_retried_until_it_succeeds(world):
    runs = []

    @world.actor(**AT_ONCE)
    def work():
        runs.append(1)
        if len(runs) < 3:
            raise ValueError

    work.send()

    world.until(lambda: len(runs) == 3)
    assert world.dead() == []


def test_retries_have_an_end_and_that_is_told(world):
    told, runs = [], []

    @world.actor
    def hear(message, retries):
        told.append((message["actor_name"], message["args"], retries))

    @world.actor(max_retries=2, on_retry_exhausted="hear", **AT_ONCE)
    def work(value):
        runs.append(value)
        raise ValueError("a password")

    work.send(7)

    world.until(lambda: told)
    assert runs == [7, 7, 7]
    assert told == [("work", [7], {"retries": 2, "max_retries": 2})]
    [dead] = world.dead()
    assert (dead.actor, dead.code) == ("work", "retries_exhausted")
    assert "password" not in dead.reason


def test_an_option_of_the_message_wins_over_the_actor_s(world):
    runs = []

    @world.actor(max_retries=5, **AT_ONCE)
    def work():
        runs.append(1)
        raise ValueError

    work.send_with_options(max_retries=1)

    world.until(lambda: world.dead())
    assert len(runs) == 2


def test_what_an_actor_throws_is_not_retried(world):  # Bogdanp/dramatiq#300
    runs = []

    @world.actor(throws=(KeyError, ValueError), max_retries=3)
    def work():
        runs.append(1)
        raise ValueError("a password")

    work.send()

    world.until(lambda: world.dead())
    assert runs == [1]
    assert (world.dead()[0].code, "password" in world.dead()[0].reason) == ("given_up", False)


@pytest.mark.parametrize("delay", [0, 10, timedelta(milliseconds=10)])
def test_a_retry_may_bring_its_own_delay(world, delay):  # Bogdanp/dramatiq#311
    runs = []

    @world.actor(min_backoff=3_600_000, max_retries=1)
    def work():
        runs.append(1)
        if len(runs) == 1:
            raise Retry("later", delay=delay)

    work.send()

    world.until(lambda: len(runs) == 2)
    assert world.dead() == []


def test_retries_without_a_limit(world):
    runs = []

    @world.actor(max_retries=None, **AT_ONCE)
    def work():
        runs.append(1)
        if len(runs) < 25:
            raise ValueError

    work.send()

    world.until(lambda: len(runs) == 25)
    assert world.dead() == []


def test_retry_when_decides(world):
    asked, runs = [], []

    def retry_when(retries, error):
        asked.append((retries, type(error).__name__))
        return retries < 1

    @world.actor(max_retries=9, retry_when=retry_when, **AT_ONCE)
    def work():
        runs.append(1)
        raise KeyError

    work.send()

    world.until(lambda: world.dead())
    assert asked == [(0, "KeyError"), (1, "KeyError")]
    assert len(runs) == 2


def test_max_backoff_bounds_the_pause(world):
    runs = []

    @world.actor(min_backoff=3_600_000, max_backoff=timedelta(milliseconds=1), max_retries=2)
    def work():
        runs.append(1)
        raise ValueError

    work.send()

    world.until(lambda: world.dead())
    assert len(runs) == 3


def test_a_retry_when_that_fails_ends_in_a_dead_letter_that_says_so(world):
    runs = []

    @world.actor(retry_when=lambda _retries, _error: 1 / 0, **AT_ONCE)
    def work():
        runs.append(1)
        raise ValueError

    work.send()

    world.until(lambda: world.dead())
    assert runs == [1]
    assert world.dead()[0].code == "decision_invalid"


@pytest.mark.parametrize(
    ("make", "code"),
    [
        (lambda: Permanent("The order was cancelled."), "given_up"),
        (lambda: Permanent("request_invalid", detail=b"bytes"), "request_invalid"),
        (lambda: Deferred("away", wait=float("inf")), "decision_invalid"),
        (lambda: Deferred("away", wait="5"), "decision_invalid"),
        (lambda: Transient("odd", max_retries="1"), "decision_invalid"),
        (lambda: Retry("later", delay="5"), "decision_invalid"),
        (lambda: Retry("later", delay=float("nan")), "decision_invalid"),
        (lambda: Retry("later", delay=10**19), "decision_invalid"),
    ],
)
def test_what_cannot_help_or_cannot_be_read_is_given_up_at_once(world, make, code):
    runs = []

    @world.actor(max_retries=3, **AT_ONCE)
    def work():
        runs.append(1)
        raise make()

    work.send()

    world.until(lambda: world.dead())
    assert runs == [1]
    assert world.dead()[0].code == code


@pytest.mark.parametrize("make", [lambda: Deferred("away", wait=0), lambda: RateLimitExceeded("full")])
def test_waiting_spends_no_retry(world, make):
    runs = []

    @world.actor(max_retries=0, **AT_ONCE)
    def work():
        runs.append(1)
        if len(runs) < 4:
            raise make()

    work.send()

    world.until(lambda: len(runs) == 4)
    assert world.dead() == []


def test_a_call_that_does_not_fit_names_the_argument(world):
    @world.actor(max_retries=3)
    def work(order, amount):
        raise AssertionError

    work.send(1)

    world.until(lambda: world.dead())
    [dead] = world.dead()
    assert dead.code == "request_invalid"
    assert "amount" in dead.reason


ODD = [
    {"max_retries": "3"},
    {"min_backoff": "x"},
    {"throws": "ValueError"},
    {"time_limit": []},
    {"max_age": {}},
    {"pipe_target": 3},
    {"on_success": 7},
    {"on_success": "nobody"},
    {"on_failure": "nobody"},
]


@pytest.mark.parametrize("options", ODD, ids=str)
def test_odd_options_in_a_queue_are_a_dead_letter_and_the_next_message_runs(real_world, options):
    runs = []

    @real_world.actor
    def work(value):
        runs.append(value)

    real_world.smuggle(work.message("odd").copy(options=options))
    work.send("next")

    real_world.until(lambda: runs == ["next"] and real_world.dead())
    [dead] = real_world.dead()
    assert dead.code == "request_invalid"
    assert next(iter(options)) in dead.reason


@pytest.mark.parametrize("options", [*ODD[:7]], ids=str)
def test_odd_options_are_refused_by_the_sender(world, options):
    work = world.actor(lambda: None, actor_name="work")

    with pytest.raises(ValueError, match=next(iter(options))):
        world.broker.enqueue(work.message().copy(options=options))


def test_expected_failures_are_one_line_without_a_foreign_text(real_world, caplog):
    @real_world.actor(max_retries=1, throws=KeyError, **AT_ONCE)
    def work(kind):
        raise {
            "permanent": Permanent("The order was cancelled."),
            "throws": KeyError("a password"),
        }[kind]

    for kind in ("permanent", "throws"):
        work.send(kind)
    real_world.until(lambda: len(real_world.dead()) == 2)

    loud = [each for each in caplog.records if each.levelname in ("WARNING", "ERROR", "CRITICAL")]
    assert len(loud) == 2, [each.getMessage() for each in loud]
    assert all(each.exc_info is None for each in loud)
    assert "password" not in caplog.text


def test_an_unexpected_failure_shows_where_and_not_what(real_world, caplog):
    secret = "pass" + "word"

    @real_world.actor(max_retries=0)
    def work():
        raise RuntimeError(secret)

    work.send()
    real_world.until(lambda: real_world.dead())

    assert "test_dramatiq_retries.py" in caplog.text
    assert "RuntimeError" in caplog.text
    assert secret not in caplog.text
