"""Consuming: one channel for each queue, all on one connection of the process."""

from __future__ import annotations

import logging
from collections.abc import Callable
from concurrent.futures import Future
from functools import partial
from queue import Empty, Queue
from typing import Any

from dramatiq import Message
from dramatiq.broker import Consumer, MessageProxy
from pika.channel import Channel
from pika.spec import Basic, BasicProperties

from growbin_jobs.broker.amqp.connection import Link
from growbin_jobs.broker.amqp.errors import BrokerUnavailable, ConsumerClosed
from growbin_jobs.broker.amqp.loop import resolve
from growbin_jobs.broker.decoding import Undecodable, decode
from growbin_jobs.broker.delivery import Delivery

logger = logging.getLogger(__name__)

#: Seconds to wait for RabbitMQ's goodbye when a consumer closes.
CLOSE_TIMEOUT = 5.0


class RabbitDelivery(Delivery):
    """A delivery with RabbitMQ's tag, which means something on its consumer's channel only.

    Attributes:
      redelivered: True when RabbitMQ knows that it was delivered before.
    """

    consumer: RabbitConsumer

    def __init__(self, message: Message[Any], consumer: RabbitConsumer, method: Basic.Deliver) -> None:
        super().__init__(message, consumer)
        self.tag: int = method.delivery_tag
        self.redelivered: bool = method.redelivered


class RabbitConsumer(Consumer):
    """The messages of one queue, until its channel is lost; then Dramatiq makes a new consumer.

    Parameters:
      link: The process's consuming connection.
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
        queue_name: str,
        *,
        prefetch: int,
        timeout: int,
        open_timeout: float,
        on_queue_deleted: Callable[[], None],
    ) -> None:
        self.closed = False
        self._link = link
        self._queue_name = queue_name
        self._prefetch = prefetch
        self._timeout = timeout / 1000
        self._on_queue_deleted = on_queue_deleted
        self._inbox: Queue[tuple[Basic.Deliver, bytes] | None] = Queue()
        self._unsettled: set[int] = set()
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

    def __next__(self) -> MessageProxy | None:
        try:
            delivered = None if self.closed else self._inbox.get(timeout=self._timeout)
        except Empty:
            return None
        if self.closed or delivered is None:
            raise ConsumerClosed(f"{self._queue_name}: {self._reason or 'the consumer was closed'}")
        method, body = delivered
        tag = method.delivery_tag
        self._unsettled.add(tag)
        try:
            message = decode(body, self._queue_name)
        except Undecodable as error:
            logger.warning("message.undecodable queue=%s reason=%s moved_to=dead_letters", self._queue_name, error)
            self._settle(tag, lambda channel: channel.basic_nack(tag, requeue=False))
            return None
        return RabbitDelivery(message, self, method)

    def ack(self, message: MessageProxy) -> None:
        """Acknowledge a delivery where it came from, or give it back; a stale one is left alone."""
        assert isinstance(message, RabbitDelivery)
        tag = message.tag
        if message.returned:
            message.consumer._settle(tag, lambda channel: channel.basic_nack(tag, requeue=True))
        else:
            message.consumer._settle(tag, lambda channel: channel.basic_ack(tag))

    def nack(self, message: MessageProxy) -> None:
        """Move a delivery to the dead letters, or give it back; a stale one is left alone."""
        assert isinstance(message, RabbitDelivery)
        tag, requeue = message.tag, message.returned
        message.consumer._settle(tag, lambda channel: channel.basic_nack(tag, requeue=requeue))

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

    def _settle(self, tag: int, verdict: Callable[[Channel], None]) -> None:
        if self.closed:  # RabbitMQ has it back, and on another channel the tag is another message
            return
        try:
            self._unsettled.remove(tag)
        except KeyError:  # a second time: RabbitMQ would close the channel for it
            return
        self._link.call(partial(self._send, verdict))

    # --- on the link's thread

    def _start(self, channel: Channel, started: Future[None]) -> None:
        def consuming(_frame: Any) -> None:
            if resolve(started, None):
                self._channel = channel
            else:  # nobody waits for it any more: it must not keep messages to itself
                channel.close()

        channel.add_on_close_callback(self._lost)
        channel.add_on_cancel_callback(partial(self._cancelled, channel))
        channel.basic_qos(prefetch_count=self._prefetch)
        channel.basic_consume(self._queue_name, self._delivered, callback=consuming)

    def _delivered(self, _channel: Channel, method: Basic.Deliver, _properties: BasicProperties, body: bytes) -> None:
        self._inbox.put((method, body))

    def _send(self, verdict: Callable[[Channel], None]) -> None:
        if self._channel is not None and self._channel.is_open:
            verdict(self._channel)

    def _cancelled(self, channel: Channel, _frame: Any) -> None:
        self._reason = "RabbitMQ cancelled the consumer, since the queue was deleted"
        self._on_queue_deleted()
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
