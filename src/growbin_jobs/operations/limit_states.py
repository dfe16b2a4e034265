"""What the limits of paid calls are, how much of them is used, and what waits for them."""

from dataclasses import dataclass
from typing import Any

from growbin_jobs.engine.central.clock import clock_of
from growbin_jobs.engine.central.database import Database
from growbin_jobs.limit_names import common_name
from growbin_jobs.limits.gcra import Limit
from growbin_jobs.limits.minutes import CentralUse
from growbin_jobs.limits.promises import Promise, Promises
from growbin_jobs.limits.sql import SqlLimits
from growbin_jobs.limits.usage import BATCH
from growbin_jobs.models.analysis import WasteAnalysis
from growbin_jobs.states import AnalysisStatus

#: The status in which an analysis waits for a limit, by the limit's name.
WAITS_IN = {"vision": AnalysisStatus.UPLOADED, "text": AnalysisStatus.RULE_FOUND}


@dataclass(frozen=True, slots=True, kw_only=True)
class LimitState:
    """One limit now.

    Attributes:
      name: Of the limit.
      most: At most so many units …
      window: … in any so many seconds.
      origin: ``setting``, or ``person``: set at run time.
      last_minute: Units that were granted in the minute that has passed, on all nodes.
      this_minute: Those of the minute that runs.
      nodes: The last minute's units by node.
      line: Seconds until the next unit is free.
      held: Seconds for which a server asked to wait.
      waiting: Analyses that wait for it or are being answered; None: it is none that they wait for.
    """

    name: str
    most: int
    window: float
    origin: str
    last_minute: int
    this_minute: int
    nodes: dict[str, int]
    line: float
    held: float
    waiting: int | None


def limit_states(database: Database) -> list[LimitState]:
    """Return all limits that exist, by name.

    Raises:
      Deferred: The database is away.
    """
    now, promises, store = clock_of(database), Promises(database).current(), SqlLimits(database)
    minute = int(now // 60) * 60
    used: dict[str, list[tuple[int, str, int]]] = {}
    for name, begin, node, units in CentralUse(database, "").since(minute - 60):
        used.setdefault(name, []).append((begin, node, units))
    found = []
    for limit in store.limits():
        promise = promises.get(limit.name) or promises.get(common_name(limit.name))
        if promise is not None:
            found.append(_state(limit, promise, used.get(limit.name, []), now, minute, database))
    return found


def is_by_itself() -> Any:
    """Return the condition of analyses that do not wait for a batch: they wait for their turn."""
    return WasteAnalysis.tier.is_null() | (WasteAnalysis.tier != BATCH)


def waiting_for(database: Database, name: str) -> int | None:
    """Return how many analyses wait for a limit, or are being answered; None: it is none that they wait for."""
    status = WAITS_IN.get(name)
    if status is None:
        return None
    query = WasteAnalysis.select().where((WasteAnalysis.status == status.value) & is_by_itself())
    return database.run(lambda connection: int(query.count(connection)))


def _state(
    limit: Limit, promise: Promise, used: list[tuple[int, str, int]], now: float, minute: int, database: Database
) -> LimitState:
    last = {node: units for begin, node, units in used if begin == minute - 60}
    return LimitState(
        name=limit.name,
        most=promise.rate.most,
        window=promise.rate.window,
        origin=promise.origin,
        last_minute=sum(last.values()),
        this_minute=sum(units for begin, _, units in used if begin == minute),
        nodes=last,
        line=round(max(0.0, limit.tat - now - (limit.burst - 1) * limit.spacing), 3),
        held=round(max(0.0, limit.held_until - now), 3),
        waiting=waiting_for(database, limit.name),
    )
