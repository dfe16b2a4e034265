"""Publishes several messages in their order: over one channel, all in flight, all confirms awaited together."""

from __future__ import annotations

import time
from collections.abc import Sequence
from concurrent.futures import Future

from growbin_jobs.engine.broker.errors import QueueMissing
from growbin_jobs.engine.broker.rabbitmq.connections import Connections
from growbin_jobs.engine.broker.rabbitmq.outbox_publisher import Prepare
from growbin_jobs.engine.broker.rabbitmq.publication import Publication
from growbin_jobs.engine.broker.rabbitmq.publisher import Publisher
from growbin_jobs.engine.delivery.records import OutboxMessage


def ordered_publish(
    connections: Connections, prepare: Prepare, messages: Sequence[OutboxMessage], timeout: float
) -> list[Exception | None]:
    """Publish messages and wait for their confirms.

    Parameters:
      connections: The process's connections; the first publishing one is used, since a channel keeps an order.
      prepare: Turns an outbox message into a publication.
      messages: In the order in which they are to be published.
      timeout: Seconds for all of it, connecting and declaring included.

    Returns:
      For each message None, if RabbitMQ has it, or why not: what :meth:`Publisher.publish` raises, what declaring its
      queue has failed with, or the ``ValueError`` of a message that cannot be published.
    """
    end = time.monotonic() + timeout
    publisher = connections.publishers[0]
    written: list[Publication | Exception] = []
    failed: dict[str, Exception] = {}
    for message in messages:
        queue = message.queue_name
        try:
            publication, levels = prepare(message, Future())
        except Exception as unusable:
            written.append(unusable)
            continue
        if queue not in failed:  # else it would overtake
            try:
                declared = connections.declaration(queue, levels)
                connections.admin.wait(declared, end - time.monotonic(), f"declare queue {queue!r}")
            except Exception as error:
                failed[queue] = error
        if queue in failed:
            written.append(failed[queue])
        else:
            publisher.submit(publication)
            written.append(publication)
    outcomes = [_outcome(publisher, each, end) for each in written]
    for message, outcome in zip(messages, outcomes, strict=True):
        if isinstance(outcome, QueueMissing):
            connections.invalidate(message.queue_name)
    return outcomes


def _outcome(publisher: Publisher, written: Publication | Exception, end: float) -> Exception | None:
    if isinstance(written, Exception):
        return written
    try:
        publisher.wait(written, max(end - time.monotonic(), 0.0))
    except Exception as error:
        return error
    return None
