"""Publishes the messages of one broker, and stores in the journal what cannot be sent now, to be forwarded later."""

from __future__ import annotations

import atexit
import math
import os
import time
import weakref
from collections.abc import Callable, Sequence
from functools import partial

from growbin_jobs.engine.broker.rabbitmq.completion import Completion
from growbin_jobs.engine.broker.rabbitmq.delays import DelayRoute, delay_route
from growbin_jobs.engine.broker.rabbitmq.ordered_publish import ordered_publish
from growbin_jobs.engine.broker.rabbitmq.publication import Publication
from growbin_jobs.engine.broker.rabbitmq.renewable_connections import RenewableConnections
from growbin_jobs.engine.broker.rabbitmq.topology import QueueType
from growbin_jobs.engine.delivery.outbox import option
from growbin_jobs.engine.delivery.records import OutboxMessage
from growbin_jobs.engine.forwarding.forwarder import Forwarder, StoreAndForward
from growbin_jobs.engine.forwarding.relay import FORWARD_PATIENCE
from growbin_jobs.engine.processes import refuse_unseen_fork
from growbin_jobs.engine.threads import gevent_active

#: Seconds that closing gives to messages which wait to be forwarded.
CLOSE_PATIENCE = 5.0


class RabbitProducer:
    """Sends the messages of one broker.

    When the process exits it forwards what waits, then closes the session. In a forked child both begin anew.

    Parameters:
      session: The broker's connections.
      queue_type: Kind of the queues.
      timeout: Seconds that a sender waits for a confirm, connecting and declaring included.
      store_and_forward: How messages are kept that cannot be sent now; None: they are not.
    """

    def __init__(
        self,
        session: RenewableConnections,
        queue_type: QueueType,
        timeout: float,
        store_and_forward: StoreAndForward | None,
    ) -> None:
        self._session = session
        self._queue_type = queue_type
        self._timeout = timeout
        self._forward_timeout = min(FORWARD_PATIENCE, timeout)
        self._store_and_forward = store_and_forward
        self._forwarders: dict[int, Forwarder] = {}
        self_reference = weakref.ref(self)
        os.register_at_fork(after_in_child=partial(_call, self_reference, RabbitProducer.forked))
        atexit.register(_call, self_reference, RabbitProducer.close)

    def send(self, message: OutboxMessage, route: DelayRoute) -> None:
        """Publish a message, or store it in the journal; it is durable when this returns.

        Raises:
          BrokerConnectionError, QueueMismatch, ValueError: As :meth:`RabbitBroker.enqueue
            <growbin_jobs.engine.broker.rabbitmq.broker.RabbitBroker.enqueue>`.
          ConfigurationError: If its parent has used this, and nobody has told of the fork.
        """
        refuse_unseen_fork()
        forwarder = self._forwarder()
        publish = partial(self._publish, message, route)
        if forwarder is None:
            publish(self._timeout, math.inf)
        else:
            forwarder.send(message, publish, self._timeout)

    def forward(self, messages: Sequence[OutboxMessage]) -> list[Exception | None]:
        """Publish messages of a journal's outbox, in order; return for each None, or why RabbitMQ does not have it."""
        return ordered_publish(self._session.connections, self.publication, messages, self._forward_timeout)

    def publication(self, message: OutboxMessage, confirmed: Completion) -> tuple[Publication, int]:
        """Return the publication of an outbox message, and the levels of the delay ladder that it needs."""
        priority = option(message.body, "broker_priority")
        if message.due_at is None:  # nearly always
            return Publication(message.queue_name, message.body, message.message_id, priority, None, confirmed), 0
        route = self._route(message)
        return Publication(
            route.queue, message.body, message.message_id, priority, route.headers, confirmed
        ), route.levels

    def close(self) -> None:
        """Forward what waits, for a few seconds at most, then close the session. Closing twice is fine."""
        forwarder = self._forwarders.pop(os.getpid(), None)
        if forwarder is not None:
            forwarder.stop(CLOSE_PATIENCE)
        self._session.close()
        if forwarder is not None:
            forwarder.join(CLOSE_PATIENCE)

    def forked(self) -> None:
        """In a forked child: begin anew; the parent's connections and forwarder are not touched."""
        forwarders, self._forwarders = self._forwarders, {}
        self._session.forked()
        if gevent_active():
            for forwarder in forwarders.values():
                forwarder.abandon()

    def _publish(self, message: OutboxMessage, route: DelayRoute, timeout: float, patience: float) -> None:
        priority = option(message.body, "broker_priority")

        def publish(remaining: float) -> None:
            publication = Publication(route.queue, message.body, message.message_id, priority, route.headers)
            self._session.connections.next_publisher().publish(publication, remaining, patience=patience)

        self._session.on_queue(message.queue_name, timeout, publish, levels=route.levels, patience=patience)

    def _forwarder(self) -> Forwarder | None:
        """Return this process's forwarder. A process that sends also sends what a dead one has left."""
        if self._store_and_forward is None:
            return None
        forwarder = self._forwarders.get(os.getpid())
        if forwarder is None:
            made = Forwarder(self._store_and_forward, self.forward, self._forward_timeout)
            forwarder = self._forwarders.setdefault(os.getpid(), made)
            if forwarder is made:
                forwarder.forward_leftovers()
        return forwarder

    def _route(self, message: OutboxMessage) -> DelayRoute:
        delay = None if message.due_at is None else (message.due_at - time.time()) * 1000
        return delay_route(message.queue_name, delay, self._queue_type)


def _call(reference: weakref.ref[RabbitProducer], method: Callable[[RabbitProducer], None]) -> None:
    producer = reference()
    if producer is not None:
        method(producer)
