"""How messages come to an isolation process: from its worker, in the place of a broker's consumer."""

from __future__ import annotations

import time
from queue import Empty, SimpleQueue
from typing import Any

from dramatiq.broker import Consumer, MessageProxy

from growbin_jobs.engine.delivery.codec import decode
from growbin_jobs.engine.delivery.delivery import Delivery, PendingAck
from growbin_jobs.engine.delivery.disposition import Disposition
from growbin_jobs.engine.isolation.channel import Closed, ProcessEnd, Word

#: Seconds between two tries while the journal cannot be read.
PAUSE = 0.5


class Feed:
    """Hands messages of one worker to the consumers of this process.

    Parameters:
      broker: Whose consumers they replace; has an ``intake`` once its worker has booted.
      end: To the worker.
    """

    def __init__(self, broker: Any, end: ProcessEnd) -> None:
        self._broker = broker
        self._end = end
        self._waiting: dict[str, SimpleQueue[tuple[int, bytes]]] = {}

    def consume(self, queue_name: str, prefetch: int = 1, timeout: int = 1000) -> IsolatedConsumer:  # noqa: ARG002
        """Return the consumer of a queue; what :meth:`dramatiq.Broker.consume` does elsewhere."""
        return IsolatedConsumer(self, queue_name, self._queue(queue_name), timeout / 1000)

    def hand_out(self, number: int, queue_name: str, body: bytes) -> None:
        """Let a message run."""
        self._queue(queue_name).put((number, body))

    def receive(self, delivery: Delivery) -> None:
        """Show a delivery to the intake, as soon as the journal can be read."""
        while not (self._broker.intake.ready() and self._broker.intake.receive([delivery])):
            time.sleep(PAUSE)

    def release(self, delivery: Delivery) -> None:
        """Let the intake settle a delivery."""
        self._broker.intake.release(delivery)

    def answer(self, number: int, disposition: Disposition) -> None:
        """Tell the worker that a message has ended, or is to be requeued."""
        try:
            self._end.say(Word.REQUEUE if disposition is Disposition.REQUEUE else Word.ENDED, number)
        except Closed:  # this process ends too
            return

    def _queue(self, name: str) -> SimpleQueue[tuple[int, bytes]]:
        return self._waiting.setdefault(name, SimpleQueue())


class IsolatedDelivery(Delivery):
    """A message as the worker has sent it.

    Attributes:
      number: What the worker calls it.
    """

    number: int


class IsolatedConsumer(Consumer):
    """The messages of one queue that run in this process.

    Attributes:
      closed: Never: nobody takes its messages back.
    """

    closed = False

    def __init__(self, feed: Feed, queue_name: str, waiting: SimpleQueue[tuple[int, bytes]], timeout: float) -> None:
        self._feed = feed
        self._queue_name = queue_name
        self._waiting = waiting
        self._timeout = timeout

    def __next__(self) -> MessageProxy | None:
        try:
            number, body = self._waiting.get(timeout=self._timeout)
        except Empty:
            return None
        delivery = IsolatedDelivery(decode(body, self._queue_name), self, body)
        delivery.number = number
        delivery.options.pop("eta", None)  # it is due: the broker has delivered it
        self._feed.receive(delivery)
        return delivery

    def ack(self, message: MessageProxy) -> None:
        """Be told that Dramatiq is done with a message: it is settled from here on."""
        assert isinstance(message, IsolatedDelivery)
        self._feed.release(message)

    nack = ack

    def settle(self, pending_ack: PendingAck) -> None:
        """Leave the outbox of a message to the worker, which finds it in the journal, publishes it and settles."""
        assert isinstance(pending_ack.delivery, IsolatedDelivery)
        pending_ack.outbox = ()
        pending_ack.then(pending_ack, None)
        returned = pending_ack.delivery.requeued
        self._feed.answer(pending_ack.delivery.number, Disposition.REQUEUE if returned else pending_ack.disposition)

    def requeue(self, messages: Any) -> None:
        """Leave them to the worker: it sees that this process ends."""
