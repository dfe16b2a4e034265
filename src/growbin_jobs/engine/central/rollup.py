"""Sums of figures over a longer time, so that a page of hours or weeks reads a fraction of the rows.

A sum is made of its parts, always of all of them, once its time is over; a note says that a part was computed since. Of
a time with a note pages read the parts: whatever is read is what the parts say.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Any, ClassVar, Final

import peewee

from growbin_jobs.engine.central import bulk
from growbin_jobs.engine.central.database import Database
from growbin_jobs.engine.central.driver import Dialect
from growbin_jobs.engine.central.fields import known_moment, stored_moment
from growbin_jobs.engine.central.minutes_due import MINUTE
from growbin_jobs.engine.central.sql_words import SqlWords


@dataclass(frozen=True, slots=True, kw_only=True)
class Rollup:
    """One kind of sums.

    Attributes:
      sums, begins: Their table, and its column of times. The table of notes has ``_due`` behind its name.
      parts, at: The table of their parts, and its column of times.
      long: Of one sum; they are counted from 1970 on.
      unready: Condition of a note of whose time something is still to be computed, in SQL.
    """

    sums: str
    begins: str
    parts: str
    at: str
    long: timedelta
    unready: str

    def number(self, moment: datetime) -> int:
        """Return the number of the sum of a moment, counted from 1970 on."""
        return int(moment.timestamp()) // int(self.long.total_seconds())

    def begin(self, moment: datetime) -> datetime:
        """Return when the sum of a moment begins."""
        return datetime.fromtimestamp(self.number(moment) * int(self.long.total_seconds()), UTC)

    def touch(self, connection: Any, dialect: Dialect, part: datetime) -> None:
        """Note the sum of a part, in the transaction that computes the part."""
        begin, notes = self.begin(part), f"{self.sums}_due"
        # An update and not DO NOTHING: it waits for the one who makes the sum, and is not deleted with his note.
        conflict = f"({self.begins}) DO UPDATE SET touched = {notes}.touched + 1"
        row = (stored_moment(begin), stored_moment(begin + self.long), 1)
        bulk.insert(connection, dialect, notes, (self.begins, "ends", "touched"), [row], conflict)


#: Figures of five minutes, of those of their minutes.
SPANS: Final = Rollup(
    sums="task_spans", begins="span", parts="task_minutes", at="minute", long=timedelta(minutes=5),
    unready="EXISTS (SELECT 1 FROM minutes_due WHERE minute >= span AND minute < ends)",
)  # fmt: skip

#: Failed runs of UTC days, of those of their hours.
DAYS: Final = Rollup(
    sums="error_days", begins="day", parts="error_hours", at="hour", long=timedelta(days=1),
    unready="EXISTS (SELECT 1 FROM error_hours_due WHERE hour >= day AND hour < ends)"
    " OR EXISTS (SELECT 1 FROM minutes_due WHERE minute >= day AND minute < ends)",
)  # fmt: skip


class Sums(ABC):
    """The only writer of one table of sums.

    Parameters:
      database: Where the tables are.

    Every method raises Deferred when the database is away (:meth:`Database.run`); calling it again is always safe.
    """

    rollup: ClassVar[Rollup]
    #: Of a row of :meth:`_made`.
    columns: ClassVar[Sequence[str]]

    def __init__(self, database: Database) -> None:
        self._database = database
        self._words = SqlWords(database.dialect)

    def compute_due(self, *, now: datetime, limit: int = 100) -> int:
        """Make the sums whose time is over and of which a part was computed since, the newest first.

        Returns:
          How many were made.
        """
        its = self.rollup
        over = (
            f"SELECT {its.begins} FROM {its.sums}_due WHERE ends < ? AND NOT ({its.unready})"  # noqa: S608 names of ours
            f" ORDER BY {its.begins} DESC LIMIT ?"
        )
        values = (stored_moment(now - MINUTE), limit)
        due = self._database.run(lambda connection: self._words.rows(connection, over, *values))
        return sum(self._database.transaction(partial(self._compute, begin=begin)) for (begin,) in due)

    def note_lacking(self, since: datetime, until: datetime) -> int:
        """Note sums that have other numbers of runs than their parts together; return how many.

        A keeper of the release before, beside those of this one while pods are replaced, computes parts without a note.

        Parameters:
          since, until: From the one to before the other, both where a sum begins.
        """
        its = self.rollup

        def note(connection: peewee.Database) -> int:
            runs: Counter[datetime] = Counter()
            for table, column, sign in ((its.parts, its.at, 1), (its.sums, its.begins, -1)):
                sql = f"SELECT {column}, sum(runs) FROM {table} WHERE {column} >= ? AND {column} < ? GROUP BY {column}"  # noqa: S608
                for at, number in self._words.rows(connection, sql, stored_moment(since), stored_moment(until)):
                    runs[its.begin(known_moment(at))] += sign * int(number)
            lacking = sorted(begin for begin, number in runs.items() if number)
            for begin in lacking:
                its.touch(connection, self._database.dialect, begin)
            return len(lacking)

        return self._database.transaction(note)

    def _compute(self, connection: peewee.Database, begin: Any) -> int:
        # Who holds the note computes; a part that is computed meanwhile waits with its own note until it is deleted.
        its = self.rollup
        its_row = f"FROM {its.sums}_due WHERE {its.begins} = ?"
        held = self._words.rows(connection, f"SELECT ends {its_row} $free", begin)
        if not held:
            return 0
        [(end,)] = held
        rows = self._made(connection, begin, end)
        self._words.run(connection, f"DELETE FROM {its.sums} WHERE {its.begins} = ?", begin)  # noqa: S608
        if rows:
            bulk.insert(connection, self._database.dialect, its.sums, self.columns, rows, "DO NOTHING")
        self._words.run(connection, f"DELETE {its_row}", begin)
        return 1

    @abstractmethod
    def _made(self, connection: peewee.Database, begin: Any, end: Any) -> list[tuple[Any, ...]]:
        """Return the rows of a sum, made of its parts; times as the database gives them."""
