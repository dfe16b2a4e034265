"""Worker groups: which actors run together, in what kind of pool, and how far ahead they fetch."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True, slots=True)
class Route:
    """Where a message goes: the actor's wire name and its queue."""

    actor: str
    queue: str


@dataclass(frozen=True, slots=True)
class Group:
    """One kind of worker and how it runs unless told otherwise.

    Attributes:
      name: Such as ``storage``.
      module: What ``dramatiq`` imports.
      routes: The actors it runs.
      pool: ``gevent`` (many greenlets in one process) or ``threads``.
      processes: Worker processes on a node.
      threads: Greenlets or threads in each process.
      prefetch_factor: Messages a process fetches for each queue, as a multiple of its threads.
    """

    name: str
    module: str
    routes: tuple[Route, ...]
    pool: Literal["gevent", "threads"]
    processes: int
    threads: int
    prefetch_factor: int

    @property
    def queues(self) -> tuple[str, ...]:
        """The queues that this group consumes, and no other."""
        return tuple(dict.fromkeys(route.queue for route in self.routes))


def group_of(groups: Iterable[Group], queues: Iterable[str]) -> Group | None:
    """Return the group that consumes any of these queues, or None."""
    consumed = set(queues)
    return next((group for group in groups if consumed & set(group.queues)), None)
