import math

import pytest

from growbin_jobs.engine.pauses import Pauses


class Clock:
    now = 100.0

    def __call__(self):
        return self.now


@pytest.fixture
def clock():
    return Clock()


@pytest.fixture
def pauses(clock):
    return Pauses(clock)


def test_nothing_is_paused_at_first(pauses):
    assert not pauses.any
    assert pauses.left("a") == 0.0


def test_a_pause_ends_by_itself(pauses, clock):
    pauses.pause("a", "deferred", 10.0)

    assert pauses.any
    assert (pauses.left("a"), pauses.left("b")) == (10.0, 0.0)
    clock.now += 10.0
    assert pauses.left("a") == 0.0
    assert not pauses.any


def test_a_pause_only_grows_until_it_is_resumed(pauses):
    assert pauses.pause("a", "deferred", 10.0)
    assert not pauses.pause("a", "deferred", 5.0), "it was paused already"

    assert pauses.left("a") == 10.0
    pauses.resume("a", "deferred")
    assert pauses.left("a") == 0.0


def test_each_cause_is_resumed_by_itself(pauses):
    pauses.pause("a", "deferred", 10.0)
    pauses.pause("a", "waiting")

    pauses.resume("a", "waiting")

    assert pauses.left("a") == 10.0
    assert pauses.causes() == {"a": {"deferred": 10.0}}
    pauses.resume("a", "deferred")
    assert not pauses.any


def test_resuming_what_is_not_paused_is_fine(pauses):
    pauses.resume("a", "waiting")

    assert not pauses.any


def test_watchers_hear_of_pauses_and_resumes(pauses):
    told = []
    end = pauses.watch(lambda: told.append(pauses.any))
    pauses.pause("a", "waiting")
    pauses.resume("a", "waiting")
    end()
    end()
    pauses.pause("a", "waiting")

    assert told == [True, False]


def test_a_narrowed_queue_lets_messages_begin_one_by_one(pauses):
    pauses.narrow("a")

    assert pauses.any
    assert not pauses.left("a"), "it is fetched from"
    assert not pauses.may_begin("a", begins=True)
    assert pauses.may_begin("b", begins=True)
    pauses.let_pass("a")
    assert [pauses.may_begin("a"), pauses.may_begin("a", begins=True), pauses.may_begin("a")] == [True, True, False]
    pauses.widen("a")
    assert pauses.may_begin("a")
    assert not pauses.any


def test_a_pass_is_not_used_up_by_a_pause(pauses):
    pauses.narrow("a")
    pauses.let_pass("a")
    pauses.pause("a", "deferred")

    assert not pauses.may_begin("a", begins=True)
    pauses.resume("a", "deferred")
    assert pauses.any
    assert pauses.may_begin("a", begins=True)


def test_a_pass_for_a_queue_that_is_not_narrowed_is_none(pauses):
    pauses.let_pass("a")
    pauses.narrow("a")

    assert not pauses.may_begin("a")


def test_a_narrowed_queue_widens_by_itself_after_a_time(pauses, clock):
    pauses.narrow("a")
    pauses.narrow("a", 5.0)

    assert pauses.is_narrow("a")
    assert not pauses.may_begin("a")
    clock.now += 5.0
    assert pauses.may_begin("a")
    assert not pauses.is_narrow("a")
    assert not pauses.any


def test_being_narrowed_again_keeps_the_passes(pauses):
    pauses.narrow("a", 5.0)
    pauses.let_pass("a")
    pauses.narrow("a")

    assert pauses.may_begin("a", begins=True)
    assert not pauses.may_begin("a")


def test_one_cause_may_be_asked_for(pauses, clock):
    pauses.pause("a", "away", 5.0)
    pauses.pause("a", "operator")

    assert (pauses.left("a", "away"), pauses.left("a", "other")) == (5.0, 0.0)
    clock.now += 5.0
    assert (pauses.left("a", "away"), pauses.left("a")) == (0.0, math.inf)


class Preempted:
    """A lock, before whose first taking another thread has its turn."""

    def __init__(self, lock, turn):
        self.lock, self.turns = lock, [turn]

    def __enter__(self):
        if self.turns:
            self.turns.pop()()
        return self.lock.__enter__()

    def __exit__(self, *exc):
        return self.lock.__exit__(*exc)


def test_who_asks_while_a_pause_begins_does_not_take_the_pass_for_its_end(pauses, clock):
    def other_thread():
        pauses.pause("a", "away", 5.0)
        pauses.narrow("a", passes=1)

    pauses._lock = Preempted(pauses._lock, other_thread)

    assert not pauses.may_begin("a", begins=True)
    clock.now += 5.0
    assert pauses.may_begin("a", begins=True)
    assert not pauses.may_begin("a", begins=True)
