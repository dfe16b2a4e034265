"""Publishing: confirmed, mandatory, many messages in flight on one connection."""

from __future__ import annotations

import logging
import math
import time
from collections import OrderedDict, deque
from concurrent.futures import Future
from dataclasses import dataclass, field
from functools import partial
from itertools import takewhile
from typing import Any

import pika
from pika.adapters.select_connection import SelectConnection
from pika.channel import Channel
from pika.exceptions import ChannelClosedByBroker
from pika.spec import Basic, BasicProperties

from growbin_jobs.broker.amqp import frames
from growbin_jobs.broker.amqp.connection import CALLS_A_TURN, Link
from growbin_jobs.broker.amqp.errors import BrokerUnavailable, NotConfirmed, QueueMissing, explain
from growbin_jobs.broker.amqp.loop import Promise, reject, resolve

logger = logging.getLogger(__name__)

PERSISTENT = 2

#: Bytes of a message. RabbitMQ 4 takes no more by default, and closes the channel of all for one that is larger.
MAX_BODY = 16 * 1024 * 1024

#: Seconds until a message that RabbitMQ could not take is published again.
REFUSED_PAUSE = 0.5


@dataclass(eq=False, slots=True)
class Publication:
    """One message on its way to a queue.

    Attributes:
      queue: The queue's name on the server.
      body: The encoded message.
      message_id: For people who look into a queue, and to recognise a returned message.
      priority: The broker's priority, where the queue has one.
      headers: What it needs on its way (:mod:`growbin_jobs.broker.delays`).
      confirmed: Done when the broker has it; an error says what is known.
      sent: True once it was written to a connection: from then on it may have arrived.
      returned: True when the broker had no queue for it, as told just before its confirm.
    """

    queue: str
    body: bytes
    message_id: str
    priority: int | None = None
    headers: dict[str, Any] | None = None
    confirmed: Promise = field(default_factory=Future[None])
    sent: bool = False
    returned: bool = False

    def __post_init__(self) -> None:
        check_size(self.body)


def check_size(body: bytes) -> None:
    """Refuse a message that RabbitMQ would not take.

    Raises:
      ValueError: With what to do instead.
    """
    if len(body) > MAX_BODY:
        raise ValueError(
            f"A message of {len(body)} bytes is too large: at most {MAX_BODY}. Put the data into the object store and "
            "send where it is."
        )


