"""The state of queues and workers for one request."""

from __future__ import annotations

from typing import Any

from growbin_jobs.engine.central.workers import Workers
from growbin_jobs.monitor.services import Services
from growbin_jobs.operations.queue_states import QueueStates, queue_states
from growbin_jobs.operations.worker_states import WorkerStates, worker_states


def workers_of(services: Services) -> WorkerStates:
    """Return all worker groups.

    Raises:
      Deferred: The database is away.
    """
    return worker_states(Workers(services.database))


def queues_of(services: Services, workers: WorkerStates) -> QueueStates:
    """Return all queues; where the broker is away, their names and why."""

    def depths() -> Any:
        return services.broker.depths()

    known = [queue for group in services.engine.groups for queue in group.queues]
    return queue_states(depths, workers.present, known=known)
