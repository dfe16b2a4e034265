"""Tickets in virtual time: what is waited for in place, what is the queue's, what goes stale."""

from contextlib import contextmanager
from dataclasses import replace

import pytest

from growbin_jobs.errors import Deferred
from growbin_jobs.limits.asking import Wish
from growbin_jobs.limits.classes import BACKFILL, INTERACTIVE
from growbin_jobs.limits.gcra import Limit
from growbin_jobs.limits.memory import MemoryLimits
from growbin_jobs.limits.tickets import LEAD, RENEWALS, Gate


class Room:
    """Where waiting passes virtual time."""

    def __init__(self):
        self.now, self.waits, self.late, self.inside, self.passed = 100.0, [], [], [], 0

    def clock(self):
        return self.now

    @contextmanager
    def waiting(self, share=0.5):
        self.inside.append(share)
        yield self

    def no_wait(self):
        self.passed += 1

    def ring(self):
        raise AssertionError("nobody else waits")

    def wait(self, seconds=None):
        self.waits.append(seconds)
        self.now += seconds + (self.late.pop(0) if self.late else 0.0)
        return False

    def sleep(self, seconds):
        self.now += seconds


@pytest.fixture
def room():
    return Room()


@pytest.fixture
def store(room):
    store = MemoryLimits(clock=room.clock)
    store.ensure([Limit("vision", 1.0, 1), Limit("model:m", 0.1, 1), Limit("user:u", 60.0, 1)])
    return store


@pytest.fixture
def gate(store, room):
    return Gate(store, room, patience=60.0, clock=room.clock, sleep=room.sleep)


WISH = Wish({"vision": 1, "model:m": 1})


def tats(store):
    return {limit.name: limit.tat for limit in store.limits()}


def test_a_ticket_is_good_for_a_second(gate, room):
    ticket = gate.ticket(WISH)

    assert not ticket.is_stale
    room.now += 1.0
    assert not ticket.is_stale
    room.now += 0.01
    assert ticket.is_stale
    assert (room.inside, room.passed) == ([], 1), "nobody waited"


def test_who_must_wait_waits_in_place_and_is_charged_shortly_before_its_start(gate, store, room):
    for _ in range(30):
        store.take(WISH.costs, patience=100)
    before = tats(store)["vision"]

    ticket = gate.ticket(WISH)

    assert ticket.answer.decision.start == before == pytest.approx(130.0)
    assert room.now == pytest.approx(130.0 - LEAD), "in one piece of waiting, without going back to the queue"
    assert gate.begin(ticket)
    assert room.now == pytest.approx(130.0), "what was left is waited for when the connection is there"
    assert ticket.answer.decision.now >= 130.0 - INTERACTIVE.aged_reach
    assert not ticket.is_stale


@pytest.mark.parametrize(("connecting", "good"), [(0.0, True), (LEAD, True), (LEAD + 1.0, True), (LEAD + 1.1, False)])
def test_connecting_takes_of_the_wait_before_of_the_ticket_s_time(gate, store, room, connecting, good):
    gate.ticket(WISH)
    ticket = gate.ticket(WISH)
    room.now += connecting

    assert gate.begin(ticket) is good
    assert room.now >= ticket.start, "never sent before its start: the limit counts from there"
    assert tats(store)["vision"] == (102.0 if good else 101.0), "what is too late is given back"


def test_a_longer_wait_than_the_patience_is_the_queue_s_and_takes_nothing(gate, store, room):
    store.hold("vision", 300.0)
    before = tats(store)

    with pytest.raises(Deferred, match="vision") as refusal:
        gate.ticket(WISH)

    assert (refusal.value.wait, refusal.value.capacity, refusal.value.pauses_queue) == (300.0, True, True)
    assert tats(store) == before
    assert room.waits == []


