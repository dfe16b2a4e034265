"""What workers have counted, in the words of Celery's events."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import Final

from growbin_jobs.engine.central.workers import WorkerGroup
from growbin_jobs.models.node_counts import ActorCounts, NodeCountsTable
from growbin_jobs.monitor.services import Services

#: The event that Celery's worker sends where a run of ours ends so. A dead letter is a task that failed.
_EVENTS: Final = {
    "completed": "task-succeeded",
    "failed": "task-retried",
    "deferred": "task-retried",
    "dead": "task-failed",
    "skipped": "task-revoked",
    "requeued": "task-rejected",
}

#: Every run was received and began; nobody counts that before it has ended.
_BEGUN: Final = ("task-received", "task-started")

#: All of them, as keys of Flower's table.
TYPES: Final = (*_BEGUN, *dict.fromkeys(_EVENTS.values()))


class WorkerCounts:
    """The counts of all nodes.

    Parameters:
      by_node: What each node has counted.
    """

    def __init__(self, by_node: Mapping[str, Sequence[ActorCounts]]) -> None:
        self._by_node = by_node

    def of(self, group: WorkerGroup) -> list[ActorCounts]:
        """Return what the workers of a group have counted: the runs from its queues."""
        return [each for each in self._by_node.get(group.node, ()) if each.queue in group.queues]

    def has(self, group: WorkerGroup) -> bool:
        """Return whether the group's node has said what it counts."""
        return group.node in self._by_node


def worker_counts_of(services: Services) -> WorkerCounts:
    """Return the counts as nodes told them last, which is each ten seconds; those of another engine tell none.

    Raises:
      Deferred: The database is away.
    """
    return WorkerCounts(NodeCountsTable(services.database).all() if services.growbin else {})


def events_of(counts: Iterable[ActorCounts]) -> dict[str, Counter[str]]:
    """Return how many events of each type each actor's runs are."""
    found: dict[str, Counter[str]] = {}
    for each in counts:
        events = found.setdefault(each.actor, Counter())
        for outcome, number in each.ends.items():
            for name in (*_BEGUN, _EVENTS.get(outcome)):
                if name is not None:
                    events[name] += number
    return found
