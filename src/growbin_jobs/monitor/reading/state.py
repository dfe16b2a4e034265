"""The state of queues and workers for one request."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from growbin_jobs.engine.central.tasks import Tasks
from growbin_jobs.engine.central.workers import Workers
from growbin_jobs.monitor.services import Services
from growbin_jobs.operations.queue_states import QueueStates, queue_states
from growbin_jobs.operations.worker_states import WorkerState, WorkerStates, present_workers, worker_states


def workers_of(services: Services) -> WorkerStates:
    """Return all worker groups.

    Raises:
      Deferred: The database is away.
    """
    return worker_states(Workers(services.database))


def present_workers_of(services: Services) -> list[WorkerState]:
    """Return the worker groups that have not stopped.

    Raises:
      Deferred: The database is away.
    """
    return present_workers(Workers(services.database))


def queues_of(services: Services, workers: Iterable[WorkerState]) -> QueueStates:
    """Return all queues; where the broker is away, their names and why.

    Parameters:
      workers: Those that have not stopped.

    On RabbitMQ a message of another program is in its queue only, until a worker takes it: how many are so is told.

    Raises:
      Deferred: The database is away.
    """

    def depths(queues: Iterable[str]) -> Any:
        return services.broker.depths(queues)

    known = [queue for group in services.engine.groups for queue in group.queues]
    found = queue_states(depths, workers, known=known)
    if services.engine.broker_url is None or found.problem is not None:
        return found
    waiting = Tasks(services.database).waiting_by_queue()
    return found if waiting is None else found.with_unseen(waiting)
