"""What became due for a queue that is gone (``growbin.delay.v1.XQ``), made a dead letter like any other.

It is written into the journal first, then moved to the dead letter queue of the queue that it was for. A crash in
between does both once more, which changes nothing but the number of copies in that queue.
"""

from __future__ import annotations

import json
import logging
import time
from collections.abc import Callable

from dramatiq import Message
from dramatiq.common import xq_name
from pika.spec import BasicProperties

from growbin_jobs.engine.broker.rabbitmq.admin_channel import AdminChannel, Got
from growbin_jobs.engine.broker.rabbitmq.delays import UNDELIVERABLE_QUEUE
from growbin_jobs.engine.broker.rabbitmq.managed_connection import ManagedConnection
from growbin_jobs.engine.broker.rabbitmq.servers import parse_urls, within
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
      worker: This process's name in rows.
      keep: Returns once a message's end is on the disk.

    Returns:
      How many.

    Raises:
      BrokerUnavailable, BrokerRefused: RabbitMQ is away, or does not allow it.
      QueueMismatch: A dead letter queue exists with other properties.
    """
    link = ManagedConnection("collector of undeliverable messages", within(parse_urls(url), TIMEOUT), patient=False)
    try:
        with AdminChannel(link, 2 * TIMEOUT) as channel:
            return _collect(channel, queue_type, worker, keep)
    finally:
        link.close()


def _collect(channel: AdminChannel, queue_type: QueueType, worker: str, keep: Callable[[Finish], object]) -> int:
    collected = 0
    for _ in range(channel.count(UNDELIVERABLE_QUEUE) or 0):  # there is none before somebody uses a delay
        got = channel.get(UNDELIVERABLE_QUEUE)
        if got is None:  # another node is at it
            break
        collected += _move(channel, got, queue_type, worker, keep)
        channel.ack(got)
    return collected


def _move(
    channel: AdminChannel, got: Got, queue_type: QueueType, worker: str, keep: Callable[[Finish], object]
) -> bool:
    properties, body = got.properties, got.body
    try:
        message = decode(body, None)
    except Undecodable:
        logger.warning("undeliverable.not_ours id=%r queue=%s", properties.message_id, UNDELIVERABLE_QUEUE)
        channel.publish(UNDELIVERABLE_QUEUE, body, properties)  # it stays, behind the others
        return False
    keep(_death(message, body, worker))
    dead_letters = xq_name(message.queue_name)
    channel.declare(dead_letters, arguments(message.queue_name, queue_type)[dead_letters])
    own = BasicProperties(delivery_mode=2, message_id=message.message_id, priority=properties.priority)
    channel.publish(dead_letters, body, own)
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
