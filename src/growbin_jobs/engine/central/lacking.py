"""Finds sums that lack some of their parts, though no note says so.

A keeper of the release before, beside those of this one while pods are replaced, computes parts without a note.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from datetime import datetime
from typing import Any, NamedTuple

from growbin_jobs.engine.central.fields import known_moment, stored_moment
from growbin_jobs.engine.central.sql_words import SqlWords


class Figures(NamedTuple):
    """A table of figures, and its column of times."""

    table: str
    column: str


def lacking(
    connection: Any,
    words: SqlWords,
    since: datetime,
    until: datetime,
    *,
    parts: Figures,
    sums: Figures,
    begin: Callable[[datetime], datetime],
) -> list[datetime]:
    """Return the times of those sums that have other numbers of runs than their parts together, in order.

    Parameters:
      since, until: From the one to before the other, both where a sum begins.
      begin: Returns when the sum of a part begins.
    """

    def runs(figures: Figures) -> list[tuple[datetime, int]]:
        table, column = figures
        sql = f"SELECT {column}, sum(runs) FROM {table} WHERE {column} >= ? AND {column} < ? GROUP BY {column}"  # noqa: S608
        found = words.rows(connection, sql, stored_moment(since), stored_moment(until))
        return [(known_moment(at), int(number)) for at, number in found]

    missing: Counter[datetime] = Counter()
    for at, number in runs(parts):
        missing[begin(at)] += number
    missing.subtract(dict(runs(sums)))
    return sorted(at for at, number in missing.items() if number)
