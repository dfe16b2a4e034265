"""Consuming: one channel for each queue, all on one connection of the process."""

from __future__ import annotations

import logging
import time
from collections import deque
from collections.abc import Callable
from concurrent.futures import Future
from functools import partial
from queue import Empty, SimpleQueue
from typing import Any

from dramatiq import Message
from dramatiq.broker import Consumer, MessageProxy
from pika.channel import Channel

from growbin_jobs.broker.amqp import frames
from growbin_jobs.broker.amqp.connection import Link
from growbin_jobs.broker.amqp.errors import BrokerUnavailable, ConsumerClosed
from growbin_jobs.broker.amqp.loop import resolve
from growbin_jobs.broker.amqp.payer import Payer
from growbin_jobs.broker.amqp.verdicts import Verdicts
from growbin_jobs.broker.codec import Undecodable, decode
from growbin_jobs.broker.delivery import Delivery, Intake, Payment, Verdict

logger = logging.getLogger(__name__)

#: Seconds to wait for RabbitMQ's goodbye when a consumer closes.
CLOSE_TIMEOUT = 5.0

#: Messages that are looked up together at most.
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


class RabbitConsumer(Consumer):
    """The messages of one queue, until its channel is lost; then Dramatiq makes a new consumer.

    Parameters:
      link: The process's consuming connection.
      payer: Publishes what its deliveries owe.
      intake: Is asked before messages are handed out, and shown them; None: hand out everything.
      queue_name: What to consume; it exists.
      prefetch: Deliveries that may be unacknowledged at a time.
      timeout: Milliseconds that an iteration waits for a message.
      open_timeout: Seconds to wait until RabbitMQ has accepted the consumer.
      on_queue_deleted: Called when RabbitMQ cancels the consumer because its queue is gone.

    Raises:
      BrokerUnavailable: No connection in time.
      BrokerRefused, QueueMissing: RabbitMQ's answer.
    """

    def __init__(
        self,
        link: Link,
        payer: Payer,
        queue_name: str,
        *,
        intake: Intake | None = None,
        prefetch: int,
        timeout: int,
        open_timeout: float,
        on_queue_deleted: Callable[[], None],
    ) -> None:
        self.closed = False
        self._link = link
        self._payer = payer
        self._intake = intake
        self._queue_name = queue_name
        self._prefetch = prefetch
        self._timeout = timeout / 1000
        self._on_queue_deleted = on_queue_deleted
        self._inbox: SimpleQueue[tuple[int, bool, bytes] | None] = SimpleQueue()
        self._arrived: list[RabbitDelivery] = []  # and not looked up yet
        self._fetched: deque[RabbitDelivery] = deque()
        self._verdicts = Verdicts()
        self._received = 0
        self._telling = False
        self._channel: Channel | None = None
        self._reason = ""
        self._gone: Future[None] = Future()
        started = link.run(self._start)
        try:
            started.result(open_timeout)
        except TimeoutError:
            raise BrokerUnavailable(
                f"RabbitMQ did not start a consumer of {queue_name!r} within {open_timeout:g} s ({link.state})."
            ) from None
        finally:
            started.cancel()

    # --- from Dramatiq's threads

    @property
    def idle(self) -> bool:
        """True while everything that has arrived is settled."""
        return self._verdicts.told == self._received

    def __next__(self) -> MessageProxy | None:
        if not self._fetched:
            self._fetch()
        if self.closed:
            raise ConsumerClosed(f"{self._queue_name}: {self._reason or 'the consumer was closed'}")
        return self._fetched.popleft() if self._fetched else None

    def _fetch(self) -> None:
        """Take what has arrived, all at once: the journal is asked about many messages as fast as about one."""
        if self._intake and not self._intake.ready():
            time.sleep(self._timeout)
            return
        if not self._arrived:
            self._receive()
        if self._arrived and self._intake and not self._intake.receive(self._arrived):
            time.sleep(self._timeout)
            return
        self._fetched.extend(self._arrived)
        self._arrived.clear()

    def _receive(self) -> None:
        try:
            delivered = None if self.closed else self._inbox.get(timeout=self._timeout)
            while delivered is not None:
                self._decode(*delivered)
                if len(self._arrived) == INTAKE_BATCH:
                    return
                delivered = self._inbox.get_nowait()
        except Empty:
            return

    def _decode(self, tag: int, redelivered: bool, body: bytes) -> None:
        try:
            message = decode(body, self._queue_name)
        except Undecodable as error:
            logger.warning("message.undecodable queue=%s reason=%s moved_to=dead_letters", self._queue_name, error)
            self._settle(tag, Verdict.REJECT)
        else:
            self._arrived.append(RabbitDelivery(message, self, tag, redelivered, body))

    def ack(self, message: MessageProxy) -> None:
        """Acknowledge a delivery where it came from, or give it back; a stale one is left alone.

        Whoever has something to do before that, does it now (:attr:`Delivery.conclusion`); nothing here waits.
        """
        assert isinstance(message, RabbitDelivery)
        if message.conclusion is not None:
            message.conclusion(message)
        else:
            verdict = Verdict.GIVE_BACK if message.returned else Verdict.ACKNOWLEDGE
            message.consumer._settle(message.tag, verdict)

    def nack(self, message: MessageProxy) -> None:
        """Move a delivery to the dead letters, or give it back; otherwise as :meth:`ack`."""
        assert isinstance(message, RabbitDelivery)
        if message.conclusion is not None:
            message.conclusion(message)
        else:
            verdict = Verdict.GIVE_BACK if message.returned else Verdict.REJECT
            message.consumer._settle(message.tag, verdict)

    def conclude(self, payment: Payment) -> None:
        """Publish what a delivery owes, then settle it. Returns at once; from any thread."""
        self._payer.pay(payment, _settle)

    def close(self) -> None:
        """Let everything out that was settled before, then let RabbitMQ have the rest back. Closing twice is fine."""
        if self.closed:
            return
        self.closed = True
        self._link.call(self._close_channel)
        try:
            self._gone.result(CLOSE_TIMEOUT)
        except TimeoutError:
            logger.warning("consumer.close_unanswered queue=%s", self._queue_name)

    def _settle(self, tag: int, verdict: Verdict) -> None:
        if self.closed:  # RabbitMQ has it back, and on another channel the tag is another message
            return
        self._verdicts.add(tag, verdict)
        if not self._telling:
            self._telling = True
            self._link.call(self._tell)

    # --- on the link's thread

    def _start(self, channel: Channel, started: Future[None]) -> None:
        def consuming(_frame: Any) -> None:
            if resolve(started, None):
                self._channel = channel
            elif channel.is_open:  # nobody waits for it any more: it must not keep messages to itself
                channel.close()

        channel.add_on_close_callback(self._lost)
        channel.add_on_cancel_callback(partial(self._cancelled, channel))
        channel.basic_qos(prefetch_count=self._prefetch)
        channel.connection.deliver_to(channel, self._delivered)
        channel.basic_consume(self._queue_name, lambda *_: None, callback=consuming)

    def _delivered(self, tag: int, redelivered: bool, body: bytes) -> None:
        self._received += 1
        self._inbox.put((tag, redelivered, body))

    def _tell(self) -> None:
        self._telling = False  # before the verdicts are taken: whoever adds one from now on calls us again
        channel = self._channel
        if channel is None or not channel.is_open:
            return
        number = channel.channel_number
        words = [
            frames.ack(number, one.tag, multiple=one.multiple)
            if one.verdict is Verdict.ACKNOWLEDGE
            else frames.nack(number, one.tag, requeue=one.verdict is Verdict.GIVE_BACK)
            for one in self._verdicts.take()
        ]
        if words:
            frames.write(channel, b"".join(words))

    def _cancelled(self, channel: Channel, _frame: Any) -> None:
        self._reason = "RabbitMQ cancelled the consumer, since the queue was deleted"
        self._on_queue_deleted()
        if channel.is_open:
            channel.close()

    def _close_channel(self) -> None:
        if self._channel is not None and self._channel.is_open:
            self._channel.close()
        else:
            resolve(self._gone, None)

    def _lost(self, channel: Channel, reason: BaseException) -> None:
        if channel is self._channel:
            self.closed = True
            self._reason = self._reason or str(reason)
            resolve(self._gone, None)
            self._inbox.put(None)


def _settle(delivery: Delivery, verdict: Verdict) -> None:
    assert isinstance(delivery, RabbitDelivery)
    delivery.consumer._settle(delivery.tag, verdict)
