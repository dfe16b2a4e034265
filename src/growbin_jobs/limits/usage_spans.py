"""Sums of usage by user over spans of 2, 4, 8 … days, so that a month or a year of many users is added up at once.

The keepers make them of days that are over. A span says of how many requests it is: where its days have other ones by
now, such as one that a node has written late, it does not hold, and readers add up the days until it is made anew. So
what is read is exact at any moment, and nobody who writes a request has to do with spans.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from datetime import date, timedelta
from functools import partial
from typing import Any, Final

from growbin_jobs.engine.central.database import Database
from growbin_jobs.engine.central.driver import Dialect
from growbin_jobs.engine.central.sql_words import SqlWords
from growbin_jobs.limits.usage_sums import COUNTED, keep_still

#: Days of a span; each begins at a day whose number it divides.
LENGTHS: Final = (2, 4, 8, 16, 32, 64)

#: Spans that one look makes at most.
MOST_MADE: Final = 400

_SUMS: Final = ", ".join(f"sum({name}) AS {name}" for name in COUNTED)
_NAMES: Final = ", ".join(COUNTED)
_DAYS: Final = "SELECT day, sum(requests) FROM llm_usage_total WHERE day >= ? AND day <= ? GROUP BY day"
_SPANNED: Final = "SELECT days, since, requests FROM llm_usage_spanned WHERE since >= ? AND since <= ?"


@dataclass(frozen=True, slots=True, order=True)
class Span:
    """Some days.

    Attributes:
      since: The first one.
      days: How many.
    """

    since: date
    days: int

    @property
    def last(self) -> date:
        """Return the last day."""
        return self.since + timedelta(days=self.days - 1)

    def halves(self) -> tuple[Span, Span]:
        """Return the two spans that it is made of."""
        half = self.days // 2
        return Span(self.since, half), Span(self.since + timedelta(days=half), half)


def sums_by_user(sql: SqlWords, connection: Any, since: str, until: str) -> tuple[str, list[Any]]:
    """Return the rows from which a time is added up by user: a statement for a FROM, and its values.

    Parameters:
      connection: Of a snapshot, in which the statement is to be used too.
      since, until: First and last day.
    """
    counted = _by_day(sql, connection, since, until)
    if not counted:
        return f"SELECT user_id, {_NAMES} FROM llm_usage_sum WHERE 1 = 0", []  # noqa: S608 constants only
    first, last = min(counted), max(counted)
    known = _spanned(sql, connection, first, last)
    holding = {span for span, requests in known.items() if _of(span, counted) == requests}
    parts, values = [], list[Any]()
    for part in cover(first, last, holding):
        if part in holding:
            parts.append(f"SELECT user_id, {_NAMES} FROM llm_usage_span WHERE days = ? AND since = ?")  # noqa: S608
            values += [part.days, part.since.isoformat()]
        else:
            parts.append(f"SELECT user_id, {_NAMES} FROM llm_usage_sum WHERE day >= ? AND day <= ?")  # noqa: S608
            values += [part.since.isoformat(), part.last.isoformat()]
    return " UNION ALL ".join(parts), values


def cover(first: date, last: date, holding: Collection[Span]) -> list[Span]:
    """Return what together is all days from the first to the last: the longest spans that hold, and days between them.

    Parameters:
      holding: Those that may be used.
    """
    found: list[Span] = []
    at = first
    while at <= last:
        fitting = (span for days in reversed(LENGTHS) if (span := Span(at, days)).last <= last and span in holding)
        part = next(fitting, Span(at, 1))
        at = part.last + timedelta(days=1)
        if part.days == 1 and found and found[-1] not in holding:
            found[-1] = Span(found[-1].since, found[-1].days + 1)
        else:
            found.append(part)
    return found


def make_spans(database: Database, *, before: date) -> int:
    """Make the spans that are not there yet or do not hold any more, the shortest first; return how many.

    Parameters:
      before: Only of days before this one, to which hardly anything is added any more.

    Raises:
      Deferred: The database is away.
    """
    sql, last = SqlWords(database.dialect), (before - timedelta(days=1)).isoformat()

    def look(connection: Any) -> list[Span]:
        counted = _by_day(sql, connection, "", last)
        if not counted:
            return []
        known = _spanned(sql, connection, min(counted), before)
        return [
            span
            for span in _spans(min(counted), before)
            if (requests := _of(span, counted)) and known.get(span) != requests
        ]

    wanted = database.snapshot(look)[:MOST_MADE]
    for span in wanted:
        database.transaction(partial(_make, sql, database.dialect, span))
    return len(wanted)


def _make(sql: SqlWords, dialect: Dialect, span: Span, connection: Any) -> None:
    # Whoever erases a user meanwhile finds the new rows, too, or has erased the old ones.
    keep_still(connection, dialect, "llm_usage_span")
    since = span.since.isoformat()
    sql.run(connection, "DELETE FROM llm_usage_span WHERE days = ? AND since = ?", span.days, since)
    sql.run(connection, "DELETE FROM llm_usage_spanned WHERE days = ? AND since = ?", span.days, since)
    values: list[Any]
    if span.days == LENGTHS[0]:
        of, values = "llm_usage_sum WHERE day >= ? AND day <= ?", [since, span.last.isoformat()]
    else:
        halves = span.halves()
        of = "llm_usage_span WHERE days = ? AND since IN (?, ?)"
        values = [halves[0].days, *(half.since.isoformat() for half in halves)]
    sql.run(
        connection,
        f"INSERT INTO llm_usage_span (days, since, user_id, {_NAMES}) SELECT {span.days}, '{since}', user_id, {_SUMS}"  # noqa: S608
        f" FROM {of} GROUP BY user_id",
        *values,
    )
    sql.run(
        connection,
        "INSERT INTO llm_usage_spanned SELECT days, since, sum(requests) FROM llm_usage_span"
        " WHERE days = ? AND since = ? GROUP BY days, since",
        *(span.days, since),
    )


def _spans(first: date, before: date) -> Iterator[Span]:
    """Yield all spans from the one that holds the first day to those that end before a day, the shortest first."""
    for days in LENGTHS:
        at = date.fromordinal(max(1, first.toordinal() // days * days))
        while Span(at, days).last < before:
            yield Span(at, days)
            at += timedelta(days=days)


def _by_day(sql: SqlWords, connection: Any, since: str, until: str) -> dict[date, int]:
    rows = sql.rows(connection, _DAYS, since, until)
    return {date.fromisoformat(day): int(requests) for day, requests in rows}


def _spanned(sql: SqlWords, connection: Any, first: date, last: date) -> dict[Span, int]:
    since = first - timedelta(days=min(LENGTHS[-1], first.toordinal() - 1))
    rows = sql.rows(connection, _SPANNED, since.isoformat(), last.isoformat())
    return {Span(date.fromisoformat(at), days): requests for days, at, requests in rows}


def _of(span: Span, counted: Mapping[date, int]) -> int:
    return sum(counted.get(span.since + timedelta(days=each), 0) for each in range(span.days))
