"""Failed runs of each minute and hour, counted by cause and node, so that a page of errors reads no runs of a month.

A minute is counted in the transaction that computes its other figures, always from all its runs; an hour from its
minutes, once it is over. Until then, and where a note says that something came later, pages read what the hour or the
minute is made of (:mod:`growbin_jobs.engine.central.error_figures`).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Any, Final

import peewee

from growbin_jobs.engine.central import bulk
from growbin_jobs.engine.central.cause_counts import CauseCount, added_up, one
from growbin_jobs.engine.central.database import Database
from growbin_jobs.engine.central.error_causes import OTHERS, Cause
from growbin_jobs.engine.central.failed_runs import failures
from growbin_jobs.engine.central.fields import known_moment, stored_moment
from growbin_jobs.engine.central.minutes_due import MINUTE
from growbin_jobs.engine.central.rollup import DAYS
from growbin_jobs.engine.central.sql_words import SqlWords

HOUR: Final = timedelta(hours=1)

_COUNTS: Final = ("cause", "node", "runs", "dead", "first_at", "last_at", "sample")


class ErrorCounts:
    """The only writer of ``error_minutes``, ``error_hours`` and ``error_causes``.

    Parameters:
      database: Where the tables are.
    """

    def __init__(self, database: Database) -> None:
        self._database = database
        self._words = SqlWords(database.dialect)

    def compute_minute(self, connection: peewee.Database, minute: datetime) -> None:
        """Count the failed runs of a minute; the caller has begun the transaction that holds the minute's note."""
        runs = failures(connection, self._words, minute, minute + MINUTE)
        found = added_up((((each.cause, each.node), one(each)) for each in runs), OTHERS)
        hour, at = stored(hour_of(minute)), stored(minute)
        self._words.run(connection, "DELETE FROM error_minutes WHERE hour = ? AND minute = ?", hour, at)
        if found:
            # In the order of their numbers, so that two keepers never wait for each other in a circle.
            self._name(connection, sorted({cause for cause, _ in found}, key=lambda cause: cause.number), minute)
            numbered = {(cause.number, node): count for (cause, node), count in found.items()}
            columns = ("hour", "minute", *_COUNTS)
            self._insert(connection, "error_minutes", columns, (hour, at), numbered)
        conflict = "(hour) DO UPDATE SET touched = error_hours_due.touched + 1"
        note = ((hour, 1),)
        bulk.insert(connection, self._database.dialect, "error_hours_due", ("hour", "touched"), note, conflict)

    def compute_hours(self, *, now: datetime, limit: int = 100) -> int:
        """Count the hours that are over and of which a minute was computed since; return how many.

        Raises:
          Deferred: The database is away.
        """
        over = "SELECT hour FROM error_hours_due WHERE hour < ? ORDER BY hour LIMIT ?"
        values = (stored(now - HOUR - MINUTE), limit)
        due = self._database.run(lambda connection: self._words.rows(connection, over, *values))
        return sum(self._database.transaction(partial(self._compute_hour, hour=hour)) for (hour,) in due)

    def _compute_hour(self, connection: peewee.Database, hour: Any) -> int:
        # Who holds the note computes; a minute that is computed meanwhile waits with its own note until it is deleted.
        if not self._words.rows(connection, "SELECT 1 FROM error_hours_due WHERE hour = ? $free", hour):
            return 0
        columns = ", ".join(_COUNTS)
        rows = self._words.rows(connection, f"SELECT {columns} FROM error_minutes WHERE hour = ?", hour)  # noqa: S608
        found = added_up((((row[0], row[1]), CauseCount(*row[2:])) for row in rows), OTHERS.number)
        if OTHERS.number in {cause for cause, _ in found}:
            self._name(connection, [OTHERS], known_moment(hour))
        self._words.run(connection, "DELETE FROM error_hours WHERE hour = ?", hour)
        self._insert(connection, "error_hours", ("hour", *_COUNTS), (hour,), found)
        DAYS.touch(connection, self._database.dialect, known_moment(hour))
        self._words.run(connection, "DELETE FROM error_hours_due WHERE hour = ?", hour)
        return 1

    def _name(self, connection: peewee.Database, causes: Iterable[Cause], seen_at: datetime) -> None:
        rows = [(each.number, *each, stored(seen_at)) for each in causes]
        columns = ("cause", "task_name", "code", "error_class", "place", "title", "seen_at")
        conflict = "(cause) DO UPDATE SET seen_at = excluded.seen_at WHERE excluded.seen_at > error_causes.seen_at"
        bulk.insert(connection, self._database.dialect, "error_causes", columns, rows, conflict)

    def _insert(
        self, connection: peewee.Database, table: str, columns: Sequence[str], times: tuple[Any, ...],
        counts: Mapping[tuple[int, str], CauseCount],
    ) -> None:  # fmt: skip
        rows = [
            (*times, *key, each.runs, each.dead, stored(each.first_at), stored(each.last_at), each.sample)
            for key, each in sorted(counts.items())
        ]
        bulk.insert(connection, self._database.dialect, table, columns, rows, "DO NOTHING")


def hour_of(moment: datetime) -> datetime:
    """Return when the hour of a moment began."""
    return datetime.fromtimestamp(int(moment.timestamp()) // 3600 * 3600, UTC)


def stored(value: Any) -> Any:
    """Return a value as it is stored: a moment, aware, as both databases compare it; another one as it is."""
    return stored_moment(value) if isinstance(value, datetime) else value
