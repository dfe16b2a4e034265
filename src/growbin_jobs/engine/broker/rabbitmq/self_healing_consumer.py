"""Opens another channel when RabbitMQ may have lost a consumer."""

from __future__ import annotations

from collections.abc import Callable
from time import monotonic, sleep

from dramatiq.broker import Consumer, MessageProxy

from growbin_jobs.engine import processes
from growbin_jobs.engine.broker.rabbitmq.consumer import RabbitConsumer

#: Seconds without a message after which an idle consumer begins anew.
SILENCE = 60.0


class SelfHealingConsumer(Consumer):
    """A consumer that opens another channel when no message has come for a while.

    RabbitMQ may lose a consumer and tell nobody. Seen on 3.10.8: a quorum queue that is deleted and declared again
    within milliseconds keeps the consumers it had, in ``rabbitmqctl list_consumers`` too, and gives them as many
    messages as they may hold, none of which arrives. No question in AMQP tells such a queue from an empty one.
    Cancelling the consumer does not help; closing its channel does: then RabbitMQ hands the messages to others.

    Parameters:
      start: Returns a consumer that RabbitMQ has accepted, or raises.
    """

    def __init__(self, start: Callable[[], RabbitConsumer]) -> None:
        self._start = start
        self._consumer = start()
        self._generation = processes.generation

    def __next__(self) -> MessageProxy | None:
        if processes.generation != self._generation:  # a greenlet of a forked child: the parent consumes
            sleep(1.0)
            return None
        message = next(self._consumer)
        if message is None and monotonic() - self._consumer.received_at >= SILENCE and self._consumer.idle:
            self._consumer.close()
            self._consumer = self._start()
        return message

    @property
    def waiting(self) -> int:
        """How many messages RabbitMQ has delivered that are not handed out yet."""
        return self._consumer.waiting

    def ack(self, message: MessageProxy) -> None:
        """Settle a delivery on the consumer that delivered it."""
        self._consumer.ack(message)

    def nack(self, message: MessageProxy) -> None:
        """Settle a delivery on the consumer that delivered it."""
        self._consumer.nack(message)

    def close(self) -> None:
        """Let RabbitMQ have back what is not settled. Closing twice is fine."""
        self._consumer.close()
