"""Delays on a real RabbitMQ: kept to the second, by the broker alone, whatever happens meanwhile."""

import random
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from dramatiq import Message
from pika.adapters.blocking_connection import BlockingChannel
from pika.exceptions import ChannelClosedByBroker
from tests import command_line

from growbin_jobs.engine.broker.rabbitmq.broker import RabbitBroker
from growbin_jobs.engine.broker.rabbitmq.delays import (
    DUE,
    LEVELS_AT_ONCE,
    TARGET,
    UNDELIVERABLE_QUEUE,
    delay_route,
    level_queue,
)
from growbin_jobs.engine.broker.rabbitmq.topology import QueueType

QUEUE = "delayed"
PATIENCE = 30.0

#: Seconds that a delay may end too early: RabbitMQ reckons in whole milliseconds, at each level anew.
EARLY = 0.01


def message(n: int = 0, queue: str = QUEUE) -> Message[Any]:
    return Message(queue_name=queue, actor_name="a", args=(n,), kwargs={}, options={})


def receive(broker: RabbitBroker, number: int, queue: str = QUEUE) -> dict[int, float]:
    """Return when each message came."""
    came: dict[int, float] = {}
    consumer = broker.consume(queue, prefetch=100, timeout=100)
    end = time.monotonic() + PATIENCE
    while len(came) < number and time.monotonic() < end:
        received = next(consumer)
        if received is not None:
            assert not received.redelivered  # no hop counts as a delivery
            came[received.args[0]] = time.time()
            consumer.ack(received)
    consumer.close()
    assert len(came) == number
    return came


def eventually_depth(channel: BlockingChannel, queue: str, depth: int) -> None:
    """Wait until a queue holds so many messages; RabbitMQ tells nobody."""
    end = time.monotonic() + PATIENCE
    while channel.queue_declare(queue, passive=True).method.message_count != depth:
        assert time.monotonic() < end, f"{queue} does not come to hold {depth} messages"
        time.sleep(0.02)


def test_three_hundred_delays_end_when_they_are_due(broker, record_property):
    # Given delays of 0 to 15 s, sent by several threads at once
    due: dict[int, float] = {}

    def send(n: int) -> None:
        delay = random.randint(0, 15_000)
        due[n] = time.time() + delay / 1000
        broker.enqueue(message(n), delay=delay)

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(send, range(300)))
    # Then each comes once, never early, and not much later than the next whole second
    came = receive(broker, 300)
    late = sorted(came[n] - due[n] for n in due)
    assert late[0] >= -EARLY
    assert late[-1] < PATIENCE
    record_property("late_median_s", round(late[150], 3))
    record_property("late_max_s", round(late[-1], 3))
    assert broker.get_queue_message_counts(QUEUE) == (0, 0, 0)


def test_processes_that_declare_the_ladder_at_once_do_not_harm_each_other(rabbitmq_url, broker):
    script = Path(__file__).parent / "rabbitmq_delayer.py"
    delays = ["1000", "20000", str(86_400_000)]  # three heights of the ladder
    processes = [
        command_line.start_python(
            [sys.executable, script, rabbitmq_url, QUEUE, *delays[n % 3 :], *delays[: n % 3]],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        for n in range(8)
    ]
    for process in processes:
        assert process.stdout.readline() == "ready\n"
    for process in processes:
        process.stdin.write("go\n")
        process.stdin.flush()
    failures = [error for process in processes if (error := process.communicate(timeout=PATIENCE)[1])]

    assert failures == []
    assert [process.returncode for process in processes] == [0] * 8
    consumer = broker.consume(QUEUE, prefetch=100, timeout=int(PATIENCE * 1000))
    assert [next(consumer) is not None for _ in range(8)] == [True] * 8  # those of 1 s
    consumer.close()


@pytest.mark.parametrize("queue_type", ["quorum", "classic"])
def test_a_delay_needs_no_consumer_and_no_connection(rabbitmq_url, channel, queue_type: QueueType):
    broker = RabbitBroker(url=rabbitmq_url, middleware=[], queue_type=queue_type)
    sent = broker.enqueue(message(), delay=3_000)
    broker.close()
    begin = time.monotonic()
    eventually_depth(channel, QUEUE, 1)
    assert time.monotonic() - begin > 2.0
    _, properties, body = channel.basic_get(QUEUE, auto_ack=True)
    assert (body, properties.message_id, properties.delivery_mode) == (sent.encode(), sent.message_id, 2)


def test_only_as_much_of_the_ladder_is_declared_as_is_needed(broker, channel):
    def declared(level: int) -> bool:
        other = channel.connection.channel()  # RabbitMQ closes it for a queue that is not there
        try:
            other.queue_declare(level_queue(level, "quorum"), passive=True)
        except ChannelClosedByBroker:
            return False
        return True

    broker.enqueue(message())
    assert not declared(0)
    broker.enqueue(message(), delay=15_000)
    broker.enqueue(message(queue="another"), delay=1_000)
    assert [declared(LEVELS_AT_ONCE - 1), declared(LEVELS_AT_ONCE)] == [True, False]
    broker.enqueue(message(), delay=16_000)
    assert [declared(2 * LEVELS_AT_ONCE - 1), declared(2 * LEVELS_AT_ONCE)] == [True, False]


def test_a_level_that_was_deleted_is_declared_again(broker, channel):
    broker.enqueue(message(1), delay=1_000)
    assert receive(broker, 1).keys() == {1}
    channel.queue_delete(delay_route(QUEUE, 1_000, "quorum").queue)

    broker.enqueue(message(2), delay=1_000)

    assert receive(broker, 1).keys() == {2}


def test_what_is_due_for_a_queue_that_is_gone_is_kept_and_can_be_brought_back(broker, channel):
    # Given a delayed message whose queue is deleted meanwhile
    sent = broker.enqueue(message(7), delay=2_000)
    channel.queue_delete(QUEUE)
    # Then it is in a queue where people see it
    eventually_depth(channel, UNDELIVERABLE_QUEUE, 1)
    _, properties, body = channel.basic_get(UNDELIVERABLE_QUEUE, auto_ack=True)
    assert (properties.message_id, properties.headers[TARGET]) == (sent.message_id, QUEUE)
    # And goes on from there when somebody moves it, as a shovel does, after the queue was declared again
    broker.get_queue_message_counts(QUEUE)
    channel.basic_publish(DUE, "", body, properties)
    assert receive(broker, 1).keys() == {7}


def test_a_queue_that_comes_back_in_time_gets_its_delayed_messages(broker, channel):
    # Given a queue that has had delayed messages before, and gets more
    broker.enqueue(message(1), delay=1_000)
    receive(broker, 1)
    for n in range(50):
        broker.enqueue(message(n), delay=5_000)
    # When it is deleted and declared again
    channel.queue_delete(QUEUE)
    broker.get_queue_message_counts(QUEUE)

    assert receive(broker, 50).keys() == set(range(50))


def test_delayed_messages_for_many_queues_do_not_mix(broker):
    names = ["a", "a.b", "b", "a_b", "long" * 50]
    for name in names:
        broker.declare_queue(name)
        broker.enqueue(message(len(name), queue=name), delay=1_000)

    for name in names:
        assert receive(broker, 1, queue=name).keys() == {len(name)}
