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
