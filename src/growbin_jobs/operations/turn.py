"""What an analysis waits for, its place among those that wait, and about when its request should be sent."""

from dataclasses import dataclass

from growbin_jobs.engine.central.clock import clock_of
from growbin_jobs.engine.central.database import Database
from growbin_jobs.limits.breakers import Breakers
from growbin_jobs.limits.gcra import Limit
from growbin_jobs.limits.sql import SqlLimits
from growbin_jobs.models.analysis import Analysis, WasteAnalysis
from growbin_jobs.operations.limit_states import WAITS_IN, is_by_itself


@dataclass(frozen=True, slots=True, kw_only=True)
class Turn:
    """What an analysis waits for.

    Attributes:
      limit: The limit of its stage, such as ``vision``.
      place: Its place among the analyses that wait for it or are being answered, from 1, the oldest first.
      starts_at: About when its request should be sent at the latest, in seconds since 1970; None: not before
        ``stopped_by`` ends.
      stopped_by: Reason of an open breaker or a hold; None: it is the limit alone that it waits for.
    """

    limit: str
    place: int
    starts_at: float | None
    stopped_by: str | None


def turn_of(analysis: Analysis, database: Database) -> Turn | None:
    """Return what an analysis waits for; None where it waits for no limit.

    The place is an estimate: messages are nearly in the order in which their analyses began, and those that are being
    answered already count.

    Raises:
      Deferred: The database is away.
    """
    name = next((name for name, status in WAITS_IN.items() if status is analysis.status), None)
    if name is None:
        return None
    limit = next((each for each in SqlLimits(database).limits() if each.name == name), None)
    if limit is None:
        return None
    before = WasteAnalysis.select().where(
        (WasteAnalysis.status == analysis.status.value)
        & (WasteAnalysis.created_at < analysis.created_at)
        & is_by_itself()
    )
    place = 1 + database.run(lambda connection: int(before.count(connection)))
    breakers = [each for each, _ in Breakers(database).all() if each.name.startswith("model:")]
    stopped = next((each.reason or each.name for each in breakers if each.state != "closed"), None)
    return Turn(
        limit=name,
        place=place,
        starts_at=None if stopped else _start(limit, place, clock_of(database)),
        stopped_by=stopped,
    )


def _start(limit: Limit, place: int, now: float) -> float:
    return max(now, limit.held_until) + (place - 1) * limit.spacing
