"""The consumer of one queue that Dramatiq's worker iterates over; all consumers of a process share a connection."""

from __future__ import annotations

import logging
import threading
import time
from collections import deque
from collections.abc import Callable
from queue import Empty
from typing import Any

from dramatiq import Message
from dramatiq.broker import Consumer, MessageProxy

from growbin_jobs.engine import events
from growbin_jobs.engine.broker.errors import ConsumerClosed
from growbin_jobs.engine.broker.rabbitmq.ack_batching import ACK
from growbin_jobs.engine.broker.rabbitmq.consuming_channel import ConsumingChannel
from growbin_jobs.engine.broker.rabbitmq.managed_connection import ManagedConnection
from growbin_jobs.engine.broker.rabbitmq.outbox_publisher import OutboxPublisher, settle_now
from growbin_jobs.engine.broker.rabbitmq.quick_tasks import QuickTasks
from growbin_jobs.engine.delivery.codec import Undecodable, decode
from growbin_jobs.engine.delivery.delivery import Delivery, Intake, PendingAck
from growbin_jobs.engine.delivery.disposition import Disposition
from growbin_jobs.engine.delivery.due_time import forget_what_is_due
from growbin_jobs.engine.pauses import Pauses

logger = logging.getLogger(__name__)

#: Messages that are looked up in the journal together, at most.
INTAKE_BATCH = 256


class RabbitDelivery(Delivery):
    """A delivery with RabbitMQ's tag, which means something on its consumer's channel only.

    Attributes:
      redelivered: True when RabbitMQ knows that it was delivered before.
    """

    consumer: RabbitConsumer

    def __init__(
        self, message: Message[Any], consumer: RabbitConsumer, tag: int, redelivered: bool, body: bytes
    ) -> None:
        super().__init__(message, consumer, body)
        self.tag = tag
        self.redelivered = redelivered

    def __repr__(self) -> str:
        # MessageProxy's shows the arguments, which are people's business.
        return f"<{type(self).__name__} {self} tag={self.tag}>"


