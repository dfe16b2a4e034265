"""A RabbitMQ that goes away or takes no more, on a node of its own: other tests must not feel it."""

import json
import os
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from queue import SimpleQueue
from typing import Any

import dramatiq
import pytest
from dramatiq import Message, Worker
from dramatiq.errors import BrokerConnectionError

from growbin_jobs.broker.rabbitmq import RabbitBroker

pytestmark = pytest.mark.services

SERVICES = Path(__file__).parents[2] / "scripts" / "services"
QUEUE = "outages"
PATIENCE = 40.0

Control = Callable[..., None]


@pytest.fixture(scope="module")
def node(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, Any]]:
    """Facts of a RabbitMQ node that belongs to this file."""
    folder = str(tmp_path_factory.mktemp("node"))

    def services(*arguments: str) -> str:
        command = [sys.executable, SERVICES, *arguments, "--dir", folder]
        return subprocess.run(command, capture_output=True, text=True, check=True).stdout

    up = services("up", "--only", "rabbitmq", "--json", "--with-pid", str(os.getpid()))
    yield json.loads(up)["rabbitmq"]
    services("down")


@pytest.fixture
def control(node: dict[str, Any]) -> Control:
    """``rabbitmqctl`` of that node."""
    tool = node["rabbitmqctl"]

    def run(*arguments: str) -> None:
        subprocess.run([*tool["command"], "--quiet", *arguments], env=tool["env"], check=True, timeout=60)

    return run


@pytest.fixture
def broker(node: dict[str, Any]) -> Iterator[RabbitBroker]:
    broker = RabbitBroker(url=node["url"], middleware=[], publish_timeout=PATIENCE)
    broker.declare_queue(QUEUE)
    broker.flush(QUEUE)
    yield broker
    broker.close()


def message(n: int) -> Message[Any]:
    return Message(queue_name=QUEUE, actor_name="put", args=(n,), kwargs={}, options={})


def test_a_restart_of_the_server_loses_nothing_and_needs_nobody(broker, control, monkeypatch):
    # Given a worker, and threads that go on sending
    monkeypatch.setattr("dramatiq.worker.CONSUMER_RESTART_DELAY_SECS", 0.1)
    ran: SimpleQueue[int] = SimpleQueue()
    actor = dramatiq.actor(ran.put, actor_name="put", queue_name=QUEUE, broker=broker)
    worker = Worker(broker, worker_threads=4, worker_timeout=100)
    worker.start()
    accepted: list[int] = []
    back = threading.Event()

    def send(offset: int) -> None:
        n = offset
        while not back.is_set() or n < offset + 20:
            actor.send(n)
            accepted.append(n)
            n += 1
            time.sleep(0.005)

    with ThreadPoolExecutor(5) as pool:
        sending = [pool.submit(send, 100_000 * offset) for offset in range(5)]
        seen = {ran.get(timeout=PATIENCE)}
        # When the server goes down and comes back
        control("stop_app")
        control("start_app")
        back.set()
        for each in sending:
            each.result(PATIENCE)  # then no send has failed
    # And everything accepted is run
    while set(accepted) - seen:
        seen.add(ran.get(timeout=PATIENCE))
    worker.stop()


def test_an_alarm_of_the_server_keeps_senders_waiting_no_longer_than_their_timeout(node, broker, control):
    hasty = RabbitBroker(url=node["url"], middleware=[], publish_timeout=1.0)
    hasty.enqueue(message(0))
    control("set_vm_memory_high_watermark", "0")
    try:
        # The first one RabbitMQ still reads, and answers with the alarm; the others stay here.
        for n in (1, 2, 3):
            with pytest.raises(BrokerConnectionError, match="blocks all publishers"):
                hasty.enqueue(message(n))
        with ThreadPoolExecutor(10) as pool:
            patient = [pool.submit(broker.enqueue, message(n)) for n in range(10, 20)]
            control("set_vm_memory_high_watermark", "0.4")
            for each in patient:
                each.result(PATIENCE)
    finally:
        control("set_vm_memory_high_watermark", "0.4")
    hasty.enqueue(message(4))
    # 1 may have arrived; 2 and 3 were never sent, and once given up they do not come later.
    consumer = broker.consume(QUEUE, prefetch=100, timeout=500)
    arrived = sorted(received.args[0] for received in iter(lambda: next(consumer), None))
    consumer.close()
    assert [n for n in arrived if n != 1] == [0, 4, *range(10, 20)]
    hasty.close()


def test_a_restart_of_the_server_loses_no_delayed_message_and_brings_none_early(broker, control):
    # Given delays that end before, during and after a restart
    due: dict[int, float] = {}

    def send(n: int) -> None:
        due[n] = time.time() + n * 0.06
        broker.enqueue(message(n), delay=n * 60)

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(send, range(1, 250)))
    # When
    control("stop_app")
    control("start_app")
    # Then all come
    came: dict[int, float] = {}
    consumer = broker.consume(QUEUE, prefetch=100, timeout=500)
    end = time.monotonic() + PATIENCE
    while due.keys() - came.keys() and time.monotonic() < end:
        received = next(consumer)
        if received is not None:
            came[received.args[0]] = time.time()
            consumer.ack(received)
    consumer.close()
    assert due.keys() - came.keys() == set()
    assert [n for n in came if came[n] < due[n] - 0.01] == []
