"""A channel for administration, used step by step from the calling thread over a managed connection.

Publishing and consuming have channels of their own. This one is for what happens seldom: counting, reading dead
letters, moving messages that could not be delivered, and checking permissions.
"""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import Future
from dataclasses import dataclass
from functools import partial
from types import TracebackType
from typing import Any

from pika.channel import Channel
from pika.exceptions import ChannelClosedByBroker
from pika.spec import Basic, BasicProperties

from growbin_jobs.engine.broker.errors import BrokerUnavailable, NotConfirmed, QueueMissing
from growbin_jobs.engine.broker.rabbitmq.completion import reject, resolve
from growbin_jobs.engine.broker.rabbitmq.errors import describe, explain
from growbin_jobs.engine.broker.rabbitmq.managed_connection import ManagedConnection

#: Sends something on a channel and has a function called with RabbitMQ's answer.
Ask = Callable[[Channel, Callable[[Any], None]], object]


@dataclass(eq=False, slots=True)
class Got:
    """A message that was taken from a queue; the end of the channel puts it back in its place unless it is settled."""

    tag: int
    properties: BasicProperties
    body: bytes
    settled: bool = False
    replaced: bool = False


class AdminChannel:
    """One channel, opened at the first use and again after RabbitMQ has closed it. For one thread at a time.

    Every method waits for RabbitMQ's answer and raises ``BrokerUnavailable`` when there is none in time,
    ``BrokerRefused`` when the user may not do it, ``QueueMismatch`` or ``QueueMissing``.

    Parameters:
      link: The connection.
      timeout: Seconds to wait for each answer, connecting included.
    """

    def __init__(self, link: ManagedConnection, timeout: float) -> None:
        self._link = link
        self._timeout = timeout
        self._channel: Channel | None = None
        self._answer: Future[Any] = Future()
        self._returned = False

    def __enter__(self) -> AdminChannel:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()

    def connect(self) -> None:
        """Open the channel, if it is not open."""
        if self._channel is None or not self._channel.is_open:
            opened = self._link.run(self._opened)
            try:
                self._channel = self._link.wait(opened, self._timeout, "open a channel")
            finally:
                opened.cancel()

    def count(self, queue: str) -> int | None:
        """Return how many messages of a queue are ready; None if there is no such queue. Declares nothing."""
        try:
            return int(self._ask(partial(_declare, queue, True, None)).method.message_count)
        except QueueMissing:
            return None

    def declare(self, queue: str, arguments: dict[str, Any]) -> None:
        """Declare a durable queue."""
        self._ask(partial(_declare, queue, False, arguments))

    def get(self, queue: str) -> Got | None:
        """Take the next message of a queue; None if none is ready."""
        got: Got | None = self._ask(
            lambda channel, done: channel.basic_get(
                queue, lambda _channel, method, properties, body: done(Got(method.delivery_tag, properties, body))
            )
        )
        return got

    def publish(self, queue: str, body: bytes, properties: BasicProperties) -> None:
        """Publish to a queue and wait for the confirm.

        Raises:
          QueueMissing: There is no such queue.
          NotConfirmed: RabbitMQ could not store it.
        """

        def send(channel: Channel, _done: Callable[[Any], None]) -> None:
            self._returned = False
            channel.basic_publish("", queue, body, properties, mandatory=True)

        if not self._ask(send):
            raise NotConfirmed(f"RabbitMQ could not store a message in queue {queue!r}.")
        if self._returned:
            raise QueueMissing(f"RabbitMQ has no queue {queue!r}.")

    def ack(self, got: Got) -> None:
        """Remove a message that was taken. Not answered by RabbitMQ: the next question is behind it."""

        def send(channel: Channel, done: Callable[[Any], None]) -> None:
            channel.basic_ack(got.tag)
            done(None)

        self._ask(send)
        got.settled = True

    def put_back(self) -> None:
        """Give everything that was taken and not removed back to its place. Not answered by RabbitMQ."""

        def send(channel: Channel, done: Callable[[Any], None]) -> None:
            channel.basic_nack(0, multiple=True, requeue=True)  # 0: all
            done(None)

        self._ask(send)

    def close(self) -> None:
        """Close the channel and wait until RabbitMQ has done so: what was taken and not removed is back then."""
        channel, self._channel = self._channel, None
        if channel is None:
            return
        closed: Future[Any] = Future()
        self._answer = closed
        self._link.call(partial(self._close, channel, closed))
        try:
            closed.exception(self._timeout)  # whatever ended it, it is closed
        except TimeoutError:
            return

    # --- on the link's thread

    def _ask(self, ask: Ask) -> Any:
        self.connect()
        answer: Future[Any] = Future()
        self._answer = answer
        self._link.call(partial(self._send, self._channel, ask, answer))
        try:
            return self._link.wait(answer, self._timeout, "answer")
        finally:
            answer.cancel()

    def _opened(self, channel: Channel, opened: Future[Channel]) -> None:
        def ready(_frame: Any) -> None:
            if not resolve(opened, channel) and channel.is_open:  # nobody waits for it any more
                channel.close()

        channel.add_on_close_callback(self._closed)
        channel.add_on_return_callback(self._note_return)
        channel.add_callback(self._empty, [Basic.GetEmpty], one_shot=False)
        channel.confirm_delivery(self._confirmed, callback=ready)

    def _send(self, channel: Channel, ask: Ask, answer: Future[Any]) -> None:
        try:
            ask(channel, partial(_resolve, answer))
        except Exception as error:  # not open any more, or it cannot be encoded
            reject(answer, error if channel.is_open else _lost(error))

    def _close(self, channel: Channel, closed: Future[Any]) -> None:
        if channel.is_open:
            channel.close()
        elif not channel.is_closing:
            resolve(closed, None)

    def _empty(self, _frame: Any) -> None:
        resolve(self._answer, None)

    def _note_return(self, *_: Any) -> None:
        self._returned = True

    def _confirmed(self, frame: Any) -> None:
        resolve(self._answer, isinstance(frame.method, Basic.Ack))

    def _closed(self, _channel: Channel, reason: BaseException) -> None:
        closed = isinstance(reason, ChannelClosedByBroker)
        reject(self._answer, explain(reason, self._link.setting) if closed else _lost(reason))


def _declare(
    queue: str, passive: bool, arguments: dict[str, Any] | None, channel: Channel, done: Callable[[Any], None]
) -> None:
    channel.queue_declare(queue, passive=passive, durable=True, arguments=arguments, callback=done)


def _resolve(answer: Future[Any], value: Any) -> None:
    resolve(answer, value)


def _lost(reason: BaseException) -> BrokerUnavailable:
    return BrokerUnavailable(f"The connection to RabbitMQ was lost: {describe(reason)}.")
