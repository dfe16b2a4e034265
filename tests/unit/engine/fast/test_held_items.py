from queue import PriorityQueue
from types import SimpleNamespace

from dramatiq import Worker
from dramatiq.brokers.stub import StubBroker

from growbin_jobs.engine.fast.held_items import FastWorkQueue
from growbin_jobs.engine.fast.work_queue import WorkQueue


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
