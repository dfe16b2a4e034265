"""Puts together what must agree before a paid call, from the settings and the central database."""

from collections.abc import Callable, Collection
from dataclasses import dataclass

import apsw

from growbin_jobs.adapters.llm.guards import Guard
from growbin_jobs.engine.central.database import Database
from growbin_jobs.limits import afterwards
from growbin_jobs.limits.breaker_guards import breaker_guard
from growbin_jobs.limits.breaker_last_look import LastLook
from growbin_jobs.limits.budget_caps import Caps, caps_of
from growbin_jobs.limits.budget_guard import budget_guard
from growbin_jobs.limits.limit_guard import LimitGuard, Running
from growbin_jobs.limits.minutes import CentralUse, JournalUse, UseLog
from growbin_jobs.limits.named import NamedLimits, named_limits
from growbin_jobs.limits.offline_guard import PATIENCE, OfflineGuard
from growbin_jobs.limits.offline_reserve import Reserves
from growbin_jobs.limits.offline_share import OfflineShare
from growbin_jobs.limits.parameters import VALIDITY
from growbin_jobs.limits.provision import provision_of
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


def guards(
    settings: Settings,
    database: Database,
    worker: Worker | None = None,
    *,
    look_up: Callable[[str], object],
    share: OfflineShare | None = None,
) -> list[Guard]:
    """Return the guards of paid calls, in the order in which they are asked.

    Parameters:
      settings: Which limits there are.
      database: The central one, with a short timeout: a slow one is away, and the calls wait.
      worker: None: outside of a worker.
      look_up: Asks the model's server for a model by name, free of charge.
      share: What the node may send while the database is away; None: made here.
    """
    worker, limits, store = worker or Worker(), named_limits(settings), SqlLimits(database)
    provision = provision_of(database, limits)
    share = share or offline_share(settings, database)
    breakers = breaker_guard(
        database,
        base_url=settings.openai_base_url,
        look_up=look_up,
        per_minute={"vision": settings.vision_limit, "text": settings.text_limit},
        longest_wait=settings.longest_retry_after,
    )
    use = use_guard(settings, database, limits, worker)
    gate = Gate(
        store,
        worker.room,
        shares=Shares(store),
        patience=settings.limit_patience,
        validity=VALIDITY,
        leaves_when_away=share.is_leased,
    )
    online: list[Guard] = [
        breakers,
        budget_guard(settings, database),
        LimitGuard(gate, limits, provision.make, running=worker.running, bulk=worker.bulk),
        LastLook(breakers),
        use,
    ]
    of_share = Gate(share, worker.room, patience=PATIENCE, validity=VALIDITY, leaves_when_away=lambda: True)
    alone: list[Guard] = [LimitGuard(of_share, limits, share.check, running=worker.running, bulk=worker.bulk), use]
    return [OfflineGuard(online, alone, limits, share)]


def offline_share(settings: Settings, database: Database) -> OfflineShare:
    """Return what this node may send while the central database is away: nothing unless a share was set."""
    limits = named_limits(settings)

    def allowed() -> bool:
        caps = caps_of(total=settings.budget_per_day, each_user=settings.budget_per_user_day)
        caps |= {cap.name: cap.micro_dollars for cap in Caps(database).all()}
        # Nothing can be reserved in a budget while its database is away.
        return settings.unknown_price != "refuse" and all(cap is None for cap in caps.values())

    return OfflineShare(
        Reserves(database, limits),
        limits,
        node=settings.node,
        path=settings.node_dir / "offline_share.db",
        allowed=allowed,
    )


def use_guard(settings: Settings, database: Database, limits: NamedLimits, worker: Worker) -> UseGuard:
    """Return the guard that counts what was granted, for all nodes and in this node's journal."""
    logs: list[UseLog] = [CentralUse(database, settings.node)]
    if worker.write_journal is not None:
        logs.append(JournalUse(worker.write_journal))
    return UseGuard(limits, logs, later=afterwards.do)
