"""Worker groups: which queues are consumed together, in what kind of pool, and how far ahead they fetch."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Final, Literal

#: Name of the one group that an engine has whose configuration names none.
ONLY_GROUP: Final = "worker"


@dataclass(frozen=True, slots=True)
class Route:
    """Where a message goes: the actor's wire name and its queue."""

    actor: str
    queue: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Group:
    """One kind of worker and how it runs unless told otherwise.

    Attributes:
      name: Such as ``storage``.
      queues: The queues that it consumes, and no other.
      module: What ``dramatiq`` imports; empty: the module of the engine.
      pool: ``gevent`` (many greenlets in one process) or ``threads``.
      processes: Worker processes on a node.
      threads: Greenlets or threads in each process.
      prefetch_factor: Messages a process fetches for each queue, as a multiple of its threads.
    """

    name: str
    queues: tuple[str, ...]
    module: str = ""
    pool: Literal["gevent", "threads"] = "threads"
    processes: int = 1
    threads: int = 8
    prefetch_factor: int = 2


def queues_of(*routes: Route) -> tuple[str, ...]:
    """Return the queues of these routes, each once."""
    return tuple(dict.fromkeys(route.queue for route in routes))


def group_of(groups: Sequence[Group], queues: Iterable[str]) -> str:
    """Return the name of the group that consumes any of these queues; ``other`` where none does."""
    consumed = set(queues)
    if not groups:
        return ONLY_GROUP
    return next((group.name for group in groups if consumed & set(group.queues)), "other")
