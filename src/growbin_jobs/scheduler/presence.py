"""The schedulers that are alive, and whether anybody fires what is due: what is seen when all of them are dead."""

from __future__ import annotations

import math
import time
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, Final
from zoneinfo import ZoneInfo

from growbin_jobs.engine.central.database import Database
from growbin_jobs.scheduler.registry import Clock, Registry
from growbin_jobs.scheduler.rows import LedgerRow, ProcessRow, RunState, database_time
from growbin_jobs.scheduler.rules import parse_rule

#: A scheduler that has not been seen for so long is gone.
GONE_AFTER: Final = timedelta(seconds=60)

#: Seconds after its last look for which the scheduler that leads may still trust it.
LEADS_FOR: Final = 40.0

#: Seconds that something that is due may wait before that is told.
OVERDUE: Final = 120.0

#: Rows of schedulers that are gone are deleted after so long.
FORGET_AFTER: Final = timedelta(days=1)


@dataclass(frozen=True, slots=True)
class Firing:
    """Who fires what is due.

    Attributes:
      nodes: Those on which a scheduler is alive, one for each scheduler.
      overdue: Seconds since when the oldest due time waits that nobody has taken.
    """

    nodes: list[str]
    overdue: float

    @property
    def is_overdue(self) -> bool:
        """True where something waits for so long that a person must look."""
        return self.overdue > OVERDUE


@dataclass(slots=True)
class Presence:
    """Tells that a scheduler is alive; the job of its timer.

    Attributes:
      process: Its name, which no other process has.

    The scheduler that has been alive for longest leads: it alone shows what concerns all nodes. Its row is its lease,
    which the others respect for :data:`GONE_AFTER`, and which it trusts for less than that.
    """

    database: Database
    process: str
    node: str
    version: str
    clock: Clock = database_time
    _first_at: float = field(default=-math.inf, init=False)
    _looked_at: float = field(default=-math.inf, init=False)

    @property
    def leads(self) -> bool:
        """True while no other scheduler can take itself for the one that leads."""
        return time.monotonic() - self._first_at < LEADS_FOR

    def run_once(self) -> None:
        """Write the row of this process, and look whether it leads.

        Raises:
          Deferred: The database is away.
        """

        asked_at = time.monotonic()
        lapsed = asked_at - self._looked_at >= LEADS_FOR  # another one may lead by now: go behind it

        def work(connection: Any) -> bool:
            now = self.clock(connection)
            row = {"id": self.process, "node": self.node, "version": self.version, "started_at": now, "seen_at": now}
            update = {ProcessRow.seen_at: now} | ({ProcessRow.started_at: now} if lapsed else {})
            ProcessRow.insert(row).on_conflict(conflict_target=[ProcessRow.id], update=update).execute(connection)
            ProcessRow.delete().where(ProcessRow.seen_at < now - FORGET_AFTER).execute(connection)
            alive = ProcessRow.select(ProcessRow.id).where(_alive(now))
            first = alive.order_by(ProcessRow.started_at, ProcessRow.id).limit(1).tuples().execute(connection)
            return [name for (name,) in first] == [self.process]

        leads = self.database.transaction(work)
        self._looked_at, self._first_at = asked_at, asked_at if leads else -math.inf

    def leave(self) -> None:
        """Delete the row: this process stops by itself.

        Raises:
          Deferred: The database is away.
        """
        self._first_at = -math.inf
        mine = ProcessRow.delete().where(ProcessRow.id == self.process)
        self.database.run(mine.execute)


def present(database: Database, *, clock: Clock = database_time) -> list[str]:
    """Return the nodes on which a scheduler is alive, one for each scheduler."""

    def work(connection: Any) -> list[str]:
        fresh = _alive(clock(connection))
        query = ProcessRow.select(ProcessRow.node).where(fresh).order_by(ProcessRow.node)
        return [row["node"] for row in query.dicts().execute(connection)]

    return database.run(work)


def pids_on(database: Database, node: str) -> list[int]:
    """Return the numbers of the processes of a node's schedulers that have not said that they end."""
    query = ProcessRow.select(ProcessRow.id).where(ProcessRow.node == node).order_by(ProcessRow.id).tuples()
    names = [name.removeprefix(f"{node}/").split("/") for (name,) in database.run(query.execute)]
    return [int(pid) for pid, *_ in names if pid.isdecimal()]


def _alive(now: datetime) -> Any:
    """Return the condition of schedulers that were seen lately; not in a future that a clock has been set back from."""
    return (ProcessRow.seen_at > now - GONE_AFTER) & (ProcessRow.seen_at < now + GONE_AFTER)


def firing(database: Database, *, clock: Clock = database_time) -> Firing:
    """Return who fires what is due, for whoever looks from outside."""
    return Firing(present(database, clock=clock), overdue_seconds(database, clock=clock))


def overdue_seconds(database: Database, *, clock: Clock = database_time) -> float:
    """Return since how many seconds the oldest due time waits that nobody has planned or claimed; 0 where none does.

    It is computed from the registered rules: it grows also when no scheduler lives. Every node's metrics show it.
    """
    registry = Registry(database, clock=clock)
    states = registry.states().values()

    def work(connection: Any) -> tuple[datetime, datetime | None]:
        now = clock(connection)
        waiting = (LedgerRow.state == RunState.DUE) & (LedgerRow.not_before <= now) & LedgerRow.reason.is_null()
        lapsed = (LedgerRow.state == RunState.CLAIMED) & (LedgerRow.claimed_until < now)
        query = LedgerRow.select(LedgerRow.due).where(waiting | lapsed).order_by(LedgerRow.due).limit(1)
        rows = list(query.dicts().execute(connection))
        return now, rows[0]["due"] if rows else None

    now, unclaimed = database.run(work)
    expected = [
        parse_rule(state.rule).next_after(state.planned_until, ZoneInfo(state.zone))
        for state in states
        if state.removed_at is None
    ]
    oldest = min([*expected, *([unclaimed] if unclaimed else [])], default=now)
    return max(0.0, (now - oldest).total_seconds())
