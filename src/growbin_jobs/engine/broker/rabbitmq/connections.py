"""The connections of one process to RabbitMQ, and the queues that were declared over them."""

from __future__ import annotations

import itertools
import os
import threading
from concurrent.futures import Future
from functools import partial

import pika

from growbin_jobs.engine.broker.port import Depth
from growbin_jobs.engine.broker.rabbitmq.declaration import declare
from growbin_jobs.engine.broker.rabbitmq.managed_connection import ManagedConnection
from growbin_jobs.engine.broker.rabbitmq.outbox_publisher import OutboxPublisher, Prepare
from growbin_jobs.engine.broker.rabbitmq.publisher import Publisher
from growbin_jobs.engine.broker.rabbitmq.topology import QueueType


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
        self.consuming = ManagedConnection(f"consumer of {pid}", servers)
        self.admin = self.publishers[0].link
        self._declared: dict[tuple[str, int], Future[Depth]] = {}
        self._existing: set[tuple[str, int]] = set()
        self._queue_type = queue_type
        self._turn = itertools.count()
        self._outbox_publisher: OutboxPublisher | None = None
        self._lock = threading.Lock()

    def next_publisher(self) -> Publisher:
        """Return the next publisher, in turn."""
        return self.publishers[next(self._turn) % len(self.publishers)]

    def outbox_publisher(self, prepare: Prepare) -> OutboxPublisher:
        """Return the process's outbox publisher; the first call decides how messages are prepared."""
        with self._lock:
            if self._outbox_publisher is None:
                self._outbox_publisher = OutboxPublisher(self, prepare)
            return self._outbox_publisher

    def declared(self, name: str, levels: int = 0) -> bool:
        """Return whether a queue is known to exist. Asked for each message, so it takes no lock."""
        return (name, levels) in self._existing

    def declaration(self, name: str, levels: int = 0) -> Future[Depth]:
        """Return the declaration of a queue, shared by all who wait for it.

        Parameters:
          name: Canonical name.
          levels: Levels of the delay ladder that its messages need (see ``delays``).
        """
        with self._lock:
            declared = self._declared.get((name, levels))
            if declared is not None and not (declared.done() and declared.exception() is not None):
                return declared
            declared = self.admin.run(partial(declare, name, self._queue_type, levels=levels))
            self._declared[name, levels] = declared
        declared.add_done_callback(partial(self._note, (name, levels)))  # at once, if it has failed already
        return declared

    def invalidate(self, name: str, declared: Future[Depth] | None = None) -> None:
        """Let the queue and its ladder be declared anew next time, unless that was done since ``declared``."""
        with self._lock:
            for key, known in tuple(self._declared.items()):
                if key[0] == name and (declared is None or known is declared):
                    del self._declared[key]
                    self._existing.discard(key)

    def _note(self, key: tuple[str, int], declared: Future[Depth]) -> None:
        with self._lock:
            if self._declared.get(key) is declared and not declared.cancelled() and declared.exception() is None:
                self._existing.add(key)

    def known_queues(self) -> set[str]:
        """Return the names of the queues that were declared over these connections."""
        with self._lock:
            return {name for name, _ in self._declared}

    def count(self, name: str, *, purge: bool = False) -> Future[Depth]:
        """Declare a queue and return its counts as they are now."""
        return self.admin.run(partial(declare, name, self._queue_type, purge=purge))

    def close(self) -> None:
        """Close all connections. Closing twice is fine."""
        self.consuming.close()
        if self._outbox_publisher is not None:
            self._outbox_publisher.close()
        for publisher in self.publishers:
            publisher.close()

    def abandon(self) -> None:
        """Abandon them in a forked child under gevent."""
        self.consuming.abandon()
        for publisher in self.publishers:
            publisher.link.abandon()
