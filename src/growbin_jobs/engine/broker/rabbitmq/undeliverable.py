"""What became due for a queue that is gone (``growbin.delay.v1.XQ``), made a dead letter like any other.

It is written down first, then moved to the dead letter queue of the queue that it was for. A crash in between does
both once more, which changes nothing but the number of copies in that queue.
"""

from __future__ import annotations

import json
import logging
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import pika
from dramatiq import Message
from dramatiq.common import xq_name
from pika.adapters.blocking_connection import BlockingChannel
from pika.exceptions import AMQPError, ChannelClosedByBroker
from pika.spec import BasicProperties

from growbin_jobs.engine.broker.errors import BrokerUnavailable, QueueMissing
from growbin_jobs.engine.broker.rabbitmq.delays import UNDELIVERABLE_QUEUE
from growbin_jobs.engine.broker.rabbitmq.errors import describe, explain
from growbin_jobs.engine.broker.rabbitmq.servers import labelled, parse_urls
from growbin_jobs.engine.broker.rabbitmq.topology import QueueType, arguments
from growbin_jobs.engine.delivery.codec import Undecodable, decode
from growbin_jobs.engine.delivery.records import Dead, Finish, TaskState
from growbin_jobs.engine.delivery.runs import counted

logger = logging.getLogger(__name__)

#: Seconds that a server may take to answer.
TIMEOUT = 10.0


def collect(url: str, queue_type: QueueType, worker: str, keep: Callable[[Finish], object]) -> int:
    """Make dead letters of all messages that could not be delivered when they were due. Not in a gevent process.

    Parameters:
      url: As :class:`growbin_jobs.engine.broker.rabbitmq.broker.RabbitBroker`.
      worker: Who says so, as rows show it.
      keep: Returns once a message's end is on the disk.

    Returns:
      How many.

    Raises:
      BrokerUnavailable, BrokerRefused: RabbitMQ is away, or does not allow it.
      QueueMismatch: A dead letter queue exists with other properties.
    """
    with _channel(url) as channel:
        try:
            waiting = channel.queue_declare(UNDELIVERABLE_QUEUE, passive=True).method.message_count
        except ChannelClosedByBroker as error:
            if isinstance(explain(error), QueueMissing):  # nobody has used a delay so far
                return 0
            raise
        collected = 0
        for _ in range(waiting):
            method, properties, body = channel.basic_get(UNDELIVERABLE_QUEUE)
            if method is None:  # another node is at it
                break
            collected += _move(channel, properties, body, queue_type, worker, keep)
            channel.basic_ack(method.delivery_tag)
        return collected


def _move(
    channel: BlockingChannel,
    properties: BasicProperties,
    body: bytes,
    queue_type: QueueType,
    worker: str,
    keep: Callable[[Finish], object],
) -> bool:
    try:
        message = decode(body, None)
    except Undecodable:
        logger.warning("undeliverable.not_ours id=%s it stays in %s", properties.message_id, UNDELIVERABLE_QUEUE)
        channel.basic_publish("", UNDELIVERABLE_QUEUE, body, properties, mandatory=True)  # behind the others
        return False
    keep(_death(message, body, worker))
    dead_letters = xq_name(message.queue_name)
    channel.queue_declare(dead_letters, durable=True, arguments=arguments(message.queue_name, queue_type)[dead_letters])
    own = BasicProperties(delivery_mode=2, message_id=message.message_id, priority=properties.priority)
    channel.basic_publish("", dead_letters, body, own, mandatory=True)
    return True


def _death(message: Message[object], body: bytes, worker: str) -> Finish:
    now = time.time()
    error = f"queue {message.queue_name} was gone when it was due"
    params = json.dumps({"queue": message.queue_name})
    return Finish(
        task_id=message.message_id,
        task_name=message.actor_name,
        queue_name=message.queue_name,
        payload=body.decode("utf-8", "replace"),
        state=TaskState.DEAD,
        worker=worker,
        started_at=now,
        completed_at=now,
        created_at=message.message_timestamp / 1000,
        error=error,
        retry_count=counted(message.options, "retries"),
        deferrals=counted(message.options, "deferrals"),
        dead=Dead(body=body, code="queue_missing", params=params, error=error, traceback="", died_at=now),
    )


@contextmanager
def _channel(url: str) -> Iterator[BlockingChannel]:
    """Open a channel with confirms on a connection of its own."""
    servers = [labelled(server, "collector of undeliverable messages") for server in parse_urls(url)]
    for server in servers:
        server.socket_timeout = server.stack_timeout = server.blocked_connection_timeout = TIMEOUT
    try:
        with pika.BlockingConnection(servers) as connection:
            channel = connection.channel()
            channel.confirm_delivery()
            yield channel
    except ChannelClosedByBroker as error:
        raise explain(error) from None
    except (AMQPError, OSError) as error:
        raise BrokerUnavailable(f"RabbitMQ is away: {describe(error)}.") from None
