"""What all nodes of the recycling app do now, asked from any process.

::

    from growbin_jobs import inspect

    [each.actor for each in inspect.active()]
    {each.name: each.ready for each in inspect.queues()}

All functions raise ``Deferred`` when the central database is away, and Dramatiq's ``BrokerConnectionError`` when the
broker is.
"""

from growbin_jobs.engine.central.worker_actors import Registered
from growbin_jobs.engine.central.workers import WorkerGroup
from growbin_jobs.engine.inspect import LIMIT, ActiveTask, Inspector, QueueState, ScheduledTask

__all__ = ["active", "queues", "registered", "reserved", "scheduled", "workers"]


def active(limit: int = LIMIT) -> list[ActiveTask]:
    """Return what runs, the longest first."""
    return _inspector().active(limit)


def scheduled(limit: int = LIMIT) -> list[ScheduledTask]:
    """Return what is due later, the next first."""
    return _inspector().scheduled(limit)


def reserved() -> dict[str, int]:
    """Return how many messages of each queue the workers hold that have not begun."""
    return _inspector().reserved()


def registered() -> list[Registered]:
    """Return which actors the workers of each node know."""
    return _inspector().registered()


def workers() -> list[WorkerGroup]:
    """Return the worker groups of all nodes, also those that have stopped lately."""
    return _inspector().workers()


def queues() -> list[QueueState]:
    """Return all queues, by name: how many messages wait, are at workers, are dead; and who has paused them."""
    return _inspector().queues()


def _inspector() -> Inspector:
    from growbin_jobs.app import engine

    return engine.inspect
