"""Publishing to a real RabbitMQ: few connections, nothing accepted is lost, every failure says what it is."""

import json
import logging
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pika
import pika.exceptions
import pytest
from dramatiq import Message, Middleware
from dramatiq.errors import BrokerConnectionError
from tests import command_line
from tests.waiting import until

from growbin_jobs.engine import events
from growbin_jobs.engine.broker.errors import BrokerRefused, BrokerUnavailable, QueueMismatch, QueueMissing
from growbin_jobs.engine.broker.rabbitmq.broker import RabbitBroker
from growbin_jobs.engine.broker.rabbitmq.publication import Publication
from growbin_jobs.engine.broker.rabbitmq.publisher import Publisher
from growbin_jobs.engine.broker.rabbitmq.servers import parse_urls
from growbin_jobs.engine.delivery.records import OutboxMessage

HERE = Path(__file__).parent
QUEUE = "publishing"
PATIENCE = 20.0


@pytest.fixture
def connections(rabbitmq_url: str, rabbitmq_evaluate: Callable[[str], str]) -> Callable[[], list[str]]:
    """Return the labels of the test's connections."""
    name = 'binary_to_list(element(3, lists:keyfind(<<"connection_name">>, 1, P)))'
    rows = "rabbit_networking:connection_info_all([vhost, client_properties])"
    ours = f'V =:= <<"{urlsplit(rabbitmq_url).path[1:]}">>'
    labels = f"[{name} || [{{vhost, V}}, {{client_properties, P}}] <- {rows}, {ours}]"
    return lambda: json.loads(rabbitmq_evaluate(labels))


def message(n: Any = 0, queue: str = QUEUE) -> Message[Any]:
    return Message(queue_name=queue, actor_name="act", args=(n,), kwargs={}, options={})


def drain(broker: RabbitBroker, number: int) -> list[Any]:
    """Return what the messages in the queue carry, at least so many."""
    consumer = broker.consume(QUEUE, prefetch=500, timeout=300)
    found: list[Any] = []
    end = time.monotonic() + PATIENCE
    while time.monotonic() < end:
        received = next(consumer)
        if received is not None:
            found.append(received.args[0])
            consumer.ack(received)
        elif len(found) >= number:
            break
    consumer.close()
    return found


def script(name: str, *arguments: str) -> subprocess.Popen[str]:
    command = [sys.executable, HERE / name, *arguments]
    return command_line.start_python(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)


def test_nothing_is_opened_before_the_first_use(broker, connections):
    assert connections() == []


def test_all_threads_share_one_connection(broker, connections):
    with ThreadPoolExecutor(200) as pool:
        list(pool.map(lambda n: broker.enqueue(message(n)), range(1000)))

    assert len(connections()) == 1
    assert broker.get_queue_message_counts(QUEUE) == (1000, 0, 0)


def test_hundreds_of_greenlets_share_as_many_connections_as_allowed(rabbitmq_url, broker, connections):
    with script("rabbitmq_greenlets.py", rabbitmq_url, QUEUE, "300") as process:
        assert process.stdout.readline() == "published\n"
        open_connections = connections()
        process.stdin.close()

    assert process.returncode == 0
    assert len(open_connections) == 1
    assert broker.get_queue_message_counts(QUEUE) == (300, 0, 0)


def test_two_publishing_connections_share_the_messages(rabbitmq_url, connections):
    broker = RabbitBroker(url=rabbitmq_url, middleware=[], publisher_connections=2)
    for n in range(4):
        broker.enqueue(message(n))

    assert len(connections()) == 2
    broker.close()
    assert broker.get_queue_message_counts(QUEUE)[0] == 4
    broker.close()


@pytest.mark.parametrize("kind", ["threads", "gevent"])
def test_a_forked_child_publishes_on_a_connection_of_its_own(rabbitmq_url, broker, connections, kind):
    with script("rabbitmq_fork.py", rabbitmq_url, QUEUE, kind) as process:
        assert [process.stdout.readline() for _ in range(2)] == ["published\n"] * 2
        labels = connections()
        process.stdin.write("\n")
        process.stdin.flush()

    assert process.returncode == 0
    assert len(labels) == 2
    assert len({label.split()[-1] for label in labels}) == 2  # two process ids
    assert Counter(drain(broker, 42)) == {"before": 1, "child": 20, "parent": 20, "after": 1}


