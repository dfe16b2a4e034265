"""Lets reservations go without waiting for the disk, and lets nothing be spent above a cap after a power cut.

For each budget of a day with a cap a *cover* is on the disk: nothing is reserved beyond it. What a power cut, or a
crash of PostgreSQL, has undone is therefore at most what lies between the spending that is found afterwards and the
cover. All of that counts as unknown then, before anything is reserved again: it may have been spent. A cover reaches
far ahead of the spending and is raised before it is used up, so one write to the disk is enough for many reservations.
"""

from collections.abc import Callable
from typing import Any, Final

from growbin_jobs.engine.central.database import Database
from growbin_jobs.engine.central.sql_words import SqlWords
from growbin_jobs.limits.budget_books import Judged
from growbin_jobs.limits.starts import start_of

#: A cover reaches so many reservations ahead, or this part of the cap, whichever is more.
_AHEAD: Final = 20
_PART: Final = 50

_OPEN: Final = """
INSERT INTO budget_day (name, day, cap, reserved, settled, released, unknown, told) VALUES (?, ?, NULL, 0, 0, 0, 0, 0)
ON CONFLICT (name, day) DO NOTHING
"""
_DAY: Final = "SELECT reserved - released FROM budget_day WHERE name = ? AND day = ? $lock"
_COVER: Final = "SELECT covered, server FROM budget_cover WHERE name = ? AND day = ?"
#: Never lowered, and nothing is changed where another start of the server is written: see :meth:`Covers.account`.
_RAISE: Final = """
INSERT INTO budget_cover (name, day, covered, server) VALUES (?, ?, ?, ?) ON CONFLICT (name, day) DO UPDATE
SET covered = excluded.covered WHERE budget_cover.server = excluded.server AND budget_cover.covered < excluded.covered
"""
_BEGIN_ANEW: Final = "UPDATE budget_cover SET covered = ?, server = ? WHERE name = ? AND day = ?"
_ENTRY: Final = """
INSERT INTO budget_entry (id, name, day, state, amount, settled, expires_at) VALUES (?, ?, ?, 'unknown', ?, 0, $now)
"""
_TOTALS: Final = "UPDATE budget_day SET reserved = reserved + ?, unknown = unknown + ? WHERE name = ? AND day = ?"


def is_covered(one: Judged, amount: int) -> bool:
    """Return whether an amount may be reserved in a budget without waiting for the disk."""
    return one.cap is None or (one.covered is not None and one.spent + amount <= one.covered)


def cover_of(one: Judged, amount: int) -> int:
    """Return the cover that a budget should have when an amount is reserved in it. It need not reach beyond the cap."""
    return one.spent + amount + min(_reach(one, amount), max(0, (one.cap or 0) - one.spent - amount))


def is_short(one: Judged, amount: int) -> bool:
    """Return whether the cover of a budget in which an amount was reserved should be raised soon."""
    if one.cap is None or one.covered is None:
        return False
    return one.covered < one.cap and one.covered - one.spent - amount < _reach(one, amount) // 2


def _reach(one: Judged, amount: int) -> int:
    return max(_AHEAD * amount, (one.cap or 0) // _PART)


class Covers:
    """The covers in the central database; its errors mean what :meth:`Database.run` says.

    Parameters:
      database: The central one.
      start: See :func:`start_of`; None: that.
    """

    def __init__(self, database: Database, start: Callable[[Any], str] | None = None) -> None:
        self._database = database
        self._sql = SqlWords(database.dialect)
        self.start = start or (lambda connection: start_of(connection, database.dialect))

    def raise_to(self, name: str, day: str, covered: int) -> None:
        """Cover the spending of a budget up to an amount; it is on the disk when this returns."""

        def work(connection: Any) -> None:
            self._sql.run(connection, _RAISE, name, day, covered, self.start(connection))

        self._database.run(work)

    def account(self, name: str, day: str) -> int:
        """Count as unknown what an earlier start may have forgotten of a budget; return how much that is."""

        def work(connection: Any) -> int:
            self._sql.run(connection, _OPEN, name, day)
            [(spent,)] = self._sql.rows(connection, _DAY, name, day)
            found = self._sql.rows(connection, _COVER, name, day)
            start = self.start(connection)
            if not found or found[0][1] == start:
                return 0
            lost = int(max(0, found[0][0] - spent))
            if lost:
                self._sql.run(connection, _ENTRY, f"forgotten:{day}:{found[0][1]}", name, day, lost)
                self._sql.run(connection, _TOTALS, lost, lost, name, day)
            self._sql.run(connection, _BEGIN_ANEW, spent + lost, start, name, day)
            return lost

        return self._database.transaction(work)
