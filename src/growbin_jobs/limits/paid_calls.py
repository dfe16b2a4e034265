"""Puts together what must agree before a paid call, from the settings and the central database."""

from collections.abc import Callable, Collection, Iterable
from dataclasses import dataclass

from growbin_jobs.adapters.llm.guards import Guard
from growbin_jobs.engine.central.database import Database
from growbin_jobs.limits.limit_guard import LimitGuard, Running
from growbin_jobs.limits.named import NamedLimit, named_limits
from growbin_jobs.limits.port import LimitStore
from growbin_jobs.limits.sql import SqlLimits
from growbin_jobs.limits.tickets import Gate, Room
from growbin_jobs.settings import Settings


@dataclass(frozen=True, slots=True)
class Worker:
    """What the guards use of the worker in which they stand.

    Attributes:
      room: Where callers wait for their turn.
      running: Returns the message that the caller runs, or None.
      bulk: Queues whose messages have time.
    """

    room: Room | None = None
    running: Callable[[], Running | None] = lambda: None
    bulk: Collection[str] = ()


def guards(settings: Settings, database: Database, worker: Worker | None = None) -> list[Guard]:
    """Return the guards of paid calls, in the order in which they are asked.

    Parameters:
      settings: Which limits there are.
      database: The central one, with a short timeout: a slow one is away, and the calls wait.
      worker: None: outside of a worker.
    """
    return [limit_guard(settings, SqlLimits(database), worker or Worker())]


def limit_guard(settings: Settings, store: LimitStore, worker: Worker) -> LimitGuard:
    """Return the guard that keeps the limits of the settings."""
    gate = Gate(store, worker.room, patience=settings.limit_patience)
    return LimitGuard(gate, named_limits(settings), _MadeOnce(store).make, running=worker.running, bulk=worker.bulk)


class _MadeOnce:
    """Makes each limit once a process."""

    def __init__(self, store: LimitStore) -> None:
        self._store = store
        self._made: set[str] = set()

    def make(self, needed: Iterable[NamedLimit]) -> None:
        missing = [limit for limit in needed if limit.name not in self._made]
        if missing:
            self._store.ensure([limit.parameters for limit in missing])
            self._made.update(limit.name for limit in missing)