def test_messages_survive_and_carry_their_id(broker, channel):
    sent = broker.enqueue(message())

    _, properties, _ = channel.basic_get(QUEUE, auto_ack=True)
    assert (properties.delivery_mode, properties.message_id) == (2, sent.message_id)


def test_a_queue_that_was_deleted_is_declared_again(broker, channel):
    broker.enqueue(message())
    for name in (QUEUE, f"{QUEUE}.XQ"):
        channel.queue_delete(name)

    broker.enqueue(message())

    assert broker.get_queue_message_counts(QUEUE) == (1, 0, 0)


def test_a_message_without_a_queue_is_an_error(rabbitmq_url):
    publisher = Publisher("test", parse_urls(rabbitmq_url))

    with pytest.raises(QueueMissing, match="nowhere"):
        publisher.publish(Publication("nowhere", b"{}", "id"), timeout=PATIENCE)
    publisher.close()


def test_sending_fires_the_enqueue_hooks_once_and_declares_nothing(rabbitmq_url):
    class Hooks(Middleware):
        def __init__(self) -> None:
            self.fired: list[str] = []

        def before_enqueue(self, broker: Any, message: Any, delay: Any) -> None:
            self.fired.append("before")

        def after_enqueue(self, broker: Any, message: Any, delay: Any) -> None:
            self.fired.append("after")

        def after_declare_queue(self, broker: Any, queue_name: str) -> None:
            self.fired.append(queue_name)

    hooks = Hooks()
    broker = RabbitBroker(url=rabbitmq_url, middleware=[hooks])
    broker.enqueue(message(queue="of_another_group"))

    assert hooks.fired == ["before", "after"]
    assert broker.get_declared_queues() == set()
    assert broker.get_queue_message_counts("of_another_group")[0] == 1
    broker.close()


def test_connections_that_are_cut_lose_no_accepted_message(broker, cut_connections):
    accepted: list[int] = []
    cut = threading.Event()

    def send(offset: int) -> None:
        n = offset
        while not cut.is_set() or n < offset + 50:  # some before the cut, some during it, some after
            broker.enqueue(message(n))
            accepted.append(n)
            n += 1

    with ThreadPoolExecutor(20) as pool:
        sending = [pool.submit(send, 100_000 * offset) for offset in range(20)]
        for some in (100, 300):
            until(lambda some=some: len(accepted) > some, "messages are accepted before each cut")
            cut_connections()
        cut.set()
        for each in sending:
            each.result(PATIENCE)

    arrived = Counter(drain(broker, len(accepted)))
    assert set(accepted) - set(arrived) == set()


def test_an_error_on_the_connections_thread_does_not_end_it(broker):
    broker.enqueue(message(1))
    broker._session.connections.admin.call(lambda: 1 / 0)  # as pika has raised from its callbacks before
    broker.enqueue(message(2))
    assert drain(broker, 2) == [1, 2]


@pytest.mark.parametrize("wrong", [{"queue_name": "q" * 300}, {"message_id": "i" * 300}])
def test_a_message_that_amqp_cannot_carry_harms_no_other(broker, wrong):
    broker.enqueue(message(1))
    before = broker._session.connections.admin._connection
    bad = message().copy(**wrong)
    with pytest.raises(ValueError, match="300 bytes"):
        broker.enqueue(bad)
    # One that a journal of the previous version holds comes this far.
    [refusal] = broker.forward(
        [OutboxMessage(message_id=bad.message_id, task_name="a", queue_name=bad.queue_name, body=bad.encode())]
    )
    assert isinstance(refusal, pika.exceptions.ShortStringTooLong)
    broker.enqueue(message(2))
    assert drain(broker, 2) == [1, 2]
    assert broker._session.connections.admin._connection is before


