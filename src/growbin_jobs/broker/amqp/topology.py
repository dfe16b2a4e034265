"""The queues behind a queue: their names, arguments and declaration."""

from __future__ import annotations

from concurrent.futures import Future
from typing import Any, Literal, NamedTuple

from dramatiq.common import dq_name, xq_name
from pika.channel import Channel
from pika.spec import Queue

from growbin_jobs.broker.amqp.loop import resolve

QueueType = Literal["quorum", "classic"]

#: RabbitMQ 4 dead-letters what was delivered 20 times, and each restart of a worker counts, also for messages that
#: only wait. Who is started too often is counted elsewhere, so this is as good as never. (-1 is not understood by 3.x.)
DELIVERY_LIMIT = 1_000_000_000


class Counts(NamedTuple):
    """Messages ready for delivery in a queue, its delay queue and its dead letter queue."""

    ready: int
    delayed: int
    dead: int


def arguments(queue: str, queue_type: QueueType) -> dict[str, dict[str, Any]]:
    """Return the arguments of everything that belongs to a queue, in the order of declaration.

    Dead letters (``.XQ``) are kept until a person deals with them; who wants a limit sets it as a RabbitMQ policy,
    which can change later, as arguments cannot. They come first: at-least-once dead-lettering holds a message back
    until its target exists. The queue itself comes last: where it is, the others are.

    Parameters:
      queue: Canonical name, without suffix.
      queue_type: ``quorum`` survives the loss of a node, and moves dead letters only after the target confirmed them
        (RabbitMQ 3.10, feature flag stream_queue; its documentation asks for ``reject-publish`` with it).
    """
    kind: dict[str, Any] = {"x-queue-type": queue_type}
    living = kind | {"x-dead-letter-exchange": "", "x-dead-letter-routing-key": xq_name(queue)}
    if queue_type == "quorum":
        living |= {
            "x-dead-letter-strategy": "at-least-once",
            "x-overflow": "reject-publish",
            "x-delivery-limit": DELIVERY_LIMIT,
        }
    return {xq_name(queue): kind, dq_name(queue): living, queue: living}


def declare(
    queue: str, queue_type: QueueType, channel: Channel, future: Future[Counts], *, purge: bool = False
) -> None:
    """Declare a queue and what belongs to it, close the channel, and settle the future with the counts.

    Parameters:
      queue: Canonical name, without suffix.
      queue_type: See :func:`arguments`.
      channel: A channel for this alone.
      future: Gets the number of messages ready, as RabbitMQ told them with the declaration.
      purge: Drop all messages that are ready, after they were counted.
    """
    counts: dict[str, int] = {}
    names = arguments(queue, queue_type)
    awaited = len(names) * (2 if purge else 1)

    def answered(frame: Any) -> None:
        nonlocal awaited
        awaited -= 1
        if isinstance(frame.method, Queue.DeclareOk):
            counts[frame.method.queue] = frame.method.message_count
        if not awaited:
            resolve(future, Counts(counts[queue], counts[dq_name(queue)], counts[xq_name(queue)]))
            channel.close()

    for name, own in names.items():
        # pika sends one after the other, each when the one before is answered.
        channel.queue_declare(name, durable=True, arguments=own, callback=answered)
        if purge:
            channel.queue_purge(name, callback=answered)
