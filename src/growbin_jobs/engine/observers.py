"""The port of those who observe a node's processes, such as metrics: told when a worker or a keeper starts."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Protocol

#: Ends an observation. May be called on any thread.
End = Callable[[], object]


class Observer(Protocol):
    """Who observes. Both methods return quickly; what they raise is logged and stops nothing."""

    def in_worker(self, config: Any, journal: Any) -> End:
        """Begin in a worker process that is about to start.

        Parameters:
          config: The :class:`~growbin_jobs.engine.config.EngineConfig` of the node.
          journal: This process's :class:`~growbin_jobs.engine.journal.journal.Journal`.
        """

    def in_keeper(self, config: Any, keeper: Any) -> End:
        """Begin in the node's keeper, when it serves.

        Parameters:
          config: Of the node.
          keeper: The :class:`~growbin_jobs.engine.keeper.service.Keeper`.
        """