class Publisher:
    """A connection that publishes for all threads and greenlets of a process.

    ``waiting`` holds what is not written yet: not connected, or an alarm of the broker blocks publishers.
    ``unconfirmed`` holds what is written, by delivery tag; after a loss it goes back to the head of ``waiting``,
    so that a message may arrive twice but does not get lost while its sender waits.

    Parameters:
      label: Shown among RabbitMQ's connections.
      parameters: Servers to try.
    """

    def __init__(self, label: str, parameters: list[pika.URLParameters]) -> None:
        self.link = Link(label, parameters, on_open=self._opened, on_refused=self._refuse_waiting)
        self._channel: Channel | None = None  # in confirm mode
        self._blocked = False
        self._next_tag = 1
        self._unwritten: list[bytes] = []  # of this turn, on this channel
        self._waiting: deque[Publication] = deque()
        self._unconfirmed: OrderedDict[int, Publication] = OrderedDict()
        self._heard_at = 0.0  # when RabbitMQ has last confirmed anything

    # --- from any thread

    def submit(self, publication: Publication) -> Future[None]:
        """Publish without waiting. Whoever stops waiting for the future cancels it."""
        confirmed = publication.confirmed
        assert isinstance(confirmed, Future)
        self.link.call(partial(self.accept, publication))
        return confirmed

    def publish(self, publication: Publication, timeout: float, *, patience: float = math.inf) -> None:
        """Publish and wait for the confirm.

        Parameters:
          publication: A fresh one.
          timeout: Seconds to wait, connecting included.
          patience: Seconds to wait while RabbitMQ confirms nothing, not even other messages.

        Raises:
          BrokerUnavailable: It was not sent in time.
          NotConfirmed: It was sent, but not confirmed in time: it may have arrived.
          QueueMissing: There is no such queue.
          BrokerRefused: RabbitMQ refuses the user or the operation.
        """
        self.submit(publication)
        self.wait(publication, timeout, patience=patience)

    def wait(self, publication: Publication, timeout: float, *, patience: float = math.inf) -> None:
        """Wait for the confirm of what was submitted.

        Raises:
          BrokerUnavailable, NotConfirmed, QueueMissing, BrokerRefused: As :meth:`publish`.
        """
        confirmed = publication.confirmed
        assert isinstance(confirmed, Future)
        begun = time.monotonic()
        left = min(timeout, patience)
        try:
            while not _is_settled(confirmed, left):
                now = time.monotonic()
                left = min(begun + timeout, max(begun, self._heard_at) + patience) - now
                if left > 0.0:
                    continue  # RabbitMQ is busy with others' messages
                if confirmed.cancel():
                    self.link.call(self._drop_given_up)
                    raise self._too_late(publication, now - begun)
            confirmed.result()
        finally:
            confirmed.cancel()  # nobody waits any more, whatever interrupted us

    def close(self) -> None:
        """Close the connection; what waits fails. Closing twice is fine."""
        self.link.close()

    def _too_late(self, publication: Publication, timeout: float) -> Exception:
        what = (
            f"message {publication.message_id} for queue {publication.queue!r} in {timeout:.1f} s ({self.link.state})"
        )
        if publication.sent:
            return NotConfirmed(f"RabbitMQ did not confirm {what}. It may or may not have arrived.")
        return BrokerUnavailable(f"RabbitMQ did not take {what}. It was not sent.")

    # --- on the link's thread

    def _opened(self, connection: SelectConnection) -> None:
        connection.add_on_connection_blocked_callback(self._block)
        connection.add_on_connection_unblocked_callback(self._unblock)
        self._open_channel(connection)

    def _open_channel(self, connection: SelectConnection) -> None:
        channel = connection.channel(on_open_callback=self._channel_opened)
        channel.add_on_close_callback(self._channel_closed)

    def _channel_opened(self, channel: Channel) -> None:
        channel.add_on_return_callback(self._returned)
        channel.connection.read_with(channel, self)
        channel.confirm_delivery(self._answered, callback=lambda _: self._ready(channel))

    def _ready(self, channel: Channel) -> None:
        self._channel = channel
        self._next_tag = 1
        self._flush()

    def accept(self, publication: Publication) -> None:
        """Publish without waiting. Of the link's thread only."""
        if self.link.closing:
            reject(publication.confirmed, BrokerUnavailable("The connection to RabbitMQ has been closed."))
        elif self._waiting or not self._writable:
            self._waiting.append(publication)
        else:
            self._write(publication)

    @property
    def _writable(self) -> bool:
        return self._channel is not None and self._channel.is_open and not self._blocked

    def _flush(self) -> None:
        for _ in range(CALLS_A_TURN):
            if not self._waiting or not self._writable:
                return
            self._write(self._waiting.popleft())
        self.link.call(self._flush)

    def _write(self, publication: Publication) -> None:
        assert self._channel is not None
        publication.sent = (
            True  # before the question: its sender may give up at this moment, and must not say "not sent"
        )
        if publication.confirmed.done():
            return
        publication.returned = False
        try:
            if publication.headers is None:
                self._write_quickly(publication, self._channel)
            else:
                self._write_with_headers(publication, self._channel)
        except Exception as error:  # encoding comes before writing, so this is about this message alone
            reject(publication.confirmed, error)
            return
        self._unconfirmed[self._next_tag] = publication
        self._next_tag += 1

    def _write_quickly(self, publication: Publication, channel: Channel) -> None:
        message = frames.publish(
            channel.channel_number,
            publication.queue,
            publication.body,
            publication.message_id,
            publication.priority,
            channel.connection._body_max_length,
        )
        if not self._unwritten:
            self.link.call(self._emit)
        self._unwritten.append(message)

    def _write_with_headers(self, publication: Publication, channel: Channel) -> None:
        properties = BasicProperties(
            content_type="application/json",
            delivery_mode=PERSISTENT,
            message_id=publication.message_id,
            priority=publication.priority,
            headers=publication.headers,
        )
        self._emit()  # tags count in the order of writing
        channel.basic_publish("", publication.queue, publication.body, properties, mandatory=True)

    def _emit(self) -> None:
        """Write what this turn has published, in one piece."""
        messages, self._unwritten = self._unwritten, []
        if messages and self._channel is not None and self._channel.is_open:
            frames.write(self._channel, b"".join(messages))

    def _drop_given_up(self) -> None:
        while self._waiting and self._waiting[0].confirmed.done():
            self._waiting.popleft()

    def _returned(self, _channel: Channel, method: Basic.Return, properties: BasicProperties, _body: bytes) -> None:
        # Its confirm follows. Two in flight with the same id and queue: whichever is marked, both are the same message.
        for publication in self._unconfirmed.values():
            if publication.message_id == properties.message_id and publication.queue == method.routing_key:
                publication.returned = True

    def delivered(self, tag: int, redelivered: bool, body: bytes) -> None:
        """Nobody consumes here; see :class:`growbin_jobs.broker.amqp.frames.Reader`."""

    def confirmed(self, tag: int, multiple: bool) -> None:
        """Take RabbitMQ's confirm of one publication, or of all up to it."""
        self._heard_at = time.monotonic()
        self._answer(tag, multiple, taken=True)

    def _answered(self, frame: Any) -> None:
        # Only the refusals; pika never sees the confirms.
        method = frame.method
        self._answer(method.delivery_tag, method.multiple, taken=isinstance(method, Basic.Ack))

    def _answer(self, tag: int, multiple: bool, *, taken: bool) -> None:
        tags = list(takewhile(lambda each: each <= tag, self._unconfirmed)) if multiple else [tag]
        for one in tags:
            publication = self._unconfirmed.pop(one, None)
            if publication is not None:
                self._settle(publication, taken=taken)

    def _settle(self, publication: Publication, *, taken: bool) -> None:
        if not taken:
            # The queue could not store it, for instance while it elects a leader.
            self._waiting.append(publication)
            self.link.later(REFUSED_PAUSE, self._flush)
        elif publication.returned:
            reject(publication.confirmed, QueueMissing(f"RabbitMQ has no queue {publication.queue!r}."))
        else:
            resolve(publication.confirmed, None)

    def _block(self, _connection: SelectConnection, frame: Any) -> None:
        self._blocked = True
        self.link.state = f"RabbitMQ blocks all publishers: {frame.method.reason}"
        logger.warning("amqp.blocked connection=%s reason=%s", self.link.label, frame.method.reason)

    def _unblock(self, _connection: SelectConnection, _frame: Any) -> None:
        self._blocked = False
        self.link.state = "connected"
        logger.warning("amqp.unblocked connection=%s", self.link.label)
        self._flush()

    def _channel_closed(self, channel: Channel, reason: BaseException) -> None:
        self._channel = None
        self._unwritten.clear()
        lost, self._unconfirmed = self._unconfirmed, OrderedDict()
        if isinstance(reason, ChannelClosedByBroker):
            error = explain(reason)
            for publication in lost.values():
                self._fail(publication, error)
            if channel.connection.is_open:
                self._open_channel(channel.connection)
        else:
            self._blocked = False
            self._waiting.extendleft(reversed(lost.values()))

    def _refuse_waiting(self, error: Exception) -> None:
        waiting, self._waiting = self._waiting, deque()
        for publication in waiting:
            self._fail(publication, error)

    def _fail(self, publication: Publication, error: Exception) -> None:
        if publication.sent:
            error = NotConfirmed(f"{error} The message may or may not have arrived.")
        reject(publication.confirmed, error)


def _is_settled(future: Future[None], timeout: float) -> bool:
    """Wait until a future has an outcome, for so many seconds at most."""
    try:
        future.exception(timeout)
    except TimeoutError:
        return future.done()
    return True
