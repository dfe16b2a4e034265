"""The queue between consumers and workers: order, nothing lost, nobody asleep while there is work."""

import threading
import time
from collections import Counter
from queue import Empty
from types import SimpleNamespace

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.waiting import until

from growbin_jobs.engine.fast.work_queue import WorkQueue

PATIENCE = 20.0


def item(name, priority=0):
    return SimpleNamespace(name=name, priority=priority)


@given(st.lists(st.integers(-2, 2), max_size=20))
def test_lower_numbers_come_first_and_equal_ones_in_order(priorities):
    queue = WorkQueue()
    items = [item(name, priority) for name, priority in enumerate(priorities)]
    for each in items:
        queue.put(each)

    assert queue.qsize() == len(items)
    assert [queue.get_nowait() for _ in items] == sorted(items, key=lambda each: (each.priority, each.name))
    assert queue.empty()


@pytest.mark.parametrize("wait", [{"block": False}, {"timeout": 0.0}, {"timeout": 0.01}])
def test_an_empty_queue_says_so(wait):
    with pytest.raises(Empty):
        WorkQueue().get(**wait)


def test_what_was_put_is_unfinished_until_it_is_reported_done():
    queue = WorkQueue()
    queue.put(item("a"))
    queue.get()
    assert queue.unfinished_tasks == 1

    queue.task_done()

    assert queue.unfinished_tasks == 0
    queue.join()


def test_every_item_reaches_one_worker_while_many_come_and_go():
    queue, done, number = WorkQueue(), [], 4_000

    def work():
        while True:
            try:
                each = queue.get(timeout=0.001)  # most of them begin to wait, and end waiting, all the time
            except Empty:
                continue
            if each.name is None:
                return
            done.append(each.name)

    workers = [threading.Thread(target=work) for _ in range(8)]
    senders = [
        threading.Thread(target=lambda start=start: [queue.put(item(name)) for name in range(start, number, 4)])
        for start in range(4)
    ]
    for thread in workers + senders:
        thread.start()
    for thread in senders:
        thread.join()
    for _ in workers:
        queue.put(item(None, priority=1))
    for thread in workers:
        thread.join(PATIENCE)

    assert Counter(done) == Counter(range(number))


def test_workers_that_block_do_not_keep_the_others_asleep():
    queue, together = WorkQueue(), threading.Barrier(8)

    def work():
        queue.get(timeout=PATIENCE)
        together.wait(PATIENCE)  # only if all of them have got one

    workers = [threading.Thread(target=work) for _ in range(8)]
    for worker in workers:
        worker.start()
    while len(queue._waiters) < len(workers):
        time.sleep(0.001)

    for name in range(8):
        queue.put(item(name))

    for worker in workers:
        worker.join(PATIENCE)
    assert not together.broken
    assert queue.empty()


def test_a_patient_queue_brings_items_at_once_and_lets_nobody_go_before_it_hurries():
    queue, left = WorkQueue(), []
    queue.patient = True

    def wait():
        try:
            left.append(queue.get(timeout=0.01))
        except Empty:
            left.append(None)

    waiting = [threading.Thread(target=wait) for _ in range(3)]
    for thread in waiting:
        thread.start()
    until(lambda: len(queue._waiters) == 3)
    queue.put(item("a"))
    until(lambda: len(left) == 1)
    assert len(queue._waiters) == 2  # their time was over long ago
    queue.hurry()
    for thread in waiting:
        thread.join(10)
    assert [each and each.name for each in left] == ["a", None, None]


@given(st.lists(st.tuples(st.integers(-2, 2), st.booleans()), max_size=20), st.integers(0, 25))
def test_the_newest_of_a_kind_are_withdrawn_and_the_others_keep_their_order(rows, most):
    queue = WorkQueue()
    items = [SimpleNamespace(name=name, priority=priority, ours=ours) for name, (priority, ours) in enumerate(rows)]
    for each in items:
        queue.put(each)
    in_order = sorted(items, key=lambda each: (each.priority, each.name))
    expected = [each for each in reversed(in_order) if each.ours][:most]

    assert queue.withdraw(lambda each: each.ours, most) == expected

    left = [each for each in in_order if each not in expected]
    assert queue.unfinished_tasks == len(left)
    assert [queue.get_nowait() for _ in left] == left


def test_what_is_withdrawn_while_workers_take_reaches_one_of_both():
    queue, done, withdrawn, number = WorkQueue(), [], [], 4_000

    def work():
        while (each := queue.get(timeout=PATIENCE)).name is not None:
            done.append(each.name)

    workers = [threading.Thread(target=work) for _ in range(4)]
    for thread in workers:
        thread.start()
    for name in range(number):
        queue.put(item(name))
        if name % 7 == 0:
            withdrawn += [each.name for each in queue.withdraw(lambda each: each.name % 2 == 0, 3)]
    for _ in workers:
        queue.put(item(None, priority=1))
    for thread in workers:
        thread.join(PATIENCE)

    assert Counter(done + withdrawn) == Counter(range(number))