class RabbitConsumer(ConsumingChannel, Consumer):
    """The messages of one queue, until its channel is lost; then Dramatiq makes a new consumer.

    Parameters:
      link: The process's consuming connection.
      outbox_publisher: Publishes what was sent while its deliveries ran.
      intake: Asked before messages are handed out, and shown them; None: hand out everything.
      queue_name: What to consume; it exists.
      pauses: While the queue is paused there, nothing is handed out; RabbitMQ sends no more than the prefetch.
      prefetch: Deliveries that may be unacknowledged at a time.
      quick_tasks: Says when there may be more of them; None: never.
      timeout: Milliseconds that an iteration waits for a message.
      open_timeout: Seconds to wait until RabbitMQ has accepted the consumer.
      on_queue_deleted: Called when RabbitMQ cancels the consumer because its queue is gone.

    Attributes:
      intake: Who settles what it has begun to look at.
      received_at: Of the last message, or of its start; on the monotonic clock.

    Raises:
      BrokerUnavailable: No connection in time.
      BrokerRefused, QueueMissing: RabbitMQ's answer.
    """

    def __init__(
        self,
        link: ManagedConnection,
        outbox_publisher: OutboxPublisher,
        queue_name: str,
        *,
        intake: Intake | None = None,
        pauses: Pauses | None = None,
        prefetch: int,
        quick_tasks: QuickTasks | None = None,
        timeout: int,
        open_timeout: float,
        on_queue_deleted: Callable[[], None],
    ) -> None:
        super().__init__(link, queue_name, prefetch=prefetch, on_queue_deleted=on_queue_deleted)
        self._outbox_publisher = outbox_publisher
        self.intake = intake
        self._pauses = Pauses() if pauses is None else pauses
        self._resumed = threading.Event()
        self._quick_tasks = quick_tasks
        self._fetches_more = False
        self._timeout = timeout / 1000
        self.received_at = time.monotonic()
        self._arrived: list[RabbitDelivery] = []  # and not looked up yet
        self._fetched: deque[RabbitDelivery] = deque()
        self._open(open_timeout)
        self._unwatch = self._pauses.watch(self._resumed.set)

    def __next__(self) -> MessageProxy | None:
        if not self._fetched:
            self._fetch()
        if self.closed:
            raise ConsumerClosed(f"{self._queue_name}: {self._reason or 'the consumer was closed'}")
        return self._fetched.popleft() if self._fetched else None

    def _fetch(self) -> None:
        """Look up all that has arrived at once: the journal answers about many messages as fast as about one."""
        if self.intake and not self.intake.ready():
            self._fetch_no_more()
            time.sleep(self._timeout)
            return
        if self._pauses.any and (paused := self._pauses.left(self._queue_name)):
            self._fetch_no_more()
            self._resumed.clear()
            if self._pauses.left(self._queue_name):
                self._resumed.wait(min(paused, self._timeout))
            return
        if not self._arrived:
            self._receive()
        if self._arrived:
            self.received_at = time.monotonic()
        if self._arrived and self.intake and not self.intake.receive(self._arrived):
            time.sleep(self._timeout)
            return
        begin = [each for each in self._arrived if each.returned is None]
        self._arrived.clear()
        if self._quick_tasks is not None:
            self._quick_tasks.handed_over(begin)
            if self._quick_tasks.quick is not self._fetches_more:
                self._adapt(self._quick_tasks)
            elif not self._fetches_more and self._held > 2 * self._prefetch:
                self._give_back(self._quick_tasks)  # it was on its way
        self._fetched.extend(begin)

    def _fetch_no_more(self) -> None:
        """Give back what was fetched beside the prefetch: nothing of it runs here for a while, and elsewhere it may."""
        if self._quick_tasks is None:
            return
        if self._fetches_more:
            self._quick_tasks.held_up()
            self._adapt(self._quick_tasks)
        for _ in range(self._held - 2 * self._prefetch):  # on its way when RabbitMQ was told
            try:
                delivered = self._inbox.get_nowait()
            except Empty:
                return
            if delivered is None:
                self._inbox.put(None)
                return
            self._settle(delivered[0], Disposition.REQUEUE)

    def _adapt(self, tasks: QuickTasks) -> None:
        """Fetch more, or no more than the prefetch and give back what is too much: others may run it meanwhile.

        Beside what is kept RabbitMQ brings the prefetch of the consumer that begins anew, so until some have run there
        may be twice the prefetch.
        """
        self._fetches_more = tasks.quick
        if tasks.quick:
            self._fetch_more()
            return
        self._fetch_less()
        self._give_back(tasks)

    def _give_back(self, tasks: QuickTasks) -> None:
        given_back = tasks.take_back(self._may_leave, max(self._held - self._prefetch, 0))
        for delivery in given_back:
            self._settle(delivery.tag, Disposition.REQUEUE)
        if given_back:
            logger.info("consumer.gave_back queue=%s messages=%d", self._queue_name, len(given_back))

    def _may_leave(self, delivery: Delivery) -> bool:
        return delivery.consumer is self and self.intake is not None and self.intake.leave(delivery)

    def _receive(self) -> None:
        try:
            delivered = None if self.closed else self._wait()
            while delivered is not None:
                self._decode(*delivered)
                if len(self._arrived) == INTAKE_BATCH:
                    return
                delivered = self._inbox.get_nowait()
        except Empty:
            return

    def _wait(self) -> tuple[int, bool, bytes] | None:
        """Return what arrives next; None: the channel is lost."""
        starving = self._quick_tasks is not None and self._inbox.empty() and self._held >= self._prefetch
        delivered = self._inbox.get(timeout=self._timeout)
        if starving and self._quick_tasks is not None:
            self._quick_tasks.waited()
        return delivered

    def _decode(self, tag: int, redelivered: bool, body: bytes) -> None:
        try:
            message = decode(body, self._queue_name)
        except Undecodable as error:
            events.UNDECODABLE.emit(queue=self._queue_name, reason=str(error))
            self._settle(tag, Disposition.DEAD_LETTER)
        else:
            if "eta" in message.options:
                forget_what_is_due(message.options)
            self._arrived.append(RabbitDelivery(message, self, tag, redelivered, body))

    @property
    def waiting(self) -> int:
        """How many messages RabbitMQ has delivered that are not handed out yet, as in a queue that is paused here."""
        return self._inbox.qsize() + len(self._arrived) + len(self._fetched)

    def ack(self, message: MessageProxy) -> None:
        """Acknowledge a delivery on its own channel, or requeue it; a stale one is left alone. Nothing here waits."""
        _release(message, ACK)

    def nack(self, message: MessageProxy) -> None:
        """Move a delivery to the dead letters, or requeue it; otherwise as :meth:`ack`."""
        _release(message, Disposition.DEAD_LETTER)

    def close(self) -> None:
        """Let RabbitMQ have back what is not settled. Closing twice is fine."""
        self._unwatch()
        super().close()

    def settle(self, pending_ack: PendingAck) -> None:
        """Publish the outbox of a delivery, then settle it. Returns at once; from any thread."""
        if pending_ack.outbox:
            self._outbox_publisher.submit(pending_ack, _settle)
        else:  # nothing to wait for: the publishing connection's thread need not know
            settle_now(pending_ack, _settle)


def _settle(delivery: Delivery, disposition: Disposition) -> None:
    assert isinstance(delivery, RabbitDelivery)
    delivery.consumer._settle(delivery.tag, disposition)


def _release(message: MessageProxy, disposition: Disposition) -> None:
    assert isinstance(message, RabbitDelivery)
    intake = message.consumer.intake
    if message.life is not None and intake is not None:
        intake.release(message)
    else:
        message.consumer._settle(message.tag, Disposition.REQUEUE if message.requeued else disposition)
