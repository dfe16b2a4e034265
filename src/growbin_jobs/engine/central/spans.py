"""Figures of five minutes (:mod:`growbin_jobs.engine.central.rollup`): what overviews of hours read."""

from __future__ import annotations

import json
from datetime import datetime
from typing import Any

import peewee

from growbin_jobs.engine.central.fields import stored_moment
from growbin_jobs.engine.central.minutes import FIGURES, TaskMinute, figure_columns, together, views
from growbin_jobs.engine.central.minutes_due import MINUTE
from growbin_jobs.engine.central.rollup import SPANS, Sums


class Spans(Sums):
    """The table ``task_spans``."""

    rollup = SPANS
    columns = ("span", *FIGURES)

    def read(self, since: datetime, until: datetime) -> tuple[list[TaskMinute], datetime]:
        """Return the figures of a time in parts of five minutes or, where those are not made, of one.

        Parameters:
          since, until: From the one to before the other, whole spans.

        Returns:
          The figures in no order, and the end of the last part that has some.
        """
        columns = figure_columns(self._database.dialect)
        # One statement: what is computed meanwhile is neither missed nor read twice.
        sql = f"""
            SELECT span, {columns}, 5 AS minutes FROM task_spans WHERE span >= ? AND span < ?
                AND NOT EXISTS (SELECT 1 FROM task_spans_due WHERE task_spans_due.span = task_spans.span)
            UNION ALL
            SELECT minute, {columns}, 1 FROM task_spans_due JOIN task_minutes
                ON minute >= span AND minute < ends WHERE span >= ? AND span < ?
        """  # noqa: S608 names of ours
        ends = (stored_moment(since), stored_moment(until))
        rows = self._database.run(lambda connection: self._words.rows(connection, sql, *ends, *ends))
        found = views([row[:-1] for row in rows])
        known = (part.minute + row[-1] * MINUTE for part, row in zip(found, rows, strict=True))
        return found, max(known, default=since)

    def _made(self, connection: peewee.Database, begin: Any, end: Any) -> list[tuple[Any, ...]]:
        columns = figure_columns(self._database.dialect)
        sql = f"SELECT minute, {columns} FROM task_minutes WHERE minute >= ? AND minute < ?"  # noqa: S608 names of ours
        found = together(views(self._words.rows(connection, sql, begin, end)), SPANS.long)
        return [(begin, *(_stored(getattr(each, name)) for name in FIGURES)) for each in found]


def _stored(value: Any) -> Any:
    return json.dumps(value) if isinstance(value, list) else value
