"""A channel that consumes one queue: deliveries go into its inbox, acks and rejections go out in batches."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable
from concurrent.futures import Future
from functools import partial
from queue import SimpleQueue
from typing import Any

from pika.channel import Channel

from growbin_jobs.engine import events
from growbin_jobs.engine.broker.errors import BrokerUnavailable
from growbin_jobs.engine.broker.rabbitmq import frames
from growbin_jobs.engine.broker.rabbitmq.ack_batching import AckBatch, AckCommand
from growbin_jobs.engine.broker.rabbitmq.completion import resolve
from growbin_jobs.engine.broker.rabbitmq.loop_thread import waker
from growbin_jobs.engine.broker.rabbitmq.managed_connection import ManagedConnection
from growbin_jobs.engine.delivery.disposition import Disposition

logger = logging.getLogger(__name__)

#: Seconds to wait for RabbitMQ's answer when a consumer closes.
CLOSE_TIMEOUT = 5.0

#: Deliveries that a consumer of quick tasks may have beside its prefetch.
EXTRA = 320

#: What AMQP has room for.
MOST_PREFETCH = 65_535


class ConsumingChannel:
    """One channel from its opening to its loss; it is never opened anew, since its tags mean nothing on another one.

    The consumer derives from it and does not hold it: every message asks for ``closed`` and the acks.

    Parameters:
      link: The process's consuming connection.
      queue_name: What to consume; it exists.
      prefetch: Deliveries that may be unacknowledged at a time.
      on_queue_deleted: Called when RabbitMQ cancels the consumer because its queue is gone.

    Attributes:
      closed: True once RabbitMQ has taken back, or will take back, everything that is not settled.
    """

    def __init__(
        self, link: ManagedConnection, queue_name: str, *, prefetch: int, on_queue_deleted: Callable[[], None]
    ) -> None:
        self.closed = False
        self._link = link
        self._queue_name = queue_name
        self._prefetch = prefetch
        self._on_queue_deleted = on_queue_deleted
        self._inbox: SimpleQueue[tuple[int, bool, bytes] | None] = SimpleQueue()  # None: the channel is lost
        self._acks = AckBatch()
        self._received = 0
        self._flush_scheduled = False
        self._wake, self._unhook = waker(partial(link.call, self._send_acks))
        self._channel: Channel | None = None
        self._consumer_tag = ""
        self._consumers = 0  # so far, on this channel
        self._reason = ""
        self._gone: Future[None] = Future()

    # --- from any thread

    def _open(self, timeout: float) -> None:
        """Wait until RabbitMQ has accepted the consumer.

        Parameters:
          timeout: Seconds.

        Raises:
          BrokerUnavailable: No connection in time.
          BrokerRefused, QueueMissing: RabbitMQ's answer.
        """
        started = self._link.run(self._start)
        try:
            started.result(timeout)
        except TimeoutError:
            raise BrokerUnavailable(
                f"RabbitMQ did not start a consumer of {self._queue_name!r} within {timeout:g} s ({self._link.state})."
            ) from None
        finally:
            started.cancel()

    @property
    def idle(self) -> bool:
        """Return True while everything that has arrived is settled."""
        return not self._held

    @property
    def _held(self) -> int:
        """Return how many deliveries are not settled."""
        return self._received - self._acks.settled

    def _fetch_more(self) -> None:
        """Let RabbitMQ deliver :data:`EXTRA` messages more than the prefetch."""
        self._link.call(partial(self._consume_anew, min(self._prefetch + EXTRA, MOST_PREFETCH)))

    def _fetch_less(self) -> None:
        """Let RabbitMQ deliver no more than the prefetch again."""
        self._link.call(partial(self._consume_anew, self._prefetch))

    def close(self) -> None:
        """Send the acks of what is settled, then close: RabbitMQ takes the rest back. Closing twice is fine."""
        if self.closed:
            return
        self.closed = True
        self._link.call(self._close_channel)
        try:
            self._gone.result(CLOSE_TIMEOUT)
        except TimeoutError:
            logger.warning("consumer.close_unanswered queue=%s", self._queue_name)

    def _settle(self, tag: int, disposition: Disposition) -> None:
        """Send an ack or a rejection soon; from native threads too."""
        if self.closed:  # RabbitMQ has it back, and on another channel the tag is another message
            return
        self._acks.add(tag, disposition)
        if not self._flush_scheduled:
            self._flush_scheduled = True
            self._wake()

    # --- on the link's thread

    def _start(self, channel: Channel, started: Future[None]) -> None:
        def consuming(_frame: Any) -> None:
            if resolve(started, None):
                self._channel = channel
            elif channel.is_open:  # nobody waits for it any more: it must not hold messages
                channel.close()

        channel.add_on_close_callback(self._lost)
        channel.add_on_cancel_callback(partial(self._cancelled, channel))
        if frames.is_fast(channel):
            channel.connection.deliver_to(channel, self._delivered)
        self._consume(channel, self._prefetch, consuming)

    def _consume(self, channel: Channel, prefetch: int, consuming: Callable[[Any], None] | None = None) -> None:
        # RabbitMQ repeats the tag in each delivery, and pika's would be a twentieth of a small one.
        self._consumers += 1
        self._consumer_tag = f"ctag{channel.channel_number}.{self._consumers}"
        channel.basic_qos(prefetch_count=prefetch)  # of consumers that start from now on
        channel.basic_consume(
            self._queue_name, self._delivered_by_pika, consumer_tag=self._consumer_tag, callback=consuming
        )

    def _consume_anew(self, prefetch: int) -> None:
        """Put a consumer with another prefetch in the place of the one that there is.

        RabbitMQ holds a consumer to the prefetch of its start. With a second one beside it each batch of deliveries and
        of acknowledgements would be two of half the size. What the former one has is settled as ever.
        """
        channel = self._channel
        # pika rejects by itself what comes while a consumer is cancelled, and those tags would never be settled here.
        if channel is not None and channel.is_open and frames.is_fast(channel):
            # First, so that what is given back at the same time does not come again. Answered: else pika remembers each
            # tag for ever.
            channel.basic_cancel(self._consumer_tag, callback=_forgotten)
            self._consume(channel, prefetch)

    def _delivered(self, tag: int, redelivered: bool, body: bytes) -> None:
        self._received += 1
        self._inbox.put((tag, redelivered, body))

    def _delivered_by_pika(self, _channel: Channel, method: Any, _properties: Any, body: bytes) -> None:
        self._delivered(method.delivery_tag, method.redelivered, body)

    def _send_acks(self) -> None:
        self._flush_scheduled = False  # before the acks are taken: whoever adds one from now on schedules another call
        channel = self._channel
        if channel is None or not channel.is_open:
            return
        if not frames.is_fast(channel):
            _settle_by_pika(channel, self._acks.take())
            return
        number = channel.channel_number
        commands = [
            frames.ack(number, one.tag, multiple=one.multiple)
            if one.disposition is Disposition.ACK
            else frames.nack(number, one.tag, requeue=one.disposition is Disposition.REQUEUE)
            for one in self._acks.take()
        ]
        if commands:
            frames.write(channel, b"".join(commands))

    def _cancelled(self, channel: Channel, _frame: Any) -> None:
        self._reason = "RabbitMQ cancelled the consumer, since the queue was deleted"
        events.QUEUE_DELETED.emit(queue=self._queue_name)
        self._on_queue_deleted()
        if channel.is_open:
            channel.close()

    def _close_channel(self) -> None:
        if self._channel is not None and self._channel.is_open:
            self._send_acks()
            self._channel.close()
        else:
            resolve(self._gone, None)

    def _lost(self, channel: Channel, reason: BaseException) -> None:
        if channel is self._channel:
            self.closed = True
            self._reason = self._reason or str(reason)
            self._unhook()
            resolve(self._gone, None)
            self._inbox.put(None)


def _forgotten(_frame: Any) -> None:
    """Nothing waits for the end of a consumer."""


def _settle_by_pika(channel: Channel, commands: Iterable[AckCommand]) -> None:
    for one in commands:
        if one.disposition is Disposition.ACK:
            channel.basic_ack(one.tag, multiple=one.multiple)
        else:
            channel.basic_nack(one.tag, requeue=one.disposition is Disposition.REQUEUE)
