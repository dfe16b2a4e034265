"""Uses queues of RabbitMQ over connections that are replaced when the broker closes or its process forks."""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from typing import TypeVar

from growbin_jobs.engine.broker.errors import QueueMissing
from growbin_jobs.engine.broker.port import Depth
from growbin_jobs.engine.broker.rabbitmq.connections import Connections
from growbin_jobs.engine.threads import gevent_active

T = TypeVar("T")

#: Seconds between the news that a queue is gone and its next declaration. Tried on RabbitMQ 3.10.8: a quorum queue that
#: comes back within milliseconds leaves its consumers neither cancelled nor served, for ever; after 0.3 s all are told.
REDECLARE_PAUSE = 1.0


class RenewableConnections:
    """The connections that a broker has now, and its use of queues over them.

    Parameters:
      connect: Makes the connections of a process; none is opened before it is used.

    Attributes:
      connections: Those of this process. To be looked up for each use.
    """

    def __init__(self, connect: Callable[[], Connections]) -> None:
        self._connect = connect
        self.connections = connect()

    def on_queue(
        self,
        name: str,
        timeout: float,
        use: Callable[[float], T],
        *,
        levels: int = 0,
        patience: float = math.inf,
    ) -> T:
        """Use a queue that exists; when somebody has deleted it, declare it again and use it once more.

        Parameters:
          name: The queue.
          timeout: Seconds for all of it.
          use: Gets the seconds that are left.
          levels: Levels of the ladder of delays that must exist too.
          patience: Seconds to wait for the declaration at most.
        """
        deadline = time.monotonic() + timeout
        connections = self.connections
        for last in (False, True):
            declared = connections.declaration(name, levels)
            connections.admin.wait(declared, min(deadline - time.monotonic(), patience), f"declare queue {name!r}")
            try:
                return use(max(deadline - time.monotonic(), 0.0))
            except QueueMissing:
                connections.invalidate(name, declared)
                if last:
                    raise
                time.sleep(REDECLARE_PAUSE)
        raise AssertionError("unreachable")

    def count(self, queue_name: str, timeout: float, *, purge: bool = False) -> Depth:
        """Declare a queue and return its counts as they are now.

        Parameters:
          queue_name: Canonical name.
          timeout: Seconds to wait.
          purge: Drop its ready messages, and those of its dead letter queue, before.
        """
        connections = self.connections
        counted = connections.count(queue_name, purge=purge)
        try:
            return connections.admin.wait(counted, timeout, f"declare queue {queue_name!r}")
        finally:
            counted.cancel()

    def close(self) -> None:
        """Close all connections. A later use opens others."""
        connections, self.connections = self.connections, self._connect()
        connections.close()

    def forked(self) -> None:
        """In a forked child: use other connections than the parent's, which the child holds no longer."""
        connections, self.connections = self.connections, self._connect()
        if gevent_active():
            connections.abandon()
