"""Paying: publish what finished messages owe, and settle each when RabbitMQ has confirmed the last of its debts.

No thread or greenlet waits. All of it happens on the publishing connection's own thread.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING

from growbin_jobs.engine.broker.rabbitmq.errors import QueueMissing
from growbin_jobs.engine.broker.rabbitmq.loop import Promise
from growbin_jobs.engine.broker.rabbitmq.publication import Publication
from growbin_jobs.engine.broker.rabbitmq.publisher import Publisher
from growbin_jobs.engine.crashpoints import crashpoint
from growbin_jobs.engine.delivery.delivery import Delivery, PendingAck, Disposition
from growbin_jobs.engine.delivery.records import OutboxMessage
from growbin_jobs.engine.threads import gevent_active

if TYPE_CHECKING:
    from growbin_jobs.engine.broker.rabbitmq.connections import Connections

#: Settles a delivery on its own consumer.
Settle = Callable[[Delivery, Disposition], None]

#: Makes of a debt what is published, and tells how many levels of the ladder of delays must be declared for it.
Prepare = Callable[[OutboxMessage, Promise], tuple[Publication, int]]


class OutboxPublisher:
    """Takes payments from any thread, native ones too, and sees them through.

    Parameters:
      connections: The process's connections; the first publishing one is used, and the queues that they know.
      prepare: Makes of a debt what is published.
    """

    def __init__(self, connections: Connections, prepare: Prepare) -> None:
        self._connections = connections
        self._publisher: Publisher = connections.publishers[0]
        self._prepare = prepare
        self._waiting: deque[tuple[PendingAck, Settle]] = deque()
        self._woken = False
        link = self._publisher.link
        link.call(lambda: None)  # starts its thread, which the hub could not
        self._wake, self._unhook = _waker(partial(link.call, self._run))

    def pay(self, payment: PendingAck, settle: Settle) -> None:
        """Publish what is owed, then settle the delivery, then tell. Returns at once."""
        self._waiting.append((payment, settle))
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
            payment, settle = self._waiting.popleft()
            if payment.owed:
                PendingConfirms(self, payment, settle).publish()
            else:
                conclude(payment, settle)

    def publish(self, debt: PendingConfirm) -> None:
        """Publish one message, once its queue exists."""
        try:
            publication, levels = self._prepare(debt.owed, debt)
        except Exception as unusable:
            debt.set_exception(unusable)
            return
        if not self._connections.declared(debt.owed.queue_name, levels):
            declared = self._connections.declaration(debt.owed.queue_name, levels)
            if not declared.done():
                declared.add_done_callback(lambda _: self.publish(debt))
                return
            error = declared.exception()
            if error is not None:
                debt.set_exception(error)
                return
        crashpoint("publish.before")
        self._publisher.channel.accept(publication)

    def forget(self, queue_name: str) -> None:
        """Declare a queue anew before it is next used."""
        self._connections.forget(queue_name)


class PendingConfirm:
    """One message that is owed, and what the publisher settles instead of a future: nobody waits for it."""

    __slots__ = ("_account", "_done", "owed")

    def __init__(self, owed: OutboxMessage, account: PendingConfirms) -> None:
        self.owed = owed
        self._account = account
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
            self._account.told(self, error)


class PendingConfirms:
    """All debts of one payment, while they are on their way."""

    __slots__ = ("_error", "_left", "_payer", "_payment", "_settle")

    def __init__(self, payer: OutboxPublisher, payment: PendingAck, settle: Settle) -> None:
        self._payer = payer
        self._payment = payment
        self._settle = settle
        self._left = len(payment.unpaid)
        self._error: BaseException | None = None

    def publish(self) -> None:
        """Publish all of them."""
        for owed in tuple(self._payment.unpaid):
            self._payer.publish(PendingConfirm(owed, self))

    def told(self, debt: PendingConfirm, error: BaseException | None) -> None:
        """Be told about one of them."""
        if error is None:
            crashpoint("publish.after")
            self._payment.unpaid.remove(debt.owed)
        else:
            self._error = error
            if isinstance(error, QueueMissing):
                self._payer.forget(debt.owed.queue_name)
        self._left -= 1
        if self._left:
            return
        if self._error is None:
            conclude(self._payment, self._settle)
        else:
            self._payment.then(self._payment, self._error)


def conclude(payment: PendingAck, settle: Settle) -> None:
    """Settle a delivery that owes nothing any more."""
    crashpoint("ack.before")
    settle(payment.delivery, payment.verdict)
    crashpoint("ack.after")
    payment.then(payment, None)


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
