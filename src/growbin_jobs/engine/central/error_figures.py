"""Reads how often which cause made runs fail in a time: hours and minutes that are counted, and the runs of others."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from itertools import chain, islice
from typing import Any, Final

from growbin_jobs.engine.central.database import Database
from growbin_jobs.engine.central.error_causes import OTHERS, Cause
from growbin_jobs.engine.central.error_counts import HOUR, hour_of, stored
from growbin_jobs.engine.central.failed_runs import Failure, failures
from growbin_jobs.engine.central.fields import utc_moment
from growbin_jobs.engine.central.minutes_due import MINUTE
from growbin_jobs.engine.central.sql_words import SqlWords

#: Failed runs that are read at most of minutes that nobody has counted yet, the newest.
WINDOW: Final = 20_000

#: Tasks of a cause that are named.
SAMPLES: Final = 5

_AT_ONCE: Final = 500

_COLUMNS: Final = "cause, node, runs, dead, first_at, last_at, sample"
_NOT_DUE: Final = "NOT EXISTS (SELECT 1 FROM minutes_due WHERE minutes_due.minute = error_minutes.minute)"
_HOURS: Final = f"SELECT hour AS at, {_COLUMNS} FROM error_hours WHERE hour >= ? AND hour < ?"  # noqa: S608 constants
_MINUTES: Final = f"SELECT minute AS at, {_COLUMNS} FROM error_minutes WHERE {_NOT_DUE}"  # noqa: S608 constants only


@dataclass(slots=True)
class ErrorFigures:
    """The failed runs of one cause in a time.

    Attributes:
      dead: Of these runs, so many after which the message was given up.
      first_at, last_at: When the first and the last one ended.
      times: How many ended in the hour or minute that began then.
      nodes: How many ran on which node.
      samples: Some tasks, the newest first.
    """

    cause: Cause
    first_at: datetime
    last_at: datetime
    runs: int = 0
    dead: int = 0
    times: Counter[datetime] = field(default_factory=Counter)
    nodes: Counter[str] = field(default_factory=Counter)
    samples: list[str] = field(default_factory=list)

    def add(self, runs: int, dead: int, first: datetime, last: datetime) -> None:
        """Add runs.

        Parameters:
          dead: Of them, so many after which the message was given up.
          first, last: When the first and the last one ended.
        """
        self.runs, self.dead = self.runs + runs, self.dead + dead
        self.first_at, self.last_at = min(self.first_at, first), max(self.last_at, last)

    def place(self, at: datetime, runs: int, sample: str) -> None:
        """Say that so many of them ended in the time that began at a moment; later ones have to be said first.

        Parameters:
          sample: The task of one of them.
        """
        self.times[at] += runs
        if len(self.samples) < SAMPLES and sample not in self.samples:
            self.samples.append(sample)


def figures_of(failures: Iterable[Failure]) -> dict[Cause, ErrorFigures]:
    """Return the figures of failed runs, those that ended last first."""
    found: dict[Cause, ErrorFigures] = {}
    for each in failures:
        if each.cause not in found:
            found[each.cause] = ErrorFigures(each.cause, each.at, each.at)
        found[each.cause].add(1, int(each.dead), each.at, each.at)
        found[each.cause].place(each.at, 1, each.task_id)
        found[each.cause].nodes[each.node] += 1
    return found


def error_figures(
    database: Database, *, since: datetime, until: datetime, window: int = WINDOW
) -> tuple[list[ErrorFigures], bool]:
    """Return how often which cause made runs fail.

    Parameters:
      database: The central one.
      since, until: From the one to before the other, aware; both to the minute, where that is counted.
      window: Of minutes that nobody has counted yet at most so many runs are read, the newest.

    Returns:
      The figures, and whether there are more runs than are read.

    Raises:
      Deferred: The database is away.
    """
    words = SqlWords(database.dialect)
    since = since.replace(second=0, microsecond=0)
    return database.snapshot(lambda connection: _Reading(connection, words, since, until).all(window))


def failures_at(
    database: Database, times: Collection[datetime], *, since: datetime, until: datetime, window: int = WINDOW
) -> list[Failure]:
    """Return the failed runs of the hours in which some moments lie, the newest first.

    Parameters:
      times: Such as :attr:`ErrorFigures.times` has.
      since, until: As for :func:`error_figures`.
      window: At most so many.

    Raises:
      Deferred: The database is away.
    """
    words, since = SqlWords(database.dialect), since.replace(second=0, microsecond=0)
    hours = sorted({hour_of(at) for at in times}, reverse=True)

    def read(connection: Any) -> list[Failure]:
        spans = _joined(hours, HOUR)
        each = (failures(connection, words, max(begin, since), min(end, until)) for begin, end in spans)
        return list(islice(chain.from_iterable(each), window))

    return database.snapshot(read)


class _Reading:
    """One reading, in a snapshot: what is counted while it reads is neither missed nor read twice."""

    def __init__(self, connection: Any, words: SqlWords, since: datetime, until: datetime) -> None:
        self._connection, self._words, self._since, self._until = connection, words, since, until
        self._counts, self._values = "", list[str]()
        self._found: dict[Cause, ErrorFigures] = {}

    def all(self, window: int) -> tuple[list[ErrorFigures], bool]:
        due = [_moment(minute) for (minute,) in self._due("minutes_due", "minute")]
        hours = {_moment(hour) for (hour,) in self._due("error_hours_due", "hour")}
        hours |= {hour_of(minute) for minute in due}
        self._counts, self._values = _counts(self._since, self._until, {stored(hour) for hour in hours})
        runs = list(islice(self._uncounted(due), window + 1))
        self._found = figures_of(runs[:window])
        self._read_counts()
        return list(self._found.values()), len(runs) > window

    def _due(self, table: str, column: str) -> list[Any]:
        sql = f"SELECT {column} FROM {table} WHERE {column} >= ? AND {column} < ? ORDER BY {column} DESC"  # noqa: S608
        return self._rows(sql, stored(hour_of(self._since)), stored(self._until))

    def _uncounted(self, due: Sequence[datetime]) -> Iterator[Failure]:
        """Yield the failed runs of minutes that have a note, the newest first."""
        for begin, end in _joined(due):
            yield from failures(self._connection, self._words, max(begin, self._since), min(end, self._until))

    def _read_counts(self) -> None:
        # What is needed once a cause is not asked for each of its hours: they are tens of thousands.
        sums = self._summed("cause, node, sum(runs), sum(dead), min(first_at), max(last_at)", by="cause, node")
        causes, moments = self._causes(sorted({row[0] for row in sums})), dict[Any, datetime]()
        figures: dict[int, ErrorFigures] = {}
        for number, node, runs, dead, first, last in sums:
            cause, first_at, last_at = causes[number], _moment(first), _moment(last)
            if number not in figures:
                figures[number] = self._found.setdefault(cause, ErrorFigures(cause, first_at, last_at))
            figures[number].add(int(runs), int(dead), first_at, last_at)
            figures[number].nodes[node] += int(runs)
        for number, at, runs, sample in self._summed(
            "cause, at, sum(runs), max(sample)", by="cause, at ORDER BY at DESC"
        ):
            if at not in moments:
                moments[at] = _moment(at)
            figures[number].place(moments[at], int(runs), sample)

    def _summed(self, what: str, *, by: str) -> list[Any]:
        sql = f"SELECT {what} FROM ({self._counts}) AS counts GROUP BY {by}"  # noqa: S608 constants only
        return self._rows(sql, *self._values)

    def _causes(self, numbers: Sequence[int]) -> dict[int, Cause]:
        found = dict.fromkeys(numbers, OTHERS)  # also what was forgotten meanwhile
        for begin in range(0, len(numbers), _AT_ONCE):
            some = numbers[begin : begin + _AT_ONCE]
            sql = (
                "SELECT cause, task_name, code, error_class, place, title FROM error_causes"  # noqa: S608
                f" WHERE cause IN ({', '.join('?' * len(some))})"
            )
            found |= {row[0]: Cause(*row[1:]) for row in self._rows(sql, *some)}
        return found

    def _rows(self, sql: str, *values: Any) -> list[Any]:
        return self._words.rows(self._connection, sql, *values)


def _counts(since: datetime, until: datetime, due: Collection[str]) -> tuple[str, list[str]]:
    """Return the statement for all counts of a time: of whole hours where there are, and of minutes around them.

    Parameters:
      due: Hours of which something was counted since they were, or is to be: of these, too, minutes are read.
    """
    first, last = stored(hour_of(since + HOUR - timedelta(microseconds=1))), stored(hour_of(until))
    ends = [stored(since), stored(until)]
    edge = f"{_MINUTES} AND hour >= ? AND hour < ? AND minute >= ? AND minute < ?"
    if first >= last:
        return edge, [stored(hour_of(since)), ends[1], *ends]
    statements, values = [_HOURS], [first, last]
    within = sorted(hour for hour in due if first <= hour < last)
    if within:
        marks = ", ".join("?" * len(within))
        statements = [f"{_HOURS} AND hour NOT IN ({marks})", f"{_MINUTES} AND hour IN ({marks})"]
        values += [*within, *within]
    values += [stored(hour_of(since)), first, ends[0], first, last, ends[1], last, ends[1]]
    return " UNION ALL ".join((*statements, edge, edge)), values


def _joined(minutes: Sequence[datetime], long: timedelta = MINUTE) -> Iterator[tuple[datetime, datetime]]:
    """Yield minutes or hours, the newest first, as spans: those that follow each other are one."""
    begin: datetime | None = None
    end: datetime | None = None
    for minute in minutes:
        if begin is not None and minute + long == begin:
            begin = minute
            continue
        if begin is not None and end is not None:
            yield begin, end
        begin, end = minute, minute + long
    if begin is not None and end is not None:
        yield begin, end


def _moment(value: Any) -> datetime:
    found = utc_moment(value)
    assert found is not None
    return found
