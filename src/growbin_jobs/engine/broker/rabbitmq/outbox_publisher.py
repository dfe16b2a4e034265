"""Publishes the outbox of each finished message, and settles the message when RabbitMQ has confirmed all of it.

No thread or greenlet waits. All of it happens on the publishing connection's own thread.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from concurrent.futures import Future
from functools import partial
from typing import Protocol

from growbin_jobs.engine.broker.errors import QueueMissing
from growbin_jobs.engine.broker.port import Depth
from growbin_jobs.engine.broker.rabbitmq.completion import Completion
from growbin_jobs.engine.broker.rabbitmq.loop_thread import waker
from growbin_jobs.engine.broker.rabbitmq.publication import Publication
from growbin_jobs.engine.broker.rabbitmq.publisher import Publisher
from growbin_jobs.engine.crashpoints import crashpoint
from growbin_jobs.engine.delivery.delivery import Delivery, PendingAck
from growbin_jobs.engine.delivery.disposition import Disposition
from growbin_jobs.engine.delivery.records import OutboxMessage


class Declarations(Protocol):
    """The process's connections, and the queues that they know."""

    publishers: list[Publisher]

    def declared(self, name: str, levels: int = 0) -> bool:
        """Return whether a queue is known to exist."""

    def declaration(self, name: str, levels: int = 0) -> Future[Depth]:
        """Return the one declaration of a queue, which all who need it wait for."""

    def invalidate(self, name: str) -> None:
        """Let the queue be declared anew next time."""


#: Settles a delivery on its own consumer.
Settle = Callable[[Delivery, Disposition], None]

#: Turns an outbox message into a publication, and says how many levels of the delay ladder it needs.
Prepare = Callable[[OutboxMessage, Completion], tuple[Publication, int]]


class OutboxPublisher:
    """Takes pending acks from any thread, native ones too, and publishes and settles them.

    Parameters:
      connections: The process's connections; the first publishing one is used, and the queues that they know.
      prepare: Turns an outbox message into a publication.
    """

    def __init__(self, connections: Declarations, prepare: Prepare) -> None:
        self._connections = connections
        self._publisher: Publisher = connections.publishers[0]
        self._prepare = prepare
        self._waiting: deque[tuple[PendingAck, Settle]] = deque()
        self._woken = False
        link = self._publisher.link
        link.call(lambda: None)  # starts its thread, which the hub could not
        self._wake, self._unhook = waker(partial(link.call, self._run))

    def submit(self, pending_ack: PendingAck, settle: Settle) -> None:
        """Publish an outbox, then settle its delivery, then call ``then``. Returns at once."""
        self._waiting.append((pending_ack, settle))
        if not self._woken:
            self._woken = True
            self._wake()

    def close(self) -> None:
        """Stop: what is submitted from now on is not published."""
        self._unhook()

    # --- on the link's thread

    def _run(self) -> None:
        self._woken = False  # before the first popleft: whoever appends from now on wakes it again
        for _ in range(len(self._waiting)):
            pending_ack, settle = self._waiting.popleft()
            if pending_ack.outbox:
                PendingConfirms(self, pending_ack, settle).publish()
            else:
                settle_now(pending_ack, settle)

    def publish(self, confirm: PendingConfirm) -> None:
        """Publish one message, once its queue exists."""
        try:
            publication, levels = self._prepare(confirm.message, confirm)
        except Exception as unusable:
            confirm.set_exception(unusable)
            return
        if not self._connections.declared(confirm.message.queue_name, levels):
            declared = self._connections.declaration(confirm.message.queue_name, levels)
            if not declared.done():
                declared.add_done_callback(lambda _: self.publish(confirm))
                return
            error = declared.exception()
            if error is not None:
                confirm.set_exception(error)
                return
        crashpoint("publish.before")
        self._publisher.channel.accept(publication)

    def invalidate(self, queue_name: str) -> None:
        """Let a queue be declared anew before it is next used."""
        self._connections.invalidate(queue_name)


class PendingConfirm:
    """One message of an outbox; the publisher completes it instead of a future, since nobody waits for it."""

    __slots__ = ("_confirms", "_done", "message")

    def __init__(self, message: OutboxMessage, confirms: PendingConfirms) -> None:
        self.message = message
        self._confirms = confirms
        self._done = False

    def done(self) -> bool:
        """Return True once it is complete."""
        return self._done

    def set_result(self, _: None) -> None:
        """Complete it: RabbitMQ has confirmed the message."""
        self._complete(None)

    def set_exception(self, error: BaseException | None) -> None:
        """Complete it with the reason why RabbitMQ does not have the message."""
        self._complete(error)

    def _complete(self, error: BaseException | None) -> None:
        if not self._done:
            self._done = True
            self._confirms.completed(self, error)


class PendingConfirms:
    """The messages of one outbox that are not confirmed."""

    __slots__ = ("_error", "_left", "_outbox_publisher", "_pending_ack", "_settle")

    def __init__(self, outbox_publisher: OutboxPublisher, pending_ack: PendingAck, settle: Settle) -> None:
        self._outbox_publisher = outbox_publisher
        self._pending_ack = pending_ack
        self._settle = settle
        self._left = len(pending_ack.unconfirmed)
        self._error: BaseException | None = None

    def publish(self) -> None:
        """Publish all of them."""
        for message in tuple(self._pending_ack.unconfirmed):
            self._outbox_publisher.publish(PendingConfirm(message, self))

    def completed(self, confirm: PendingConfirm, error: BaseException | None) -> None:
        """Count one of them as done; settle the delivery, or report the failure, after the last one."""
        if error is None:
            crashpoint("publish.after")
            self._pending_ack.unconfirmed.remove(confirm.message)
        else:
            self._error = error
            if isinstance(error, QueueMissing):
                self._outbox_publisher.invalidate(confirm.message.queue_name)
        self._left -= 1
        if self._left:
            return
        if self._error is None:
            settle_now(self._pending_ack, self._settle)
        else:
            self._pending_ack.then(self._pending_ack, self._error)


def settle_now(pending_ack: PendingAck, settle: Settle) -> None:
    """Settle a delivery whose outbox is confirmed."""
    crashpoint("ack.before")
    settle(pending_ack.delivery, pending_ack.disposition)
    crashpoint("ack.after")
    pending_ack.then(pending_ack, None)
