"""The observer of a node's processes: workers count and write their counts, the keeper serves all of them."""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Any

from growbin_jobs.engine.config import EngineConfig
from growbin_jobs.engine.journal.journal import Journal
from growbin_jobs.engine.node.health import Check, node_checks
from growbin_jobs.engine.threads import native
from growbin_jobs.metrics.count_files import CountFile
from growbin_jobs.metrics.counts import Counts, process_counts
from growbin_jobs.metrics.listening import listen

logger = logging.getLogger(__name__)

#: Seconds between two writes of a process's counts: so much of them a ``kill -9`` loses. One takes some 0.2 ms.
INTERVAL = 0.2

#: The same while nothing is counted.
IDLE = 2.0


class Metrics:
    """See the module; an engine has it among ``EngineConfig.observers``.

    Parameters:
      sources: Makes more sources of gauges for the keeper, from the configuration and the keeper.
    """

    def __init__(self, *sources: Callable[[EngineConfig, Any], Any]) -> None:
        self._sources = sources

    def in_worker(self, config: EngineConfig, journal: Journal) -> Callable[[], None]:
        """Count, and write the counts five times a second."""
        counts = process_counts()
        stop = listen(counts, journal, traces=config.traces)
        writing = Writing(config.node_dir, counts)

        def end() -> None:
            stop()
            writing.end()

        return end

    def in_keeper(self, config: EngineConfig, keeper: Any) -> Callable[[], None]:
        """Count what the keeper does, and serve the node's metrics and health."""
        end = self.in_worker(config, keeper.journal)
        if not config.metrics_port:
            return end
        from growbin_jobs.metrics.page import NodePage
        from growbin_jobs.metrics.server import Server

        page = NodePage(config, keeper, [make(config, keeper) for make in self._sources])
        checks: dict[str, Callable[[], Sequence[Check]]] = {
            "/startupz": partial(node_checks, config.node_dir, "started"),
            "/livez": partial(node_checks, config.node_dir, "live"),
            "/readyz": page.ready,
        }
        server = Server(
            config.metrics_host,
            config.metrics_port,
            page.render,
            checks,
            named=(config.named("metrics_host"), config.named("metrics_port")),
        )
        server.start()

        def stop() -> None:
            end()
            server.stop()

        return stop


class Writing:
    """Writes the counts of this process in a native thread.

    Parameters:
      folder: Of the node.
      counts: Of this process.
    """

    def __init__(self, folder: Path, counts: Counts) -> None:
        self._folder = folder
        self._counts = counts
        self._file: CountFile | None = None
        self._said = False
        self._stop = native("_thread", "allocate_lock")()
        self._done = native("_thread", "allocate_lock")()
        self._stop.acquire()
        self._done.acquire()
        native("_thread", "start_new_thread")(self._run, ())

    def end(self) -> None:
        """Write for the last time."""
        if self._stop.locked():
            self._stop.release()
            self._done.acquire(timeout=5.0)

    def _run(self) -> None:
        last, pause = False, INTERVAL
        while not last:
            last = self._stop.acquire(timeout=pause)
            try:
                if self._file is None:
                    self._file = CountFile(self._folder, self._counts)
                pause = INTERVAL if self._file.write() else min(2 * pause, IDLE)
                self._said = False
            except Exception as error:
                if not self._said:
                    self._said = True
                    logger.warning("metrics.not_written error=%s it is tried again", type(error).__name__)
        if self._file is not None:
            self._file.let_go()
        self._done.release()