def test_an_existing_queue_of_another_type_is_explained(broker, channel):
    channel.queue_declare(QUEUE, durable=True, arguments={"x-queue-type": "classic"})

    with pytest.raises(QueueMismatch, match="GROWBIN_QUEUE_TYPE") as caught:
        broker.enqueue(message())
    assert QUEUE in str(caught.value)
    # Of this one Dramatiq's worker logs the sentence; of any other a traceback, every three seconds.
    with pytest.raises(BrokerConnectionError, match="another program has declared it") as caught:
        broker.consume(QUEUE)
    assert QUEUE in str(caught.value)


def test_classic_queues_by_setting(rabbitmq_url):
    broker = RabbitBroker(url=rabbitmq_url, middleware=[], queue_type="classic")
    broker.enqueue(message())
    assert broker.get_queue_message_counts(QUEUE) == (1, 0, 0)
    broker.flush(QUEUE)
    assert broker.get_queue_message_counts(QUEUE) == (0, 0, 0)
    broker.close()


def test_a_wrong_password_is_said_at_once_and_never_shown(rabbitmq_url, caplog):
    caplog.set_level(logging.DEBUG, logger="growbin_jobs")
    parts = urlsplit(rabbitmq_url)
    wrong = parts._replace(netloc=f"{parts.username}:s3cret-word@{parts.hostname}:{parts.port}").geturl()
    broker = RabbitBroker(url=wrong, middleware=[], publish_timeout=PATIENCE)

    began = time.monotonic()
    with pytest.raises(BrokerRefused, match="GROWBIN_BROKER_URL") as caught:
        broker.enqueue(message())
    broker.close()

    assert time.monotonic() - began < PATIENCE / 2
    assert isinstance(caught.value, BrokerConnectionError)
    assert "s3cret-word" not in str(caught.value) + caplog.text


def test_the_log_says_what_to_do_about_a_password_that_was_changed(rabbitmq_url):
    parts = urlsplit(rabbitmq_url)
    wrong = parts._replace(netloc=f"{parts.username}:old-one@{parts.hostname}:{parts.port}").geturl()
    said, heard = [], threading.Event()
    end = events.listen(lambda _, fields: (said.append(fields["reason"]), heard.set()), events.CONNECT_FAILED)
    broker = RabbitBroker(url=wrong, middleware=[], publish_timeout=PATIENCE)
    with pytest.raises(BrokerRefused):
        broker.enqueue(message())
    assert heard.wait(30), "it tries again"
    broker.close()
    end()
    assert "in GROWBIN_BROKER_URL; restart what runs after a change" in said[0]
    assert "old-one" not in said[0]


def test_an_unknown_vhost_is_said_at_once(rabbitmq_url):
    broker = RabbitBroker(url=rabbitmq_url + "-nope", middleware=[], publish_timeout=PATIENCE)
    with pytest.raises(BrokerRefused, match="vhost"):
        broker.enqueue(message())
    broker.close()


def test_the_next_address_of_a_cluster_is_tried(rabbitmq_url, unused_port):
    broker = RabbitBroker(url=f"amqp://127.0.0.1:{unused_port}/;{rabbitmq_url}", middleware=[])
    broker.enqueue(message())
    assert broker.get_queue_message_counts(QUEUE)[0] == 1
    broker.close()


def test_an_unreachable_server_is_an_error_within_the_timeout(unused_port):
    broker = RabbitBroker(url=f"amqp://127.0.0.1:{unused_port}/", middleware=[], publish_timeout=0.5)
    broker.declare_queue(QUEUE)
    for use in (lambda: broker.enqueue(message()), lambda: broker.consume(QUEUE)):
        with pytest.raises(BrokerUnavailable, match="not connected"):
            use()
    broker.close()


@pytest.fixture
def unused_port() -> Iterator[int]:
    """A port of this machine that nobody else takes during the test, and that refuses."""
    import socket

    with socket.socket() as holder:
        holder.bind(("127.0.0.1", 0))
        yield holder.getsockname()[1]
