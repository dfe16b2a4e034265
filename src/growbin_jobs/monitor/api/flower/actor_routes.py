"""Which queue a message for an actor belongs into, by the actor's name alone."""

from __future__ import annotations

from growbin_jobs.engine.central.search.expressions import Term
from growbin_jobs.engine.central.search.task_search import TaskSearch
from growbin_jobs.engine.central.worker_actors import WorkerActors
from growbin_jobs.engine.central.workers import Workers
from growbin_jobs.engine.groups import Route
from growbin_jobs.monitor.services import Services


def route_of(services: Services, actor: str) -> Route | None:
    """Return where messages for an actor go; None: nobody knows it, or nobody knows its queue.

    Parameters:
      actor: Its wire name: one of ours, or one that workers say they know; its queue is then that of its newest task.

    Raises:
      Deferred: The database is away.
    """
    if actor in services.routes:
        return services.routes[actor]
    if not is_registered(services, actor) or "*" in actor:
        return None
    newest = TaskSearch(services.database).page(Term("actor", "is", actor), limit=1).tasks
    return Route(actor, newest[0].queue_name) if newest else None


def is_registered(services: Services, actor: str) -> bool:
    """Return whether an actor is one of ours, or workers say they know it.

    Raises:
      Deferred: The database is away.
    """
    return actor in services.routes or any(actor in each.actors for each in WorkerActors(services.database).all())


def queues_of_all(services: Services) -> set[str]:
    """Return the queues that somebody consumes or is meant to.

    Raises:
      Deferred: The database is away.
    """
    found = {queue for group in services.engine.groups for queue in group.queues}
    return found.union(*(each.queues for each in Workers(services.database).all() if each.stopped_at is None))
