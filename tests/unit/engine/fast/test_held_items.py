"""The work queue during a pause: what is held back, and that nothing is lost."""

import logging
import threading
import time
from queue import Empty, PriorityQueue
from types import SimpleNamespace

import dramatiq
import pytest
from dramatiq import Worker
from dramatiq.brokers.stub import StubBroker
from hypothesis import given
from hypothesis import strategies as st

from growbin_jobs.engine.fast.held_items import FastWorkQueue, HoldingWorkQueue
from growbin_jobs.engine.fast.work_queue import WorkQueue, hand_over_quickly
from growbin_jobs.engine.pauses import Pauses


def test_a_worker_gets_the_quick_queue_before_its_threads_start():
    broker = StubBroker(middleware=[FastWorkQueue()])
    worker = Worker(broker, worker_threads=1)

    broker.emit_before("worker_boot", worker)

    assert isinstance(worker.work_queue, WorkQueue)


def test_a_consumer_looks_for_delayed_messages_only_where_there_are_some():
    looked = []
    thread = SimpleNamespace(delay_queue=PriorityQueue(), handle_delayed_messages=lambda: looked.append(1))
    StubBroker(middleware=[FastWorkQueue()]).emit_after("consumer_thread_boot", thread)

    thread.handle_delayed_messages()
    assert looked == []

    thread.delay_queue = PriorityQueue()  # as Dramatiq does when a connection is lost
    thread.delay_queue.put(1)
    thread.handle_delayed_messages()
    assert looked == [1]


def test_messages_with_options_or_of_an_unknown_actor_go_dramatiqs_way_into_the_queue():
    broker = StubBroker(middleware=[])
    dramatiq.actor(lambda: None, broker=broker, actor_name="work", priority=3)
    others, queue = [], WorkQueue()
    logger = logging.getLogger("test_held_items")
    logger.setLevel(logging.INFO)
    thread = SimpleNamespace(work_queue=queue, handle_message=others.append, logger=logger)
    plain, late, unknown = (
        dramatiq.Message(queue_name="default", actor_name=actor, args=(), kwargs={}, options=options)
        for actor, options in (("work", {}), ("work", {"eta": 1}), ("gone", {}))
    )

    hand_over_quickly(broker, thread)
    for message in (plain, late, unknown):
        thread.handle_message(message)

    taken = queue.get_nowait()
    assert (taken.message, taken.priority) == (plain, 3)
    assert queue.empty()
    assert others == [late, unknown]


def test_messages_go_dramatiqs_way_where_its_debug_lines_are_wanted():
    logger = logging.getLogger("test_held_items.debug")
    logger.setLevel(logging.DEBUG)
    handle = object()
    thread = SimpleNamespace(work_queue=WorkQueue(), handle_message=handle, logger=logger)

    hand_over_quickly(StubBroker(middleware=[]), thread)

    assert thread.handle_message is handle


def item(name, queue, priority=0, actor="work"):
    return SimpleNamespace(
        name=name, priority=priority, message=SimpleNamespace(queue_name=queue, actor_name=actor)
    )  # fmt: skip


@pytest.fixture
def pauses():
    return Pauses()


@pytest.fixture
def queue(pauses):
    queue = HoldingWorkQueue(pauses)
    for name, of in (("a1", "a"), ("b1", "b"), ("a2", "a"), ("b2", "b"), ("a3", "a")):
        queue.put(item(name, of))
    return queue


def taken(queue, number):
    return [queue.get(timeout=0.01).name for _ in range(number)]


def test_items_of_a_paused_queue_are_held_and_the_others_go_on(queue, pauses):
    pauses.pause("a", "waiting")

    assert taken(queue, 2) == ["b1", "b2"]
    with pytest.raises(Empty):
        queue.get(timeout=0.01)
    assert queue.held == 3
    assert queue.unfinished_tasks == 5


def test_they_keep_their_place(queue, pauses):
    pauses.pause("a", "waiting")
    taken(queue, 2)
    queue.put(item("a4", "a"))
    queue.put(item("b3", "b"))
    queue.put(item("urgent", "b", priority=-1))

    pauses.resume("a", "waiting")

    assert taken(queue, 6) == ["urgent", "a1", "a2", "a3", "a4", "b3"]
    assert "_take" not in vars(queue), "without a pause it is the plain queue"


