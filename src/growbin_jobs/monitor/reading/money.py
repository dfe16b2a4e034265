"""What limits, breakers and budgets say, and what was spent, for one request."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

from growbin_jobs.limits.breaker_store import BreakerStore
from growbin_jobs.limits.breakers import Breakers
from growbin_jobs.limits.budget_report import BudgetDay, budgets_today
from growbin_jobs.limits.spent import GroupBy, Spent, spent, spent_by_users
from growbin_jobs.monitor.services import Services
from growbin_jobs.operations.breakers import list_breakers
from growbin_jobs.operations.limit_states import LimitState, limit_states
from growbin_jobs.reasons import Language


@dataclass(frozen=True, slots=True, kw_only=True)
class BreakerAnswer:
    """A breaker; see :class:`growbin_jobs.operations.breakers.BreakerStatus`."""

    name: str
    state: str
    reason: str
    remedy: str
    failures: int
    since_at: datetime | None
    next_probe_at: datetime | None
    held_until_at: datetime | None


def limits_of(services: Services) -> list[LimitState]:
    """Return the limits of paid calls.

    Raises:
      Deferred: The database is away.
    """
    return limit_states(services.database)


def breakers_of(services: Services, language: Language) -> list[BreakerAnswer]:
    """Return the breakers, those that let nobody send first.

    Raises:
      Deferred: The database is away.
    """
    store: BreakerStore = Breakers(services.database)
    return [
        BreakerAnswer(
            name=each.name, state=each.state, reason=each.reason, remedy=each.remedy, failures=each.failures,
            since_at=_moment(each.since_at), next_probe_at=_moment(each.next_probe_at),
            held_until_at=_moment(each.held_until_at),
        )
        for each in list_breakers(store, language=language)
    ]  # fmt: skip


def spent_of(services: Services, by: GroupBy, days: int, *, most: int | None = None) -> Sequence[Spent]:
    """Return what requests cost in the last days, today included.

    Parameters:
      most: Only so many users are named, those that cost most; the rest is one row without a key. None: all.

    Raises:
      Deferred: The database is away.
    """
    since = today(services) - timedelta(days=days - 1)
    if by == "user" and most is not None:
        return spent_by_users(services.database, since=since, most=most)
    return spent(services.database, by=by, since=since)


def budgets_of(services: Services) -> Sequence[BudgetDay]:
    """Return today's budgets.

    Raises:
      Deferred: The database is away.
    """
    return budgets_today(services.database, today(services))


def today(services: Services) -> date:
    """Return the day in the zone of the ledgers."""
    return datetime.now(ZoneInfo(services.engine.timezone)).date()


def _moment(seconds: float | None) -> datetime | None:
    try:
        return None if seconds is None else datetime.fromtimestamp(seconds, UTC)
    except (ValueError, OverflowError, OSError):
        return None
