"""The RabbitMQ broker: what Dramatiq expects of one, on connections that a whole process shares."""

from __future__ import annotations

import atexit
import logging
import math
import os
import time
import weakref
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any, TypeVar

from dramatiq import Message, Middleware
from dramatiq.broker import Consumer
from dramatiq.errors import QueueJoinTimeout, QueueNotFound

from growbin_jobs.adapters.offload import gevent_active
from growbin_jobs.broker.amqp.connections import Connections
from growbin_jobs.broker.amqp.consumer import RabbitConsumer
from growbin_jobs.broker.amqp.errors import QueueMissing
from growbin_jobs.broker.amqp.loop import Promise
from growbin_jobs.broker.amqp.publisher import Publication, check_size
from growbin_jobs.broker.amqp.renewal import LastingConsumer
from growbin_jobs.broker.amqp.sequence import publish_in_order
from growbin_jobs.broker.amqp.servers import parse_urls
from growbin_jobs.broker.amqp.topology import Counts, QueueType
from growbin_jobs.broker.delays import Way, way
from growbin_jobs.broker.delivery import Intake
from growbin_jobs.broker.forwarding import Forwarder, Keeping
from growbin_jobs.broker.hooks import QuickHooks
from growbin_jobs.broker.outbox import option, outbox_of
from growbin_jobs.crashpoints import crashpoint
from growbin_jobs.journal.records import Owed

logger = logging.getLogger(__name__)

T = TypeVar("T")

#: Seconds between the news that a queue is gone and its next declaration. Tried on RabbitMQ 3.10.8: a quorum queue that
#: comes back within milliseconds leaves its consumers neither cancelled nor served, for ever; after 0.3 s all are told.
REDECLARE_PAUSE = 1.0

#: Seconds that messages which are forwarded together wait for their confirms, connecting included.
FORWARD_PATIENCE = 3.0

#: Seconds that closing gives to messages which wait to be forwarded.
CLOSE_PATIENCE = 5.0

#: Seconds until ``consume`` gives up. Dramatiq calls it again and again; a worker that shall stop waits for it.
CONSUME_TIMEOUT = 10.0


