"""Figures of five minutes: the sums of those of their minutes, so that a page of hours reads a fraction of the rows.

A span is computed from its minutes, always from all of them, once it is over; a note says that a minute was computed
since. Of a span with a note its minutes are read, so that whatever is read is what the minutes say.
"""

from __future__ import annotations

from dataclasses import asdict
from datetime import datetime
from functools import partial
from typing import Any

import peewee

from growbin_jobs.engine.central.database import Database
from growbin_jobs.engine.central.fields import JsonField, UtcField, stored_moment
from growbin_jobs.engine.central.lacking import Figures, lacking
from growbin_jobs.engine.central.minutes import TaskMinute, figure_columns, together, views
from growbin_jobs.engine.central.minutes_due import MINUTE
from growbin_jobs.engine.central.spans_due import SPAN, span_of, touch_span
from growbin_jobs.engine.central.sql_words import SqlWords


class TaskSpanRow(peewee.Model):
    """Table ``task_spans``. ``migrations/`` creates it; a test holds the two together."""

    span = UtcField()
    queue_name = peewee.TextField()
    task_name = peewee.TextField()
    outcome = peewee.TextField()
    runs = peewee.BigIntegerField()
    waits = peewee.BigIntegerField()
    wait_seconds = peewee.DoubleField()
    run_seconds = peewee.DoubleField()
    wait_buckets = JsonField()
    run_buckets = JsonField()

    class Meta:
        table_name = "task_spans"
        primary_key = peewee.CompositeKey("span", "queue_name", "task_name", "outcome")


class Spans:
    """The only writer of ``task_spans``.

    Parameters:
      database: Where the tables are.

    Every method raises Deferred when the database is away (:meth:`Database.run`); calling it again is always safe.
    """

    def __init__(self, database: Database) -> None:
        self._database = database
        self._words = SqlWords(database.dialect)
        self._columns = figure_columns(database.dialect)

    def compute_due(self, *, now: datetime, limit: int = 100) -> int:
        """Compute spans whose minutes are over and computed, and of which one was since, the newest first.

        Returns:
          How many were computed.
        """
        waits = "SELECT 1 FROM minutes_due WHERE minute >= span AND minute < ends"
        over = f"SELECT span FROM task_spans_due WHERE ends < ? AND NOT EXISTS ({waits}) ORDER BY span DESC LIMIT ?"  # noqa: S608
        values = (stored_moment(now - MINUTE), limit)
        due = self._database.run(lambda connection: self._words.rows(connection, over, *values))
        return sum(self._database.transaction(partial(self._compute, span=span)) for (span,) in due)

    def read(self, since: datetime, until: datetime) -> tuple[list[TaskMinute], datetime]:
        """Return the figures of a time in parts of five minutes or, where those are not made, of one.

        Parameters:
          since, until: From the one to before the other, whole spans.

        Returns:
          The figures in no order, and the end of the last part that has some.
        """
        # One statement: what is computed meanwhile is neither missed nor read twice.
        sql = f"""
            SELECT span, {self._columns}, 5 AS minutes FROM task_spans WHERE span >= ? AND span < ?
                AND NOT EXISTS (SELECT 1 FROM task_spans_due WHERE task_spans_due.span = task_spans.span)
            UNION ALL
            SELECT minute, {self._columns}, 1 FROM task_spans_due JOIN task_minutes
                ON minute >= span AND minute < ends WHERE span >= ? AND span < ?
        """  # noqa: S608 names of ours
        ends = (stored_moment(since), stored_moment(until))
        rows = self._database.run(lambda connection: self._words.rows(connection, sql, *ends, *ends))
        found = views([row[:-1] for row in rows])
        known = (part.minute + row[-1] * MINUTE for part, row in zip(found, rows, strict=True))
        return found, max(known, default=since)

    def note_lacking(self, since: datetime, until: datetime) -> int:
        """Note spans of a time that lack some of their parts (:mod:`growbin_jobs.engine.central.lacking`).

        Parameters:
          since, until: From the one to before the other, whole spans.

        Returns:
          How many.
        """

        def note(connection: peewee.Database) -> int:
            parts, sums = Figures("task_minutes", "minute"), Figures("task_spans", "span")
            found = lacking(connection, self._words, since, until, parts=parts, sums=sums, begin=span_of)
            for at in found:
                touch_span(connection, self._database.dialect, at)
            return len(found)

        return self._database.transaction(note)

    def _compute(self, connection: peewee.Database, span: Any) -> int:
        # Who holds the note computes; a minute that is computed meanwhile waits with its own note until it is deleted.
        held = self._words.rows(connection, "SELECT ends FROM task_spans_due WHERE span = ? $free", span)
        if not held:
            return 0
        [(ends,)] = held
        sql = f"SELECT minute, {self._columns} FROM task_minutes WHERE minute >= ? AND minute < ?"  # noqa: S608
        found = together(views(self._words.rows(connection, sql, span, ends)), SPAN)
        self._words.run(connection, "DELETE FROM task_spans WHERE span = ?", span)
        if found:
            TaskSpanRow.insert_many([_row(each) for each in found]).execute(connection)
        self._words.run(connection, "DELETE FROM task_spans_due WHERE span = ?", span)
        return 1


def _row(figures: TaskMinute) -> dict[str, Any]:
    values = asdict(figures)
    return {"span": values.pop("minute")} | values
