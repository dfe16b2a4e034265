"""Hand messages from the consumers to the workers quickly."""

from typing import Any

from dramatiq import Middleware
from dramatiq.broker import Broker

from growbin_jobs.broker.work_queue import WorkQueue


class QuickWorkQueue(Middleware):
    """Give a worker a :class:`~growbin_jobs.broker.work_queue.WorkQueue` before its threads start."""

    def before_worker_boot(self, broker: Broker, worker: Any) -> None:
        worker.work_queue = WorkQueue()
