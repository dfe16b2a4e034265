"""A worker of quick tasks fetches more than its prefetch, and gives back what it cannot run soon."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterator, Sequence
from typing import Any
from urllib.parse import urlsplit

import dramatiq
import pytest
from dramatiq import Message, Middleware, Worker
from tests.waiting import until

from growbin_jobs.engine.broker.rabbitmq import consuming_channel, quick_tasks
from growbin_jobs.engine.broker.rabbitmq.broker import RabbitBroker
from growbin_jobs.engine.delivery.delivery import Delivery
from growbin_jobs.engine.delivery.disposition import Disposition
from growbin_jobs.engine.delivery.lifecycle import BEGIN, Life, Step, advance
from growbin_jobs.engine.delivery.runs import Runs
from growbin_jobs.engine.fast.held_items import FastWorkQueue

QUEUE = "quick"
THREADS, PREFETCH, EXTRA = 2, 4, 20


class SlowSettlement:
    """Settles what has run once it has all that the consumer may have, as commits and confirms do that many share."""

    def __init__(self) -> None:
        self._runs: Runs[Delivery] = Runs()
        self._ended: list[Delivery] = []
        self.at_once = False

    def ready(self) -> bool:
        return True

    def receive(self, deliveries: Sequence[Delivery]) -> bool:
        for delivery in deliveries:
            delivery.life = Life(self._runs.of(delivery), None)
        return True

    def leave(self, delivery: Delivery) -> bool:
        return advance(delivery, Step.LEAVE)

    def release(self, delivery: Delivery) -> None:
        self._ended.append(delivery)
        if self.at_once or len(self._ended) >= PREFETCH:
            settled, self._ended = self._ended, []
            for each in settled:
                each.consumer._settle(each.tag, Disposition.ACK)


class Begin(Middleware):
    def before_process_message(self, broker: Any, message: Any) -> None:
        assert advance(message, BEGIN)


@pytest.fixture
def settlement() -> SlowSettlement:
    return SlowSettlement()


@pytest.fixture
def broker(rabbitmq_url: str, settlement: SlowSettlement, monkeypatch: pytest.MonkeyPatch) -> Iterator[RabbitBroker]:
    monkeypatch.setattr(consuming_channel, "EXTRA", EXTRA)
    broker = RabbitBroker(url=rabbitmq_url, middleware=[FastWorkQueue(), Begin()])
    broker.intake = settlement
    yield broker
    broker.close()


@pytest.fixture
def prefetches(rabbitmq_url: str, rabbitmq_evaluate: Any) -> Callable[[], list[int]]:
    """Return the prefetches of the queue's consumers, as RabbitMQ knows them."""
    consumers = f'rabbit_amqqueue:consumers_all(<<"{urlsplit(rabbitmq_url).path[1:]}">>)'
    ours = f'element(4, proplists:get_value(queue_name, C)) =:= <<"{QUEUE}">>'
    # In pairs: what looks like text would be shown as such.
    asked = f"[[true, proplists:get_value(prefetch_count, C)] || C <- {consumers}, {ours}]"
    return lambda: [number for _, number in json.loads(rabbitmq_evaluate(asked))]


@pytest.mark.parametrize("stops", ["a pause", "the journal"])
def test_it_gives_back_what_cannot_run_for_now(broker, settlement, prefetches, monkeypatch, stops):
    hold, ran = threading.Event(), []
    monkeypatch.setattr(quick_tasks, "PATIENCE", 600.0)  # not for this reason

    @dramatiq.actor(broker=broker, queue_name=QUEUE)
    def task(n: int) -> None:
        ran.append(n)
        # By itself: on a busy machine the test would look when all had run, and the next ones might be slow then.
        if worker.consumers[QUEUE].consumer._consumer._fetches_more:
            hold.wait()

    for n in range(100):
        task.send(n)
    worker = Worker(broker, worker_threads=THREADS, worker_timeout=100)
    broker.work_queue = lambda: worker.work_queue
    worker.queue_prefetch = PREFETCH
    worker.start()
    try:
        consumer = until(lambda: worker.consumers[QUEUE].consumer)._consumer
        until(lambda: consumer._fetches_more)
        settlement.at_once = True
        for n in range(100, 200):
            task.send(n)
        until(lambda: consumer._held >= PREFETCH + EXTRA, "all that it may have")

        # When nothing of its queue may run here for now
        if stops == "a pause":
            broker.pauses.pause(QUEUE, "test")
        else:
            monkeypatch.setattr(settlement, "ready", lambda: False)
        hold.set()  # and threads look for what to run
        # Then the rest waits in the queue, for others
        until(lambda: consumer._held <= 2 * PREFETCH and prefetches() == [PREFETCH], "it has given back the rest")

        # When it may again, then all run
        broker.pauses.resume(QUEUE, "test")
        monkeypatch.setattr(settlement, "ready", lambda: True)
        until(lambda: len(ran) == 200)
    finally:
        hold.set()
        worker.stop()
    assert sorted(ran) == list(range(200))


def test_it_fetches_more_and_gives_back(broker, settlement, prefetches, monkeypatch):
    holding, hold, ran = threading.Event(), threading.Event(), []

    @dramatiq.actor(broker=broker, queue_name=QUEUE)
    def task(n: int) -> None:
        ran.append(n)
        if holding.is_set() and worker.consumers[QUEUE].consumer._consumer._fetches_more:
            hold.wait()

    def send(numbers: Sequence[int]) -> None:
        for n in numbers:
            broker.enqueue(Message(queue_name=QUEUE, actor_name="task", args=(n,), kwargs={}, options={}))

    # Given quick tasks that wait for their acknowledgements
    send(range(100))
    worker = Worker(broker, worker_threads=THREADS, worker_timeout=100)
    broker.work_queue = lambda: worker.work_queue
    worker.queue_prefetch = PREFETCH
    worker.start()
    try:
        until(lambda: len(ran) == 100)
        consumer = worker.consumers[QUEUE].consumer._consumer
        assert consumer._received == 100
        # Then it may fetch more, and when nothing is left no longer
        until(lambda: prefetches() == [PREFETCH], "its prefetch")

        # Given more of them, and then slow ones
        monkeypatch.setattr(quick_tasks, "PATIENCE", 600.0)  # so that they are seen to be held
        holding.set()
        send(range(100, 200))
        until(lambda: consumer._fetches_more)
        settlement.at_once = True
        send(range(200, 300))
        until(lambda: consumer._held >= PREFETCH + EXTRA, "all that it may have")
        assert prefetches() == [PREFETCH + EXTRA]
        monkeypatch.setattr(quick_tasks, "PATIENCE", 0.1)
        # Then it keeps its prefetch and gives back the rest, which others run. Beside what it keeps RabbitMQ brings as
        # much again.
        until(
            lambda: PREFETCH <= consumer._held <= 2 * PREFETCH and prefetches() == [PREFETCH],
            "it has given back the rest",
        )
        other = broker.consume(QUEUE, prefetch=200, timeout=500)
        fetched = []
        while (delivery := next(other)) is not None:
            fetched.append(delivery)
        begun = set(ran)
        held = {item.message.args[0] for item in worker.work_queue.waiting(100)}
        assert begun | held | {delivery.args[0] for delivery in fetched} == set(range(300))
        assert len(begun) + len(held) + len(fetched) == 300
        for delivery in fetched:
            other.ack(delivery)
        other.close()
        hold.set()
        until(lambda: len(ran) + len(fetched) == 300, "all of them have run here or there")
    finally:
        hold.set()
        worker.stop()
    assert sorted([*ran, *(delivery.args[0] for delivery in fetched)]) == list(range(300))
