"""Gives actors where to say how far they are (:mod:`growbin_jobs.engine.task_progress`)."""

from pathlib import Path
from typing import Any

from dramatiq import Middleware, Worker
from dramatiq.broker import Broker

from growbin_jobs.engine.task_progress.reporting import Reporter


class ProgressReports(Middleware):
    """Makes the reporter of a worker process, and writes the last words at its end.

    Parameters:
      node_dir: The node's folder.
    """

    def __init__(self, node_dir: Path) -> None:
        self._node_dir = node_dir

    def before_worker_boot(self, broker: Broker, worker: Worker) -> None:
        its: Any = broker
        its.reporter = Reporter(self._node_dir)

    def after_worker_shutdown(self, broker: Broker, worker: Worker) -> None:
        its: Any = broker
        its.reporter.write()
