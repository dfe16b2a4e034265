"""Budgets of the whole cluster, in the central database: money is reserved before a request and settled after it.

A reservation takes part in several budgets at once, all or none: ``total``, and ``user:<id>``. Each change is one
statement on PostgreSQL and one transaction on SQLite, on the database's clock. See
:mod:`growbin_jobs.limits.bookkeeping`.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Final
from zoneinfo import ZoneInfo

from growbin_jobs.engine.central.database import Database
from growbin_jobs.limits.bookkeeping import seconds_left
from growbin_jobs.limits.budget_books import EACH_USER as EACH_USER
from growbin_jobs.limits.budget_books import Asked, Books
from growbin_jobs.limits.budget_cover import Covers, cover_of, is_covered, is_short
from growbin_jobs.limits.budget_statements import StatementBooks
from growbin_jobs.limits.budget_transactions import TransactionBooks

#: Names of budgets. One user's is ``user:<id>``; ``each-user`` holds for all users that have none of their own.
TOTAL: Final = "total"
USER: Final = "user:"

#: Seconds after which a reservation whose process has died counts as unknown: longer than any call with its waits for a
#: turn (GROWBIN_LIMIT_PATIENCE).
LEASE: Final = 1800.0


@dataclass(frozen=True, slots=True)
class Told:
    """A budget has reached a percentage of its cap; said once a day for the whole cluster."""

    name: str
    percent: int
    spent: int
    cap: int


@dataclass(frozen=True, slots=True)
class Reserved:
    """What became of a reservation.

    Attributes:
      refused_by: The budget that has no room; nothing is reserved then in any. None: reserved.
      cap: Of that budget, in micro-dollars.
      seconds_left: Until the budgets' day ends.
      told: What has to be told now.
      covers: Name, day and amount of covers that :meth:`Budgets.cover` should raise soon: so the next reservations
        need not wait for the disk.
    """

    refused_by: str | None
    cap: int | None
    seconds_left: float
    told: tuple[Told, ...]
    covers: tuple[tuple[str, str, int], ...] = ()


class Budgets:
    """Reserves, settles and releases; its errors mean what :meth:`Database.run` says.

    Parameters:
      database: The central one.
      zone: Whose days they are.
      defaults: Caps in micro-dollars by name (``total``, ``each-user``) where none was set at run time.
      clock: Seconds since 1970; None: the database's, which is the same for all nodes.
      covers: Of the budgets, see :mod:`growbin_jobs.limits.budget_cover`; None: made here.
    """

    def __init__(
        self,
        database: Database,
        *,
        zone: ZoneInfo,
        defaults: Mapping[str, int | None] | None = None,
        clock: Callable[[], float] | None = None,
        covers: Covers | None = None,
    ) -> None:
        self._zone = zone
        self._defaults = dict(defaults or {})
        self._covers = covers or Covers(database)
        self._books = _books(database, zone, clock, self._covers)

    def reserve(self, reservation: str, names: Sequence[str], amount: int, *, lease: float = LEASE) -> Reserved:
        """Reserve an amount in several budgets of today: in all of them, or in none.

        Parameters:
          reservation: Its id, new.
          names: Of the budgets.
          amount: In micro-dollars: the most that the request can cost.
          lease: Seconds until it counts as unknown, unless it was settled or released.
        """
        asked = [self._asked(name) for name in sorted(names)]
        while True:
            answer = self._books.reserve(reservation, asked, amount, lease)
            refused = [one for one in answer.budgets if not one.has_room]
            bare = [one for one in answer.budgets if not (refused or is_covered(one, amount))]
            if not (answer.forgotten or bare):
                break
            for name in answer.forgotten:
                self._covers.account(name, answer.day)
            for one in bare if not answer.forgotten else ():
                self._covers.raise_to(one.name, answer.day, cover_of(one, amount))
        told = tuple(
            Told(one.name, one.percent, one.spent + (0 if refused else amount), one.cap)
            for one in refused or answer.budgets
            if one.percent is not None and one.cap is not None
        )
        left = seconds_left(answer.now, self._zone, date.fromisoformat(answer.day))
        if refused:
            return Reserved(refused[0].name, refused[0].cap, left, told)
        short = ((one.name, answer.day, cover_of(one, amount)) for one in answer.budgets if is_short(one, amount))
        return Reserved(None, None, left, told, tuple(short))

    def cover(self, reserved: Reserved) -> None:
        """Let the covers of a reservation's budgets reach further; it waits for the disk."""
        for name, day, covered in reserved.covers:
            self._covers.raise_to(name, day, covered)

    def settle(self, reservation: str, cost: int | None, *, usage_id: str | None = None) -> None:
        """Account for a request that has ended, on the day of its reservation; a second time changes nothing.

        Parameters:
          reservation: Its id.
          cost: In micro-dollars; None where nobody knows it: then all that was reserved stays spent.
          usage_id: The row of ``llm_usage``.
        """
        self._books.end(reservation, "unknown" if cost is None else "settled", cost or 0, usage_id)

    def release(self, reservation: str) -> None:
        """Give back what was reserved for a request that was not sent; a second time changes nothing."""
        self._books.end(reservation, "released", 0, None)

    def expire(self) -> int:
        """Let reservations count as unknown that nobody has ended within their lease: their processes have died.

        Returns:
          How many entries it were.
        """
        return self._books.expire()

    def _asked(self, name: str) -> Asked:
        is_users = name.startswith(USER) and name not in self._defaults
        return Asked(name, self._defaults.get(EACH_USER if is_users else name), is_users)


def _books(database: Database, zone: ZoneInfo, clock: Callable[[], float] | None, covers: Covers) -> Books:
    if database.dialect != "postgresql":
        return TransactionBooks(database, zone, clock, covers)
    return StatementBooks(database, zone, clock, covers)
