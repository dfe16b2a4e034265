"""What the budgets of a day hold, and whether the two sides of the books agree."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import date
from typing import Any, Final

from growbin_jobs.engine.central.database import Database
from growbin_jobs.engine.central.sql_words import SqlWords
from growbin_jobs.limits.bookkeeping import Totals
from growbin_jobs.limits.budget_caps import Caps
from growbin_jobs.limits.budgets import EACH_USER, USER

#: One statement, so that both sides are of the same moment.
_BOTH_SIDES: Final = """
SELECT d.name, d.day, d.reserved, d.settled, d.released, d.unknown,
       coalesce(e.reserved, 0), coalesce(e.settled, 0), coalesce(e.released, 0), coalesce(e.unknown, 0)
FROM budget_day d LEFT JOIN (
    SELECT name, day,
           sum(CASE WHEN settled > amount THEN settled ELSE amount END) AS reserved,
           sum(settled) AS settled,
           sum(CASE WHEN state = 'released' THEN amount
               WHEN state = 'settled' AND settled < amount THEN amount - settled ELSE 0 END) AS released,
           sum(CASE WHEN state = 'unknown' THEN amount ELSE 0 END) AS unknown
    FROM budget_entry WHERE day >= ? GROUP BY name, day
) e ON e.name = d.name AND e.day = d.day
WHERE d.day >= ? ORDER BY d.day, d.name
"""


@dataclass(frozen=True, slots=True)
class BudgetDay:
    """One budget on one day; money in micro-dollars.

    Attributes:
      cap: As it was at the last reservation; None: no limit.
      spent: What counts against the cap: settled, unknown and open.
      open: Reserved for requests that have not ended.
    """

    name: str
    day: str
    cap: int | None
    spent: int
    settled: int
    unknown: int
    open: int
    reserved: int
    released: int


@dataclass(frozen=True, slots=True)
class Imbalance:
    """A budget and day whose totals are not what its reservations add up to."""

    name: str
    day: str
    totals: Totals
    entries: Totals


def budget_days(database: Database, day: date) -> Sequence[BudgetDay]:
    """Return the budgets that a day has used, the total first, then those that spent most.

    Raises:
      Deferred: The database is away.
    """
    sql = SqlWords(database.dialect)
    select = "SELECT name, day, cap, reserved, settled, released, unknown FROM budget_day WHERE day = ?"
    rows = database.run(lambda connection: sql.rows(connection, select, day.isoformat()))
    found = [_day(*row) for row in rows]
    return sorted(found, key=lambda one: (":" in one.name, -one.spent, one.name))


def budgets_today(database: Database, today: date) -> Sequence[BudgetDay]:
    """Return as :func:`budget_days` does, with the caps that were set and hold now.

    A day knows the cap of its last reservation: one that was set since holds from the next request on.

    Raises:
      Deferred: The database is away.
    """
    caps = {cap.name: cap.micro_dollars for cap in Caps(database).all()}

    def now(one: BudgetDay) -> BudgetDay:
        name = EACH_USER if one.name.startswith(USER) and one.name not in caps else one.name
        return replace(one, cap=caps[name]) if name in caps else one

    return [now(one) for one in budget_days(database, today)]


def imbalances(database: Database, since: date) -> Sequence[Imbalance]:
    """Return where ``reserved = settled + released + unknown + open`` does not hold; nothing where the books are right.

    Parameters:
      database: The central one.
      since: First day; reservations of days before may have been pruned.

    Raises:
      Deferred: The database is away.
    """
    sql = SqlWords(database.dialect)
    first = since.isoformat()
    rows = database.run(lambda connection: sql.rows(connection, _BOTH_SIDES, first, first))
    sides = [(row[0], row[1], Totals(*map(int, row[2:6])), Totals(*map(int, row[6:10]))) for row in rows]
    return [Imbalance(*side) for side in sides if side[2] != side[3] or side[2].open < 0]


def _day(name: str, day: str, cap: int | None, *numbers: Any) -> BudgetDay:
    totals = Totals(*numbers)
    return BudgetDay(
        name, day, cap, totals.spent, totals.settled, totals.unknown, totals.open, totals.reserved, totals.released
    )
