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


def failures_at(
    database: Database,
    times: Collection[datetime],
    *,
    since: datetime,
    until: datetime,
    causes: Collection[Cause] = (),
    window: int = WINDOW,
) -> list[Failure]:
    """Return the failed runs of the hours in which some moments lie, the newest first.

    Parameters:
      times: Such as :attr:`ErrorFigures.times` has.
      since, until: As for :class:`ErrorReading`.
      causes: Only those that may have one of these; none named: all.
      window: At most so many.

    Raises:
      Deferred: The database is away.
    """
    words, since = SqlWords(database.dialect), since.replace(second=0, microsecond=0)
    hours = sorted({hour_of(at) for at in times}, reverse=True)

    def read(connection: Any) -> list[Failure]:
        spans = _joined(hours, HOUR)
        each = (failures(connection, words, max(begin, since), min(end, until), causes=causes) for begin, end in spans)
        return list(islice(chain.from_iterable(each), window))

    return database.snapshot(read)


class ErrorReading:
    """One reading, in a snapshot: what is counted while it reads is neither missed nor read twice.

    Parameters:
      connection: Of the snapshot.
      since, until: From the one to before the other, aware; both to the minute, where that is counted.
      window: Of minutes that nobody has counted yet at most so many runs are read, the newest.

    Attributes:
      has_more: There are more failed runs in minutes that nobody has counted yet than are read.
    """

    def __init__(
        self, connection: Any, words: SqlWords, since: datetime, until: datetime, *, window: int = WINDOW
    ) -> None:
        self._connection, self._words = connection, words
        self._since, self._until = since.replace(second=0, microsecond=0), until
        due = [_moment(minute) for (minute,) in self._due("minutes_due", "minute")]
        hours = {_moment(hour) for (hour,) in self._due("error_hours_due", "hour")}
        hours |= {hour_of(minute) for minute in due}
        self._counts, self._values = _counts(self._since, self._until, {stored(hour) for hour in hours})
        runs = list(islice(self._uncounted(due), window + 1))
        self.has_more = len(runs) > window
        self._found = figures_of(runs[:window])
        self._numbers: dict[int, ErrorFigures] = {}

    def sums(self) -> list[ErrorFigures]:
        """Return the figures of all causes, yet without the times, nodes and samples of what is counted."""
        by_cause = "SELECT cause, sum(runs), sum(dead), min(first_at), max(last_at)"
        sums = self._rows(f"{by_cause} FROM ({self._counts}) AS counts GROUP BY cause", *self._values)
        causes = self._causes(sorted(row[0] for row in sums))
        for number, runs, dead, first, last in sums:
            cause, first_at, last_at = causes[number], _moment(first), _moment(last)
            self._numbers[number] = self._found.setdefault(cause, ErrorFigures(cause, first_at, last_at))
            self._numbers[number].add(int(runs), int(dead), first_at, last_at)
        return list(self._found.values())

    def detail(self, figures: Collection[ErrorFigures], *, part: timedelta | None = None) -> None:
        """Add times, nodes and samples to some figures; to no figures twice.

        Parameters:
          figures: Of :meth:`sums`.
          part: Times are told in parts so long, from the beginning on. None: in hours and minutes as they are counted.
        """
        wanted = {id(each) for each in figures}
        chosen = sorted(number for number, each in self._numbers.items() if id(each) in wanted)
        for begin in range(0, len(chosen), _AT_ONCE):
            nodes, times = self._by_node_and_time(self._time(part), chosen[begin : begin + _AT_ONCE])
            for number, node, runs in nodes:
                self._numbers[number].nodes[node] += int(runs)
            moments = {told: _moment(told) if part is None else self._since + int(told) * part for _, told, *_ in times}
            for number, told, runs, sample in times:
                self._numbers[number].place(moments[told], int(runs), sample)

    def _by_node_and_time(self, at: str, causes: Sequence[int]) -> tuple[list[Any], list[Any]]:
        """Return the runs of some causes by node, and by time with a sample, the latest first."""
        of = f"FROM ({self._counts}) AS counts WHERE cause IN ({', '.join('?' * len(causes))})"
        by_node = f"SELECT cause, node, sum(runs) {of} GROUP BY cause, node"
        by_time = f"SELECT cause, {at}, sum(runs), max(sample) {of} GROUP BY cause, {at} ORDER BY 2 DESC"
        if self._words.dialect != "postgresql":
            return tuple(self._rows(sql, *self._values, *causes) for sql in (by_node, by_time))  # type: ignore[return-value]
        # One look at the rows, which are tens of thousands, in place of two.
        both = (
            f"SELECT cause, node, {at}, sum(runs), max(sample) {of} GROUP BY GROUPING SETS ((cause, node), (cause, 3))"
        )
        rows = self._rows(both, *self._values, *causes)
        nodes = [(cause, node, runs) for cause, node, told, runs, _ in rows if told is None]
        times = [(cause, told, runs, sample) for cause, _, told, runs, sample in rows if told is not None]
        return nodes, sorted(times, key=lambda row: row[1], reverse=True)

    def _time(self, part: timedelta | None) -> str:
        if part is None:
            return "at"
        begin, long = self._since.timestamp(), part.total_seconds()
        if self._words.dialect == "postgresql":
            return f"floor((extract(epoch FROM at)::float8 - {begin!r}) / {long!r})"
        return f"CAST((unixepoch(at) - {begin!r}) / {long!r} AS INTEGER)"

    def _due(self, table: str, column: str) -> list[Any]:
        sql = f"SELECT {column} FROM {table} WHERE {column} >= ? AND {column} < ? ORDER BY {column} DESC"  # noqa: S608
        return self._rows(sql, stored(hour_of(self._since)), stored(self._until))

    def _uncounted(self, due: Sequence[datetime]) -> Iterator[Failure]:
        """Yield the failed runs of minutes that have a note, the newest first."""
        for begin, end in _joined(due):
            yield from failures(self._connection, self._words, max(begin, self._since), min(end, self._until))

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
