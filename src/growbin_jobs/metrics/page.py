"""The page of a node: what its processes have counted, and what its keeper reads now."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from growbin_jobs.engine.config import EngineConfig
from growbin_jobs.engine.node.health import Check
from growbin_jobs.metrics import node, shown
from growbin_jobs.metrics.cached import Source, read_all
from growbin_jobs.metrics.count_files import NodeCounts
from growbin_jobs.metrics.exposition import Reading, render


class NodePage:
    """Makes the page anew for each request.

    Parameters:
      config: Of the node.
      keeper: Its keeper.
      more: Sources beside the node's own.
    """

    def __init__(self, config: EngineConfig, keeper: Any, more: Sequence[Source] = ()) -> None:
        self._config = config
        self._journal = keeper.journal
        self._counts = NodeCounts(config.node_dir)
        self._sources = [
            Source("journal", lambda: list(node.journal(keeper)), every=2.0),
            Source("disk", lambda: list(node.disk(config, self._journal)), every=1.0),
            Source("processes", lambda: node.processes(config), every=1.0),
            Source("health", lambda: node.health(node.all_checks(config, self._journal)), every=1.0),
            *more,
        ]

    def ready(self) -> list[Check]:
        """Return the checks of ``/readyz``."""
        return node.ready_checks(self._config, self._journal)

    def render(self, accept: str) -> tuple[bytes, str]:
        """Return the page and its content type."""
        counts = self._counts.read()
        readings = [*node.build(self._config), Reading(shown.COUNT_FILES, (), self._counts.files())]
        for source, found in read_all(self._sources):
            readings.append(Reading(shown.SOURCE_FAILED, (source.name,), float(found is not None)))
            readings += found or ()
        return render(counts, readings, worker=self._config.node, accept=accept)
