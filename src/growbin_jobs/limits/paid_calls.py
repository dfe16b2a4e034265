"""Puts together what must agree before a paid call, from the settings and the central database."""

from collections.abc import Callable, Collection
from dataclasses import dataclass

import apsw

from growbin_jobs.adapters.llm.guards import Guard
from growbin_jobs.engine.central.database import Database
from growbin_jobs.limits.limit_guard import LimitGuard, Running
from growbin_jobs.limits.minutes import CentralUse, JournalUse, UseLog
from growbin_jobs.limits.named import NamedLimits, named_limits
from growbin_jobs.limits.parameters import VALIDITY
from growbin_jobs.limits.port import LimitStore
from growbin_jobs.limits.promises import Promises
from growbin_jobs.limits.provision import Provision
from growbin_jobs.limits.rooms import Room
from growbin_jobs.limits.shares import Shares
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
      write_journal: Runs a piece of work in a transaction of the node's journal; None: there is none.
    """

    room: Room | None = None
    running: Callable[[], Running | None] = lambda: None
    bulk: Collection[str] = ()
    write_journal: Callable[[Callable[[apsw.Connection], None]], object] | None = None


def guards(settings: Settings, database: Database, worker: Worker | None = None) -> list[Guard]:
    """Return the guards of paid calls, in the order in which they are asked.

    Parameters:
      settings: Which limits there are.
      database: The central one, with a short timeout: a slow one is away, and the calls wait.
      worker: None: outside of a worker.
    """
    worker, limits, store = worker or Worker(), named_limits(settings), SqlLimits(database)
    provision = Provision(store, Promises(database), limits)
    return [limit_guard(settings, store, provision, limits, worker), use_guard(settings, database, limits, worker)]


def limit_guard(
    settings: Settings, store: LimitStore, provision: Provision, limits: NamedLimits, worker: Worker
) -> LimitGuard:
    """Return the guard that keeps the limits of the settings."""
    gate = Gate(store, worker.room, shares=Shares(store), patience=settings.limit_patience, validity=VALIDITY)
    return LimitGuard(gate, limits, provision.make, running=worker.running, bulk=worker.bulk)


def use_guard(settings: Settings, database: Database, limits: NamedLimits, worker: Worker) -> UseGuard:
    """Return the guard that counts what was granted, for all nodes and in this node's journal."""
    logs: list[UseLog] = [CentralUse(database, settings.node)]
    if worker.write_journal is not None:
        logs.append(JournalUse(worker.write_journal))
    return UseGuard(limits, logs)