class RabbitBroker(QuickHooks):
    """Messages through RabbitMQ: none is acknowledged to its sender before RabbitMQ has it on disk.

    A process opens at most ``publisher_connections + 1`` connections, at first use: all its threads and greenlets
    publish over the former, with many messages in flight, and all its queues are consumed over the latter. A forked
    child opens its own. Under gevent call it from greenlets, not from functions offloaded to native threads.

    ``declare_queue`` is for the queues of this process's own actors: a worker consumes each of them. Sending to any
    other queue creates it on the server and declares nothing here.

    Parameters:
      url: ``amqp://`` or ``amqps://`` URL; several of a cluster, separated by ``;``, are tried in turn.
      middleware: The ordered stack; None is Dramatiq's default.
      queue_type: Kind of queue to declare.
      publisher_connections: Publishing connections of each process.
      publish_timeout: Seconds that ``enqueue`` waits for a confirm, connecting and declaring included.
      keeping: How messages are kept that cannot be sent now; None: they are not, ``enqueue`` fails.

    Attributes:
      intake: Is asked before messages are handed out, and shown them; set before a worker starts.

    Raises:
      ConfigurationError: If the URL cannot be understood.
    """

    intake: Intake | None = None

    def __init__(
        self,
        *,
        url: str,
        middleware: list[Middleware] | None = None,
        queue_type: QueueType = "quorum",
        publisher_connections: int = 1,
        publish_timeout: float = 30.0,
        keeping: Keeping | None = None,
    ) -> None:
        super().__init__(middleware=middleware)
        self.queues: set[str] = set()
        self._queue_type = queue_type
        self._publish_timeout = publish_timeout
        self._keeping = keeping
        self._forwarders: dict[int, Forwarder] = {}
        self._connect = partial(Connections, parse_urls(url), publisher_connections, queue_type)
        self._connections = self._connect()
        _tame_pika()
        self_reference = weakref.ref(self)
        os.register_at_fork(after_in_child=partial(_call, self_reference, RabbitBroker._forked))
        atexit.register(_call, self_reference, RabbitBroker.close)

    # --- queues

    def declare_queue(self, queue_name: str) -> None:
        """Declare a queue that this process consumes. The server learns of it when it is first used.

        There is no delay queue with it: RabbitMQ holds delayed messages by itself.
        """
        if queue_name not in self.queues:
            self.emit_before("declare_queue", queue_name)
            self.queues.add(queue_name)
            self.emit_after("declare_queue", queue_name)

    def get_declared_queues(self) -> set[str]:
        """Return the names of the queues that this process consumes."""
        return self.queues.copy()

    def get_queue_message_counts(self, queue_name: str) -> Counts:
        """Return how many messages are ready in a queue and its dead letter queue.

        Messages that a consumer holds are not counted, nor are delayed ones: see :class:`Counts`.
        """
        return self._count(queue_name)

    def flush(self, queue_name: str) -> None:
        """Drop all ready messages of a queue and its dead letter queue. Delayed ones still come."""
        self._count(queue_name, purge=True)

    def flush_all(self) -> None:
        """Flush every declared queue."""
        for queue_name in self.get_declared_queues():
            self.flush(queue_name)

    def join(
        self, queue_name: str, min_successes: int = 10, idle_time: int = 100, *, timeout: int | None = None
    ) -> None:
        """Wait until a queue looks empty; for tests. Delayed messages and those being worked on are not seen.

        Parameters:
          queue_name: Canonical name.
          min_successes: How often in a row it must be empty.
          idle_time: Milliseconds between two looks.
          timeout: Milliseconds to wait at most.

        Raises:
          QueueJoinTimeout: If it is not empty in time.
        """
        deadline = None if timeout is None else time.monotonic() + timeout / 1000
        successes = 0
        while successes < min_successes:
            if deadline is not None and time.monotonic() >= deadline:
                raise QueueJoinTimeout(queue_name)  # type: ignore[no-untyped-call]
            successes = 0 if self.get_queue_message_counts(queue_name).ready else successes + 1
            time.sleep(idle_time / 1000)

    # --- messages

    def enqueue(self, message: Message[Any], *, delay: int | None = None) -> Message[Any]:
        """Publish a message and wait until RabbitMQ has confirmed it.

        Inside a message that a worker of this broker runs, it goes to that one's outbox instead. When RabbitMQ does not
        confirm it within the patience of ``keeping``, it is on this node's disk when this returns, and is sent when
        RabbitMQ is back.

        Parameters:
          message: Its queue is created on the server if need be.
          delay: Milliseconds for which RabbitMQ holds it back, rounded up to whole seconds.

        Returns:
          The message as it was sent.

        Raises:
          BrokerUnavailable, QueueMissing, BrokerRefused: It did not arrive, nor was it kept.
          NotConfirmed: It may or may not have arrived. All four are Dramatiq's ``BrokerConnectionError``.
          QueueMismatch: The queue exists with other properties.
          ValueError: The message is too large, or the delay longer than 8.5 years.
        """
        route = way(message.queue_name, delay, self._queue_type)
        outbox = outbox_of(self)
        if outbox is not None:
            return outbox.take(message, delay)
        self.emit_before("enqueue", message, delay)
        owed = Owed(
            message_id=message.message_id,
            task_name=message.actor_name,
            queue_name=message.queue_name,
            body=message.encode(),
            due_at=None if delay is None else time.time() + delay / 1000,
        )
        crashpoint("producer.publish.before")
        self._send(owed, route)
        crashpoint("producer.publish.after")
        self.emit_after("enqueue", message, delay)
        return message

    def forward(self, messages: Sequence[Owed]) -> list[Exception | None]:
        """Publish what a journal owes, in order, and wait for RabbitMQ's confirms for a few seconds; fires no hooks.

        Returns:
          For each message None, if RabbitMQ has it, or why not.
        """
        timeout = min(FORWARD_PATIENCE, self._publish_timeout)
        return publish_in_order(self._connections, self._publication, messages, timeout)

    def consume(self, queue_name: str, prefetch: int = 1, timeout: int = 5000) -> Consumer:
        """Return a consumer of a declared queue, once RabbitMQ has accepted it.

        Parameters:
          queue_name: Whose messages.
          prefetch: Messages that may be unacknowledged at a time.
          timeout: Milliseconds that an iteration waits for a message.

        Raises:
          QueueNotFound: If this process has not declared the queue.
          BrokerConnectionError, QueueMismatch: As :meth:`enqueue`.
        """
        if queue_name not in self.queues:
            raise QueueNotFound(queue_name)  # type: ignore[no-untyped-call]

        def start(remaining: float) -> RabbitConsumer:
            connections = self._connections
            return RabbitConsumer(
                connections.consuming,
                connections.payer(self._publication),
                queue_name,
                intake=self.intake,
                prefetch=prefetch,
                timeout=timeout,
                open_timeout=remaining,
                on_queue_deleted=partial(connections.forget, queue_name),
            )

        return LastingConsumer(lambda: self._on_queue(queue_name, min(self._publish_timeout, CONSUME_TIMEOUT), start))

    def close(self) -> None:
        """Close all connections of this process; what still waits fails. Closing twice is fine, so is use after it."""
        forwarder = self._forwarders.pop(os.getpid(), None)
        if forwarder is not None:
            forwarder.stop(CLOSE_PATIENCE)
        connections, self._connections = self._connections, self._connect()
        connections.close()
        if forwarder is not None:
            forwarder.join(CLOSE_PATIENCE)

    # --- the inside

    def _send(self, owed: Owed, route: Way) -> None:
        forwarder = self._forwarder()
        publish = partial(self._publish, owed, route)
        if forwarder is None:
            publish(self._publish_timeout, math.inf)
        else:
            check_size(owed.body)  # what is kept must be fit to be sent
            forwarder.send(owed, publish, self._publish_timeout)

    def _publish(self, owed: Owed, route: Way, timeout: float, patience: float) -> None:
        priority = option(owed.body, "broker_priority")

        def publish(remaining: float) -> None:
            publication = Publication(route.queue, owed.body, owed.message_id, priority, route.headers)
            self._connections.next_publisher().publish(publication, remaining, patience=patience)

        self._on_queue(owed.queue_name, timeout, publish, levels=route.levels, patience=patience)

    def _forwarder(self) -> Forwarder | None:
        """Return this process's forwarder. A process that sends also sends what a dead one has left."""
        if self._keeping is None:
            return None
        forwarder = self._forwarders.get(os.getpid())
        if forwarder is None:
            made = Forwarder(self._keeping, self.forward, min(FORWARD_PATIENCE, self._publish_timeout))
            forwarder = self._forwarders.setdefault(os.getpid(), made)
            if forwarder is made:
                forwarder.look()
        return forwarder

    def _way(self, owed: Owed) -> Way:
        delay = None if owed.due_at is None else (owed.due_at - time.time()) * 1000
        return way(owed.queue_name, delay, self._queue_type)

    def _on_queue(
        self,
        name: str,
        timeout: float,
        use: Callable[[float], T],
        *,
        levels: int = 0,
        patience: float = math.inf,
    ) -> T:
        """Use a queue that exists; when somebody has deleted it, declare it again and use it once more.

        Parameters:
          name: The queue.
          timeout: Seconds for all of it.
          use: Gets the seconds that are left.
          levels: Levels of the ladder of delays that must exist too.
          patience: Seconds to wait for the declaration at most.
        """
        deadline = time.monotonic() + timeout
        connections = self._connections
        for last in (False, True):
            declared = connections.declaration(name, levels)
            connections.admin.wait(declared, min(deadline - time.monotonic(), patience), f"declare queue {name!r}")
            try:
                return use(max(deadline - time.monotonic(), 0.0))
            except QueueMissing:
                connections.forget(name, declared)
                if last:
                    raise
                time.sleep(REDECLARE_PAUSE)
        raise AssertionError("unreachable")

    def _count(self, queue_name: str, *, purge: bool = False) -> Counts:
        connections = self._connections
        counted = connections.count(queue_name, purge=purge)
        try:
            return connections.admin.wait(counted, self._publish_timeout, f"declare queue {queue_name!r}")
        finally:
            counted.cancel()

    def _publication(self, owed: Owed, confirmed: Promise) -> tuple[Publication, int]:
        """Return what is published for a message that is owed, and the levels of the ladder that it needs."""
        route = self._way(owed)
        priority = option(owed.body, "broker_priority")
        return Publication(route.queue, owed.body, owed.message_id, priority, route.headers, confirmed), route.levels

    def _forked(self) -> None:
        """In a forked child: leave the parent's connections alone and open our own."""
        connections, self._connections = self._connections, self._connect()
        forwarders, self._forwarders = self._forwarders, {}
        if gevent_active():
            connections.abandon()
            for forwarder in forwarders.values():
                forwarder.abandon()


def _call(reference: weakref.ref[RabbitBroker], method: Callable[[RabbitBroker], None]) -> None:
    broker = reference()
    if broker is not None:
        method(broker)


def _tame_pika() -> None:
    """Silence pika, which logs each loss many times and with tracebacks; a Link says it once, in one line."""
    pika_logger = logging.getLogger("pika")
    if pika_logger.level == logging.NOTSET:
        pika_logger.setLevel(logging.CRITICAL)
