"""Publishes from any thread: confirmed, mandatory, many messages in flight on one connection."""

from __future__ import annotations

import math
import time
from concurrent.futures import Future
from functools import partial

import pika

from growbin_jobs.engine.broker.errors import BrokerUnavailable, NotConfirmed
from growbin_jobs.engine.broker.rabbitmq.confirm_channel import ConfirmChannel
from growbin_jobs.engine.broker.rabbitmq.publication import Publication


class Publisher:
    """A connection that publishes for all threads and greenlets of a process.

    Parameters:
      label: Shown among RabbitMQ's connections.
      parameters: Servers to try.

    Attributes:
      channel: What the connection's own thread uses directly.
      link: The connection.
    """

    def __init__(self, label: str, parameters: list[pika.URLParameters]) -> None:
        self.channel = ConfirmChannel(label, parameters)
        self.link = self.channel.link

    def submit(self, publication: Publication) -> Future[None]:
        """Publish without waiting. Whoever stops waiting for the future cancels it."""
        confirmed = publication.confirmed
        assert isinstance(confirmed, Future)
        self.link.call(partial(self.channel.accept, publication))
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
                left = min(begun + timeout, max(begun, self.channel.heard_at) + patience) - now
                if left > 0.0:
                    continue  # RabbitMQ is busy with others' messages
                if confirmed.cancel():
                    self.link.call(self.channel.drop_cancelled)
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


def _is_settled(future: Future[None], timeout: float) -> bool:
    """Wait until a future has an outcome, for so many seconds at most."""
    try:
        future.exception(timeout)
    except TimeoutError:
        return future.done()
    return True
