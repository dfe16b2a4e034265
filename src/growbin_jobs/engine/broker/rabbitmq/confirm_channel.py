"""A channel in confirm mode, with the publications that are not written and those that are not confirmed."""

from __future__ import annotations

import time
from collections import OrderedDict, deque
from typing import Any

import pika
from pika.adapters.select_connection import SelectConnection
from pika.channel import Channel
from pika.exceptions import ChannelClosedByBroker
from pika.spec import Basic, BasicProperties

from growbin_jobs.engine import events
from growbin_jobs.engine.broker.errors import BrokerUnavailable, NotConfirmed, QueueMissing
from growbin_jobs.engine.broker.rabbitmq import frames
from growbin_jobs.engine.broker.rabbitmq.completion import reject, resolve
from growbin_jobs.engine.broker.rabbitmq.errors import explain
from growbin_jobs.engine.broker.rabbitmq.loop_thread import CALLS_A_TURN
from growbin_jobs.engine.broker.rabbitmq.managed_connection import ManagedConnection
from growbin_jobs.engine.broker.rabbitmq.publication import Publication

PERSISTENT = 2

#: Seconds until a message that RabbitMQ could not take is published again.
REFUSED_PAUSE = 0.5


class ConfirmChannel:
    """A channel that is opened anew with each connection, and never loses a publication that somebody waits for.

    ``_waiting`` holds what is not written yet: not connected, or an alarm of the broker blocks publishers.
    ``_unconfirmed`` holds what is written, by delivery tag; after a loss it goes back to the head of ``_waiting``,
    so that a message may arrive twice but does not get lost while its sender waits.

    All methods are for the link's own thread.

    Parameters:
      label: Shown among RabbitMQ's connections.
      parameters: Servers to try.

    Attributes:
      link: The channel's connection.
      heard_at: When RabbitMQ has last confirmed anything, by the monotonic clock; any thread may look.
    """

    def __init__(self, label: str, parameters: list[pika.URLParameters]) -> None:
        self.link = ManagedConnection(label, parameters, on_open=self._opened, on_refused=self._refuse_waiting)
        self.heard_at = 0.0
        self._channel: Channel | None = None
        self._fast = False
        self._blocked = False
        self._next_tag = 1
        self._unwritten: list[bytes] = []  # of this turn, on this channel
        self._waiting: deque[Publication] = deque()
        self._unconfirmed: OrderedDict[int, Publication] = OrderedDict()

    def accept(self, publication: Publication) -> None:
        """Publish without waiting; ``publication.confirmed`` is completed with the outcome."""
        if self.link.closing:
            reject(publication.confirmed, BrokerUnavailable("The connection to RabbitMQ has been closed."))
        elif self._waiting or not self._writable:
            self._waiting.append(publication)
        else:
            self._write(publication)

    def drop_cancelled(self) -> None:
        """Drop publications that nobody waits for any more, at the head of those that wait."""
        while self._waiting and self._waiting[0].confirmed.done():
            self._waiting.popleft()

    def _opened(self, connection: SelectConnection) -> None:
        connection.add_on_connection_blocked_callback(self._block)
        connection.add_on_connection_unblocked_callback(self._unblock)
        self._open_channel(connection)

    def _open_channel(self, connection: SelectConnection) -> None:
        channel = connection.channel(on_open_callback=self._channel_opened)
        channel.add_on_close_callback(self._channel_closed)

    def _channel_opened(self, channel: Channel) -> None:
        channel.add_on_return_callback(self._returned)
        self._fast = frames.is_fast(channel)
        if self._fast:
            channel.connection.confirm_to(channel, self._confirmed)
        channel.confirm_delivery(self._answered, callback=lambda _: self._ready(channel))

    def _ready(self, channel: Channel) -> None:
        self._channel = channel
        self._next_tag = 1
        self._flush()

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
        # Before the question: its sender may give up at this moment, and must not say "not sent".
        publication.sent = True
        if publication.confirmed.done():
            return
        publication.returned = False
        try:
            if publication.headers is None and self._fast:
                self._write_quickly(publication, self._channel)
            else:
                self._write_by_pika(publication, self._channel)
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

    def _write_by_pika(self, publication: Publication, channel: Channel) -> None:
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

    def _returned(self, _channel: Channel, method: Basic.Return, properties: BasicProperties, _body: bytes) -> None:
        # Its confirm follows. Two in flight with the same id and queue: whichever is marked, both are the same message.
        for publication in self._unconfirmed.values():
            if publication.message_id == properties.message_id and publication.queue == method.routing_key:
                publication.returned = True

    def _confirmed(self, tag: int, multiple: bool) -> None:
        self.heard_at = time.monotonic()
        self._answer(tag, multiple, taken=True)

    def _answered(self, frame: Any) -> None:
        # Only refusals, where confirms are read before pika sees them.
        method = frame.method
        if isinstance(method, Basic.Ack):
            self._confirmed(method.delivery_tag, method.multiple)
        else:
            self._answer(method.delivery_tag, method.multiple, taken=False)

    def _answer(self, tag: int, multiple: bool, *, taken: bool) -> None:
        tags = []
        for one in self._unconfirmed if multiple else (tag,):
            if one > tag:
                break
            tags.append(one)
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
        events.BLOCKED.emit(connection=self.link.label, reason=frame.method.reason)

    def _unblock(self, _connection: SelectConnection, _frame: Any) -> None:
        self._blocked = False
        self.link.state = "connected"
        events.UNBLOCKED.emit(connection=self.link.label)
        self._flush()

    def _channel_closed(self, channel: Channel, reason: BaseException) -> None:
        self._channel = None
        self._unwritten.clear()
        lost, self._unconfirmed = self._unconfirmed, OrderedDict()
        if isinstance(reason, ChannelClosedByBroker):
            error = explain(reason, self.link.setting)
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
