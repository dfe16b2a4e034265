"""Declares a queue with its dead letter queue and the delay ladder; several processes may do so at once."""

from __future__ import annotations

from concurrent.futures import Future
from typing import Any

from dramatiq.common import xq_name
from pika.channel import Channel

from growbin_jobs.engine.broker.port import Depth
from growbin_jobs.engine.broker.rabbitmq.completion import resolve
from growbin_jobs.engine.broker.rabbitmq.delays import declare_ladder, receive
from growbin_jobs.engine.broker.rabbitmq.topology import QueueType, arguments


def declare(
    queue: str,
    queue_type: QueueType,
    channel: Channel,
    future: Future[Depth],
    *,
    levels: int = 0,
    purge: bool = False,
) -> None:
    """Declare a queue and all that it needs, close the channel, and settle the future with the counts.

    Parameters:
      queue: Canonical name, without suffix.
      queue_type: See :func:`growbin_jobs.engine.broker.rabbitmq.topology.dead_lettering`.
      channel: A channel for this alone.
      future: Gets the number of messages ready, as RabbitMQ told them with the declaration.
      levels: So many levels of the ladder of delays too.
      purge: Drop all messages that are ready, after they were counted.
    """
    counts: dict[str, int] = {}

    def declared(frame: Any) -> None:
        counts[frame.method.queue] = frame.method.message_count

    def done(_frame: Any) -> None:
        resolve(future, Depth(counts[queue], None, None, counts[xq_name(queue)]))
        if channel.is_open:  # else the whole connection closes
            channel.close()

    # RabbitMQ carries out what comes over one channel in its order, so the last answer stands for all.
    declare_ladder(channel, levels, queue_type)
    for name, own in arguments(queue, queue_type).items():
        channel.queue_declare(name, durable=True, arguments=own, callback=declared)
        if purge:
            channel.queue_purge(name)
    receive(channel, queue, callback=done)
