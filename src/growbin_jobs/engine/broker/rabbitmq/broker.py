"""The RabbitMQ broker: what Dramatiq expects of one, on connections that a whole process shares."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterable, Sequence
from functools import partial
from typing import Any

from dramatiq import Message, Middleware
from dramatiq.broker import Consumer
from dramatiq.errors import QueueJoinTimeout, QueueNotFound

from growbin_jobs.engine import events
from growbin_jobs.engine.broker.errors import BrokerRefused, QueueMismatch
from growbin_jobs.engine.broker.port import DeadLetter, Depth, Survey
from growbin_jobs.engine.broker.rabbitmq.connections import Connections
from growbin_jobs.engine.broker.rabbitmq.consumer import RabbitConsumer
from growbin_jobs.engine.broker.rabbitmq.delays import delay_route
from growbin_jobs.engine.broker.rabbitmq.inspection import Inspection
from growbin_jobs.engine.broker.rabbitmq.producer import RabbitProducer
from growbin_jobs.engine.broker.rabbitmq.quick_tasks import QuickTasks
from growbin_jobs.engine.broker.rabbitmq.renewable_connections import RenewableConnections
from growbin_jobs.engine.broker.rabbitmq.self_healing_consumer import SelfHealingConsumer
from growbin_jobs.engine.broker.rabbitmq.servers import parse_urls
from growbin_jobs.engine.broker.rabbitmq.topology import QueueType
from growbin_jobs.engine.crashpoints import crashpoint
from growbin_jobs.engine.delivery.admission import admit
from growbin_jobs.engine.delivery.delivery import Intake
from growbin_jobs.engine.delivery.due_time import delay_until_due
from growbin_jobs.engine.delivery.outbox import outbox_of
from growbin_jobs.engine.delivery.records import OutboxMessage
from growbin_jobs.engine.fast.hooks import FastHooks
from growbin_jobs.engine.fast.work_queue import WorkQueue
from growbin_jobs.engine.forwarding.forwarder import StoreAndForward
from growbin_jobs.engine.threads import NeverNested, gevent_active, refuse_late_patch

#: Seconds until ``consume`` gives up. Dramatiq calls it again and again; a worker that shall stop waits for it.
CONSUME_TIMEOUT = 10.0


class RabbitBroker(FastHooks):
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
      setting: Name of the setting that holds the URL, for sentences that say what to correct.
      store_and_forward: How messages are kept that cannot be sent now; None: they are not, ``enqueue`` fails.

    Attributes:
      intake: Asked before messages are handed out, and shown them; set before a worker starts.
      work_queue: Returns the worker's, where consumers may fetch more than their prefetch while tasks are quick; set
        before a worker starts. None: they may not.

    Raises:
      ConfigurationError: If the URL cannot be understood.
    """

    intake: Intake | None = None
    work_queue: Callable[[], WorkQueue] | None = None

    def __init__(
        self,
        *,
        url: str,
        middleware: list[Middleware] | None = None,
        queue_type: QueueType = "quorum",
        publisher_connections: int = 1,
        publish_timeout: float = 30.0,
        store_and_forward: StoreAndForward | None = None,
        setting: str = "GROWBIN_BROKER_URL",
    ) -> None:
        super().__init__(middleware=middleware)
        self.queues: set[str] = set()
        self._queue_type = queue_type
        self._publish_timeout = publish_timeout
        self._session = RenewableConnections(
            partial(Connections, parse_urls(url, setting), publisher_connections, queue_type)
        )
        self._inspection = Inspection(self._session, self.queues, publish_timeout)
        self._greenlets, self._never_nested = gevent_active(), NeverNested()
        self._producer = RabbitProducer(self._session, queue_type, publish_timeout, store_and_forward)
        _tame_pika()

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

    def get_queue_message_counts(self, queue_name: str) -> tuple[int, int, int]:
        """Declare a queue and return how many messages are ready, delayed and dead, as Dramatiq's brokers do.

        Messages at a consumer are not counted. The delayed ones are always 0: RabbitMQ keeps those of all queues
        together (:mod:`growbin_jobs.engine.broker.rabbitmq.delays`) and does not know how many are for which.
        """
        depth = self._session.count(queue_name, self._publish_timeout)
        return depth.ready, 0, depth.dead

    def depths(self, queues: Iterable[str] = ()) -> dict[str, Depth]:
        """Return the depth of each queue that this process has declared or used, or that is named, as far as it exists.

        RabbitMQ cannot tell how many messages are at consumers or delayed, nor does it list queues to a client: what
        other processes use is known here where it is named.

        Parameters:
          queues: Names of more queues.
        """
        return self._inspection.depths(queues)

    def survey(self, queues: Iterable[str]) -> dict[str, Survey]:
        """Return depth and age of those queues that exist."""
        return self._inspection.survey(queues)

    def dead_letters(self, queue_name: str | None = None, *, limit: int = 1000) -> list[DeadLetter]:
        """Return dead letters, newest first, and leave them where they are.

        Parameters:
          queue_name: Of this queue only; None for all that this process has declared or used.
          limit: At most so many.
        """
        return self._inspection.dead_letters(queue_name, limit)

    def note_unrecorded(self, queues: Iterable[str], note: Callable[[DeadLetter], bool]) -> int:
        """Show dead letters that perhaps no worker has recorded, each to one process until that has noted it.

        Looks through a queue when its number of dead letters has changed since this process looked last, and once an
        hour.

        Parameters:
          queues: Whose dead letters, beside those of the queues that this process has declared or used.
          note: Writes a letter down, and returns once it is on the disk: whether it was new.

        Returns:
          How many were new.
        """
        return self._inspection.note_unrecorded(queues, note)

    def forget_dead_letters(self, queues: Iterable[str], belongs: Callable[[bytes], bool]) -> int:
        """Delete dead letters that a function picks by their encoded message; return how many.

        Parameters:
          queues: Whose dead letters, beside those of the queues that this process has declared or used.
          belongs: Called with each body.
        """
        return self._inspection.forget_dead_letters(queues, belongs)

    def flush(self, queue_name: str) -> None:
        """Drop all ready messages of a queue and its dead letter queue. Delayed ones still come."""
        self._session.count(queue_name, self._publish_timeout, purge=True)

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
            successes = 0 if self.get_queue_message_counts(queue_name)[0] else successes + 1
            time.sleep(idle_time / 1000)

    # --- messages

    def enqueue(self, message: Message[Any], *, delay: int | None = None) -> Message[Any]:
        """Publish a message and wait until RabbitMQ has confirmed it.

        Inside a message that a worker of this broker runs, it goes to that one's outbox instead. When RabbitMQ does not
        confirm it within the patience of ``store_and_forward``, it is on this node's disk when this returns, and is
        sent when RabbitMQ is back.

        Parameters:
          message: Its queue is created on the server if need be.
          delay: Milliseconds for which RabbitMQ holds it back, rounded up to whole seconds; longer where its option
            ``eta`` says so.

        Returns:
          The message as it was sent.

        Raises:
          BrokerUnavailable, QueueMissing, BrokerRefused: It did not arrive, nor was it kept.
          NotConfirmed: It may or may not have arrived. All four are Dramatiq's ``BrokerConnectionError``.
          QueueMismatch: The queue exists with other properties.
          ValueError: It could never be delivered: see :func:`growbin_jobs.engine.delivery.admission.admit`.
          RuntimeError: A handler of a signal calls it in the middle of another call.
        """
        if message.options and "eta" in message.options:
            delay = delay_until_due(message, delay)
        outbox = outbox_of(self)
        if outbox is not None:
            return outbox.take(message, delay)
        refuse_late_patch(self._greenlets)
        self.emit_before("enqueue", message, delay)
        outgoing = OutboxMessage(
            message_id=message.message_id,
            task_name=message.actor_name,
            queue_name=message.queue_name,
            body=admit(message, delay),
            due_at=None if delay is None else time.time() + delay / 1000,
        )
        route = delay_route(message.queue_name, delay, self._queue_type)
        crashpoint("producer.publish.before")
        self._never_nested(self._producer.send, outgoing, route)
        crashpoint("producer.publish.after")
        if events.SENT.listeners:
            events.SENT.emit(message, bytes=len(outgoing.body), delay_ms=delay or 0)
        self.emit_after("enqueue", message, delay)
        return message

    def forward(self, messages: Sequence[OutboxMessage]) -> list[Exception | None]:
        """Publish messages of a journal's outbox, in order, and wait some seconds for the confirms; fires no hooks.

        Returns:
          For each message None, if RabbitMQ has it, or why not.
        """
        return self._producer.forward(messages)

    def consume(self, queue_name: str, prefetch: int = 1, timeout: int = 5000) -> Consumer:
        """Return a consumer of a declared queue, once RabbitMQ has accepted it.

        Parameters:
          queue_name: Whose messages.
          prefetch: Messages that may be unacknowledged at a time.
          timeout: Milliseconds that an iteration waits for a message.

        Raises:
          QueueNotFound: If this process has not declared the queue.
          BrokerConnectionError: As :meth:`enqueue`, and where the queue exists with other properties: Dramatiq's worker
            shows a traceback of any other error, again and again, and its process goes on with its other queues.
        """
        if queue_name not in self.queues:
            raise QueueNotFound(queue_name)  # type: ignore[no-untyped-call]

        def start(remaining: float) -> RabbitConsumer:
            connections = self._session.connections
            return RabbitConsumer(
                connections.consuming,
                connections.outbox_publisher(self._producer.publication),
                queue_name,
                intake=self.intake,
                pauses=self.pauses,
                prefetch=prefetch,
                quick_tasks=None if self.work_queue is None else QuickTasks(self.work_queue),
                timeout=timeout,
                open_timeout=remaining,
                on_queue_deleted=partial(connections.invalidate, queue_name),
            )

        timeout_to_start = min(self._publish_timeout, CONSUME_TIMEOUT)
        try:
            return SelfHealingConsumer(lambda: self._session.on_queue(queue_name, timeout_to_start, start))
        except QueueMismatch as error:
            raise BrokerRefused(str(error)) from None

    def close(self) -> None:
        """Close all connections of this process; what still waits fails. Closing twice is fine, so is use after it."""
        self._producer.close()


def _tame_pika() -> None:
    """Silence pika, which logs each loss many times with tracebacks; ManagedConnection logs it once, in one line."""
    pika_logger = logging.getLogger("pika")
    if pika_logger.level == logging.NOTSET:
        pika_logger.setLevel(logging.CRITICAL)
