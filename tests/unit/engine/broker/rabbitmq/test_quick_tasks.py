"""When a consumer may fetch more than its prefetch, and when no longer."""

from queue import Empty
from types import SimpleNamespace

import pytest
from dramatiq import Message

from growbin_jobs.engine.broker.rabbitmq.quick_tasks import LARGE, PATIENCE, PAUSE, QuickTasks
from growbin_jobs.engine.delivery.delivery import Delivery
from growbin_jobs.engine.delivery.lifecycle import BEGIN, Life, advance
from growbin_jobs.engine.delivery.runs import Run
from growbin_jobs.engine.fast.held_items import HoldingWorkQueue
from growbin_jobs.engine.fast.work_queue import QueuedMessage, WorkQueue
from growbin_jobs.engine.pauses import Pauses


def delivery(size=0, consumer=None):
    message = Message(queue_name="q", actor_name="a", args=("x" * size,), kwargs={}, options={})
    made = Delivery(message, consumer or SimpleNamespace(closed=False))
    made.life = Life(Run((message.message_id, 0, 0)), None)
    return made


@pytest.fixture
def clock():
    return SimpleNamespace(now=1000.0)


@pytest.fixture
def work_queue():
    return WorkQueue()


@pytest.fixture
def tasks(clock, work_queue):
    return QuickTasks(lambda: work_queue, lambda: clock.now)


def make_quick(tasks):
    tasks.handed_over([begun()])
    tasks.waited()


def begun():
    made = delivery()
    advance(made, BEGIN)
    return made


def test_tasks_are_quick_when_the_worker_has_had_nothing_to_run(tasks):
    assert not tasks.quick

    tasks.waited()

    assert tasks.quick


def test_they_are_not_while_the_worker_has_something_to_run(tasks, work_queue):
    work_queue.put(QueuedMessage(0, delivery()))

    tasks.waited()

    assert not tasks.quick


def test_they_are_not_while_what_there_is_is_held_back(clock):
    pauses = Pauses()
    held = HoldingWorkQueue(pauses)
    tasks = QuickTasks(lambda: held, lambda: clock.now)
    pauses.narrow("q")
    held.put(QueuedMessage(0, delivery()))
    with pytest.raises(Empty):
        held.get(timeout=0.01)
    assert held.held == 1

    make_quick(tasks)

    assert not tasks.quick


def test_while_nothing_is_handed_over_they_are_not(tasks, clock):
    make_quick(tasks)

    tasks.held_up()

    assert not tasks.quick
    make_quick(tasks)
    assert not tasks.quick
    clock.now += PAUSE
    make_quick(tasks)
    assert tasks.quick


def test_a_message_that_waits_long_for_a_thread_ends_it_for_a_while(tasks, clock):
    make_quick(tasks)
    waiting = delivery()
    tasks.handed_over([waiting])
    clock.now += PATIENCE / 2
    tasks.handed_over([delivery()])
    assert tasks.quick
    clock.now += PATIENCE / 2
    tasks.handed_over([])
    assert not tasks.quick

    make_quick(tasks)
    assert not tasks.quick
    advance(waiting, BEGIN)
    clock.now += PAUSE
    make_quick(tasks)
    assert tasks.quick


def test_messages_that_begin_in_time_leave_it_as_it_is(tasks, clock):
    make_quick(tasks)
    for _ in range(10):
        latest = delivery()
        tasks.handed_over([latest])
        clock.now += PATIENCE * 2
        advance(latest, BEGIN)
    tasks.handed_over([delivery()])

    assert tasks.quick


def test_when_nothing_has_come_the_next_ones_may_be_others(tasks):
    make_quick(tasks)

    tasks.handed_over([])

    assert not tasks.quick
    make_quick(tasks)
    assert tasks.quick


def test_large_messages_are_not_held_in_great_numbers(tasks):
    make_quick(tasks)

    tasks.handed_over([delivery(), delivery(LARGE), delivery()])

    assert not tasks.quick


def test_only_what_may_leave_is_taken_back_newest_first(tasks, work_queue):
    ours, others = SimpleNamespace(closed=False), SimpleNamespace(closed=False)
    waiting = [delivery(consumer=[ours, others][n % 2]) for n in range(10)]
    for each in waiting:
        work_queue.put(QueuedMessage(0, each))

    assert tasks.take_back(lambda each: each.consumer is ours, 3) == [waiting[8], waiting[6], waiting[4]]

    left = [waiting[n] for n in (0, 1, 2, 3, 5, 7, 9)]
    assert [work_queue.get_nowait().message for _ in left] == left
