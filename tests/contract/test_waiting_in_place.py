"""Actors that wait in place for their turn: one delivery, no time limit, one queue's wait is not another's."""

import threading
from collections import Counter

import pytest

from growbin_jobs.engine import events
from growbin_jobs.engine.errors import Deferred, Transient
from growbin_jobs.engine.middleware.waiting_room import WaitingRoom

PATIENCE = 60.0


def room_of(world):
    return next(each for each in world.broker.middleware if isinstance(each, WaitingRoom))


class Turns:
    """Lets those who wait go one at a time, at the test's word."""

    def __init__(self, room):
        self.room, self.arrived = room, threading.Semaphore(0)
        self._wakeups, self._lock, self._open = [], threading.Lock(), False
        self.inside, self.most = 0, 0

    def wait(self, share=0.5):
        with self.room.waiting(share) as wakeup:
            with self._lock:
                self._wakeups.append(wakeup)
                self.inside += 1
                self.most = max(self.most, self.inside)
            self.arrived.release()
            try:
                while not self._open and not wakeup.wait(30):
                    pass
            finally:
                with self._lock:
                    self.inside -= 1

    def let_one_go(self):
        with self._lock:
            wakeup = self._wakeups.pop(0)
        wakeup.wake()

    def let_all_go(self):
        self._open = True
        with self._lock:
            for wakeup in self._wakeups:
                wakeup.wake()


def deliveries(world):
    """Count how often each message was begun."""
    began = Counter()
    world.exit.callback(events.listen(lambda _, fields: began.update([fields["id"]]), events.STARTED))
    return began


@pytest.mark.parametrize(("share", "most"), [(0.5, 2), (0.25, 1)])
def test_part_of_the_threads_wait_and_the_other_queue_goes_on(real_world, share, most):
    turns, began, done = Turns(room_of(real_world)), deliveries(real_world), []
    other = f"{real_world.queue}_other"

    @real_world.actor
    def limited(number):
        turns.wait(share)
        done.append(number)

    @real_world.actor(queue_name=other)
    def free(number):
        done.append(f"free {number}")

    sent = [limited.send(number) for number in range(12)]
    real_world.work(threads=4)
    for _ in range(most):
        assert turns.arrived.acquire(timeout=PATIENCE)
    for number in range(12):
        free.send(number)

    real_world.until(lambda: len(done) == 12, idle=False)
    assert {str(each).split()[0] for each in done} == {"free"}, "the others went on"
    assert turns.inside == most
    assert not real_world.broker.pauses.may_begin(real_world.queue)
    for _ in range(12 - most):
        turns.let_one_go()
        assert turns.arrived.acquire(timeout=PATIENCE)
    turns.let_all_go()

    real_world.until(lambda: len(done) == 24)
    assert turns.most == most
    assert sum(began[message.message_id] for message in sent) <= 12 + 4 - most, "those that began before so many waited"
    assert sorted(each for each in done if isinstance(each, int)) == list(range(12))


def test_the_time_limit_stands_still_meanwhile_and_goes_on_after_it(real_world):
    seen = []

    @real_world.actor(time_limit=400, max_retries=0)
    def work(after):
        with room_of(real_world).waiting() as wakeup:
            wakeup.wait(1.5)
        seen.append("waited")
        while after:
            pass

    work.send(False)
    real_world.until(lambda: seen == ["waited"])
    assert real_world.dead() == []

    work.send(True)
    real_world.until(lambda: real_world.dead())
    assert seen == ["waited", "waited"]
    assert real_world.dead()[0].code == "retries_exhausted"


def test_a_worker_that_stops_gives_back_who_waits_and_nothing_counts_that(real_world):
    turns, done = Turns(room_of(real_world)), []

    @real_world.actor(max_retries=0)
    def limited(number):
        turns.wait()
        done.append(number)

    for number in range(6):
        limited.send(number)
    first = real_world.work(threads=4)
    for _ in range(2):
        assert turns.arrived.acquire(timeout=PATIENCE)
    returned = []
    real_world.exit.callback(
        events.listen(lambda _, fields: returned.append((fields["reason"], fields["count"])), events.REQUEUED)
    )
    first.stop(timeout=20_000)

    assert set(returned) <= {("worker_stops", 1), ("no_room", 1)}
    assert returned.count(("worker_stops", 1)) >= 2, "those that waited, and one that came to wait just then"
    assert done == []
    turns.let_all_go()
    counts = []
    real_world.exit.callback(
        events.listen(lambda _, fields: counts.append((fields["retries"], fields["deferrals"])), events.STARTED)
    )
    real_world.workers.clear()
    real_world.work(threads=4)
    real_world.until(lambda: sorted(done) == list(range(6)))
    assert set(counts) == {(0, 0)}


