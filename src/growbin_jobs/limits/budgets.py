"""Budgets of the whole cluster, in the central database: money is reserved before a request and settled after it.

A reservation takes part in several budgets at once, all or none: ``total``, and ``user:<id>``. Each change is one
transaction, on the database's clock; rows are locked by day and name. See :mod:`growbin_jobs.limits.bookkeeping`.
"""

import logging
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any, Final
from zoneinfo import ZoneInfo

from growbin_jobs.engine.central.database import Database
from growbin_jobs.engine.central.sql_words import SqlWords
from growbin_jobs.limits import bookkeeping
from growbin_jobs.limits.bookkeeping import Entry, Totals, day_of, has_room, seconds_left, to_tell

logger = logging.getLogger(__name__)

#: Names of budgets. One user's is ``user:<id>``; ``each-user`` holds for all users that have none of their own.
TOTAL: Final = "total"
EACH_USER: Final = "each-user"
USER: Final = "user:"

#: Seconds after which a reservation whose process has died counts as unknown: longer than any call with its waits for a
#: turn (GROWBIN_LIMIT_PATIENCE).
LEASE: Final = 1800.0

#: Reservations that one call ends at most.
_EXPIRED_AT_ONCE: Final = 200


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
    """

    refused_by: str | None
    cap: int | None
    seconds_left: float
    told: tuple[Told, ...]


class Budgets:
    """Reserves, settles and releases; its errors mean what :meth:`Database.run` says.

    Parameters:
      database: The central one.
      zone: Whose days they are.
      defaults: Caps in micro-dollars by name (``total``, ``each-user``) where none was set at run time.
      clock: Seconds since 1970; None: the database's, which is the same for all nodes.
    """

    def __init__(
        self,
        database: Database,
        *,
        zone: ZoneInfo,
        defaults: Mapping[str, int | None] | None = None,
        clock: Callable[[], float] | None = None,
    ) -> None:
        self._database = database
        self._sql = SqlWords(database.dialect)
        self._zone = zone
        self._defaults = dict(defaults or {})
        self._clock = clock

    def reserve(self, reservation: str, names: Sequence[str], amount: int, *, lease: float = LEASE) -> Reserved:
        """Reserve an amount in several budgets of today: in all of them, or in none.

        Parameters:
          reservation: Its id, new.
          names: Of the budgets.
          amount: In micro-dollars: the most that the request can cost.
          lease: Seconds until it counts as unknown, unless it was settled or released.
        """
        return self._database.transaction(
            lambda connection: self._reserve(connection, reservation, sorted(names), amount, lease)
        )

    def settle(self, reservation: str, cost: int | None, *, usage_id: str | None = None) -> None:
        """Account for a request that has ended, on the day of its reservation; a second time changes nothing.

        Parameters:
          reservation: Its id.
          cost: In micro-dollars; None where nobody knows it: then all that was reserved stays spent.
          usage_id: The row of ``llm_usage``.
        """

        def end(entry: Entry) -> Entry:
            return bookkeeping.ended(entry, cost)

        self._database.transaction(lambda connection: self._end(connection, reservation, end, usage_id))

    def release(self, reservation: str) -> None:
        """Give back what was reserved for a request that was not sent; a second time changes nothing."""
        self._database.transaction(lambda connection: self._end(connection, reservation, bookkeeping.released, None))

    def expire(self) -> int:
        """Let reservations count as unknown that nobody has ended within their lease: their processes have died.

        Returns:
          How many entries it were.
        """
        return self._database.transaction(self._expire)

    def _reserve(self, connection: Any, reservation: str, names: list[str], amount: int, lease: float) -> Reserved:
        now = self.now(connection)
        day = self._day(connection, now, names)
        caps = self._caps_of(connection, names)
        found = {name: self._locked(connection, name, day, caps[name]) for name in names}
        refused = [name for name in names if not has_room(found[name][0], amount, caps[name])]
        told = []
        for name in refused or names:
            totals, before = found[name]
            cap, percent = caps[name], to_tell(totals.spent + amount, caps[name], before)
            if percent is not None and cap is not None:
                told.append(Told(name, percent, totals.spent + (0 if refused else amount), cap))
                self._sql.run(
                    connection, "UPDATE budget_day SET told = ? WHERE name = ? AND day = ?", percent, name, str(day)
                )
        left = seconds_left(now, self._zone, day)
        if refused:
            return Reserved(refused[0], caps[refused[0]], left, tuple(told))
        for name in names:
            self._add(connection, name, str(day), Entry(amount).totals)
            self._sql.run(
                connection,
                "INSERT INTO budget_entry (id, name, day, state, amount, settled, expires_at)"
                " VALUES (?, ?, ?, 'open', ?, 0, ?)",
                *(reservation, name, str(day), amount, now + lease),
            )
        return Reserved(None, None, left, tuple(told))

    def _locked(self, connection: Any, name: str, day: date, cap: int | None) -> tuple[Totals, int]:
        """Return the totals of a budget and what was told of it, locked until the transaction ends."""
        [row] = self._sql.rows(
            connection,
            "INSERT INTO budget_day (name, day, cap, reserved, settled, released, unknown, told)"
            " VALUES (?, ?, ?, 0, 0, 0, 0, 0) ON CONFLICT (name, day) DO UPDATE SET cap = excluded.cap"
            " RETURNING reserved, settled, released, unknown, told",
            *(name, str(day), cap),
        )
        return Totals(*row[:4]), row[4]

    def _end(self, connection: Any, reservation: str, end: Callable[[Entry], Entry], usage_id: str | None) -> None:
        sql = "SELECT name, day, amount, state, settled FROM budget_entry WHERE id = ? ORDER BY name $lock"
        for name, day, amount, state, settled in self._sql.rows(connection, sql, reservation):
            self._change(connection, reservation, name, day, Entry(amount, state, settled), end, usage_id)

    def _expire(self, connection: Any) -> int:
        sql = (
            "SELECT id, name, day, amount, state, settled FROM budget_entry WHERE state = 'open' AND expires_at < ?"
            " ORDER BY day, name LIMIT ? $free"
        )
        rows = self._sql.rows(connection, sql, self.now(connection), _EXPIRED_AT_ONCE)
        for reservation, name, day, amount, state, settled in rows:
            entry = Entry(amount, state, settled)
            self._change(connection, reservation, name, day, entry, lambda one: bookkeeping.ended(one, None), None)
        return len(rows)

    def _change(
        self,
        connection: Any,
        reservation: str,
        name: str,
        day: str,
        before: Entry,
        end: Callable[[Entry], Entry],
        usage_id: str | None,
    ) -> None:
        after = end(before)
        if after == before:
            return
        self._sql.run(
            connection,
            "UPDATE budget_entry SET state = ?, settled = ?, usage_id = coalesce(?, usage_id)"
            " WHERE id = ? AND name = ?",
            *(after.state, after.settled, usage_id, reservation, name),
        )
        self._add(connection, name, day, after.totals, before.totals)

    def _add(self, connection: Any, name: str, day: str, new: Totals, old: Totals = Totals()) -> None:  # noqa: B008
        self._sql.run(
            connection,
            "UPDATE budget_day SET reserved = reserved + ?, settled = settled + ?, released = released + ?,"
            " unknown = unknown + ? WHERE name = ? AND day = ?",
            new.reserved - old.reserved,
            new.settled - old.settled,
            new.released - old.released,
            new.unknown - old.unknown,
            *(name, day),
        )

    def _caps_of(self, connection: Any, names: Sequence[str]) -> dict[str, int | None]:
        asked = [*names, EACH_USER]
        marks = ", ".join("?" for _ in asked)
        rows = self._sql.rows(connection, f"SELECT name, cap FROM budget WHERE name IN ({marks})", *asked)  # noqa: S608
        caps = self._defaults | dict(rows)
        each_user = caps.get(EACH_USER)
        return {name: caps.get(name, each_user if name.startswith(USER) else None) for name in names}

    def _day(self, connection: Any, now: float, names: Sequence[str]) -> date:
        marks = ", ".join("?" for _ in names)
        sql = f"SELECT max(day) FROM budget_day WHERE name IN ({marks})"  # noqa: S608
        [(latest,)] = self._sql.rows(connection, sql, *names)
        return day_of(now, self._zone, date.fromisoformat(latest) if latest else None)

    def now(self, connection: Any) -> float:
        """Return the clock of the budgets."""
        if self._clock is not None:
            return self._clock()
        [(now,)] = self._sql.rows(connection, "SELECT $now")
        return float(now)