def test_a_resume_wakes_who_waits_for_an_item(queue, pauses):
    pauses.pause("a", "waiting")
    taken(queue, 2)
    found, waits = [], threading.Event()

    def work():
        waits.set()
        found.append(queue.get(timeout=20).name)

    worker = threading.Thread(target=work)
    worker.start()
    waits.wait()
    pauses.resume("a", "waiting")
    worker.join(20)

    assert found == ["a1"]


def test_a_pause_that_runs_out_lets_them_go(queue, pauses):
    pauses.pause("a", "deferred", 0.001)
    time.sleep(0.002)

    assert taken(queue, 5) == ["a1", "b1", "a2", "b2", "a3"]


def test_a_worker_that_stops_empties_it_wholly(queue, pauses):
    pauses.pause("a", "waiting")
    taken(queue, 2)

    assert [queue.get_nowait().name for _ in range(3)] == ["a1", "a2", "a3"]


def test_items_of_a_paused_actor_are_held_while_there_is_room(pauses):
    queue = HoldingWorkQueue(pauses, room=2)
    for number in range(4):
        queue.put(item(f"paused {number}", "a", actor="paused"))
        queue.put(item(f"free {number}", "a"))
    pauses.pause_actor("paused")

    assert taken(queue, 6) == ["free 0", "free 1", "paused 2", "free 2", "paused 3", "free 3"]
    assert (queue.held, queue.qsize()) == (2, 2)
    pauses.resume_actor("paused")
    assert taken(queue, 2) == ["paused 0", "paused 1"]
    assert "_take" not in vars(queue), "without a pause it is the plain queue"


def test_a_queue_and_one_of_its_actors_are_paused_each_for_itself(pauses):
    queue = HoldingWorkQueue(pauses, room=2)
    queue.put(item("1", "a", actor="paused"))
    pauses.pause("a", "waiting")
    pauses.pause_actor("paused")
    pauses.resume("a", "waiting")
    with pytest.raises(Empty):
        queue.get(timeout=0.01)
    pauses.pause("a", "waiting")
    pauses.resume_actor("paused")
    with pytest.raises(Empty):
        queue.get(timeout=0.01)
    pauses.resume("a", "waiting")
    assert taken(queue, 1) == ["1"]


@given(st.lists(st.sampled_from(["put a", "put b", "take", "pause a", "resume a", "pause b", "resume b"]), max_size=40))
def test_nothing_is_lost_or_taken_from_a_paused_queue(steps):
    pauses = Pauses()
    queue, came, went, paused = HoldingWorkQueue(pauses), {"a": [], "b": []}, {"a": [], "b": []}, set()
    for number, step in enumerate(steps):
        verb, _, name = step.partition(" ")
        if verb == "put":
            queue.put(item(number, name))
            came[name].append(number)
        elif verb == "take":
            open_ones = any(len(went[each]) < len(came[each]) for each in came if each not in paused)
            try:
                got = queue.get(timeout=0)
            except Empty:
                assert not open_ones
            else:
                of = got.message.queue_name
                assert of not in paused
                went[of].append(got.name)
        elif verb == "pause":
            pauses.pause(name, "waiting")
            paused.add(name)
        else:
            pauses.resume(name, "waiting")
            paused.discard(name)
    while True:
        try:
            got = queue.get_nowait()
        except Empty:
            break
        went[got.message.queue_name].append(got.name)

    assert went == came, "each queue in order"


def test_what_is_held_back_can_be_withdrawn_and_the_rest_keeps_its_place():
    pauses = Pauses()
    queue = HoldingWorkQueue(pauses)
    items = [
        SimpleNamespace(priority=0, name=n, message=SimpleNamespace(queue_name="q", actor_name="a")) for n in range(6)
    ]
    for each in items[:4]:
        queue.put(each)
    pauses.pause("q", "test")
    with pytest.raises(Empty):
        queue.get(timeout=0.01)  # whoever looks holds them back
    assert queue.held == 4
    for each in items[4:]:
        queue.put(each)

    assert [each.name for each in queue.withdraw(lambda _: True, 3)] == [5, 4, 3]

    assert queue.unfinished_tasks == 3
    pauses.resume("q", "test")
    assert [queue.get_nowait().name for _ in range(3)] == [0, 1, 2]