def test_a_deferral_for_all_pauses_the_queue_in_this_process_until_then(real_world):
    began, closed, done = deliveries(real_world), threading.Event(), []

    @real_world.actor
    def work(number):
        if not closed.is_set():
            raise Deferred("The server asks to wait.", wait=2.0, capacity=True, pauses_queue=True)
        done.append(number)

    paused = []
    real_world.exit.callback(
        events.listen(lambda _, fields: (paused.append(fields["queue"]), closed.set()), events.QUEUE_PAUSED)
    )
    for number in range(30):
        work.send(number)
    real_world.work(threads=2)

    real_world.until(lambda: len(done) == 30)
    assert paused == [real_world.queue]
    assert sum(began.values()) <= 30 + 2, "at most one more for each thread"


def test_waiting_for_capacity_ages_nobody_and_an_outage_does(sandbox_world):
    seen = []

    @sandbox_world.actor(max_retries=0)
    def work(capacity):
        seen.append(capacity)
        if capacity and len(seen) < 20:
            raise Deferred("The limit is used up.", wait=30_000.0, capacity=True)
        if not capacity:
            raise Deferred("The database is away.", wait=30_000.0)

    work.send(True)
    sandbox_world.until(lambda: len(seen) == 20)
    assert sandbox_world.dead() == []

    work.send(False)
    sandbox_world.until(sandbox_world.dead)
    assert [each.code for each in sandbox_world.dead()] == ["waited_too_long"]


def test_the_time_of_an_outage_ends_when_only_capacity_is_missing(sandbox_world):
    outcomes = [Deferred("away", wait=50_000.0), Deferred("used up", wait=90_000.0, capacity=True)] * 3

    @sandbox_world.actor(max_retries=0)
    def work():
        if outcomes:
            raise outcomes.pop(0)

    work.send()

    sandbox_world.until(lambda: not outcomes)
    assert sandbox_world.dead() == []


def test_a_caller_outside_of_a_run_waits_and_pauses_nothing(real_world):
    with room_of(real_world).waiting() as wakeup:
        assert not wakeup.wait(0.0)
        wakeup.wake()
        assert wakeup.wait(PATIENCE)

    assert not real_world.broker.pauses.any


def test_a_failure_after_the_wait_is_an_ordinary_failure(real_world):
    @real_world.actor(max_retries=0)
    def work():
        with room_of(real_world).waiting() as wakeup:
            wakeup.wait(0.01)
        raise Transient("broken")

    work.send()

    real_world.until(real_world.dead)
    assert real_world.dead()[0].code == "retries_exhausted"
    assert not real_world.broker.pauses.any


def test_a_message_that_does_not_wait_makes_room_for_another_one(real_world):
    """As where somebody has the answer already: a narrow queue must not come to a stand by that."""
    turns, done = Turns(room_of(real_world)), []

    @real_world.actor
    def limited(number):
        if number % 3 == 0 or number < 2:  # the first two narrow the queue
            turns.wait()
        done.append(number)

    for number in range(2):
        limited.send(number)
    real_world.work(threads=4)
    for _ in range(2):
        assert turns.arrived.acquire(timeout=PATIENCE)
    for number in range(2, 14):
        limited.send(number)

    turns.let_one_go()
    assert turns.arrived.acquire(timeout=PATIENCE), "what follows the first one does not wait, and then one does"
    assert real_world.broker.pauses.is_narrow(real_world.queue)
    for _ in range(3):
        turns.let_one_go()
        assert turns.arrived.acquire(timeout=PATIENCE)
    turns.let_all_go()
    real_world.until(lambda: sorted(done) == list(range(14)))
