"""Names and arguments of a queue and its dead letter queue."""

from __future__ import annotations

from typing import Any, Literal

from dramatiq.common import xq_name

QueueType = Literal["quorum", "classic"]

#: RabbitMQ 4 dead-letters what was delivered 20 times, and each restart of a worker counts, also for messages that
#: only wait. Who is started too often is counted elsewhere, so this is as good as never. (-1 is not understood by 3.x.)
DELIVERY_LIMIT = 1_000_000_000


def arguments(queue: str, queue_type: QueueType) -> dict[str, dict[str, Any]]:
    """Return the arguments of everything that belongs to a queue, in the order of declaration.

    Dead letters (``.XQ``) are kept until a person deals with them; who wants a limit sets it as a RabbitMQ policy,
    which can change later, as arguments cannot. They come first: at-least-once dead-lettering holds a message back
    until its target exists. The queue itself comes last: where it is, the others are.

    Parameters:
      queue: Canonical name, without suffix.
      queue_type: See :func:`dead_lettering`.
    """
    living = dead_lettering(queue_type, "") | {"x-dead-letter-routing-key": xq_name(queue)}
    if queue_type == "quorum":
        living |= {"x-delivery-limit": DELIVERY_LIMIT}
    return {xq_name(queue): {"x-queue-type": queue_type}, queue: living}


def dead_lettering(queue_type: QueueType, exchange: str) -> dict[str, Any]:
    """Return the arguments of a queue whose dead letters must not get lost.

    Parameters:
      queue_type: ``quorum`` survives the loss of a node, and moves dead letters only after the target confirmed them
        (RabbitMQ 3.10, feature flag stream_queue; its documentation asks for ``reject-publish`` with it).
      exchange: Where they go.
    """
    own: dict[str, Any] = {"x-queue-type": queue_type, "x-dead-letter-exchange": exchange}
    if queue_type == "quorum":
        own |= {"x-dead-letter-strategy": "at-least-once", "x-overflow": "reject-publish"}
    return own
