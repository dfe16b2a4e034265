"""Delays that RabbitMQ holds: a ladder of queues, each of which keeps every message for a fixed time.

There is a level for each power of two of a second. A delay of 13 s is 8 + 4 + 1: the message enters the queue of 8 s,
from there it is dead-lettered to that of 4 s, then to that of 1 s, and then to the queue it is for. Nobody consumes
the levels, no worker knows of a message before it is due, and since all messages of a level wait equally long, none
waits behind another one that is due later::

    default exchange ─> [8 s] ─> (below 8 s) ─> [4 s] ─> (below 4 s)        ┌─> [user_input]
                                                              │ not 2 s     │
                                                        (below 2 s) ─> [1 s] ─> (due) ─> [vision_analysis]
                                                                            │
                                                            nobody's: (undeliverable) ─> [XQ]

Squares are queues, round brackets are exchanges of type ``headers``. A message carries the queue that it is for, and
for each lower level whether it is to pass it. Both answers have a binding. So a message cannot skip a level while
RabbitMQ starts and has its exchanges but not yet their bindings: it stays where it is and is tried again. What is
due for a queue that is gone ends in ``growbin.delay.v1.XQ``.

The pattern is known from NServiceBus and from Celery's native delayed delivery, which write the levels into the
routing key instead. Here the message is published to the queue of its first level by the default exchange, like any
other message, so that it is returned when that queue is missing; publishing to a missing exchange would close the
channel that others use too.

The names carry a version and the levels the queue type: a later ladder stands beside this one until this is empty.
``docs/delays.md`` has figures and limits.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from pika.channel import Channel

from growbin_jobs.engine.broker.rabbitmq.topology import QueueType, dead_lettering
from growbin_jobs.engine.delivery.admission import check_delay

PREFIX = "growbin.delay.v1"

#: Where the delays of all messages end, and where they go when their queue is gone.
DUE, UNDELIVERABLE, UNDELIVERABLE_QUEUE = f"{PREFIX}.due", f"{PREFIX}.undeliverable", f"{PREFIX}.XQ"

#: Header with the queue that a message is for.
TARGET = "growbin-delay-to"

#: Levels there can be. The next one would wait for 8.5 years; RabbitMQ refuses a TTL of more than ten.
LEVELS = 28

#: Levels that are declared together, from the lowest: up to 15 s, 4 min, 1 h, 18 h, 12 days, 194 days, 8.5 years.
LEVELS_AT_ONCE = 4


@dataclass(frozen=True, slots=True)
class DelayRoute:
    """How a message gets to its queue.

    Attributes:
      queue: The queue to publish it to, by the default exchange.
      headers: Headers it must carry; None for none.
      levels: So many levels of the ladder must have been declared, from the lowest, and so must its own queue.
    """

    queue: str
    headers: dict[str, Any] | None = None
    levels: int = 0


def delay_route(queue: str, delay: float | None, queue_type: QueueType) -> DelayRoute:
    """Return how a message reaches its queue after a delay, never earlier.

    Parameters:
      queue: The queue it is for.
      delay: Milliseconds, rounded up to whole seconds; None or nothing left: at once.
      queue_type: Kind of the ladder's queues.

    Raises:
      ValueError: If the delay is longer than ``admission.MAX_DELAY``, which is what all levels together hold.
    """
    if delay is None or delay <= 0:
        return _straight(queue)
    check_delay(delay)
    seconds = math.ceil(delay / 1000)
    first = seconds.bit_length() - 1
    headers: dict[str, Any] = {passes(level): bool(seconds >> level & 1) for level in range(first)}
    return DelayRoute(
        level_queue(first, queue_type),
        {TARGET: queue, **headers},
        levels=(first // LEVELS_AT_ONCE + 1) * LEVELS_AT_ONCE,
    )


@lru_cache(maxsize=1024)
def _straight(queue: str) -> DelayRoute:
    return DelayRoute(queue)


def passes(level: int) -> str:
    """Return the header that says whether a message is to pass a level that is still below it."""
    return f"growbin-delay-{2**level}s"


def level_queue(level: int, queue_type: QueueType) -> str:
    """Return the name of the queue that keeps messages for ``2**level`` seconds."""
    return f"{PREFIX}.{queue_type}.{2**level:09d}s"


def below(level: int, queue_type: QueueType) -> str:
    """Return the name of the exchange for messages that wait for less than ``2**level`` seconds more."""
    return f"{PREFIX}.{queue_type}.below-{2**level:09d}s" if level else DUE


def level_arguments(level: int, queue_type: QueueType) -> dict[str, Any]:
    """Return the arguments of a level's queue."""
    return dead_lettering(queue_type, below(level, queue_type)) | {"x-message-ttl": 2**level * 1000}


def declare_ladder(channel: Channel, levels: int, queue_type: QueueType) -> None:
    """Declare where delays end, and the lowest levels of the ladder. All of it may exist already.

    RabbitMQ is not asked to answer: what it refuses closes the channel before it answers anything later.

    Parameters:
      channel: An open channel.
      levels: How many.
      queue_type: Kind of the queues.
    """
    channel.exchange_declare(UNDELIVERABLE, "fanout", durable=True, internal=True)
    channel.queue_declare(UNDELIVERABLE_QUEUE, durable=True, arguments={"x-queue-type": queue_type})
    channel.queue_bind(UNDELIVERABLE_QUEUE, UNDELIVERABLE)
    # Not internal: people bring back what is undeliverable by publishing it there.
    channel.exchange_declare(DUE, "headers", durable=True, arguments={"alternate-exchange": UNDELIVERABLE})
    for level in range(levels):
        # From the bottom up: where a level is, all that its messages still need is there too.
        if level:
            _declare_choice(channel, level, queue_type)
        channel.queue_declare(
            level_queue(level, queue_type), durable=True, arguments=level_arguments(level, queue_type)
        )


def _declare_choice(channel: Channel, level: int, queue_type: QueueType) -> None:
    """Declare the exchange that messages come to from a level, and where they go from there."""
    exchange, lower = below(level, queue_type), level - 1
    channel.exchange_declare(exchange, "headers", durable=True, internal=True)
    channel.queue_bind(level_queue(lower, queue_type), exchange, arguments=_having(passes(lower), True))
    channel.exchange_bind(below(lower, queue_type), exchange, arguments=_having(passes(lower), False))


def receive(channel: Channel, queue: str, callback: Callable[[Any], None]) -> None:
    """Let a queue that exists receive what is due for it.

    Parameters:
      channel: An open channel.
      queue: Canonical name.
      callback: Called with RabbitMQ's answer.
    """
    channel.queue_bind(queue, DUE, arguments=_having(TARGET, queue), callback=callback)


def _having(header: str, value: Any) -> dict[str, Any]:
    return {"x-match": "all", header: value}
