"""All connections of one process."""

from __future__ import annotations

import itertools
import os
import threading
from concurrent.futures import Future
from functools import partial

import pika

from growbin_jobs.broker.amqp.connection import Link
from growbin_jobs.broker.amqp.publisher import Publisher
from growbin_jobs.broker.amqp.topology import Counts, QueueType, declare


class Connections:
    """The connections of one process, each opened at its first use.

    Parameters:
      servers: Servers to try.
      publishers: Number of publishing connections.
      queue_type: Kind of queue to declare.
    """

    def __init__(self, servers: list[pika.URLParameters], publishers: int, queue_type: QueueType) -> None:
        pid = os.getpid()
        self.publishers = [Publisher(f"publisher {number} of {pid}", servers) for number in range(publishers)]
        self.consuming = Link(f"consumer of {pid}", servers)
        self.admin = self.publishers[0].link
        self._declared: dict[str, Future[Counts]] = {}
        self._queue_type = queue_type
        self._turn = itertools.count()
        self._lock = threading.Lock()

    def next_publisher(self) -> Publisher:
        """Return the publishers in turn."""
        return self.publishers[next(self._turn) % len(self.publishers)]

    def declaration(self, name: str) -> Future[Counts]:
        """Return the one declaration of a queue, which all who need it wait for."""
        with self._lock:
            declared = self._declared.get(name)
            if declared is None or (declared.done() and declared.exception() is not None):
                declared = self._declared[name] = self.admin.run(partial(declare, name, self._queue_type))
            return declared

    def forget(self, name: str, declared: Future[Counts] | None = None) -> None:
        """Declare the queue anew next time, unless somebody else has done so since ``declared``."""
        with self._lock:
            if declared is None or self._declared.get(name) is declared:
                self._declared.pop(name, None)

    def count(self, name: str, *, purge: bool = False) -> Future[Counts]:
        """Declare a queue and return its counts as they are now."""
        return self.admin.run(partial(declare, name, self._queue_type, purge=purge))

    def close(self) -> None:
        """Close all connections. Closing twice is fine."""
        self.consuming.close()
        for publisher in self.publishers:
            publisher.close()

    def abandon(self) -> None:
        """Let go of them in a forked child."""
        self.consuming.abandon()
        for publisher in self.publishers:
            publisher.link.abandon()