def test_the_limit_of_one_user_keeps_no_thread_and_pauses_nobody_s_queue(gate, store, room):
    wish = Wish({"vision": 1, "user:u": 1})
    gate.ticket(wish)

    with pytest.raises(Deferred, match="user:u") as refusal:
        gate.ticket(wish)

    assert refusal.value.wait == pytest.approx(60.0)
    assert (refusal.value.capacity, refusal.value.pauses_queue) == (True, False)
    assert room.waits == []
    assert tats(store)["vision"] == 101.0


def test_a_hold_that_comes_while_somebody_waits_is_kept(gate, store, room):
    for _ in range(5):
        store.take(WISH.costs, patience=100)
    hold = room.wait

    def wait(seconds=None):
        if not room.waits:
            store.hold("vision", 40.0)
        return hold(seconds)

    room.wait = wait

    assert gate.ticket(WISH).answer.decision.start >= 140.0


def test_a_limit_that_is_raised_while_somebody_waits_lets_it_go_sooner(gate, store, room):
    """A change at run time re-plans what waits: nobody stands in a place that was counted by the old limit."""
    store.ensure([Limit("vision", 20.0, 1)])
    for _ in range(2):
        store.take(WISH.costs, patience=100)
    room.waits.clear()
    wait = room.wait

    def raised(seconds=None):
        store.ensure([Limit("vision", 0.1, 1)])
        return wait(seconds)

    room.wait = raised
    gate.ticket(WISH)

    assert max(room.waits) <= 10.5, "it asks again within ten seconds"


def test_the_store_s_absence_is_waited_for(gate, store, room):
    take, answers = store.take, [Deferred("The database is away.", wait=5.0)] * 3

    def away(*arguments, **options):
        if answers:
            raise answers.pop()
        return take(*arguments, **options)

    store.take = away

    assert not gate.ticket(WISH).is_stale
    assert room.waits == [5.0] * 3


def test_the_store_s_long_absence_is_the_queue_s(gate, store):
    def away(*arguments, **options):
        raise Deferred("The database is away.", wait=5.0)

    store.take = away

    with pytest.raises(Deferred, match="database") as refusal:
        gate.ticket(WISH)

    assert (refusal.value.wait, refusal.value.capacity, refusal.value.pauses_queue) == (5.0, True, True)


def test_a_ticket_that_went_stale_is_given_back_and_replaced(gate, store, room):
    gate.ticket(WISH)
    room.late = [20.0]  # the process was paused while it waited

    ticket = gate.ticket(WISH)

    assert not ticket.is_stale
    assert len(room.waits) == 1
    assert ticket.answer.decision.start == room.now
    assert tats(store)["vision"] == pytest.approx(room.now + 1.0)


def test_a_process_that_is_always_late_lets_the_message_wait(gate, store, room):
    gate.ticket(WISH)
    room.late = [5.0] * RENEWALS
    taken = []
    take = store.take

    def each_time_a_little_later(*arguments, **options):
        taken.append(1)
        store.hold("vision", 1.2)
        return take(*arguments, **options)

    store.take = each_time_a_little_later

    with pytest.raises(Deferred, match="too busy"):
        gate.ticket(WISH)

    assert len(taken) == RENEWALS


def test_who_is_interrupted_while_it_waits_for_its_start_gives_it_back(gate, store, room):
    gate.ticket(WISH)
    before = tats(store)

    def wait(seconds=None):
        raise KeyboardInterrupt

    room.wait = wait
    with pytest.raises(KeyboardInterrupt):
        gate.ticket(WISH)

    assert tats(store) == before


def test_an_unused_ticket_goes_back(gate, store):
    before = store.limits()

    assert gate.give_back(gate.ticket(WISH))
    assert [replace(limit, version=0) for limit in store.limits()] == before


def test_a_lower_class_is_granted_less_far_ahead(gate, store, room):
    store.take(WISH.costs)
    store.take(WISH.costs, patience=1.0)  # two seconds ahead

    ticket = gate.ticket(Wish(WISH.costs, BACKFILL))

    assert ticket.answer.decision.start - ticket.answer.decision.now <= BACKFILL.aged_reach
    assert room.inside == [BACKFILL.threads]
