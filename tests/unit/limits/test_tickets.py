from dataclasses import replace

import pytest

from growbin_jobs.errors import Deferred
from growbin_jobs.limits.gcra import Limit
from growbin_jobs.limits.memory import MemoryLimits
from growbin_jobs.limits.tickets import RENEWALS, Gate


class Clock:
    """Virtual time: sleeping passes it."""

    def __init__(self):
        self.now, self.slept, self.late = 100.0, [], []

    def __call__(self):
        return self.now

    def sleep(self, seconds):
        self.slept.append(seconds)
        self.now += seconds + (self.late.pop(0) if self.late else 0.0)


@pytest.fixture
def clock():
    return Clock()


@pytest.fixture
def store(clock):
    store = MemoryLimits(clock=clock)
    store.ensure([Limit("vision", 1.0, 1), Limit("model:m", 0.1, 1)])
    return store


@pytest.fixture
def gate(store, clock):
    return Gate(store, clock=clock, sleep=clock.sleep)


COSTS = {"vision": 1, "model:m": 1}


def test_a_ticket_is_good_for_a_second(gate, clock):
    ticket = gate.ticket(COSTS)

    assert not ticket.is_stale
    clock.now += 1.0
    assert not ticket.is_stale
    clock.now += 0.01
    assert ticket.is_stale


def test_a_short_wait_is_waited_here_and_a_long_one_by_the_queue(gate, clock):
    gate.ticket(COSTS)
    gate.ticket(COSTS)
    assert clock.slept == [pytest.approx(1.0)]

    for _ in range(2):
        gate._store.take(COSTS, patience=10)
    with pytest.raises(Deferred, match="vision") as refusal:
        gate.ticket(COSTS)
    assert refusal.value.wait == pytest.approx(3.0)


def test_a_ticket_that_went_stale_is_given_back_and_replaced(gate, store, clock):
    gate.ticket(COSTS)
    clock.late = [20.0]  # the process was paused while it waited

    ticket = gate.ticket(COSTS)

    assert not ticket.is_stale
    assert len(clock.slept) == 1
    assert ticket.answer.decision.start == clock.now
    assert {limit.name: limit.tat for limit in store.limits()}["vision"] == pytest.approx(clock.now + 1.0)


def test_a_process_that_is_always_late_lets_the_message_wait(gate, store, clock):
    gate.ticket(COSTS)
    clock.late = [5.0] * RENEWALS
    taken = []
    take = store.take

    def each_time_a_little_later(*arguments, **options):
        taken.append(1)
        store.hold("vision", 1.5)
        return take(*arguments, **options)

    store.take = each_time_a_little_later

    with pytest.raises(Deferred, match="too busy"):
        gate.ticket(COSTS)

    assert len(taken) == RENEWALS


def test_an_unused_ticket_goes_back(gate, store):
    before = store.limits()

    assert gate.give_back(gate.ticket(COSTS))
    assert [replace(limit, version=0) for limit in store.limits()] == before
