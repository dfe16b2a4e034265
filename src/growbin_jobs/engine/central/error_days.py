"""Failed runs of each UTC day, counted by cause: what pages of weeks read in place of a row for each hour and node.

A day is the sum of its hours, once all of them are over and computed. A note says that one was computed since; of such
a day pages read the hours (:mod:`growbin_jobs.engine.central.error_figures`).
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Any, Final, NamedTuple

import peewee

from growbin_jobs.engine.central import bulk
from growbin_jobs.engine.central.database import Database
from growbin_jobs.engine.central.fields import known_moment, stored_moment
from growbin_jobs.engine.central.lacking import Figures, lacking
from growbin_jobs.engine.central.minutes_due import MINUTE
from growbin_jobs.engine.central.sql_words import SqlWords

DAY: Final = timedelta(days=1)

_COLUMNS: Final = ("day", "cause", "runs", "dead", "first_at", "last_at", "sample", "hours", "nodes")

#: Something of the day is still to be computed.
_UNREADY: Final = (
    "EXISTS (SELECT 1 FROM error_hours_due WHERE hour >= day AND hour < ends)"
    " OR EXISTS (SELECT 1 FROM minutes_due WHERE minute >= day AND minute < ends)"
)


def day_of(moment: datetime) -> datetime:
    """Return when the UTC day of a moment began."""
    return moment.astimezone(UTC).replace(hour=0, minute=0, second=0, microsecond=0)


def touch_day(connection: Any, database: Database, hour: datetime) -> None:
    """Note the day of an hour, in the transaction that computes the hour."""
    day, conflict = day_of(hour), "(day) DO UPDATE SET touched = error_days_due.touched + 1"
    row = (stored_moment(day), stored_moment(day + DAY), 1)
    bulk.insert(connection, database.dialect, "error_days_due", ("day", "ends", "touched"), [row], conflict)


class ErrorDays:
    """The only writer of ``error_days``.

    Parameters:
      database: Where the tables are.
    """

    def __init__(self, database: Database) -> None:
        self._database = database
        self._words = SqlWords(database.dialect)

    def compute_due(self, *, now: datetime, limit: int = 10) -> int:
        """Compute the days that are over and of which an hour was computed since, the newest first; return how many.

        Raises:
          Deferred: The database is away.
        """
        over = f"SELECT day FROM error_days_due WHERE ends < ? AND NOT ({_UNREADY}) ORDER BY day DESC LIMIT ?"  # noqa: S608
        values = (stored_moment(now - MINUTE), limit)
        due = self._database.run(lambda connection: self._words.rows(connection, over, *values))
        return sum(self._database.transaction(partial(self._compute, day=day)) for (day,) in due)

    def note_lacking(self, since: datetime, until: datetime) -> int:
        """Note days of a time that lack some of their parts (:mod:`growbin_jobs.engine.central.lacking`).

        Parameters:
          since, until: From the one to before the other, whole days.

        Returns:
          How many.
        """

        def note(connection: peewee.Database) -> int:
            parts, sums = Figures("error_hours", "hour"), Figures("error_days", "day")
            found = lacking(connection, self._words, since, until, parts=parts, sums=sums, begin=day_of)
            for at in found:
                touch_day(connection, self._database, at)
            return len(found)

        return self._database.transaction(note)

    def _compute(self, connection: peewee.Database, day: Any) -> int:
        # Who holds the note computes; an hour that is computed meanwhile waits with its own note until it is deleted.
        held = self._words.rows(connection, "SELECT ends FROM error_days_due WHERE day = ? $free", day)
        if not held:
            return 0
        [(ends,)] = held
        columns = "cause, hour, node, runs, dead, first_at, last_at, sample"
        sql = f"SELECT {columns} FROM error_hours WHERE hour >= ? AND hour < ?"  # noqa: S608 constants only
        found: dict[int, _Sum] = {}
        for cause, hour, *rest in self._words.rows(connection, sql, day, ends):
            found.setdefault(cause, _Sum()).add(known_moment(hour).hour, *rest)
        self._words.run(connection, "DELETE FROM error_days WHERE day = ?", day)
        if found:
            rows = [(day, cause, *found[cause].row()) for cause in sorted(found)]
            bulk.insert(connection, self._database.dialect, "error_days", _COLUMNS, rows, "DO NOTHING")
        self._words.run(connection, "DELETE FROM error_days_due WHERE day = ?", day)
        return 1


@dataclass(slots=True)
class _Sum:
    runs: int = 0
    dead: int = 0
    first_at: Any = None
    last_at: Any = None
    sample: str = ""
    hours: list[int] = field(default_factory=lambda: [0] * 24)
    nodes: Counter[str] = field(default_factory=Counter)

    def add(self, hour: int, node: str, runs: int, dead: int, first: Any, last: Any, sample: str) -> None:
        self.runs, self.dead = self.runs + runs, self.dead + dead
        self.hours[hour] += runs
        self.nodes[node] += runs
        self.first_at = first if self.first_at is None else min(self.first_at, first)
        if self.last_at is None or last > self.last_at:
            self.last_at, self.sample = last, sample

    def row(self) -> tuple[Any, ...]:
        """Return its columns behind day and cause."""
        documents = (json.dumps(self.hours), json.dumps(self.nodes, ensure_ascii=False))
        return (self.runs, self.dead, self.first_at, self.last_at, self.sample, *documents)


class CauseDay(NamedTuple):
    """The failed runs of one cause on one day; ``hours``: of each of its 24."""

    day: datetime
    cause: int
    sample: str
    hours: list[int]
    nodes: dict[str, int]


def read_days(connection: Any, words: SqlWords, days: Sequence[str], causes: Sequence[int]) -> list[CauseDay]:
    """Return what some days, as they are stored, have of some causes."""
    if not days or not causes:
        return []
    text = "::text" if words.dialect == "postgresql" else ""  # which the driver need not ask us about
    sql = (
        f"SELECT day, cause, sample, hours{text}, nodes{text} FROM error_days"  # noqa: S608 constants and marks
        f" WHERE day IN ({_marks(days)}) AND cause IN ({_marks(causes)})"
    )
    rows = words.rows(connection, sql, *days, *causes)
    documents = iter(json.loads(f"[{','.join(text for row in rows for text in row[3:])}]"))
    moments = {day: known_moment(day) for day in {row[0] for row in rows}}
    return [CauseDay(moments[day], cause, sample, next(documents), next(documents)) for day, cause, sample, *_ in rows]


def _marks(values: Sequence[Any]) -> str:
    return ", ".join("?" * len(values))
