"""Compares what requests cost by our prices with what OpenAI bills, by UTC day."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import Final

from growbin_jobs.engine.central.database import Database
from growbin_jobs.limits.spent import cost_between

#: Share of a day's bill by which ours may differ, and micro-dollars below which nobody cares.
MOST_DRIFT: Final = 0.02
LEAST: Final = 10_000


@dataclass(frozen=True, slots=True)
class BilledDay:
    """One day in UTC; money in micro-dollars.

    Attributes:
      ours: What its requests cost by our prices.
      billed: What OpenAI says.
      unpriced: Requests of ours without a price, which are in no sum.
    """

    day: date
    ours: int
    billed: int
    unpriced: int

    @property
    def drift(self) -> float:
        """By which part of the bill ours is more (above 0) or less."""
        return (self.ours - self.billed) / max(self.billed, 1)

    @property
    def differs(self) -> bool:
        """Whether somebody has to look: prices are wrong, requests are missing, or others use the account."""
        return abs(self.ours - self.billed) > max(LEAST, MOST_DRIFT * self.billed)


def compare(database: Database, billed: Mapping[date, int], first: date, last: date) -> Sequence[BilledDay]:
    """Return the days from one to another.

    Raises:
      Deferred: The database is away.
    """
    found, day = [], first
    while day <= last:
        begin = datetime(day.year, day.month, day.day, tzinfo=UTC)
        ours, unpriced = cost_between(database, begin, begin + timedelta(days=1))
        found.append(BilledDay(day, ours, billed.get(day, 0), unpriced))
        day += timedelta(days=1)
    return found
