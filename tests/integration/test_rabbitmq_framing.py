"""Publishing, consuming and settling with frames of our own and with pika's: the same messages, the same outcomes."""

import time
from collections import Counter
from typing import Any

import pytest
from dramatiq import Message

from growbin_jobs.engine.broker.errors import QueueMissing
from growbin_jobs.engine.broker.rabbitmq import frames
from growbin_jobs.engine.broker.rabbitmq.broker import RabbitBroker
from growbin_jobs.engine.broker.rabbitmq.publication import Publication

QUEUE = "framed"
PATIENCE = 30.0


@pytest.fixture(params=[True, False], ids=["own frames", "pika's"])
def framing(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> bool:
    monkeypatch.setattr(frames, "FAST", request.param)
    return bool(request.param)


@pytest.fixture
def framed(framing: bool, broker: RabbitBroker) -> RabbitBroker:
    """A broker whose connections are opened after the switch was set."""
    broker.get_queue_message_counts(QUEUE)
    connection = broker._session.connections.admin._connection
    assert isinstance(connection, frames.FastConnection) is framing
    assert (connection._transport._MAX_RECV_BYTES == frames.READ) is framing
    return broker


def message(n: int, size: int = 0) -> Message[Any]:
    return Message(queue_name=QUEUE, actor_name="act", args=(n, "값" * size), kwargs={}, options={})


def receive(broker: RabbitBroker, count: int, prefetch: int) -> tuple[Any, list[Any]]:
    consumer, received = broker.consume(QUEUE, prefetch=prefetch, timeout=500), []
    end = time.monotonic() + PATIENCE
    while len(received) < count and time.monotonic() < end:
        one = next(consumer)
        if one is not None:
            received.append(one)
    return consumer, received


def test_what_is_sent_arrives_and_is_settled_as_it_is_told(framed):
    sizes = [0, 1, 1000, 50_000, 200_000]  # some need several frames
    sent = [framed.enqueue(message(n, sizes[n % 5])) for n in range(30)]

    consumer, received = receive(framed, 30, prefetch=30)
    assert [one.message_id for one in received] == [one.message_id for one in sent]
    assert [tuple(one.args) for one in received] == [tuple(one.args) for one in sent]
    for n, one in enumerate(received):
        if n % 10 == 0:
            consumer.nack(one)
        elif n % 10 == 1:
            one.requeue()
            consumer.ack(one)
        elif n % 10 != 2:
            consumer.ack(one)
    consumer.close()

    # Those that were given back and those that were never settled come again
    consumer, again = receive(framed, 6, prefetch=30)
    assert Counter(one.args[0] % 10 for one in again) == {1: 3, 2: 3}
    assert all(one.redelivered for one in again)
    consumer.close()
    end = time.monotonic() + PATIENCE
    while framed.depths()[QUEUE].dead != 3:  # RabbitMQ moves dead letters behind our back
        assert time.monotonic() < end


def test_a_message_that_nobody_takes_is_told_to_its_sender(framed):
    publisher = framed._session.connections.publishers[0]

    with pytest.raises(QueueMissing):
        publisher.publish(Publication("no_such_queue", b"{}", "id"), 10.0)
    publisher.publish(Publication(QUEUE, message(1).encode(), "id", priority=9), 10.0)
    publisher.publish(Publication(QUEUE, message(2).encode(), "id", headers={"a": "b"}), 10.0)

    consumer, [first] = receive(framed, 1, prefetch=1)
    assert next(consumer) is None  # no more than may be unsettled
    consumer.ack(first)
    while (second := next(consumer)) is None:
        continue
    assert [first.args[0], second.args[0]] == [1, 2]
    consumer.close()


def test_what_was_in_flight_when_the_connection_broke_is_sent_again(framed):
    link = framed._session.connections.admin
    futures = []
    publisher = framed._session.connections.publishers[0]
    for n in range(100):
        futures.append(publisher.submit(Publication(QUEUE, message(n).encode(), str(n))))
        if n == 50:
            link.call(link._loop.sever)
    for future in futures:
        future.result(PATIENCE)

    consumer, received = receive(framed, 100, prefetch=300)
    assert {one.args[0] for one in received} | {one.args[0] for one in receive_rest(consumer)} == set(range(100))
    consumer.close()


def receive_rest(consumer: Any) -> list[Any]:
    rest = []
    while (one := next(consumer)) is not None:
        rest.append(one)
    return rest
