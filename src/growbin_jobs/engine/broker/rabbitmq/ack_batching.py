"""Which deliveries of a channel are settled, and in how few words RabbitMQ can be told."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from typing import NamedTuple

from growbin_jobs.engine.delivery.disposition import Disposition


class AckCommand(NamedTuple):
    """One thing to tell.

    Attributes:
      tag: The delivery.
      disposition: What becomes of it.
      multiple: It holds for all deliveries before it too, as far as they are not settled.
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
        self._settled: set[int] = set()  # from low on

    @property
    def told(self) -> int:
        """How many deliveries are settled. Another thread than the one that takes may see fewer, never more."""
        return self.low - 1 + len(self._settled)

    def add(self, tag: int, disposition: Disposition) -> None:
        """Remember a disposition; from any thread."""
        self._waiting.append((tag, disposition))

    def take(self) -> Iterator[AckCommand]:
        """Return what to tell now; of one thread only. The first disposition on a delivery counts, a second is dropped:
        RabbitMQ would close the channel for it."""
        acknowledged: set[int] = set()
        for _ in range(len(self._waiting)):
            tag, disposition = self._waiting.popleft()
            if tag < self.low or tag in self._settled:
                continue
            self._settled.add(tag)
            if disposition is Disposition.ACK:
                acknowledged.add(tag)
            else:
                yield AckCommand(tag, disposition)
        together = []
        while self.low in self._settled:
            self._settled.remove(self.low)
            if self.low in acknowledged:
                together.append(self.low)
            self.low += 1
        if together:
            acknowledged.difference_update(together)
            yield AckCommand(together[-1], Disposition.ACK, multiple=len(together) > 1)
        for tag in sorted(acknowledged):
            yield AckCommand(tag, Disposition.ACK)
