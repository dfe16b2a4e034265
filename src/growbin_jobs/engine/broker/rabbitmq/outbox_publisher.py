"""Paying: publish what finished messages owe, and settle each when RabbitMQ has confirmed the last of its messages.

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
from growbin_jobs.engine.broker.rabbitmq.loop import Promise
from growbin_jobs.engine.broker.rabbitmq.publication import Publication
from growbin_jobs.engine.broker.rabbitmq.publisher import Publisher
from growbin_jobs.engine.crashpoints import crashpoint
from growbin_jobs.engine.delivery.delivery import Delivery, PendingAck
from growbin_jobs.engine.delivery.disposition import Disposition
from growbin_jobs.engine.delivery.records import OutboxMessage
from growbin_jobs.engine.threads import gevent_active


class Declarations(Protocol):
    """The process's connections, and the queues that they know."""

    publishers: list[Publisher]

    def declared(self, name: str, levels: int = 0) -> bool:
        """Return whether a queue is known to exist."""

    def declaration(self, name: str, levels: int = 0) -> Future[Depth]:
        """Return the one declaration of a queue, which all who need it wait for."""

    def forget(self, name: str) -> None:
        """Declare the queue anew next time."""


#: Settles a delivery on its own consumer.
Settle = Callable[[Delivery, Disposition], None]

#: Makes of a confirm what is published, and tells how many levels of the ladder of delays must be declared for it.
Prepare = Callable[[OutboxMessage, Promise], tuple[Publication, int]]


class OutboxPublisher:
    """Takes batcher from any thread, native ones too, and sees them through.

    Parameters:
      connections: The process's connections; the first publishing one is used, and the queues that they know.
      prepare: Makes of a confirm what is published.
    """

    def __init__(self, connections: Declarations, prepare: Prepare) -> None:
        self._connections = connections
        self._publisher: Publisher = connections.publishers[0]
        self._prepare = prepare
        self._waiting: deque[tuple[PendingAck, Settle]] = deque()
        self._woken = False
        link = self._publisher.link
        link.call(lambda: None)  # starts its thread, which the hub could not
        self._wake, self._unhook = _waker(partial(link.call, self._run))

    def pay(self, pending_ack: PendingAck, settle: Settle) -> None:
        """Publish what is message, then settle the delivery, then tell. Returns at once."""
        self._waiting.append((pending_ack, settle))
        if not self._woken:
            self._woken = True
            self._wake()

    def close(self) -> None:
        """Take nothing more."""
        self._unhook()

    # --- on the link's thread

    def _run(self) -> None:
        self._woken = False  # before the first popleft: whoever appends from now on wakes us again
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

    def forget(self, queue_name: str) -> None:
        """Declare a queue anew before it is next used."""
        self._connections.forget(queue_name)


class PendingConfirm:
    """One message that is message, and what the publisher settles instead of a future: nobody waits for it."""

    __slots__ = ("_confirms", "_done", "message")

    def __init__(self, message: OutboxMessage, confirms: PendingConfirms) -> None:
        self.message = message
        self._confirms = confirms
        self._done = False

    def done(self) -> bool:
        """Has it been told?"""
        return self._done

    def set_result(self, _: None) -> None:
        """Be told that RabbitMQ has it."""
        self._tell(None)

    def set_exception(self, error: BaseException | None) -> None:
        """Be told why not."""
        self._tell(error)

    def _tell(self, error: BaseException | None) -> None:
        if not self._done:
            self._done = True
            self._confirms.told(self, error)


class PendingConfirms:
    """All messages of one pending_ack, while they are on their way."""

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

    def told(self, confirm: PendingConfirm, error: BaseException | None) -> None:
        """Be told about one of them."""
        if error is None:
            crashpoint("publish.after")
            self._pending_ack.unconfirmed.remove(confirm.message)
        else:
            self._error = error
            if isinstance(error, QueueMissing):
                self._outbox_publisher.forget(confirm.message.queue_name)
        self._left -= 1
        if self._left:
            return
        if self._error is None:
            settle_now(self._pending_ack, self._settle)
        else:
            self._pending_ack.then(self._pending_ack, self._error)


def settle_now(pending_ack: PendingAck, settle: Settle) -> None:
    """Settle a delivery that owes nothing any more."""
    crashpoint("ack.before")
    settle(pending_ack.delivery, pending_ack.disposition)
    crashpoint("ack.after")
    pending_ack.then(pending_ack, None)


def _waker(wake: Callable[[], None]) -> tuple[Callable[[], None], Callable[[], None]]:
    """Return ``wake`` in a form that native threads may call, and what ends it.

    pika's loop is a greenlet where gevent is, and only the hub's own thread may wake that.
    """
    if not gevent_active():
        return wake, lambda: None
    from gevent import get_hub

    watcher = get_hub().loop.async_(ref=False)
    watcher.start(wake)
    return watcher.send, watcher.stop  # never closed: a late send to a closed one may crash
