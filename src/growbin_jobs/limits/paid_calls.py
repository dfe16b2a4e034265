"""Puts together what must agree before a paid call, from the settings and the central database."""

from collections.abc import Callable, Collection, Iterable
from dataclasses import dataclass
from typing import Any

from growbin_jobs.adapters.llm.guards import Guard
from growbin_jobs.engine.central.database import Database
from growbin_jobs.limits.breaker_guards import breaker_guard
from growbin_jobs.limits.breaker_last_look import LastLook
from growbin_jobs.limits.limit_guard import LimitGuard, Running
from growbin_jobs.limits.minutes import CentralUse, JournalUse, UseLog
from growbin_jobs.limits.named import NamedLimit, NamedLimits, named_limits
from growbin_jobs.limits.promises import Promises
from growbin_jobs.limits.provision import Provision
from growbin_jobs.limits.rooms import Room
from growbin_jobs.limits.shares import Shares, SqlBoard
from growbin_jobs.limits.sql import SqlLimits
from growbin_jobs.limits.tickets import Gate
from growbin_jobs.limits.use_guard import UseGuard
from growbin_jobs.settings import Settings


@dataclass(frozen=True, slots=True)
class Worker:
    """What the guards use of the worker in which they stand.

    Attributes:
      room: Where callers wait for their turn.
      running: Returns the message that the caller runs, or None.
      bulk: Queues whose messages have time.
      write_journal: Writes into the node's journal; None: there is none.
    """

    room: Room | None = None
    running: Callable[[], Running | None] = lambda: None
    bulk: Collection[str] = ()
    write_journal: Callable[[Callable[[Any], None]], object] | None = None


def guards(
    settings: Settings, database: Database, worker: Worker | None = None, *, look_up: Callable[[str], object]
) -> list[Guard]:
    """Return the guards of paid calls, in the order in which they are asked.

    Parameters:
      settings: Which limits there are.
      database: The central one, with a short timeout: a slow one is away, and the calls wait.
      worker: None: outside of a worker.
      look_up: Asks the model's server for a model by name, free of charge.
    """
    worker, limits = worker or Worker(), named_limits(settings)
    breakers = breaker_guard(
        database,
        base_url=settings.openai_base_url,
        look_up=look_up,
        per_minute={"vision": settings.vision_limit, "text": settings.text_limit},
    )
    return [
        breakers,
        limit_guard(settings, limits, database, worker),
        LastLook(breakers),
        UseGuard(limits, _logs(settings, database, worker)),
    ]


def limit_guard(settings: Settings, limits: NamedLimits, database: Database, worker: Worker) -> LimitGuard:
    """Return the guard that keeps the limits."""
    store = SqlLimits(database)
    gate = Gate(store, worker.room, shares=Shares(SqlBoard(database), store), patience=settings.limit_patience)
    make = _AtFirstUse(Provision(store, Promises(database), limits)).make
    return LimitGuard(gate, limits, make, running=worker.running, bulk=worker.bulk)


def _logs(settings: Settings, database: Database, worker: Worker) -> list[UseLog]:
    central = CentralUse(database, settings.node)
    return [central] if worker.write_journal is None else [central, JournalUse(worker.write_journal)]


class _AtFirstUse:
    """Makes the limits of the settings when the first request is asked for: at the start the database may be away."""

    def __init__(self, provision: Provision) -> None:
        self._provision = provision
        self._configured = False

    def make(self, needed: Iterable[NamedLimit]) -> None:
        """See :meth:`Provision.make`."""
        if not self._configured:
            self._provision.make_configured()
            self._configured = True
        self._provision.make(needed)
