"""Batches the acks of one channel; consecutive tags become one ``basic.ack(multiple=True)``."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from typing import NamedTuple

from growbin_jobs.engine.delivery.disposition import Disposition

ACK = Disposition.ACK  # found once: Python 3.11 takes long to find a member in its class


class AckCommand(NamedTuple):
    """One ``basic.ack`` or ``basic.nack``.

    Attributes:
      tag: The delivery.
      disposition: What becomes of it.
      multiple: It holds for all earlier deliveries that are not settled, too.
    """

    tag: int
    disposition: Disposition
    multiple: bool = False


class AckBatch:
    """The acks of the deliveries of one channel, whose tags RabbitMQ counts from 1.

    Attributes:
      low: All tags below are settled.
    """

    def __init__(self) -> None:
        self.low = 1
        self._waiting: deque[tuple[int, Disposition]] = deque()
        self._above_low: set[int] = set()  # from low on

    @property
    def settled(self) -> int:
        """Return how many deliveries are settled. Another thread than the one that takes may see fewer, never more."""
        return self.low - 1 + len(self._above_low)

    def add(self, tag: int, disposition: Disposition) -> None:
        """Add the disposition of a delivery; from any thread."""
        self._waiting.append((tag, disposition))

    def take(self) -> Iterator[AckCommand]:
        """Return the commands to send now; from one thread only.

        The first disposition of a delivery counts, a second one is dropped: RabbitMQ would close the channel for it.
        """
        acknowledged: set[int] = set()
        for _ in range(len(self._waiting)):
            tag, disposition = self._waiting.popleft()
            if tag < self.low or tag in self._above_low:
                continue
            self._above_low.add(tag)
            if disposition is ACK:
                acknowledged.add(tag)
            else:
                yield AckCommand(tag, disposition)
        consecutive = []
        while self.low in self._above_low:
            self._above_low.remove(self.low)
            if self.low in acknowledged:
                consecutive.append(self.low)
            self.low += 1
        if consecutive:
            acknowledged.difference_update(consecutive)
            yield AckCommand(consecutive[-1], Disposition.ACK, multiple=len(consecutive) > 1)
        for tag in sorted(acknowledged):
            yield AckCommand(tag, Disposition.ACK)
